"""Saving a paper, and asking for more or fewer of its kind, by the links of a mail; and what was learned from that.

A link opens a page that shows the paper and has the buttons: following it says nothing yet, since mail scanners do.
"""

from threading import Lock

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.paper import Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.taste import Said
from newsletter.errors import NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.render.card import Card, card
from newsletter.services import reactions, taste
from newsletter.web.forms import Form
from newsletter.web.links import Links, Visit


class Reactions:
    """The pages of what a reader says of papers."""

    def __init__(self, app: App, links: Links) -> None:
        self._app, self._links = app, links
        self._learning = Lock()  # takes a second of work: one after the other

    @property
    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route("/react/{token}/{paper:int}/{said}", self.react, methods=["GET", "POST"]),
            Route("/preferences/{token}/taste", self.taste, methods=["GET", "POST"]),
        ]

    async def react(self, request: Request) -> Response:
        """Show a paper and what can be said of it; on POST keep what is said."""
        paper_id, asked = request.path_params["paper"], request.path_params["said"]
        if asked not in set(Said) or paper_id >= 1 << 63:
            raise HTTPException(404)

        def look(visit: Visit) -> Response:
            try:
                found, said = reactions.look(self._app.database, visit.reader.id, paper_id)
            except NotFoundError as error:
                raise HTTPException(404) from error
            return self._page(visit, found, asked=Said(asked), said=said)

        def say(visit: Visit, form: Form) -> Response:
            chosen = form.one("said") if form.one("said") in set(Said) else asked
            try:
                found, said = reactions.react(self._app.database, visit.reader.id, paper_id, Said(chosen), visit.now)
            except NotFoundError as error:
                raise HTTPException(404) from error
            return self._page(visit, found, asked=said, said=said, done=True)

        if request.method == "POST":
            return await self._links.act(Purpose.PREFERENCES, request, say)
        return await self._links.show(Purpose.PREFERENCES, request, look)

    async def taste(self, request: Request) -> Response:
        """Show what was learned; on POST forget it."""
        if request.method == "POST":
            return await self._links.act(Purpose.PREFERENCES, request, self._forget)
        return await self._links.show(Purpose.PREFERENCES, request, self._taste)

    def _page(self, visit: Visit, paper: Paper, *, asked: Said, said: Said | None, done: bool = False) -> Response:
        shown = visitors_card(self._app, visit, paper)
        return visit.pages.private("react.html", token=visit.token, card=shown, asked=asked, said=said, done=done)

    def _forget(self, visit: Visit, _form: Form) -> Response:
        taste.erase(self._app.database, visit.reader.email)
        return self._taste(visit, done=True)

    def _taste(self, visit: Visit, *, done: bool = False) -> Response:
        with self._learning:
            found = taste.show(self._app.database, visit.reader.email, visit.now)
        said = [(one.said, visitors_card(self._app, visit, paper)) for one, paper in found.said]
        return visit.pages.private("taste.html", token=visit.token, taste=found, said=said, done=done)


def visitors_card(app: App, visit: Visit, paper: Paper) -> Card:
    """Return *paper* as a page shows it to who has come."""
    today = local_date(visit.now, app.settings.newsletter.zone)
    return card(Candidate(paper=paper, listings=(), first_listed=today), "", today, visit.pages.language)
