"""How it went lately, for a person who would rather look than read: readers by week, deliveries by issue.

Not here: drawing (``cli/charts.py``, the desk).
"""

from dataclasses import dataclass
from datetime import date, timedelta

from sqlmodel import Session

from newsletter.storage import deliveries, issues, stats


@dataclass(frozen=True, slots=True)
class Week:
    """A week by the calendar, in UTC: who joined, and who left by themselves or were suppressed."""

    begins: date
    joined: int
    left: int


@dataclass(frozen=True, slots=True)
class Sending:
    """What became of an issue: as ``run`` reports it."""

    date: date
    deliveries: dict[str, int]


def weeks(session: Session, today: date, count: int) -> list[Week]:
    """Return the last *count* weeks, the one of *today* last."""
    monday = today - timedelta(days=today.weekday())
    first = monday - timedelta(weeks=count - 1)
    joined, left = stats.joined_by_day(session, first), stats.left_by_day(session, first)
    return [_week(first + timedelta(weeks=n), joined, left) for n in range(count)]


def _week(begins: date, joined: dict[date, int], left: dict[date, int]) -> Week:
    days = [begins + timedelta(days=n) for n in range(7)]
    return Week(begins, sum(joined.get(day, 0) for day in days), sum(left.get(day, 0) for day in days))


def sendings(session: Session, count: int) -> list[Sending]:
    """Return what became of the newest *count* issues that nobody stopped, the newest last."""
    found = issues.published(session, before=None, limit=count)
    return [Sending(issue.date, deliveries.report(session, issue.id)) for issue in reversed(found)]
