"""How much one network may ask of the pages: whoever asks for more is answered with when to come back."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from math import ceil

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.services.ledger import Clock
from newsletter.services.throttle import Meter
from newsletter.web.clients import network_of
from newsletter.web.pages import Pages

Refusal = Callable[[Request, timedelta], Response]
_FREE = "/unsubscribe/"  # many leave at once by the one click of the same mail program, and everybody must be able to


class Turnstile:
    """ASGI middleware: counts the requests of each network, and refuses those that are too many, by *refuse*."""

    def __init__(self, app: ASGIApp, meter: Meter, refuse: Refusal, clock: Clock) -> None:
        self._app, self._meter, self._refuse, self._clock = app, meter, refuse, clock
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
            return await self._refuse(request, wait)(scope, receive, send)
        return await self._app(scope, receive, send)


def too_many(pages: Pages, wait: timedelta) -> Response:
    """Return the page for what was done too often, and may be done again after *wait*."""
    gettext = pages.language.gettext
    answer = pages.message(gettext("That was too often"), gettext("Please try again in a while."), status=429)
    answer.headers.update(retry_after(wait))
    return answer


def retry_after(wait: timedelta) -> dict[str, str]:
    """Return the header that says when to come back."""
    return {"Retry-After": str(max(ceil(wait.total_seconds()), 1))}
