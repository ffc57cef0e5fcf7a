"""The desk's pages, put together."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.packaged import packaged
from newsletter.web.desk import deliveries, editing, files, issues, pictures, previews, subscribers
from newsletter.web.desk.door import Door
from newsletter.web.desk.from_mail import FromMail
from newsletter.web.desk.pages import Desk

_FRESH = {"Cache-Control": "public, max-age=300"}


def desk_routes(desk: Desk) -> list[Route]:
    """Return the routes of a desk."""
    script = (packaged("templates") / "web/desk/desk.js").read_text("utf-8")

    def style(_request: Request) -> Response:
        return Response(desk.style, media_type="text/css", headers=_FRESH)

    def desk_script(_request: Request) -> Response:
        return Response(script, media_type="text/javascript", headers=_FRESH)

    return [
        Route("/desk/style.css", style),
        Route("/desk/desk.js", desk_script),
        *Door(desk).routes,
        *FromMail(desk).routes,
        *editing.routes(desk),
        *issues.routes(desk),
        *previews.routes(desk),
        *deliveries.routes(desk),
        *files.routes(desk),
        *subscribers.routes(desk),
        *pictures.routes(desk),
    ]
