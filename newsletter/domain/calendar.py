"""When a reader's next digest is due, in the reader's own time zone.

An occurrence is a local date of the reader's rhythm and the instant of the reader's hour on it: in a gap of the
clock the next valid instant, in a fold the first. Local dates, not instants, are counted, so that a change of
clocks, hour or zone can never make two digests of one date. Who joins, or changes while a digest is owed, is due out
of rhythm: then the digest bears the date that it is.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from newsletter.domain.subscriber import ALERTS, WEEKDAYS

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """When a reader wants mail, defaults filled in. ``frequency`` as in Preferences."""

    frequency: str
    hour: time
    zone: ZoneInfo

    def includes(self, day: date) -> bool:
        """Return whether a digest may come on the local date *day*."""
        if self.frequency.startswith("weekly:"):
            return WEEKDAYS[day.weekday()] == self.frequency.removeprefix("weekly:")
        return self.frequency != ALERTS and (self.frequency != "weekdays" or day.weekday() < 5)

    @property
    def has_digests(self) -> bool:
        """Return whether any date is included: who wants alerts only has none."""
        return self.frequency != ALERTS

    @property
    def of_alerts(self) -> "Rhythm":
        """Return when alerts are looked at: every day, at the same hour."""
        return replace(self, frequency="daily")


@dataclass(frozen=True, slots=True, order=True)
class Occurrence:
    """One time at which a digest is due: the instant in UTC, and the date that the digest bears."""

    at: datetime
    day: date


def local_date(now: datetime, zone: ZoneInfo) -> date:
    """Return the date that it is in *zone* at *now*."""
    return now.astimezone(zone).date()


def instant(day: date, hour: time, zone: ZoneInfo) -> datetime:
    """Return the UTC instant of *hour* on *day* in *zone*: in a gap the next valid one, in a fold the first."""
    wall = datetime.combine(day, hour, tzinfo=zone)
    at = wall.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return at
    early, late = wall.replace(fold=1).astimezone(UTC), at
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) / 2
        early, late = (middle, late) if middle.astimezone(zone).utcoffset() == before else (early, middle)
    return late.replace(microsecond=0)


def next_due(rhythm: Rhythm, after: datetime, last_day: date | None) -> Occurrence:
    """Return the first occurrence after *after* on a date later than *last_day*, that of the last digest.

    The rhythm must have digests.
    """
    assert rhythm.has_digests, "there is no end to looking"
    first = local_date(after, rhythm.zone) - _DAY
    return next(o for o in _occurrences(rhythm, first, _DAY) if o.at > after and (last_day is None or o.day > last_day))


def current(rhythm: Rhythm, now: datetime) -> Occurrence:
    """Return the last occurrence that is not after *now*: what a reader who is due is due for.

    The rhythm must have digests.
    """
    assert rhythm.has_digests, "there is no end to looking"
    first = local_date(now, rhythm.zone) + _DAY
    return next(o for o in _occurrences(rhythm, first, -_DAY) if o.at <= now)


def next_issue(after: date, days: Collection[str], hour: time, zone: ZoneInfo) -> datetime:
    """Return when the issue that follows that of *after* is sealed; *days* are those on which issues appear."""
    later = (after + n * _DAY for n in range(1, 8))
    return instant(next((d for d in later if WEEKDAYS[d.weekday()] in days), after), hour, zone)


def after_change(rhythm: Rhythm, now: datetime, last_day: date | None, promised: datetime) -> Occurrence:
    """Return when a digest is due for who chose *rhythm* at *now* and was due at *promised* before.

    Who is due already, and only waits for the next tick, stays due, today by the new clock: a change at the wrong
    minute costs no digest, and brings none of a date that is over.
    """
    today = local_date(now, rhythm.zone)
    if promised <= now and (last_day is None or today > last_day):
        return Occurrence(now, today)
    return next_due(rhythm, now, last_day)


def due_day(rhythm: Rhythm, due_at: datetime, last_day: date | None, now: datetime) -> date:
    """Return the date of the digest that was due at *due_at*, made at *now*.

    The last one of the rhythm; but today's for who is due out of it, and for a first digest, so that another of the
    same local day cannot follow.
    """
    owed = current(rhythm, now)
    return local_date(now, rhythm.zone) if last_day is None or due_at > owed.at else owed.day


def _occurrences(rhythm: Rhythm, first: date, step: timedelta) -> Iterator[Occurrence]:
    day = first
    while True:
        if rhythm.includes(day):
            yield Occurrence(instant(day, rhythm.hour, rhythm.zone), day)
        day += step
