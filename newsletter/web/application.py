"""The pages wired into one ASGI application, and how its errors look: a page without details.

Blocking work (SQLite, templates) runs in Starlette's threads.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.errors import TokenError, TokenExpiredError
from newsletter.services import archive
from newsletter.services.ledger import Clock
from newsletter.storage.database import StorageError
from newsletter.web.archive import Archive
from newsletter.web.guard import HEADERS, Guard
from newsletter.web.pages import Pages
from newsletter.web.subscription import Subscription

_ANSWERS = {
    404: ("There is no such page", "The address may be incomplete, or the page is gone."),
    405: ("This page cannot do that", "Open it by its address."),
    408: ("That took too long", "Please try again."),
    413: ("That is too much", "Please send less."),
}


def _utc_now() -> datetime:
    return datetime.now(UTC)


def application(app: App, clock: Clock = _utc_now) -> Starlette:
    """Return the pages of *app*. Raises ConfigurationError for a template that does not work."""
    pages = Pages(app.dispatch.environment, app.correspondence.imprint, app.correspondence.reply_to)
    papers, subscription = Archive(app, pages), Subscription(app, pages, clock)
    site = Starlette(
        routes=[
            Route("/", papers.home),
            Route("/archive", papers.archive),
            Route("/archive/{day}", papers.issue),
            Route("/confirm/{token}", subscription.confirm, methods=["GET", "POST"]),
            Route("/unsubscribe/{token}", subscription.unsubscribe, methods=["GET", "POST"]),
            Route("/style.css", pages.style),
            Route("/healthz", _health(app)),
        ],
        middleware=[Middleware(Guard)],
        exception_handlers=_failures(pages),
    )
    site.router.redirect_slashes = False  # a token must not travel in a Location
    return site


def _health(app: App) -> Callable[[Request], Response]:
    def health(_request: Request) -> Response:
        try:
            archive.entries(app.database, limit=1)
        except StorageError:
            return PlainTextResponse("the database does not answer", 503)
        return PlainTextResponse("ok")

    return health


def _failures(pages: Pages) -> dict[object, Callable[[Request, Exception], Response]]:
    def dead_link(_request: Request, _error: Exception) -> Response:
        said = "Copy the whole of it from the mail, or use the one in your newest mail."
        return pages.message("This link does not work", said, status=404, contact=True)

    def expired(_request: Request, _error: Exception) -> Response:
        return pages.message("This link has expired", "Please ask for a fresh one.", status=410, contact=True)

    def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        title, line = _ANSWERS.get(error.status_code, ("That cannot be answered", "Please try again."))
        answer = pages.message(title, line, status=error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    def broken(_request: Request, _error: Exception) -> Response:
        answer = pages.broken()
        answer.headers.update(HEADERS)  # Starlette sends this one past the guard
        return answer

    return {TokenExpiredError: expired, TokenError: dead_link, HTTPException: refused, Exception: broken}
