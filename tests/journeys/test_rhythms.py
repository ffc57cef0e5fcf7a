"""Rhythms against the real storage: whatever readers change, whenever, and whatever the clocks do."""

import os
import shutil
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsroom import Newsroom
from sqlmodel import col, select

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.issue import Arranged
from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.domain.subscriber import WEEKDAYS
from newsletter.services import joining, subscribe
from newsletter.services.plan import Plan
from newsletter.storage import issues, papers, sightings
from newsletter.storage.tables import DeliveryRow

ANN = "ann@example.org"
DAY = timedelta(days=1)
# Clocks change in all of these but the last, on other dates, by an hour or by half of one, and around midnight.
ZONES = ["Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Auckland", "Asia/Tokyo"]
LONGEST = {"daily": 1, "weekdays": 3} | {f"weekly:{day}": 7 for day in WEEKDAYS}  # days between two digests
# Around the changes of spring and of autumn 2026.
STARTS = [
    date(2026, 3, 6),
    date(2026, 3, 27),
    date(2026, 4, 2),
    date(2026, 9, 25),
    date(2026, 10, 1),
    date(2026, 10, 23),
]
STEP = timedelta(hours=1)

_choices = st.fixed_dictionaries(
    {},
    optional={
        "hour": st.sampled_from(["00:00", "00:30", "02:30", "08:00", "18:45", "23:59"]),
        "zone": st.sampled_from(ZONES),
        "frequency": st.sampled_from(sorted(LONGEST)),
        "alerts": st.sampled_from(["", "paper", "nowhere"]),
    },
).filter(bool)
_changes = st.lists(st.tuples(st.integers(0, 60), _choices), max_size=4)


def seal(app: App, day: date, now: datetime) -> None:
    """Seal an issue of *day* with three papers that were in none before."""
    with app.database.write() as session:
        for number in range(3):
            paper = Paper(title=f"Paper {number} of {day}", arxiv_id=f"{day:%y%m}.{day.day:02}{number:03}")
            listing = Listing(source="file", day=day, position=number + 1)
            sightings.store(session, [Sighting(source="file", kind="file", seen_at=now, paper=paper, listing=listing)])
        found = tuple(papers.listed(session, day, day))
        issue = issues.draft(session, day)
        issues.seal(session, issue, Arranged(pool=found, front=found), (), now)


def tick(app: App, now: datetime) -> None:
    """Make due what is due, and take it as accepted."""
    plan = Plan(app.settings, app.policy)
    with app.database.write() as session:
        while plan.make_due(session, now):
            pass
        session.connection().exec_driver_sql(
            "UPDATE deliveries SET status = 'accepted', settled_at = made_at WHERE status = 'ready'"
        )
        session.connection().exec_driver_sql(
            "UPDATE subscribers SET last_accepted_on = (SELECT max(i.day) FROM deliveries d JOIN issues i"
            " ON i.id = d.issue_id WHERE d.status = 'accepted' AND d.subscriber_id = subscribers.id)"
        )


def deliveries(app: App) -> list[DeliveryRow]:
    """Return the reader's deliveries, in the order in which they were made."""
    with app.database.read() as session:
        return list(session.exec(select(DeliveryRow).order_by(col(DeliveryRow.made_at))))


@pytest.mark.slow
@settings(max_examples=int(os.environ.get("NEWSLETTER_RHYTHMS", "10")))
@given(st.sampled_from(STARTS), _choices, _changes)
def test_no_change_brings_two_of_a_day_or_silences_for_longer_than_the_rhythm(
    start: date, chosen: dict[str, str], later: list[tuple[int, dict[str, str]]]
):
    """Hour, zone, frequency and alerts, changed at any hour over two weeks around a change of the clocks.

    With an issue each day and a tick each hour: one mail on a local date of the reader's, which is that of the clock
    on their wall but for the hour after midnight; no paper twice; never longer without one than the rhythm leaves.
    """
    folder = Path(tempfile.mkdtemp())
    room = Newsroom(folder, newsletter={"days": list(WEEKDAYS), "send_at": "00:00"})
    try:
        with room.app(datetime.combine(start, time(), UTC)) as app:
            _play(app, start, chosen, later)
    finally:
        room.close()
        shutil.rmtree(folder)


def _play(app: App, start: date, chosen: dict[str, str], later: list[tuple[int, dict[str, str]]]) -> None:
    newsletter, now = app.settings.newsletter, datetime.combine(start, time(), UTC)
    seal(app, start, now)
    joining.add(app.database, newsletter, [ANN], chosen, now)
    changes = list(later)
    wait = timedelta(hours=changes[0][0]) + now if changes else None
    last_mail = last_change = now
    local_days: set[date] = set()
    for hour in range(24 * 14):
        now = datetime.combine(start, time(), UTC) + hour * STEP
        if now.hour == 0 and now.date() > start:
            seal(app, now.date(), now)
        if wait and now >= wait:
            _, change = changes.pop(0)
            subscribe.edit(app.database, newsletter, ANN, change, now - timedelta(minutes=7))
            last_change = now
            wait = now + timedelta(hours=changes[0][0]) if changes else None
        reader = subscribe.find(app.database, ANN)
        rhythm = subscribe.rhythm_of(reader.preferences, newsletter)
        before = deliveries(app)
        if min(filter(None, (reader.next_due_at, reader.next_alert_at))) <= now:  # else a tick finds nobody
            tick(app, now)
        for made in deliveries(app)[len(before) :]:
            assert made.day not in local_days, (now, made.day)
            assert abs(made.day - local_date(now, rhythm.zone)) <= DAY
            local_days.add(made.day)
            last_mail = now
        longest = LONGEST[rhythm.frequency] * DAY
        # From the last mail or the change on, with one more day for the date that the new zone or hour has passed.
        assert now - max(last_mail, last_change) <= longest + DAY + timedelta(hours=2), (now, rhythm)
    picks = [pick[0] for one in deliveries(app) for pick in one.picks]
    assert len(picks) == len(set(picks))
