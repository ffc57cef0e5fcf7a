"""A reader's own pages, by the link of each mail: what comes and when, a break, another address, their data.

The link lasts, and mails are forwarded: so the pages name the address in part only, a new address is asked, and the old
one told, by mail, and what takes the data away or deletes it needs a fresh link, sent to the reader (``data``).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.subscriber import ALERTS, Status, Subscriber
from newsletter.errors import UsageError
from newsletter.mail.tokens import Purpose
from newsletter.services import letters, moving, subscribe
from newsletter.services.coming import next_digests
from newsletter.web import wishes
from newsletter.web.entry import Entrance
from newsletter.web.forms import Form
from newsletter.web.links import Links, Visit
from newsletter.web.subscription import partly
from newsletter.web.wishes import Wishes

_BREAKS = {"1": 7, "2": 14, "4": 28, "13": 91}  # days, by the weeks that are chosen
_BELOW = "/preferences/{token}"


class PreferencesPages:
    """What a reader chooses."""

    def __init__(self, app: App, links: Links, entrance: Entrance) -> None:
        self._app, self._links, self._entrance = app, links, entrance
        self._newsletter = app.settings.newsletter
        self._usual = subscribe.defaults(self._newsletter)

    @property
    def routes(self) -> list[Route]:
        """Return the pages."""
        acts: dict[str, Callable[[Visit, Form], Response]] = {
            "pause": self._pause,
            "resume": self._resume,
            "address": self._move,
            "data": self._send_data_link,
        }
        return [
            Route(_BELOW, self.preferences, methods=["GET", "POST"]),
            *(Route(f"{_BELOW}/{name}", self._acting(name, do), methods=["POST"]) for name, do in acts.items()),
        ]

    async def preferences(self, request: Request) -> Response:
        """Show what is chosen; on POST change it."""
        if request.method == "POST":
            return await self._links.act(Purpose.PREFERENCES, request, self._save)
        return await self._links.show(Purpose.PREFERENCES, request, self._page)

    def _acting(self, name: str, do: Callable[[Visit, Form], Response]) -> Callable[[Request], object]:
        async def act(request: Request) -> Response:
            return await self._links.act(Purpose.PREFERENCES, request, do)

        act.__name__ = name  # for the log
        return act

    def _save(self, visit: Visit, form: Form) -> Response:
        wished = wishes.everything(form, visit.pages.language)
        if wished.errors:
            return self._page(visit, wished)
        texts = wished.texts(self._usual)
        after = subscribe.edit(self._app.database, self._newsletter, visit.reader.id, texts, visit.now)
        return self._done(visit, after, "saved")

    def _pause(self, visit: Visit, form: Form) -> Response:
        weeks, rhythm = form.one("weeks"), subscribe.rhythm_of(visit.reader.preferences, self._newsletter)
        today = local_date(visit.now, rhythm.zone)
        until = today + timedelta(days=_BREAKS[weeks]) if weeks in _BREAKS else None
        after = subscribe.pause(self._app.database, self._newsletter, visit.reader.id, until, visit.now)
        return self._done(visit, after, "paused")

    def _resume(self, visit: Visit, _form: Form) -> Response:
        after = subscribe.resume(self._app.database, self._newsletter, visit.reader.id, visit.now)
        return self._done(visit, after, "resumed")

    def _move(self, visit: Visit, form: Form) -> Response:
        gettext = visit.pages.language.gettext
        try:
            to = self._entrance.address(form.one("address"), visit.pages.language)
        except UsageError as error:
            wished = self._wishes(visit.reader)
            wished.fields["address"], wished.errors["address"] = form.one("address"), str(error)
            return self._page(visit, wished)
        answer = visit.pages.message(
            gettext("Look into the new mailbox"),
            gettext("If the address can be taken, a mail is on its way to it, whose link confirms that it is yours."),
            gettext("Until then everything comes to the old one."),
        )
        answer.background = BackgroundTask(
            moving.ask, self._app.dispatch, self._app.throttle, visit.reader, to, visit.now
        )
        return answer

    def _send_data_link(self, visit: Visit, _form: Form) -> Response:
        gettext = visit.pages.language.gettext
        answer = visit.pages.message(
            gettext("Look into your mailbox"),
            gettext(
                "A link goes to %(address)s, by which you see and delete your data.", address=partly(visit.reader.email)
            ),
            gettext(
                "It works for an hour. It is sent by mail since this page can be reached by a mail that was forwarded."
            ),
        )
        answer.background = BackgroundTask(letters.try_data_link, self._app.dispatch, visit.reader, visit.now)
        return answer

    def _done(self, visit: Visit, after: Subscriber, what: str) -> Response:
        """Return the page as it is now, in the language that may have been chosen just now."""
        return self._page(replace(visit, reader=after, pages=self._links.pages_of(after)), done=what)

    def _wishes(self, reader: Subscriber) -> Wishes:
        return wishes.shown(reader.preferences, self._usual)

    def _page(self, visit: Visit, wished: Wishes | None = None, *, done: str = "") -> Response:
        reader, language = visit.reader, visit.pages.language
        shown = wished or self._wishes(reader)
        alerts = (ALERTS, language.gettext("Only what my alerts find"))
        coming = next_digests(self._app.database, self._newsletter, [reader], visit.now)
        following = coming.get(reader.id) or reader.next_alert_at
        rhythm = subscribe.rhythm_of(reader.preferences, self._newsletter)
        leave = self._app.correspondence.signer.token(Purpose.UNSUBSCRIBE, subscriber=reader.id)
        return visit.pages.private(
            "preferences.html",
            status=422 if shown.errors else 200,
            token=visit.token,
            whose=partly(reader.email),
            wishes=shown,
            done=done,
            paused=reader.status is Status.PAUSED,
            until=reader.paused_until,
            following=following.astimezone(rhythm.zone) if following else None,
            frequencies=[*wishes.frequencies(language), alerts],
            formats=wishes.formats(language),
            languages=self._links.languages(shown.fields["language"]),
            zones=wishes.zones(shown.fields["zone"]),
            leave=leave,
        )
