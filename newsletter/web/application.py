"""The pages wired into one ASGI application, and how its errors look: a page without details.

Blocking work (SQLite, templates) runs in Starlette's threads, but for a glance at whether a page is kept (``shelf``).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.errors import TokenError, TokenExpiredError
from newsletter.services.ledger import Clock
from newsletter.services.throttle import Meter, Rule
from newsletter.web.api import api_routes, concerns, refusal, too_often
from newsletter.web.archive import Archive
from newsletter.web.data import DataPages
from newsletter.web.desk.errors import Errors
from newsletter.web.desk.pages import Desk
from newsletter.web.desk.routes import desk_routes
from newsletter.web.entry import Entrance
from newsletter.web.feeds import Feeds
from newsletter.web.forms import Stamps
from newsletter.web.guard import Guard, headers
from newsletter.web.leaving import Leaving, form
from newsletter.web.links import Links
from newsletter.web.pages import Site
from newsletter.web.papers import PaperPages
from newsletter.web.preferences import PreferencesPages
from newsletter.web.privacy import Privacy
from newsletter.web.reactions import Reactions
from newsletter.web.saved import SavedPages
from newsletter.web.search import SearchPages
from newsletter.web.shelf import Shelf
from newsletter.web.signup import SignUps
from newsletter.web.subscription import Subscription, too_late
from newsletter.web.turnstile import Refusal, Turnstile, too_many
from newsletter.web.watching import watched
from newsletter.web.webhooks.routes import webhook_routes


def utc_now() -> datetime:
    """Return the instant that it is."""
    return datetime.now(UTC)


def application(app: App, clock: Clock = utc_now) -> Starlette:
    """Return the pages of *app*. Raises ConfigurationError for a template that does not work."""
    stamps = Stamps(app.settings.secrets)
    pages = Site(app.dispatch, app.correspondence.reply_to, lambda form: stamps.make(form, clock()))
    papers, privacy, subscription = Archive(app, pages), Privacy(app, pages), Subscription(app, pages, clock)
    entrance, links = Entrance(app.settings.web), Links(app, pages, clock)
    every = PaperPages(app, pages, clock)
    coming = SignUps(app, pages, entrance, stamps, clock)
    leaving = Leaving(app, pages, stamps, clock)
    searching, feeds = SearchPages(app, pages, clock), Feeds(app, pages)
    shelf, desk = Shelf(app.database, clock), Desk(app, clock)
    errors = Errors(desk)
    shown = headers(app.settings.newsletter.base_url)
    site = Starlette(
        routes=[  # looked through from the first on
            Route("/unsubscribe/{token}", subscription.unsubscribe, methods=["GET", "POST"]),
            *(route for tag in ("", *pages.below) for route in shelf.holding(searching.routes(tag and f"/{tag}"))),
            *(
                route
                for tag in ("", *pages.below)
                for route in shelf.holding(_for_everyone(tag and f"/{tag}", papers, privacy, pages))
            ),
            *(route for tag in ("", *pages.below) for route in every.files(tag and f"/{tag}")),
            *(route for tag in ("", *pages.below) for route in shelf.holding(every.routes(tag and f"/{tag}"))),
            *(route for tag in ("", *pages.below) for route in coming.routes(tag and f"/{tag}")),
            *(route for tag in ("", *pages.below) for route in leaving.routes(tag and f"/{tag}")),
            *(route for tag in ("", *pages.below) for route in feeds.routes(tag and f"/{tag}")),
            *api_routes(app),
            *PreferencesPages(app, links, entrance).routes,
            *DataPages(app, links).routes,
            *Reactions(app, links).routes,
            *SavedPages(app, links).routes,
            Route("/confirm/{token}", subscription.confirm, methods=["GET", "POST"]),
            Route("/forms.js", pages.script),
            *watched(app, clock),
            *desk_routes(desk),
            *webhook_routes(app, clock),
        ],
        middleware=[
            Middleware(Guard, headers=shown),
            Middleware(Turnstile, meter=_meter(app), refuse=_too_many(pages, errors), clock=clock),
        ],
        exception_handlers=_failures(pages, errors, shown),
    )
    site.router.redirect_slashes = False  # a token must not travel in a Location
    return site


def _for_everyone(below: str, papers: Archive, privacy: Privacy, pages: Site) -> list[Route]:
    """Return the pages of one language, whose addresses begin with *below*."""
    return [
        *([Route(below, papers.home)] if below else []),
        Route(f"{below}/", papers.home),
        Route(f"{below}/archive", papers.archive),
        Route(f"{below}/archive/{{day}}", papers.issue),
        Route(f"{below}/privacy", privacy.page),
        Route(f"{below}/style.css", pages.style),
    ]


def _meter(app: App) -> Meter:
    return Meter(app.throttle, Rule("request", app.settings.web.requests_per_minute, timedelta(minutes=1)))


def _too_many(site: Site, desk: Errors) -> Refusal:
    def refuse(request: Request, wait: timedelta) -> Response:
        if concerns(request):
            return too_often(wait)
        return desk.too_many(request, wait) if desk.concern(request) else too_many(site.asked(request), wait)

    return refuse


def _failures(
    site: Site, desk: Errors, shown: Mapping[str, str]
) -> dict[object, Callable[[Request, Exception], Response]]:
    def dead_link(request: Request, _error: Exception) -> Response:
        pages = site.asked(request)
        if request.method == "GET" and request.url.path.startswith("/unsubscribe/"):
            return form(pages, status=404)  # whoever wants to leave can
        gettext = pages.language.gettext
        line = gettext("Copy the whole of it from the mail, or use the one in your newest mail.")
        return pages.message(gettext("This link does not work"), line, status=404, contact=True)

    def expired(request: Request, _error: Exception) -> Response:
        return too_late(site.asked(request))

    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if concerns(request):
            answer = refusal(error.status_code)
        elif desk.concern(request):
            answer = desk.refused(request, error.status_code)
        else:
            pages = site.asked(request)
            answer = pages.message(*_answer(pages.language.gettext, error.status_code), status=error.status_code)
        answer.headers.update(error.headers or {})
        return answer

    def broken(request: Request, _error: Exception) -> Response:
        if concerns(request):
            answer = refusal(500)
        else:
            answer = desk.broken() if desk.concern(request) else site.asked(request).broken()
        for name, value in shown.items():  # Starlette sends this one past the guard
            answer.headers.setdefault(name, value)
        return answer

    return {TokenExpiredError: expired, TokenError: dead_link, HTTPException: refused, Exception: broken}


def _answer(gettext: Callable[[str], str], status: int) -> tuple[str, str]:
    """Return what is said of a request that is refused, and what to do."""
    match status:
        case 404:
            return gettext("There is no such page"), gettext("The address may be incomplete, or the page is gone.")
        case 405:
            return gettext("This page cannot do that"), gettext("Open it by its address.")
        case 408:
            return gettext("That took too long"), gettext("Please try again.")
        case 413:
            return gettext("That is too much"), gettext("Please send less.")
        case _:
            return gettext("That cannot be answered"), gettext("Please try again.")
