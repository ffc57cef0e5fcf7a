"""Links that only their reader has: whose they are, and what is answered where that reader is no longer there.

Raises TokenError for a link that does not work. Who acts by a link is counted, by reader and by network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import NotFoundError
from newsletter.mail.tokens import Claims, Purpose
from newsletter.services import subscribe
from newsletter.services.ledger import Clock
from newsletter.services.throttle import Rule
from newsletter.web.clients import network_of
from newsletter.web.forms import Form, read_form
from newsletter.web.pages import Pages, Site
from newsletter.web.turnstile import too_many

_BY_READER = Rule("act", 120, timedelta(hours=1))
_BY_NETWORK = Rule("acts", 600, timedelta(hours=1))
_LONG = 64 * 1024  # octets of a form: a hundred topics in any script
_NAMES = {"en": "English", "de": "Deutsch", "zh-Hans": "简体中文"}
_IS_READER = {Status.ACTIVE, Status.PAUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A reader who has come by their link, and the pages in their language."""

    token: str
    claims: Claims
    reader: Subscriber
    pages: Pages
    now: datetime


class Links:
    """Reads the links of one newsletter's readers."""

    def __init__(self, app: App, site: Site, clock: Clock) -> None:
        self._app, self._site, self._clock = app, site, clock

    def pages_of(self, reader: Subscriber) -> Pages:
        """Return the pages in the language of *reader*."""
        return self._site.of(reader.preferences.language)

    def languages(self, chosen: str) -> list[tuple[str, str]]:
        """Return the languages that one can choose, each with its own name, and the *chosen* one whatever it is."""
        return [(tag, _NAMES.get(tag, tag)) for tag in dict.fromkeys([*self._site.tags, chosen])]

    async def show(self, purpose: Purpose, request: Request, page: Callable[[Visit], Response]) -> Response:
        """Return the *page* of who has come, made in a thread."""

        def work() -> Response:
            visit = self.visit(purpose, request)
            return visit if isinstance(visit, Response) else page(visit)

        return await run_in_threadpool(work)

    async def act(self, purpose: Purpose, request: Request, do: Callable[[Visit, Form], Response]) -> Response:
        """Do what a form asks for, in a thread, and return the page that follows."""
        form = await read_form(request, _LONG)

        def work() -> Response:
            visit = self.visit(purpose, request, acts=True)
            return visit if isinstance(visit, Response) else do(visit, form)

        return await run_in_threadpool(work)

    def visit(self, purpose: Purpose, request: Request, *, acts: bool = False) -> Visit | Response:
        """Return who has come, or the answer to who is no longer subscribed, or *acts* too often."""
        now = self._clock()
        token: str = request.path_params["token"]
        claims = self._app.correspondence.signer.read(purpose, token, now)
        try:
            reader = subscribe.find(self._app.database, claims.subscriber)
        except NotFoundError:
            return not_subscribed(self._site.of(None))
        pages = self._site.of(reader.preferences.language)
        if reader.status not in _IS_READER:
            return not_subscribed(pages)
        who = ((_BY_READER, str(reader.id)), (_BY_NETWORK, network_of(request)))
        if acts and (wait := self._app.throttle.admit(now, *who)):
            return too_many(pages, wait)
        return Visit(token=token, claims=claims, reader=reader, pages=pages, now=now)


def not_subscribed(pages: Pages) -> Response:
    """Return the page for who has a link to a subscription that there is not."""
    gettext = pages.language.gettext
    line = gettext("This link belonged to a subscription that has ended.")
    back = gettext("Was that a mistake? Subscribe again.")
    return pages.message(gettext("You are not subscribed"), line, status=410, contact=True, subscribe=back)
