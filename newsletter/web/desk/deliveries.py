"""How the sending of an issue goes: how many stand where, how fast, what is put off by whom, and what a person decides.

Looks at no more of the ledger than it shows, however long that is: whoever watches must not slow down the sending.
"""

from collections import Counter
from datetime import date, timedelta
from typing import Any

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from newsletter.domain.delivery import Status
from newsletter.domain.issue import Issue
from newsletter.errors import NotFoundError, UsageError
from newsletter.services import records
from newsletter.services.records import name_of
from newsletter.storage import changes, deliveries, issues, problems, traffic
from newsletter.web.desk.pages import HEADERS, Desk, Visit

_COUNTED, _NAMED = 5000, 8  # of what is put off: how many are looked at, and how many destinations are named
_LISTED = 25
_SHOWN = ("accepted", "waiting", "deferred", "held", "failed", "expired", "withdrawn", "skipped")


def routes(desk: Desk) -> list[Route]:
    """Return the routes of these pages."""
    path = "/issues/{day}/deliveries"
    return [
        desk.page(path, _show),
        desk.page(f"{path}/live", _live),
        desk.page(f"{path}/release", _release, post=True, back=path),
    ]


def _show(visit: Visit) -> Response:
    issue, live = _found(visit)
    with visit.desk.app.database.read() as session:
        listed = {
            status: deliveries.page(session, status=status, issue_id=issue.id, limit=_LISTED)
            for status in (Status.HELD, Status.FAILED, Status.DEFERRED)
        }
    return visit.show("deliveries.html", day=visit.day, issue=issue, listed=listed, name_of=name_of, **live)


def _live(visit: Visit) -> Response:
    """Answer with what changes by itself, for the script that looks again and again."""
    issue, live = _found(visit)
    return HTMLResponse(visit.desk.html("deliveries_live.html", issue=issue, **live), headers=HEADERS)


def _found(visit: Visit) -> tuple[Issue, dict[str, Any]]:
    app, since = visit.desk.app, visit.now - timedelta(minutes=1)
    with app.database.read() as session:
        issue = _issue(issues.get(session, visit.day), visit.day)
        report = deliveries.report(session, issue.id)
        off = deliveries.destinations(session, Status.DEFERRED, issue.id, _COUNTED) if report["deferred"] else []
        stopped = problems.open_text(session, problems.DELIVERY)
        rate = traffic.accepted_by_all(session, (way.name for way in app.settings.smtp.ways), since)
    return issue, {
        "report": report,
        "states": {name: report[name] for name in _SHOWN},
        "done": report["audience"] - report["waiting"] - report["deferred"],
        "rate": rate,
        "stopped": stopped,
        "deferred_by": Counter(off).most_common(_NAMED),
        "counted_all": len(off) < _COUNTED,
        "now": visit.now,
    }


def _issue(found: Issue | None, day: date) -> Issue:
    if found is None or found.sealed_at is None:
        raise NotFoundError(f"the issue of {day} is not sealed, and nothing of it is sent")
    return found


def _release(visit: Visit) -> Response:
    """Let held deliveries be sent again, or take them as sent: those that are named, or all."""
    app, sent = visit.desk.app, visit.form.get("do") == "sent"
    named = [visit.form["delivery"]] if visit.form.get("delivery") else []
    if not named and not visit.form.get("all"):
        raise UsageError("say which delivery, or all that are held")
    done = records.release(app.database, app.settings.smtp, named, visit.now, everything=not named, sent=sent)
    what = "taken as sent" if sent else "released, to be sent again"
    which = name_of(done[0]) if len(done) == 1 else f"{len(done)} deliveries"
    with app.database.write() as session:
        changes.record(session, visit.by, f"{which}: {what}", visit.now)
    return visit.to(f"/issues/{visit.day}/deliveries", f"{which}: {what}.")
