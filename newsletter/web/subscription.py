"""Confirming a subscription, and ending it: pages that a signed link opens.

GET and HEAD change nothing, for mail scanners follow links; POST acts. A POST needs nothing but its link, so that the
button and a mail program's one click (RFC 8058) are the same request, whatever form its body takes. The pages are the
same for whoever is subscribed no longer, never was, or was removed.
"""

from contextlib import suppress
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.services.ledger import Clock
from newsletter.web.guard import skip_body
from newsletter.web.pages import Pages

_GETS_MAIL = {Status.PENDING, Status.ACTIVE, Status.PAUSED}  # or may, if nothing is done


class Subscription:
    """The pages of one newsletter's subscriptions. TokenError rises from a link that does not work."""

    def __init__(self, app: App, pages: Pages, clock: Clock) -> None:
        self._app, self._pages, self._clock = app, pages, clock
        self._newsletter = app.settings.newsletter

    async def unsubscribe(self, request: Request) -> Response:
        """Show whose subscription it is and a button; on POST end it, durably before answering."""
        who = self._whose(Purpose.UNSUBSCRIBE, request)
        if request.method == "POST":
            await skip_body(request)
            return await run_in_threadpool(self._unsubscribe, who)
        return await run_in_threadpool(self._ask_to_unsubscribe, who)

    async def confirm(self, request: Request) -> Response:
        """Show whose subscription it is and a button; on POST begin it."""
        who = self._whose(Purpose.CONFIRM, request)
        if request.method == "POST":
            await skip_body(request)
            return await run_in_threadpool(self._confirm, who)
        return await run_in_threadpool(self._ask_to_confirm, who)

    def _whose(self, purpose: Purpose, request: Request) -> int:
        token: str = request.path_params["token"]
        return self._app.correspondence.signer.read(purpose, token, self._clock()).subscriber

    def _ask_to_unsubscribe(self, who: int) -> Response:
        try:
            held = subscribe.find(self._app.database, who)
        except NotFoundError:
            return self._goodbye()
        if held.status not in _GETS_MAIL:
            return self._goodbye()
        return self._pages.private("unsubscribe.html", whose=partly(held.email))

    def _unsubscribe(self, who: int) -> Response:
        # Who was removed or is suppressed gets nothing anyway.
        with suppress(NotFoundError, IllegalMoveError):
            subscribe.unsubscribe(self._app.database, who, self._clock())
        return self._goodbye()

    def _goodbye(self) -> Response:
        name = self._newsletter.name
        return self._pages.message("You are not subscribed", f"No more mail from {name} comes to you.", contact=True)

    def _ask_to_confirm(self, who: int) -> Response:
        try:
            held = subscribe.find(self._app.database, who)
        except NotFoundError:
            return self._too_late()
        match held.status:
            case Status.ACTIVE | Status.PAUSED:
                return self._welcome(held)
            case Status.SUPPRESSED:
                return self._too_late()
            case _:
                return self._pages.private("confirm.html", whose=partly(held.email))

    def _confirm(self, who: int) -> Response:
        try:
            return self._welcome(subscribe.confirm(self._app.database, self._newsletter, who, self._clock()))
        except (NotFoundError, IllegalMoveError):
            return self._ask_to_confirm(who)

    def _welcome(self, held: Subscriber) -> Response:
        first: datetime | None = None
        if held.next_due_at:
            first = held.next_due_at.astimezone(subscribe.rhythm_of(held.preferences, self._newsletter).zone)
        return self._pages.private("welcome.html", whose=partly(held.email), first=first)

    def _too_late(self) -> Response:
        return self._pages.message("This link has expired", "Please ask for a fresh one.", status=410, contact=True)


def partly(email: str) -> str:
    """Return enough of an address for its owner to know it, and too little for others: ``j…@example.org``."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
