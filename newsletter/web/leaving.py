"""Leaving by one's address, for who has no link that works: one answer for every address, then a mail to its owner.

What is done for an address is done after the answer, so that neither its words nor its time tell who is subscribed.
"""

from datetime import timedelta

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.errors import UsageError
from newsletter.mail.addresses import parse_address
from newsletter.services import letters
from newsletter.services.ledger import Clock
from newsletter.services.throttle import ALL, Rule
from newsletter.web.clients import network_of
from newsletter.web.forms import STAMP, Stamps, is_from_elsewhere, read_form
from newsletter.web.pages import Pages, Site
from newsletter.web.turnstile import too_many

_FORM = "leave"
_BY_NETWORK = Rule("leaving", 30, timedelta(hours=1))
_BY_ALL = Rule("leavings", 3000, timedelta(hours=1))


class Leaving:
    """The page on which an address is typed to leave."""

    def __init__(self, app: App, site: Site, stamps: Stamps, clock: Clock) -> None:
        self._app, self._site, self._stamps, self._clock = app, site, stamps, clock

    def routes(self, below: str) -> list[Route]:
        """Return the page of one language, whose address begins with *below*."""
        return [Route(f"{below}/unsubscribe", self.leave, methods=["GET", "POST"])]

    async def leave(self, request: Request) -> Response:
        """Show the form; on POST answer, and then see to it."""
        pages = self._site.asked(request)
        if request.method != "POST":
            return form(pages)
        sent, now = await read_form(request), self._clock()
        if sent.by_bot:
            return _answer(pages)
        if is_from_elsewhere(request) or not self._stamps.is_good(_FORM, sent.one(STAMP), now):
            return form(pages, again=True)
        try:
            address = parse_address(sent.one("address").strip())
        except UsageError:
            return form(pages, wrong=True)
        wait = await run_in_threadpool(
            self._app.throttle.admit, now, (_BY_NETWORK, network_of(request)), (_BY_ALL, ALL)
        )
        if wait:
            return too_many(pages, wait)
        answer = _answer(pages)
        answer.background = BackgroundTask(letters.try_leaving_link, self._app.dispatch, address, now)
        return answer


def form(pages: Pages, *, status: int = 200, again: bool = False, wrong: bool = False) -> Response:
    """Return the page that asks for an address."""
    return pages.private("leave.html", status=422 if wrong else status, again=again, wrong=wrong)


def _answer(pages: Pages) -> Response:
    gettext = pages.language.gettext
    return pages.message(
        gettext("Look into your mailbox"),
        gettext("If the address is subscribed, a mail is on its way to it. Its link ends the subscription."),
        gettext("Nothing there in a few minutes? Look among the spam, and whether the address was right."),
        contact=True,
    )
