"""The calendar of announcements: days of arXiv and Hugging Face replayed, and every paper in exactly one pool."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from newsroom import Newsroom
from upstreams import Entry, Fault, Submission, Upstreams, announced

from newsletter.services import edit
from newsletter.services.gather import gather

THURSDAY = datetime(2026, 7, 16, tzinfo=UTC)
END = datetime(2026, 7, 22, 8, tzinfo=UTC)  # after Tuesday's announcement, which is Wednesday's everywhere by then
MONDAY = date(2026, 7, 20)  # a holiday
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    """Return a week of submissions and of daily lists that fill until late, with a holiday on Monday."""
    made = Upstreams(THURSDAY)
    at, number = THURSDAY - 4 * DAY, 0
    while at < END + DAY:
        number += 1
        made.submissions.append(Submission(f"2607.{number:05}", at, announced(at, [MONDAY])))
        at += timedelta(minutes=97)
    for day in (date(2026, 7, 15) + n * DAY for n in range(7)):
        if day.weekday() < 5:
            begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
            made.entries += [
                Entry(f"2606.{day.day:02}{n:03}", day, begins + n * timedelta(minutes=110), upvotes=n)
                for n in range(13)
            ]
    yield made
    made.close()


def test_the_calendar_that_is_played_is_arxivs():
    """Submitted by two in the afternoon, announced at eight; Friday's on Sunday, a holiday's with the next."""
    friday = datetime(2026, 7, 17, 17, 59, tzinfo=UTC)  # 13:59 Eastern

    assert announced(friday - DAY) == datetime(2026, 7, 17, tzinfo=UTC)
    assert announced(friday) == datetime(2026, 7, 20, tzinfo=UTC)
    assert announced(friday + timedelta(minutes=2)) == datetime(2026, 7, 21, tzinfo=UTC)
    assert announced(friday + timedelta(minutes=2), [MONDAY]) == datetime(2026, 7, 22, tzinfo=UTC)


def replayed(
    newsroom: Newsroom, upstreams: Upstreams, step: timedelta, *, end: datetime = END, **newsletter: object
) -> list[Counter[str]]:
    """Gather every *step* from Thursday to the *end*; return the ids in the pool of each day."""
    newsroom.configure(newsletter=newsletter, sources=upstreams.sources)
    with newsroom.app(THURSDAY) as app, asyncio.Runner() as runner:
        while upstreams.now < end:
            upstreams.catch_breath()
            runner.run(gather(app.database, app.gathering, upstreams.now))
            upstreams.now += step
        with app.database.read() as session:
            days = [date(2026, 7, 10) + n * DAY for n in range(14)]
            pools = [edit.arranged_now(session, app.policy, day, edit.Hand()).pool for day in days]
    return [Counter(c.paper.arxiv_id for c in pool) for pool in pools]


def shown(upstreams: Upstreams) -> set[str]:
    """Return every submission that was announced so far."""
    return {s.arxiv_id for s in upstreams.submissions if s.announced < upstreams.now}


def asked_at_most_every(hour: timedelta, times: list[datetime]) -> bool:
    """Return whether no two requests are closer than that."""
    return all(later - earlier >= hour for earlier, later in pairwise(times))


@pytest.mark.slow
def test_gathering_every_five_minutes_lists_every_paper_once(newsroom, upstreams):
    """From a Thursday to a Tuesday with a holiday between: no id is missed, and none is in two pools."""
    pools = replayed(newsroom, upstreams, timedelta(minutes=5), lookback_days=1)

    assert sum(pools, Counter()) == Counter(
        shown(upstreams) | {e.arxiv_id for e in upstreams.entries if e.day.day > 15}
    )
    assert asked_at_most_every(HOUR, upstreams.asked("/api/query"))
    assert asked_at_most_every(HOUR, upstreams.asked("/api/daily_papers"))
    assert len(upstreams.asked("/api/query")) == (END - THURSDAY) / HOUR


@pytest.mark.parametrize(
    ("zone", "out"),
    [("UTC", 20), ("UTC", 23), ("Asia/Tokyo", 23), ("America/Los_Angeles", 23)],
)
def test_a_days_outage_loses_nothing(newsroom, upstreams, zone, out):
    """Also of the day on which the longest waiting submissions were announced, and wherever the newsletter lives."""
    until = datetime(2026, 7, out, 5, tzinfo=UTC)

    def down(path: str) -> Fault | None:
        return Fault() if path == "/api/query" and until - 29 * HOUR <= upstreams.now < until else None

    upstreams.fault = down
    pools = replayed(newsroom, upstreams, 3 * HOUR, end=END + DAY, lookback_days=1, time_zone=zone)

    archive = shown(upstreams)
    assert Counter(i for pool in pools for i in pool if i in archive) == Counter(archive)


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Niue"])
def test_a_daily_list_is_complete_whatever_the_zone(newsroom, upstreams, zone):
    """Lists are kept in UTC and fill until its midnight, when it is another date elsewhere."""
    replayed(newsroom, upstreams, 3 * HOUR, time_zone=zone)

    with newsroom.app() as app, app.database.read() as session:
        for day in {e.day for e in upstreams.entries if 15 < e.day.day < 22}:
            pool = edit.papers.listed(session, day, day)
            listed = {c.paper.arxiv_id for c in pool if any(n.source == "huggingface" for n in c.listings)}
            assert listed == {e.arxiv_id for e in upstreams.entries if e.day == day}


@pytest.mark.parametrize("hour", [7, 23])
def test_gathering_once_a_day_loses_nothing(newsroom, upstreams, hour):
    """As a crontab of old has it: what came out right after one gathering is found by the next."""
    upstreams.now = THURSDAY + hour * HOUR
    pools = replayed(newsroom, upstreams, DAY, lookback_days=1, time_zone="Asia/Tokyo")

    last = max(upstreams.asked("/api/query"))
    known = {s.arxiv_id for s in upstreams.submissions if s.announced <= last}
    assert Counter(i for pool in pools for i in pool if i in known) == Counter(known)
