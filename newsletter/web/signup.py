"""Signing up: the form, and one answer for every address, whoever has it.

What is asked is kept before the answer, alike for every address, and done after it (``services/signup``), so that
neither its words nor its time tell anything, and nothing that was answered is lost. What is wrong with what was typed
is told; it depends on that alone.
"""

from datetime import timedelta

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.subscriber import Preferences
from newsletter.domain.text import plain
from newsletter.errors import UsageError
from newsletter.render.language import Language
from newsletter.services import signup, subscribe
from newsletter.services.ledger import Clock
from newsletter.services.signup import SignUp
from newsletter.web import wishes
from newsletter.web.clients import network_of
from newsletter.web.entry import Entrance
from newsletter.web.forms import STAMP, Form, Stamps, is_from_elsewhere, read_form
from newsletter.web.pages import Pages, Site
from newsletter.web.turnstile import too_many
from newsletter.web.wishes import Wishes

_FORM = "subscribe"

_TOPIC = 300  # characters of a topic that a link brings


class SignUps:
    """The pages by which readers come."""

    def __init__(self, app: App, site: Site, entrance: Entrance, stamps: Stamps, clock: Clock) -> None:
        self._app, self._site, self._stamps, self._clock = app, site, stamps, clock
        self._usual = subscribe.defaults(app.settings.newsletter)
        self._entrance = entrance

    def routes(self, below: str) -> list[Route]:
        """Return the pages of one language, whose addresses begin with *below*."""
        return [Route(f"{below}/subscribe", self.subscribe, methods=["GET", "POST"])]

    async def subscribe(self, request: Request) -> Response:
        """Show the form; on POST answer, and then see to it."""
        pages = self._site.asked(request)
        if request.method != "POST":
            return self._form(pages, "", self._wishing(request))
        form = await read_form(request)
        if form.by_bot:
            return self._answer(pages)
        wished = self._read(form, pages.language)
        if is_from_elsewhere(request) or not self._stamps.is_good(_FORM, form.one(STAMP), self._clock()):
            wished.errors = {}
            return self._form(pages, plain(form.one("address")), wished, again=True)
        return await self._begin(pages, form, wished, network_of(request))

    async def _begin(self, pages: Pages, form: Form, wished: Wishes, network: str) -> Response:
        try:
            address = self._entrance.address(form.one("address"), pages.language)
        except UsageError as error:
            wished.errors["address"] = str(error)
        if wished.errors:
            return self._form(pages, plain(form.one("address")), wished)
        now = self._clock()
        texts = wished.texts(self._usual) | ({} if pages.is_default else {"language": pages.language.tag})
        wanted = SignUp(address=address, texts=texts, network=network, agreed=self._agreed(pages))
        taken = await run_in_threadpool(signup.take, self._app.throttle, wanted, now)
        if isinstance(taken, timedelta):
            return too_many(pages, taken)
        answer = self._answer(pages)
        answer.background = BackgroundTask(signup.do, self._app.dispatch, self._app.throttle, taken, now)
        return answer

    def _blank(self) -> Wishes:
        return wishes.shown(Preferences(), self._usual)

    def _wishing(self, request: Request) -> Wishes:
        """Return what is usual, with the topic of a search that led here."""
        blank = self._blank()
        blank.fields["topics"] = plain(request.query_params.get("topic", ""))[:_TOPIC] or blank.fields["topics"]
        return blank

    def _read(self, form: Form, language: Language) -> Wishes:
        """Return what *form* wishes, the newsletter's own where a box asked for the address alone."""
        found, usual = wishes.first(form, language), self._blank()
        for name in wishes.FIRST:
            found.fields[name] = found.fields[name] or usual.fields[name]
        return found

    def _agreed(self, pages: Pages) -> str:
        return pages.sentence("agreement.txt")

    def _form(self, pages: Pages, address: str, wished: Wishes, *, again: bool = False) -> Response:
        return pages.private(
            "subscribe.html",
            status=422 if wished.errors else 200,
            address=address,
            wishes=wished,
            again=again,
            agreement=self._agreed(pages),
            frequencies=wishes.frequencies(pages.language),
            zones=wishes.zones(wished.fields["zone"]),
        )

    def _answer(self, pages: Pages) -> Response:
        gettext = pages.language.gettext
        return pages.message(
            gettext("Look into your mailbox"),
            gettext("If the address can be subscribed, a mail is on its way to it. Its link takes you on."),
            gettext("Nothing there in a few minutes? Look among the spam, and whether the address was right."),
        )
