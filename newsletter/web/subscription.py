"""Confirming a subscription, and ending it: pages that a signed link opens.

GET and HEAD change nothing, for mail scanners follow links; POST acts. A POST needs nothing but its link, so that the
button and a mail program's one click (RFC 8058) do the same, whatever form its body takes; only a mail afterwards goes
to nobody who did not press the button. The pages are the same for whoever is subscribed no longer, never was, or was
removed, and wait for no mail. They are in the reader's language as long as it is known.
"""

from datetime import datetime

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.services import greet, joining, subscribe
from newsletter.services.ledger import Clock
from newsletter.web.guard import read_body
from newsletter.web.pages import Pages, Site

_BUTTON = b"by=button"  # what the form of the page sends, and no mail program
_GETS_MAIL = {Status.PENDING, Status.ACTIVE, Status.PAUSED}  # or may, if nothing is done


class Subscription:
    """The pages of one newsletter's subscriptions. TokenError rises from a link that does not work."""

    def __init__(self, app: App, site: Site, clock: Clock) -> None:
        self._app, self._site, self._clock = app, site, clock
        self._newsletter = app.settings.newsletter

    async def unsubscribe(self, request: Request) -> Response:
        """Show whose subscription it is and a button; on POST end it, durably before answering."""
        who = self._whose(Purpose.UNSUBSCRIBE, request)
        if request.method == "POST":
            pressed = _BUTTON in await read_body(request)
            return await run_in_threadpool(self._unsubscribe, who, by_button=pressed)
        return await run_in_threadpool(self._ask_to_unsubscribe, who)

    async def confirm(self, request: Request) -> Response:
        """Show whose subscription it is and a button; on POST begin it."""
        who = self._whose(Purpose.CONFIRM, request)
        if request.method == "POST":
            await read_body(request)
            return await run_in_threadpool(self._confirm, who)
        return await run_in_threadpool(self._ask_to_confirm, who)

    def _whose(self, purpose: Purpose, request: Request) -> int:
        token: str = request.path_params["token"]
        return self._app.correspondence.signer.read(purpose, token, self._clock()).subscriber

    def _ask_to_unsubscribe(self, who: int) -> Response:
        try:
            held = subscribe.find(self._app.database, who)
        except NotFoundError:
            return self._goodbye(self._site.of(None))
        pages = self._site.of(held.preferences.language)
        if held.status not in _GETS_MAIL:
            return self._goodbye(pages)
        return pages.private("unsubscribe.html", whose=partly(held.email))

    def _unsubscribe(self, who: int, *, by_button: bool) -> Response:
        now = self._clock()
        try:
            held = subscribe.unsubscribe(self._app.database, who, now)
        except (NotFoundError, IllegalMoveError):  # who was removed or is suppressed gets nothing anyway
            return self._ask_to_unsubscribe(who)
        answer = self._goodbye(self._site.of(held.preferences.language))
        if by_button:  # a mail after the one click of a mail program would surprise
            answer.background = BackgroundTask(greet.goodbye, self._app.dispatch, held, now)
        return answer

    def _goodbye(self, pages: Pages) -> Response:
        gettext = pages.language.gettext
        line = gettext("No more mail from %(newsletter)s comes to you.", newsletter=self._newsletter.name)
        return pages.message(gettext("You are not subscribed"), line, contact=True)

    def _ask_to_confirm(self, who: int) -> Response:
        try:
            held = subscribe.find(self._app.database, who)
        except NotFoundError:
            return too_late(self._site.of(None))
        pages = self._site.of(held.preferences.language)
        match held.status:
            case Status.ACTIVE | Status.PAUSED:
                return self._welcome(held)
            case Status.SUPPRESSED:
                return too_late(pages)
            case _:
                return pages.private("confirm.html", whose=partly(held.email))

    def _confirm(self, who: int) -> Response:
        now = self._clock()
        try:
            held = joining.confirm(self._app.database, self._newsletter, who, now)
        except (NotFoundError, IllegalMoveError):
            return self._ask_to_confirm(who)
        answer = self._welcome(held)
        answer.background = BackgroundTask(greet.welcome, self._app.dispatch, held, now)
        return answer

    def _welcome(self, held: Subscriber) -> Response:
        first: datetime | None = None
        if held.next_due_at:
            first = held.next_due_at.astimezone(subscribe.rhythm_of(held.preferences, self._newsletter).zone)
        return self._site.of(held.preferences.language).private("welcome.html", whose=partly(held.email), first=first)


def too_late(pages: Pages) -> Response:
    """Return the page for a link that no longer works."""
    gettext = pages.language.gettext
    return pages.message(
        gettext("This link has expired"), gettext("Please ask for a fresh one."), status=410, contact=True
    )


def partly(email: str) -> str:
    """Return enough of an address for its owner to know it, and too little for others: ``j…@example.org``."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
