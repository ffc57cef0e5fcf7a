"""GET over HTTP for sources: polite, bounded in time and size, to public addresses only.

Decides what is asked again, how long to wait, and when to give up. Not here: which addresses are public
(``network.py``), and what an answer means (each source).
"""

import asyncio
import random
import zlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Self

import httpcore2
import httpx2

from newsletter.domain.text import plain
from newsletter.errors import SourceError
from newsletter.sources import pace
from newsletter.sources.network import PublicNetwork, Transport

BUDGET = 45.0  # seconds for all of one source's requests, waits included
MAX_BODY = 20 * 2**20  # bytes, decoded
_ATTEMPTS = 5
_REQUEST_TIME = 20.0  # seconds for one request; a server that drips never runs into the time-out of a read
_TIMEOUT = httpx2.Timeout(connect=10, read=15, write=10, pool=10)
_REDIRECTS = 5
_REDIRECT_STATUS = {301, 302, 303, 307, 308}
_PORTS = {"http": 80, "https": 443}


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
    def validator(self) -> Validator:
        """Return what to send along the next time."""
        return Validator(self.headers.get("etag", ""), self.headers.get("last-modified", ""))


class StatusError(SourceError):
    """The server answered with a ``status`` that asking again does not change."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


class _Trouble(Exception):  # noqa: N818 - it never leaves this module
    """What may pass when asked again, after *wait* seconds where the server named them."""

    def __init__(self, what: str, wait: float | None = None):
        super().__init__(what)
        self.wait = wait


class Client:
    """One source's turn on the network: all its requests together end within *budget* seconds.

    *user_agent* names the program and a contact. With *allow_private_address* the hosts that the source itself
    asks may be anywhere, but not where they redirect to. *pace_dir* is where the pace's lock files lie.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allow_private_address: bool = False,
        budget: float = BUDGET,
        pace_dir: Path | None = None,
    ):
        self._allow_private_address = allow_private_address
        self._budget = budget
        self._pace_dir = pace_dir
        self._deadline = 0.0
        self._network = PublicNetwork()
        self._http = httpx2.AsyncClient(
            transport=Transport(self._network),
            timeout=_TIMEOUT,
            trust_env=False,  # through a proxy the address that is checked is not the one connected to
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
        )

    async def __aenter__(self) -> Self:
        await self._http.__aenter__()
        self._deadline = asyncio.get_running_loop().time() + self._budget
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(
        self,
        url: str,
        params: Mapping[str, str | int] | None = None,
        *,
        validator: Validator | None = None,
        accept: str = "*/*",
        paced: bool = False,
    ) -> Response:
        """Return the answer to a GET of *url*, asked again where that may help.

        With *validator* the answer may be a 304. With *paced* the host gets one request per ``pace.INTERVAL`` from
        this machine; hosts of arXiv always do. Raises StatusError for a status that stays, SourceError for the rest.
        """
        request = self._request(url, params, validator or Validator(), accept)
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._insist(request, paced)
        except TimeoutError:
            raise SourceError(
                f"{_place(request.url)}: no complete answer within {self._budget:g} s; the next run asks again"
            ) from None

    def _request(
        self, url: str, params: Mapping[str, str | int] | None, validator: Validator, accept: str
    ) -> httpx2.Request:
        headers = {
            "Accept": accept,
            "If-None-Match": validator.etag,
            "If-Modified-Since": validator.last_modified,
        }
        try:
            request = self._http.build_request(
                "GET", url, params=params, headers={name: value for name, value in headers.items() if value}
            )
        except httpx2.InvalidURL as error:
            raise SourceError(f"{plain(url)[:200]}: is not a URL ({error}); correct it in the configuration") from None
        if self._allow_private_address:
            self._network.allowed.add(_origin(request.url))
        return request

    async def _insist(self, request: httpx2.Request, paced: bool) -> Response:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._follow(request, paced)
            except _Trouble as trouble:
                wait = max(trouble.wait or 0.0, 2.0**attempt / 4 * random.uniform(0.8, 1.2))  # noqa: S311
                if attempt == _ATTEMPTS or asyncio.get_running_loop().time() + wait >= self._deadline:
                    raise _given_up(request.url, trouble, attempt) from None
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _follow(self, request: httpx2.Request, paced: bool) -> Response:
        seen = {request.url}
        while True:
            answer = await self._exchange(request, paced)
            if isinstance(answer, Response):
                return answer
            if answer in seen or len(seen) > _REDIRECTS:
                how = "in a loop" if answer in seen else f"more than {_REDIRECTS} times"
                raise SourceError(f"{_place(request.url)}: redirects {how}; check this source's URL")
            seen.add(answer)
            headers = {name: request.headers[name] for name in ("Accept", "If-None-Match") if name in request.headers}
            request = self._http.build_request("GET", answer, headers=headers)

    async def _exchange(self, request: httpx2.Request, paced: bool) -> Response | httpx2.URL:
        """Send one request; return the answer, or where it redirects to."""
        try:
            async with self._turn(request.url, paced), asyncio.timeout(_REQUEST_TIME):
                response = await self._http.send(request, stream=True)
                try:
                    return await _read(response)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise _Trouble(f"no complete answer within {_REQUEST_TIME:g} s") from None
        except httpcore2.TimeoutException as error:
            raise _Trouble(f"no answer in time ({type(error).__name__})") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise _Trouble(f"the connection failed ({plain(str(error))[:200] or type(error).__name__})") from None
        except (httpcore2.UnsupportedProtocol, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError):
            raise SourceError(f"{_place(request.url)}: is not an http or https URL; check this source's URL") from None

    def _turn(self, url: httpx2.URL, paced: bool) -> AbstractAsyncContextManager[None]:
        if f".{url.host}".endswith(".arxiv.org"):
            return pace.turn("arxiv.org", self._deadline, self._pace_dir)
        if paced:
            return pace.turn("{}-{}".format(*_origin(url)), self._deadline, self._pace_dir)
        return nullcontext()


