"""Pictures where people would rather look than read, each with the same as a table."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup
from sqlmodel import Session
from starlette.responses import Response
from starlette.routing import Route

from newsletter.domain.delivery import Status
from newsletter.domain.subscriber import Status as Standing
from newsletter.domain.taste import Said
from newsletter.domain.text import plain
from newsletter.render.formats import counted
from newsletter.render.wrapping import shorten
from newsletter.services import trends
from newsletter.storage import deliveries, feedback, fetches, issues, papers, stats
from newsletter.web.desk import charts
from newsletter.web.desk.pages import Desk, Visit

_WEEKS, _ISSUES, _DAYS, _PAPERS, _DESTINATIONS = 26, 12, 21, 10, 10
_COUNTED = 2000  # failures of an issue that are looked at
_LATELY = timedelta(days=30)
_TITLE = 80  # characters
_ON_THE_LIST = (Standing.PENDING, Standing.ACTIVE, Standing.PAUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One picture, what it says in a sentence, and as a table whose first column names its rows."""

    title: str
    says: str
    svg: Markup
    headings: Sequence[str]
    rows: Sequence[Sequence[object]]


def routes(desk: Desk) -> list[Route]:
    """Return the route of this page."""
    return [desk.page("/pictures", _show)]


def _show(visit: Visit) -> Response:
    today = visit.desk.today()
    with visit.desk.app.database.read() as session:
        sent = trends.sendings(session, _ISSUES)
        pictures = [
            _subscribers(session, visit.now.date()),
            _sendings(sent),
            _sources(session, list(visit.desk.app.policy.shares), today),
            _reactions(session, visit),
            _destinations(session, [sending.date for sending in sent]),
        ]
        asked = fetches.newest_fetches(session, visit.desk.app.policy.shares)
    return visit.show("pictures.html", pictures=pictures, asked=asked)


def _subscribers(session: Session, today: date) -> Picture:
    """Draw how many were on the list at the end of each week, counted back from today."""
    weeks = trends.weeks(session, today, _WEEKS)
    counts = stats.subscribers(session)
    on_the_list = now = sum(counts[status] for status in _ON_THE_LIST)
    ends: dict[date, int] = {}
    for week in reversed(weeks):
        ends[min(week.begins + timedelta(days=6), today)] = on_the_list
        on_the_list -= week.joined - week.left
    by_day = dict(sorted(ends.items()))
    rows = [(week.begins, week.joined, week.left, count) for week, count in zip(weeks, by_day.values(), strict=True)]
    return Picture(
        title="Subscribers",
        says=f"{now:,} are on the list; {weeks[-1].joined:,} joined and {weeks[-1].left:,} left this week.",
        svg=charts.lines("Subscribers by week", {"on the list": by_day}),
        headings=("Week of", "Joined", "Left", "At its end"),
        rows=rows[::-1],
    )


def _sendings(sent: Sequence[trends.Sending]) -> Picture:
    """Draw how many deliveries each issue had, and how many of them failed."""
    made = {f"{one.date:%m-%d}": one.deliveries["audience"] for one in sent}
    failed = {f"{one.date:%m-%d}": one.deliveries["failed"] + one.deliveries["expired"] for one in sent}
    shown = ("audience", "accepted", "failed", "expired")
    rows = [(one.date, *(one.deliveries[name] for name in shown)) for one in sent]
    says = "No issue was sealed yet."
    if sent:
        last = sent[-1].deliveries
        says = f"Of the newest issue {last['accepted']:,} were accepted, and {last['failed']:,} failed."
    return Picture(
        title="Deliveries by issue",
        says=says,
        svg=charts.columns("Deliveries and failures by issue", {"deliveries": made, "failed or expired": failed}),
        headings=("Issue", "Made", "Accepted", "Failed", "Expired"),
        rows=rows[::-1],
    )


def _destinations(session: Session, days: Sequence[date]) -> Picture:
    """Draw which destinations refused for good, in the issues of these dates."""
    found: Counter[str] = Counter()
    for day in days:
        if issue := issues.get(session, day):
            found.update(deliveries.destinations(session, Status.FAILED, issue.id, _COUNTED))
    most = dict(found.most_common(_DESTINATIONS))
    return Picture(
        title="Failures by destination",
        says=f"{counted(found.total(), 'delivery', 'deliveries')} of these issues failed for good, at "
        f"{counted(len(found), 'destination')}.",
        svg=charts.bars("Failures by destination", {"failed": most} if most else {}),
        headings=("Destination", "Failed"),
        rows=list(most.items()),
    )


def _reactions(session: Session, visit: Visit) -> Picture:
    """Draw of which papers readers said most lately."""
    said = feedback.most_said(session, visit.now - _LATELY, _PAPERS)
    known = papers.load(session, said)
    rows = [
        (f"{shorten(plain(known[i].title), _TITLE)} ({known[i].key})", *(said[i].get(what, 0) for what in Said))
        for i in said
        if i in known
    ]
    says = (
        f"{counted(len(rows), 'paper')} of which readers said most in the last 30 days." if rows else "Nothing lately."
    )
    return Picture(
        title="What readers react to",
        says=says,
        svg=charts.bars("Reactions by paper", _layers(rows)),
        headings=("Paper", *(what.value.capitalize() for what in Said)),
        rows=rows,
    )


def _layers(rows: Sequence[Sequence[object]]) -> Mapping[str, Mapping[str, int]]:
    """Return all reactions, then all but the last kind, and so on: each lies before the one that it is a part of."""
    kinds = [what.value for what in Said]
    layers: dict[str, dict[str, int]] = {}
    for upto in range(len(kinds), 0, -1):
        layers[kinds[upto - 1]] = {str(row[0]): sum(int(str(n)) for n in row[1 : upto + 1]) for row in rows}
    return layers if rows else {}


def _sources(session: Session, names: Sequence[str], today: date) -> Picture:
    """Draw how many papers each source listed by day: a silent one is a line along the floor."""
    since = today - timedelta(days=_DAYS - 1)
    listed = papers.listed_by_day(session, since)
    days = [since + timedelta(days=n) for n in range(_DAYS)]
    series = {name: {day: listed.get(name, {}).get(day, 0) for day in days} for name in names}
    return Picture(
        title="Papers by source",
        says=f"What each source listed on each of the last {_DAYS} days.",
        svg=charts.lines("Papers by source and day", series),
        headings=("Day", *names),
        rows=[(day, *(series[name][day] for name in names)) for day in reversed(days)],
    )
