"""The papers that a reader saved: as a page, for programs that keep references, and as a feed of the reader's own.

The feed's link is in programs and on servers of others for years: it opens that feed alone, and can be made anew.
"""

from collections.abc import Callable, Sequence
from functools import partial

from markupsafe import escape
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.subscriber import Subscriber
from newsletter.errors import TokenError
from newsletter.mail.tokens import Purpose
from newsletter.render import citations
from newsletter.render.feeds import FORMATS, Entry, Feed
from newsletter.services import reactions
from newsletter.services.reactions import Saved
from newsletter.web.forms import Form
from newsletter.web.links import Links, Visit
from newsletter.web.reactions import visitors_card

_NEWEST = 50  # papers in the feed
_BELOW = "/preferences/{token}/saved"


class SavedPages:
    """The pages of what readers saved."""

    def __init__(self, app: App, links: Links) -> None:
        self._app, self._links = app, links

    @property
    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route(_BELOW, self.saved, methods=["GET", "POST"]),
            *(Route(f"{_BELOW}/papers.{kind}", self._file(kind)) for kind in citations.FORMATS),
            *(Route(f"/saved/{{token}}/{kind}", self._feed(kind)) for kind in FORMATS),
        ]

    async def saved(self, request: Request) -> Response:
        """Show what was saved; on POST forget a paper, or make the link of the feed anew."""
        if request.method == "POST":
            return await self._links.act(Purpose.PREFERENCES, request, self._change)
        return await self._links.show(Purpose.PREFERENCES, request, self._page)

    def _change(self, visit: Visit, form: Form) -> Response:
        if form.one("feed"):
            reactions.renew_feed(self._app.database, visit.reader.id)
            return self._page(visit, done="feed")
        paper = form.one("paper")
        if paper.isascii() and paper.isdecimal() and len(paper) < 19:
            reactions.forget(self._app.database, visit.reader.id, int(paper))
        return self._page(visit, done="paper")

    def _page(self, visit: Visit, *, done: str = "") -> Response:
        kept = reactions.saved(self._app.database, visit.reader.id)
        shown = [(one.paper.id, visitors_card(self._app, visit, one.paper), one.at) for one in kept]
        feed = self._token(visit.reader)
        return visit.pages.private("saved.html", token=visit.token, saved=shown, feed=feed, done=done)

    def _token(self, reader: Subscriber) -> str:
        number = reactions.feed_number(self._app.database, reader.id)
        return self._app.correspondence.signer.token(Purpose.FEED, subscriber=reader.id, delivery=number)

    def _file(self, kind: str) -> Callable[[Request], object]:
        write, media_type = citations.FORMATS[kind]

        def cited(visit: Visit) -> Response:
            kept = reactions.saved(self._app.database, visit.reader.id)
            headers = {"Content-Disposition": f'attachment; filename="papers.{kind}"', "X-Robots-Tag": "noindex"}
            return Response(write(one.paper for one in kept), media_type=media_type, headers=headers)

        async def saved_as(request: Request) -> Response:
            return await self._links.show(Purpose.PREFERENCES, request, cited)

        return saved_as

    def _feed(self, kind: str) -> Callable[[Request], object]:
        async def saved_feed(request: Request) -> Response:
            return await self._links.show(Purpose.FEED, request, partial(self._written, kind))

        return saved_feed

    def _written(self, kind: str, visit: Visit) -> Response:
        if visit.claims.delivery != reactions.feed_number(self._app.database, visit.reader.id):
            raise TokenError("This link was replaced by another one")
        write, media_type = FORMATS[kind]
        feed = self._of(visit, reactions.saved(self._app.database, visit.reader.id)[:_NEWEST])
        return Response(write(feed), media_type=media_type, headers={"X-Robots-Tag": "noindex"})

    def _of(self, visit: Visit, kept: Sequence[Saved]) -> Feed:
        page_url, name = self._app.correspondence.page_url, self._app.settings.newsletter.name
        return Feed(
            title=visit.pages.language.gettext("Papers that you saved from %(newsletter)s", newsletter=name),
            page=page_url() or "/",
            atom=page_url("saved", visit.token, "atom"),
            json=page_url("saved", visit.token, "json"),
            author=name,
            language=visit.pages.language.tag,
            entries=[self._entry(visit, one) for one in kept],
        )

    def _entry(self, visit: Visit, one: Saved) -> Entry:
        shown = visitors_card(self._app, visit, one.paper)
        return Entry(
            title=shown.title,
            url=shown.url or self._app.correspondence.page_url("papers", str(one.paper.id)),
            updated=one.at,
            published=one.paper.published,
            html=f"<p>{escape(shown.summary)}</p>",
            summary=shown.summary,
            authors=one.paper.authors,
            tags=one.paper.categories,
        )