async def _read(response: httpx2.Response) -> Response | httpx2.URL:
    """Return the answer or where it redirects to. Raises _Trouble, StatusError or SourceError for any other."""
    url, status = response.request.url, response.status_code
    if status in _REDIRECT_STATUS and "location" in response.headers:
        return _redirected(url, response.headers["location"])
    if status in {406, 408, 425, 429} or status >= 500:
        raise _Trouble(f"answered {_named(status)}", _retry_after(response.headers))
    not_modified = status == 304 and {"if-none-match", "if-modified-since"} & set(response.request.headers)
    if status != 200 and not not_modified:
        raise StatusError(f"{_place(url)}: answered {_named(status)}; check this source's configuration", status)
    body = b"" if not_modified else await _body(response)
    return Response(url=str(url), status=status, headers=dict(response.headers), body=body)


def _redirected(url: httpx2.URL, location: str) -> httpx2.URL:
    try:
        target = url.join(location).copy_with(fragment=None)
    except httpx2.InvalidURL:
        raise SourceError(f"{_place(url)}: redirects to what is no URL; check this source's URL") from None
    if target.scheme not in _PORTS or not target.host:
        raise SourceError(f"{_place(url)}: redirects to what is not http or https; check this source's URL")
    return target


async def _body(response: httpx2.Response) -> bytes:
    """Return the decoded body; never holds more than ``MAX_BODY`` of it, however well it was compressed."""
    place, encoding = _place(response.request.url), response.headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise SourceError(f"{place}: answered in the encoding {plain(encoding)[:40]}, which was not asked for")
    gzip = zlib.decompressobj(wbits=31) if encoding.endswith("gzip") else None
    body = bytearray()
    async for chunk in response.aiter_raw():
        try:
            body += gzip.decompress(chunk, MAX_BODY + 1 - len(body)) if gzip else chunk
        except zlib.error:
            raise _Trouble("answered with a body that cannot be decompressed") from None
        if len(body) > MAX_BODY:
            raise SourceError(f"{place}: answered with more than {MAX_BODY // 2**20} MB; ask this source for less")
    if gzip and not gzip.eof:
        raise _Trouble("answered with a body cut short")
    if not body.strip():
        raise _Trouble("answered 200 without a body")
    return bytes(body)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait (RFC 9110 section 10.2.3), or None where the server names none."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    return (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()


def _given_up(url: httpx2.URL, trouble: _Trouble, attempts: int) -> SourceError:
    what = f"{_place(url)}: {trouble}" + (f", {attempts} times" if attempts > 1 else "")
    if trouble.wait is None:
        return SourceError(f"{what}; the next run asks again")
    retry_at = datetime.now(UTC) + timedelta(seconds=trouble.wait)
    return SourceError(f"{what}, and wants no request before {retry_at:%Y-%m-%d %H:%M:%S} UTC", retry_at=retry_at)


def _place(url: httpx2.URL) -> str:
    """Return the host and path of *url* for people, without what may be secret in it."""
    port = f":{url.port}" if url.port else ""
    return plain(f"{url.host}{port}{url.path}")[:200]


def _origin(url: httpx2.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii"), url.port or _PORTS.get(url.scheme, 0)


def _named(status: int) -> str:
    try:
        return f"{status} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
