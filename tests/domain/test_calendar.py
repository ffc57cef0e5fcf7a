"""One digest per local date, in every zone, whatever the clocks and the readers do."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.domain.calendar import Occurrence, Rhythm, after_change, current, due_day, instant, local_date, next_due
from newsletter.domain.subscriber import WEEKDAYS

DAY = timedelta(days=1)
QUARTER = timedelta(minutes=15)
FIRST, LAST = date(2026, 1, 1), date(2027, 12, 31)
HALF_HOURS = [time(h, m) for h in range(24) for m in (0, 30)]
FREQUENCIES = ["daily", "weekdays", *(f"weekly:{day}" for day in WEEKDAYS)]
LONGEST_WAIT = {"daily": 1, "weekdays": 3} | {f"weekly:{day}": 7 for day in WEEKDAYS}  # days


def utc(*parts: int) -> datetime:
    """Return an instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def rhythm(frequency: str = "daily", hour: time = time(8), zone: str = "Europe/Zurich") -> Rhythm:
    """Return a rhythm, that of a plain reader where nothing else is said."""
    return Rhythm(frequency=frequency, hour=hour, zone=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "day", "hour", "at"),
    [
        # Clocks go from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
        ("Europe/Zurich", date(2026, 3, 29), time(2, 30), utc(2026, 3, 29, 1)),
        ("Europe/Zurich", date(2026, 3, 29), time(3), utc(2026, 3, 29, 1)),
        ("Europe/Zurich", date(2026, 10, 25), time(2, 30), utc(2026, 10, 25, 0, 30)),
        # Half an hour, southern summer; midnight itself is skipped; a quarter past in both ways.
        ("Australia/Lord_Howe", date(2026, 10, 4), time(2, 15), utc(2026, 10, 3, 15, 30)),
        ("Africa/Cairo", date(2026, 4, 24), time(0), utc(2026, 4, 23, 22)),
        ("Pacific/Chatham", date(2026, 4, 5), time(2, 45), utc(2026, 4, 4, 13)),
        # A zone that left out a whole day: its reader gets that day's when the next one begins.
        ("Pacific/Apia", date(2011, 12, 30), time(8), utc(2011, 12, 30, 10)),
        ("Asia/Kathmandu", date(2026, 6, 1), time(8), utc(2026, 6, 1, 2, 15)),
    ],
)
def test_the_instant_of_an_hour(zone: str, day: date, hour: time, at: datetime):
    """In a gap of the clock it is the next valid instant, in a fold the first."""
    assert instant(day, hour, ZoneInfo(zone)) == at


@pytest.mark.parametrize(
    ("frequency", "after", "last_day", "expected"),
    [
        ("daily", utc(2026, 7, 15, 5), None, Occurrence(utc(2026, 7, 15, 6), date(2026, 7, 15))),
        ("daily", utc(2026, 7, 15, 6), None, Occurrence(utc(2026, 7, 16, 6), date(2026, 7, 16))),
        ("daily", utc(2026, 7, 15, 5), date(2026, 7, 15), Occurrence(utc(2026, 7, 16, 6), date(2026, 7, 16))),
        ("weekdays", utc(2026, 7, 17, 7), None, Occurrence(utc(2026, 7, 20, 6), date(2026, 7, 20))),
        ("weekly:wed", utc(2026, 7, 15, 7), None, Occurrence(utc(2026, 7, 22, 6), date(2026, 7, 22))),
        ("weekly:thu", utc(2026, 7, 15, 7), date(2026, 7, 15), Occurrence(utc(2026, 7, 16, 6), date(2026, 7, 16))),
    ],
)
def test_the_next_digest(frequency: str, after: datetime, last_day: date | None, expected: Occurrence):
    """It is the first of the rhythm after the instant, on a date later than the last one's."""
    assert next_due(rhythm(frequency), after, last_day) == expected


def test_a_change_between_the_hour_and_the_tick_costs_no_digest():
    """Due at eight, changed at two minutes past to seven: today's digest still comes today."""
    now, promised = utc(2026, 7, 15, 6, 2), utc(2026, 7, 15, 6)
    changed = rhythm(hour=time(7))

    assert after_change(changed, now, date(2026, 7, 14), promised).day == date(2026, 7, 15)
    assert after_change(changed, now, date(2026, 7, 15), promised).day == date(2026, 7, 16)
    assert after_change(changed, now, date(2026, 7, 14), promised + DAY).day == date(2026, 7, 16)


def test_after_an_outage_a_reader_is_due_for_the_last_date_only():
    """Fourteen days down: one digest, of today, and the next one tomorrow."""
    owed = current(rhythm(), utc(2026, 7, 29, 12))

    assert owed == Occurrence(utc(2026, 7, 29, 6), date(2026, 7, 29))
    assert next_due(rhythm(), utc(2026, 7, 29, 12), owed.day).day == date(2026, 7, 30)


def offsets(zone: ZoneInfo, start: datetime, step: timedelta, count: int) -> list[timedelta | None]:
    """Return how far *zone* is from UTC at *count* instants."""
    return [(start + n * step).astimezone(zone).utcoffset() for n in range(count)]


def changes(zone: ZoneInfo) -> list[datetime]:
    """Return the UTC midnights of 2026 and 2027 after which the clocks of *zone* change within a day."""
    first = datetime.combine(FIRST, time(), UTC)
    found = offsets(zone, first, DAY, (LAST - FIRST).days + 2)
    return [first + n * DAY for n in range(len(found) - 1) if found[n] != found[n + 1]]


