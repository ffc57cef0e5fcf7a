"""What is known of a reader, by a fresh link that went to them alone: to take away, and to delete. And moving house."""

import json
from datetime import datetime

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.errors import IllegalMoveError
from newsletter.mail.addresses import parse_address
from newsletter.mail.tokens import Purpose
from newsletter.services import forget, known, moving
from newsletter.web.forms import Form
from newsletter.web.links import Links, Visit
from newsletter.web.subscription import partly, too_late


class DataPages:
    """The pages of who came by a link for one purpose."""

    def __init__(self, app: App, links: Links) -> None:
        self._app, self._links = app, links

    @property
    def routes(self) -> list[Route]:
        """Return the pages."""
        return [
            Route("/data/{token}", self.data),
            Route("/data/{token}/newsletter.json", self.export),
            Route("/data/{token}/delete", self.delete, methods=["POST"]),
            Route("/move/{token}", self.move, methods=["GET", "POST"]),
        ]

    async def data(self, request: Request) -> Response:
        """Show what can be done with the data."""
        return await self._links.show(Purpose.DATA, request, self._data)

    async def export(self, request: Request) -> Response:
        """Give everything that is known of the reader, as JSON."""
        return await self._links.show(Purpose.DATA, request, self._export)

    async def delete(self, request: Request) -> Response:
        """Delete the reader, and everything that is known of them."""
        return await self._links.act(Purpose.DATA, request, self._delete)

    async def move(self, request: Request) -> Response:
        """Show where the subscription is to move; on POST move it."""
        if request.method == "POST":
            return await self._links.act(Purpose.MOVE, request, self._move)
        return await self._links.show(Purpose.MOVE, request, self._ask_to_move)

    def _data(self, visit: Visit) -> Response:
        return visit.pages.private("data.html", token=visit.token, whose=partly(visit.reader.email))

    def _export(self, visit: Visit) -> Response:
        found = known.data(self._app.database, visit.reader.id, visit.now)
        content = json.dumps(found, ensure_ascii=False, indent=2, default=_as_text)
        headers = {"Content-Disposition": 'attachment; filename="newsletter.json"', "X-Robots-Tag": "noindex"}
        return Response(content, media_type="application/json", headers=headers)

    def _delete(self, visit: Visit, _form: Form) -> Response:
        forget.from_tables(self._app.database, parse_address(visit.reader.email), visit.now)
        gettext = visit.pages.language.gettext
        return visit.pages.message(
            gettext("Everything is deleted"),
            gettext(
                "No mail comes to %(address)s any more, and nothing of you is kept.", address=partly(visit.reader.email)
            ),
            gettext(
                "What stays is a hash of the address, which names nobody: it keeps a list that is taken over from "
                "bringing the address back."
            ),
        )

    def _ask_to_move(self, visit: Visit) -> Response:
        email = moving.wanted(self._app.database, visit.reader.id, visit.claims.delivery)
        if not email:
            return too_late(visit.pages)
        return visit.pages.private("move.html", whose=partly(visit.reader.email), to=partly(email))

    def _move(self, visit: Visit, _form: Form) -> Response:
        try:
            after = moving.move(self._app.database, visit.reader, visit.claims.delivery)
        except IllegalMoveError:
            return too_late(visit.pages)
        gettext = visit.pages.language.gettext
        newsletter = self._app.settings.newsletter.name
        answer = visit.pages.message(
            gettext("The address is changed"),
            gettext(
                "%(newsletter)s comes to %(address)s from now on.", newsletter=newsletter, address=partly(after.email)
            ),
        )
        answer.background = BackgroundTask(moving.tell, self._app.dispatch, visit.reader, visit.now)
        return answer


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
