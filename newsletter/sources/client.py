"""HTTP for sources: polite, bounded in time and size, to public addresses only.

Decides what is asked again, how long to wait, and when to give up. Not here: which addresses are public
(``network.py``), reading an answer (``response.py``), and what it means (each source).
"""

import asyncio
import logging
import random
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import httpcore2
import httpx2

from newsletter.domain.text import plain
from newsletter.errors import SourceError
from newsletter.sources import pace
from newsletter.sources.network import PublicNetwork, Transport
from newsletter.sources.response import MAX_BODY, Response, Trouble, Validator, place_of, read

logging.getLogger("httpx2").setLevel(logging.WARNING)  # it tells whole URLs, which may hold what is secret

BUDGET = 45.0  # seconds for all of one source's requests, waits included
_ATTEMPTS = 5
_REQUEST_TIME = 20.0  # seconds for one request; a server that drips never runs into the time-out of a read
_TIMEOUT = httpx2.Timeout(connect=10, read=15, write=10, pool=10)
_REDIRECTS = 5
_CARRIED = {"accept", "if-none-match", "if-modified-since"}  # what goes along to where a redirect leads
_PORTS = {"http": 80, "https": 443}


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
                f"{place_of(request.url)}: no complete answer within {self._budget:g} s; the next run asks again"
            ) from None

    async def post(
        self, url: str, document: Mapping[str, Any], *, headers: Mapping[str, str], seconds: float, most: int
    ) -> Response:
        """Return the answer to a POST of *document* as JSON, of at most *most* bytes and within *seconds*.

        It is sent once, for an answer may cost money, and a redirect is not followed. Raises StatusError for a status
        that stays, SourceError for the rest.
        """
        sent = {"Accept": "application/json", **headers}
        request = self._built("POST", url, json=document, headers=sent, timeout=seconds)
        try:
            answer = await self._exchange(request, paced=False, seconds=seconds, most=most)
        except Trouble as trouble:
            raise _given_up(request.url, trouble, 1) from None
        if not isinstance(answer, Response):
            raise SourceError(f"{place_of(request.url)}: redirects to {place_of(answer)}; give the URL that answers")
        return answer

    def _request(
        self, url: str, params: Mapping[str, str | int] | None, validator: Validator, accept: str
    ) -> httpx2.Request:
        headers = {
            "Accept": accept,
            "If-None-Match": validator.etag,
            "If-Modified-Since": validator.last_modified,
        }
        return self._built("GET", url, params=params, headers={name: value for name, value in headers.items() if value})

    def _built(self, method: str, url: str, **options: Any) -> httpx2.Request:
        try:
            request = self._http.build_request(method, url, **options)
        except httpx2.InvalidURL as error:
            raise SourceError(f"{plain(url)[:200]}: is not a URL ({error}); correct it in the configuration") from None
        if self._allow_private_address:
            self._network.allowed.add(_origin(request.url))
        return request

    async def _insist(self, request: httpx2.Request, paced: bool) -> Response:
        trouble = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return await self._follow(request, paced)
            except pace.TooLateError:
                if trouble is None:
                    raise
                raise _given_up(request.url, trouble, attempt - 1) from None
            except Trouble as found:
                trouble = found
            wait = max(trouble.wait or 0.0, 2.0**attempt / 4 * random.uniform(0.8, 1.2))  # noqa: S311
            if attempt == _ATTEMPTS or asyncio.get_running_loop().time() + wait >= self._deadline:
                raise _given_up(request.url, trouble, attempt)
            await asyncio.sleep(wait)
        raise AssertionError  # the last attempt returned or raised

    async def _follow(self, request: httpx2.Request, paced: bool) -> Response:
        seen = {request.url}
        while True:
            answer = await self._exchange(request, paced)
            if isinstance(answer, Response):
                return answer
            if answer in seen or len(seen) > _REDIRECTS:
                how = "in a loop" if answer in seen else f"more than {_REDIRECTS} times"
                raise SourceError(f"{place_of(request.url)}: redirects {how}; check this source's URL")
            seen.add(answer)
            headers = {name: value for name, value in request.headers.items() if name in _CARRIED}
            request = self._http.build_request("GET", answer, headers=headers)

    async def _exchange(
        self, request: httpx2.Request, paced: bool, *, seconds: float = _REQUEST_TIME, most: int = MAX_BODY
    ) -> Response | httpx2.URL:
        """Send one request; return the answer, or where it redirects to."""
        turn: AbstractAsyncContextManager[None] = nullcontext()
        if name := _paced_name(request.url, paced):
            turn = pace.turn(name, self._deadline, self._pace_dir)
            request.headers["Connection"] = "close"  # one at a time means that none is left open either
        try:
            async with turn, asyncio.timeout(seconds):
                response = await self._http.send(request, stream=True)
                try:
                    return await read(response, most)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise Trouble(f"no complete answer within {seconds:g} s") from None
        except httpcore2.TimeoutException as error:
            raise Trouble(f"no answer in time ({type(error).__name__})") from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
            raise Trouble(f"the connection failed ({plain(str(error))[:200] or type(error).__name__})") from None
        except (httpcore2.UnsupportedProtocol, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError):
            raise SourceError(
                f"{place_of(request.url)}: is not an http or https URL; check this source's URL"
            ) from None


def _paced_name(url: httpx2.URL, paced: bool) -> str:
    """Return under which name the machine keeps the pace for *url*, or ''. All of arXiv's hosts share one."""
    if f".{url.host}".endswith(".arxiv.org"):
        return "arxiv.org"
    return "{}-{}".format(*_origin(url)) if paced else ""


def _given_up(url: httpx2.URL, trouble: Trouble, attempts: int) -> SourceError:
    what = f"{place_of(url)}: {trouble}" + (f", {attempts} times" if attempts > 1 else "")
    if trouble.wait is None:
        return SourceError(f"{what}; the next run asks again")
    retry_at = datetime.now(UTC) + timedelta(seconds=trouble.wait)
    return SourceError(f"{what}, and wants no request before {retry_at:%Y-%m-%d %H:%M:%S} UTC", retry_at=retry_at)


def _origin(url: httpx2.URL) -> tuple[str, int]:
    return url.raw_host.decode("ascii"), url.port or _PORTS.get(url.scheme, 0)
