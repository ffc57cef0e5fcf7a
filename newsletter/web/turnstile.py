"""How much one network may ask of the pages: whoever asks for more is answered with when to come back."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.services.throttle import Meter
from newsletter.web.clients import network_of

_FREE = "/unsubscribe/"  # many leave at once by the one click of the same mail program, and everybody must be able to

Refusal = Callable[[Request, timedelta], Response]


class Turnstile:
    """ASGI middleware: counts the requests of each network, and refuses those that are too many."""

    def __init__(self, app: ASGIApp, meter: Meter, refusal: Refusal, clock: Callable[[], datetime]) -> None:
        self._app, self._meter, self._refusal, self._clock = app, meter, refusal, clock
        self._sharing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope)
        network = network_of(request)
        if not network or scope["path"].startswith(_FREE):
            return await self._app(scope, receive, send)
        now = self._clock()
        wait = self._meter.admit(network, now)
        if self._meter.is_due and (self._sharing is None or self._sharing.done()):
            self._sharing = asyncio.create_task(run_in_threadpool(self._meter.share, now))
        if wait:
            return await self._refusal(request, wait)(scope, receive, send)
        return await self._app(scope, receive, send)


def retry_after(wait: timedelta) -> dict[str, str]:
    """Return the header that says when to come back."""
    return {"Retry-After": str(max(ceil(wait.total_seconds()), 1))}