def clocks() -> dict[tuple[object, ...], str]:
    """Return one name of each set of zones whose clocks agree to the quarter hour throughout 2026 and 2027.

    The key says all that there is to know: the offset at first, and those of each day on which it changes.
    """
    known: dict[tuple[object, ...], str] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        days = [(day, tuple(offsets(zone, day, QUARTER, 97))) for day in changes(zone)]
        known.setdefault((*offsets(zone, datetime.combine(FIRST, time(), UTC), DAY, 1), *days), name)
    return known


def runs_around(zone: ZoneInfo) -> list[list[date]]:
    """Return the runs of days within two days of each change in *zone*; three, since UTC's date may be another."""
    runs: list[list[date]] = []
    for midnight in changes(zone):
        around = [midnight.date() + n * DAY for n in range(-3, 4)]
        if runs and runs[-1][-1] >= around[0]:
            runs[-1].extend(day for day in around if day > runs[-1][-1])
        else:
            runs.append(around)
    return runs


def first_instants(zone: ZoneInfo, days: list[date]) -> Iterator[tuple[date, time, datetime]]:
    """Return when each half hour of *days* first comes or has passed, found by watching the clock on the wall."""
    start = datetime.combine(days[0] - 2 * DAY, time(), UTC)
    instants = [start + n * QUARTER for n in range((len(days) + 4) * 96)]
    highest, seen = [], datetime.min  # noqa: DTZ901 - the clock on the wall knows no zone
    for at in instants:
        seen = max(seen, at.astimezone(zone).replace(tzinfo=None))
        highest.append(seen)
    for day in days:
        for hour in HALF_HOURS:
            yield day, hour, instants[bisect_left(highest, datetime.combine(day, hour))]


def test_every_zone_around_every_change_of_the_clocks():
    """At every half hour of the days around each change, in every zone, a date has the one instant that it should."""
    checked = 0
    for name in clocks().values():
        zone = ZoneInfo(name)
        for days in runs_around(zone):
            for day, hour, at in first_instants(zone, days):
                daily, expected = Rhythm(frequency="daily", hour=hour, zone=zone), Occurrence(at, day)
                assert next_due(daily, at - QUARTER, day - DAY) == expected, (name, day, hour)
                assert current(daily, at) == expected, (name, day, hour)
                checked += 1

    assert checked > 30_000


def test_every_zone_on_every_day():
    """Through both years, at the earliest hour and at the latest: each local date once, in order."""
    for name in clocks().values():
        for hour in (time(0), time(23, 30)):
            daily = Rhythm(frequency="daily", hour=hour, zone=ZoneInfo(name))
            due = Occurrence(instant(FIRST, hour, daily.zone), FIRST)
            while due.day < LAST:
                following = next_due(daily, due.at, due.day)
                assert following.day == due.day + DAY, (name, hour)
                assert following.at - due.at >= timedelta(hours=20), (name, hour)
                assert current(daily, following.at - timedelta(seconds=1)) == due, (name, hour)
                due = following


class Reader:
    """A reader as the service keeps one: when the next digest is due, and the date of the last."""

    def __init__(self, chosen: Rhythm, now: datetime) -> None:
        self.rhythm, self.digests = chosen, list[date]()
        self.due = next_due(chosen, now, None).at

    @property
    def last_day(self) -> date | None:
        """Return the date of the last digest."""
        return max(self.digests, default=None)

    def change(self, chosen: Rhythm, now: datetime) -> None:
        """Choose another rhythm."""
        self.rhythm = chosen
        self.due = after_change(chosen, now, self.last_day, self.due).at

    def tick(self, now: datetime) -> None:
        """Get what is due, and know when the next is."""
        if self.due > now:
            return
        day = due_day(self.rhythm, self.due, self.last_day, now)
        if self.last_day is None or day > self.last_day:
            self.digests.append(day)
        self.due = next_due(self.rhythm, now, self.last_day).at


_zones = st.sampled_from(sorted(available_timezones()))
_rhythms = st.builds(
    Rhythm,
    frequency=st.sampled_from(FREQUENCIES),
    hour=st.builds(time, st.integers(0, 23), st.sampled_from([0, 1, 30, 59])),
    zone=_zones.map(ZoneInfo),
)
_waits = st.integers(0, 20 * 24 * 12).map(lambda ticks: ticks * timedelta(minutes=5))


@given(_rhythms, st.lists(st.tuples(_waits, _rhythms, st.booleans()), max_size=6), st.integers(0, 700))
def test_no_change_gives_two_digests_of_one_date_or_silences_anyone(
    chosen: Rhythm, later: list[tuple[timedelta, Rhythm, bool]], day: int
):
    """However hour, zone and rhythm change, at whatever instant, with or without downtime between."""
    now = datetime.combine(FIRST + day * DAY, time(), UTC)
    reader = Reader(chosen, now)
    for wait, changed, runs in later:
        end = now + wait
        while runs and reader.due <= end:
            now = max(now, reader.due)
            reader.tick(now)
        now = end
        reader.change(changed, now)
        today = local_date(now, changed.zone)
        following = due_day(changed, reader.due, reader.last_day or date.min, max(now, reader.due))
        assert reader.last_day is None or following > reader.last_day
        assert following - max(today, reader.last_day or today) <= LONGEST_WAIT[changed.frequency] * DAY

    assert reader.digests == sorted(set(reader.digests))


@settings(max_examples=30)
@given(_rhythms, st.integers(0, 700))
def test_a_steady_reader_is_never_left_out(chosen: Rhythm, day: int):
    """A year of ticks brings exactly the dates of the rhythm."""
    start = FIRST + day * DAY
    now = instant(start, time(), chosen.zone)
    reader = Reader(chosen, now - timedelta(seconds=1))
    while local_date(reader.due, chosen.zone) < start + 365 * DAY:
        reader.tick(reader.due)

    expected = [d for d in (start + n * DAY for n in range(365)) if chosen.includes(d)]
    assert reader.digests == expected
