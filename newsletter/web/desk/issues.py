"""Issues at the desk: which there are, the board of one, and the log. Not here: changing one (``editing``)."""

from starlette.responses import Response
from starlette.routing import Route

from newsletter.domain.issue import Brake, Status
from newsletter.errors import NotFoundError
from newsletter.services import trends
from newsletter.services.board import PAGE, board
from newsletter.storage import changes, deliveries, issues
from newsletter.web.desk.pages import Desk, Visit

_LISTED, _COUNTED, _LOGGED = 60, 12, 100


def routes(desk: Desk) -> list[Route]:
    """Return the routes of these pages."""
    return [
        desk.page("", _today),
        desk.page("/issues", _list),
        desk.page("/issues/{day}", _issue),
        desk.page("/log", _log),
    ]


def _today(visit: Visit) -> Response:
    return visit.to(f"/issues/{visit.desk.today()}")


def _list(visit: Visit) -> Response:
    with visit.desk.app.database.read() as session:
        found = issues.recent(session, _LISTED)
        ids = [issue.id for issue in found]
        sizes, leads = issues.front_sizes(session, ids), issues.leads(session, ids)
        sent = {one.date: one.deliveries for one in trends.sendings(session, _COUNTED)}
    firsts = {issue: paper.title for issue, paper in leads.items()}
    return visit.show("issues.html", issues=found, sizes=sizes, firsts=firsts, sendings=sent, none=Brake.NONE)


def _issue(visit: Visit) -> Response:
    """Show the issue of a date: a draft to be edited, or a sealed one and how it fares."""
    app, page = visit.desk.app, visit.number("page", 1, 10_000)
    with app.database.read() as session:
        try:
            found = board(session, app.policy, visit.day, search=visit.query("q"), page=page)
        except NotFoundError as error:
            status = 200 if visit.day == visit.desk.today() else 404
            return visit.show("nothing.html", status=status, day=visit.day, why=str(error))
        sealed = found.issue.status is Status.SEALED
        report = deliveries.report(session, found.issue.id) if sealed else {}
    return visit.show(
        "issue.html",
        board=found,
        day=visit.day,
        report=report,
        search=visit.query("q"),
        page=page,
        pages=-(-found.rest_count // PAGE),
        focus=visit.query("at"),
        sends_test_to=app.settings.operator.email,
        editable=found.issue.status is Status.DRAFT,
    )


def _log(visit: Visit) -> Response:
    before = visit.number("before", 0, 2**53)
    with visit.desk.app.database.read() as session:
        found = changes.recent(session, _LOGGED + 1, before or None)
    return visit.show("log.html", changes=found[:_LOGGED], more=len(found) > _LOGGED)
