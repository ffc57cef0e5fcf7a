"""Confirming a subscription, and ending it: pages that a signed link opens.

GET and HEAD change nothing, for mail scanners follow links; POST acts. A POST needs nothing but its link, so that the
button and a mail program's one click (RFC 8058) do the same, whatever form its body takes; only a mail afterwards goes
to nobody who did not press the button. The pages are the same for whoever is subscribed no longer, never was, or was
removed, and wait for no mail. They are in the reader's language as long as it is known.
"""

from datetime import datetime, timedelta

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.subscriber import LeavingReason, Status, Subscriber
from newsletter.domain.text import plain
from newsletter.errors import IllegalMoveError, NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.render.language import Language
from newsletter.render.wrapping import shorten
from newsletter.services import greet, joining, subscribe
from newsletter.services.coming import next_digests
from newsletter.services.ledger import Clock
from newsletter.services.throttle import Rule
from newsletter.storage.consents import Consent, Step
from newsletter.storage.departures import Departure
from newsletter.web.clients import network_of
from newsletter.web.forms import parse_form
from newsletter.web.guard import read_body
from newsletter.web.pages import Pages, Site
from newsletter.web.turnstile import too_many

_BUTTON = b"by=button"  # what the form of the page sends, and no mail program
_WORDS = 500  # characters of why somebody leaves
_CONFIRMING = Rule("confirming", 120, timedelta(hours=1))
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
            body = await read_body(request)
            return await run_in_threadpool(self._unsubscribe, who, body)
        return await run_in_threadpool(self._ask_to_unsubscribe, who)

    async def confirm(self, request: Request) -> Response:
        """Show whose subscription it is and a button; on POST begin it."""
        who = self._whose(Purpose.CONFIRM, request)
        if request.method == "POST":
            await read_body(request)
            return await run_in_threadpool(self._confirm, who, network_of(request))
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
        return pages.private("unsubscribe.html", whose=partly(held.email), reasons=_reasons(pages.language))

    def _unsubscribe(self, who: int, body: bytes) -> Response:
        now, by_button = self._clock(), _BUTTON in body
        try:
            said = _why(body, now) if by_button else None
            held = subscribe.unsubscribe(self._app.database, who, now, said)
        except (NotFoundError, IllegalMoveError):  # who was removed or is suppressed gets nothing anyway
            return self._ask_to_unsubscribe(who)
        answer = self._goodbye(self._site.of(held.preferences.language))
        if by_button:  # a mail after the one click of a mail program would surprise
            answer.background = BackgroundTask(greet.goodbye, self._app.dispatch, held, now)
        return answer

    def _goodbye(self, pages: Pages) -> Response:
        gettext = pages.language.gettext
        line = gettext("No more mail from %(newsletter)s comes to you.", newsletter=self._newsletter.name)
        back = gettext("Was that a mistake? Subscribe again.")
        return pages.message(gettext("You are not subscribed"), line, contact=True, subscribe=back)

    def _ask_to_confirm(self, who: int) -> Response:
        try:
            held = subscribe.find(self._app.database, who)
        except NotFoundError:
            return too_late(self._site.of(None))
        pages = self._site.of(held.preferences.language)
        match held.status:
            case Status.ACTIVE | Status.PAUSED:
                return self._welcome(held, self._clock())
            case Status.SUPPRESSED:
                return too_late(pages)
            case _:
                return pages.private("confirm.html", whose=partly(held.email), topics=held.preferences.topics)

    def _confirm(self, who: int, network: str) -> Response:
        now = self._clock()
        if wait := self._app.throttle.admit(now, (_CONFIRMING, network)):
            return too_many(self._site.of(None), wait)
        try:
            agreed = self._agreed(subscribe.find(self._app.database, who), network, now)
            held = joining.confirm(self._app.database, self._newsletter, who, now, agreed)
        except (NotFoundError, IllegalMoveError):
            return self._ask_to_confirm(who)
        answer = self._welcome(held, now)
        answer.background = BackgroundTask(greet.welcome, self._app.dispatch, held, now)
        return answer

    def _agreed(self, held: Subscriber, network: str, now: datetime) -> Consent:
        text = self._site.of(held.preferences.language).sentence("confirm.txt", whose=partly(held.email))
        return Consent(step=Step.CONFIRMED, at=now, network=network, text=text)

    def _welcome(self, held: Subscriber, now: datetime) -> Response:
        first = next_digests(self._app.database, self._newsletter, [held], now).get(held.id)
        if first:
            first = first.astimezone(subscribe.rhythm_of(held.preferences, self._newsletter).zone)
        return self._site.of(held.preferences.language).private("welcome.html", whose=partly(held.email), first=first)


def _why(body: bytes, now: datetime) -> Departure | None:
    """Return what the form of the page says of why somebody leaves; nothing of it can keep them from leaving."""
    try:
        form = parse_form(body)
    except HTTPException:
        return None
    words = shorten(plain(form.one("words")), _WORDS)
    reason = form.one("reason") if form.one("reason") in set(LeavingReason) else ""
    return Departure(at=now, reason=reason, words=words) if reason or words else None


def _reasons(language: Language) -> list[tuple[str, str]]:
    _ = language.gettext
    return [
        (LeavingReason.OFTEN, _("It comes too often")),
        (LeavingReason.OFF_TOPIC, _("It is not what interests me")),
        (LeavingReason.UNASKED, _("I never asked for it")),
        (LeavingReason.OTHER, _("Something else")),
    ]


def too_late(pages: Pages) -> Response:
    """Return the page for a link that no longer works."""
    gettext = pages.language.gettext
    fresh = gettext("Please ask for a fresh one: give your address here once more, and a mail brings it.")
    return pages.message(gettext("This link has expired"), status=410, contact=True, subscribe=fresh)


def partly(email: str) -> str:
    """Return enough of an address for its owner to know it, and too little for others: ``j…@example.org``."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
