"""What holds for every answer and every request: headers, how long a body may be, and what the log says.

Tokens are in URLs, so that no referrer may leave a page, and no address may reach a log: a line names the page, never
its path. Nothing here knows what a page is for.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

LONGEST_BODY = 16 * 1024
_PATIENCE = 10  # seconds for a body to arrive

# As the OWASP cheat sheets ask. Pages have a style sheet, scripts in files of their own, forms that go to themselves,
# and nothing else.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Permitted-Cross-Domain-Policies": "none",
    "Cache-Control": "no-store",  # unless the page says otherwise
}


_TWO_YEARS = 63_072_000  # seconds


def headers(base_url: str) -> dict[str, str]:
    """Return the headers of every answer of the pages at *base_url*.

    Where that is https, browsers are told to come by nothing else, to the names below it as well where the pages have
    theirs to themselves.
    """
    url = urlsplit(base_url)
    if url.scheme != "https":
        return HEADERS
    below = "" if url.path else "; includeSubDomains"
    return HEADERS | {"Strict-Transport-Security": f"max-age={_TWO_YEARS}{below}"}


class Guard:
    """ASGI middleware: puts *headers* on every answer, and writes one line for each into the log."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status, began = 500, time.perf_counter()

        async def secured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name for name, _ in message["headers"]}
                ours = [header for header in self._headers if header[0] not in there]
                message = {**message, "headers": [*message["headers"], *ours]}
            await send(message)

        try:
            await self._app(scope, receive, secured)
        finally:
            page = getattr(scope.get("endpoint"), "__name__", "no page")
            took = 1000 * (time.perf_counter() - began)
            log.info("%s %s %d %.0f ms", scope.get("method"), page, status, took)


async def read_body(request: Request, most: int = LONGEST_BODY) -> bytes:
    """Return the whole body, of at most so many octets. Raises HTTPException for one that is too long or too slow."""
    body = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most:
                    raise HTTPException(413)
    except TimeoutError as error:
        raise HTTPException(408) from error
    except ClientDisconnect as error:
        raise HTTPException(400) from error
    return bytes(body)
