"""What a server answered: read to its end within limits, or told apart into what may pass and what stays.

Not here: asking, and asking again (``client.py``).
"""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from newsletter.domain.text import plain
from newsletter.errors import SourceError

MAX_BODY = 20 * 2**20  # bytes, decoded
_A_YEAR = 366 * 86400.0
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True, slots=True)
class Validator:
    """What a server gave to ask again whether a resource changed (RFC 9110 section 8.8)."""

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A complete answer: 200 with a body, or 304 without. ``url`` is where redirects led; names in lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def place(self) -> str:
        """Return where it came from, for people."""
        return place_of(httpx2.URL(self.url))

    @property
    def validator(self) -> Validator:
        """Return what to send along the next time."""
        etag, last_modified = self.headers.get("etag", ""), self.headers.get("last-modified", "")
        return Validator(etag if etag.isascii() else "", last_modified if last_modified.isascii() else "")


class StatusError(SourceError):
    """The server answered with a ``status`` that asking again does not change."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class Trouble(Exception):  # noqa: N818 - no error yet: asking again may help
    """What may pass when asked again, after *wait* seconds where the server named them."""

    def __init__(self, what: str, wait: float | None = None):
        super().__init__(what)
        self.wait = wait


async def read(response: httpx2.Response, most: int = MAX_BODY) -> Response | httpx2.URL:
    """Return the answer or where it redirects to, a body of at most *most* bytes.

    Raises Trouble, StatusError or SourceError for any other.
    """
    url, status = response.request.url, response.status_code
    if status in _REDIRECTS and "location" in response.headers:
        return _redirected(url, response.headers["location"])
    if status in {406, 408, 425, 429} or status >= 500:
        raise Trouble(f"answered {_named(status)}", _retry_after(response.headers))
    not_modified = status == 304 and {"if-none-match", "if-modified-since"} & set(response.request.headers)
    if status != 200 and not not_modified:
        raise StatusError(f"{place_of(url)}: answered {_named(status)}; check this source's configuration", status)
    body = b"" if not_modified else await _body(response, most)
    return Response(url=str(url), status=status, headers=dict(response.headers), body=body)


def _redirected(url: httpx2.URL, location: str) -> httpx2.URL:
    try:
        target = url.join(location).copy_with(fragment=None)
    except httpx2.InvalidURL:
        raise SourceError(f"{place_of(url)}: redirects to what is no URL; check this source's URL") from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise SourceError(f"{place_of(url)}: redirects to what is not http or https; check this source's URL")
    return target


async def _body(response: httpx2.Response, most: int) -> bytes:
    """Return the decoded body; never holds more than *most* of it, however well it was compressed."""
    place, encoding = place_of(response.request.url), response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise SourceError(f"{place}: answered in the encoding {plain(encoding)[:40]}, which was not asked for")
    gzip = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += gzip.decompress(chunk, most + 1 - len(body)) if gzip else chunk
        except zlib.error:
            raise Trouble("answered with a body that cannot be decompressed") from None
        if len(body) > most:
            raise SourceError(f"{place}: answered with more than {most // 2**20} MB; ask this source for less")
        if gzip and gzip.eof:
            break
    if gzip and not gzip.eof:
        raise Trouble("answered with a body cut short")
    if not body.strip():
        raise Trouble("answered 200 without a body")
    return bytes(body)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait (RFC 9110 section 10.2.3), or None where the server names none."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return min(float(value), _A_YEAR)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), _A_YEAR)


def place_of(url: httpx2.URL) -> str:
    """Return the host and path of *url* for people, without what may be secret in it."""
    port = f":{url.port}" if url.port else ""
    return plain(f"{url.host}{port}{url.path}")[:200]


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
