"""Who is due, in what order, and that asking for a chunk of them costs what the chunk costs."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query_plans import explained
from sqlalchemy import text
from sqlmodel import Session, select

from newsletter.domain.issue import Issue, Status
from newsletter.domain.subscriber import Preferences, Subscriber
from newsletter.domain.subscriber import Status as Standing
from newsletter.storage import due, history, making, subscribers
from newsletter.storage.database import Database
from newsletter.storage.due import DueReader, Place
from newsletter.storage.history import History
from newsletter.storage.making import Contents, NewDelivery
from newsletter.storage.tables import DeliveryRow, SubscriberRow

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
TODAY = NOW.date()
DAY = timedelta(days=1)
ISSUE = Issue(id=7, date=TODAY, status=Status.SEALED)
EARLIER = Issue(id=6, date=TODAY - DAY, status=Status.SEALED)


def add(session: Session, reader_id: int, due_at: datetime = NOW, **served: Any) -> DueReader:
    """Put a reader on the list who is due at *due_at*, and return them."""
    reader = Subscriber(
        id=reader_id,
        email=f"r{reader_id}@example.net",
        status=Standing.ACTIVE,
        preferences=Preferences(topics=("rag",), frequency="daily", max_papers=5),
        created_at=NOW,
        next_due_at=due_at,
    )
    subscribers.add(session, [(reader.email, reader)], NOW)
    row = session.get_one(SubscriberRow, reader_id)
    for name, value in served.items():
        setattr(row, name, value)
    session.flush()
    return DueReader(
        id=reader_id,
        preferences=reader.preferences,
        next_due_at=due_at,
        last_digest_on=row.last_digest_on,
        last_issue_on=row.last_issue_on,
        last_accepted_on=row.last_accepted_on,
    )


def new(session: Session, reader: DueReader, *papers: int, day: date = TODAY, **facts: Any) -> NewDelivery:
    """Return a delivery of *papers* to be made for *reader*."""
    (delivery_id,) = making.new_ids(session, NOW, 1)
    picks = tuple((paper, "topic", 'a "topic", [1, 2]') for paper in papers)
    values = {"expires_at": NOW + DAY, "next_due_at": NOW + DAY, "contents": Contents(picks), **facts}
    return NewDelivery(id=delivery_id, reader=reader, day=day, message_id=f"<{delivery_id:016x}@example.org>", **values)


def test_who_was_never_served_comes_first_then_the_longest_unserved(database: Database) -> None:
    """Over groups and within them, in chunks of any size; who is not active or not due is left out."""
    with database.write() as session:
        add(session, 1, last_accepted_on=TODAY - DAY)
        add(session, 2, last_accepted_on=TODAY - 2 * DAY)
        add(session, 3, NOW - DAY, last_accepted_on=TODAY - DAY)
        add(session, 4)
        add(session, 5, NOW + DAY)
        add(session, 6, NOW + DAY, last_accepted_on=TODAY - 3 * DAY)
        add(session, 7, status="paused", next_due_at=None, last_accepted_on=TODAY - 4 * DAY)
        groups = due.groups(session, NOW)
        assert groups == [None, TODAY - 2 * DAY, TODAY - DAY]
        found = [reader.id for group in groups for reader in due.readers(session, group, None, 9, NOW)]
        assert found == [4, 2, 3, 1]
        assert due.groups(session) == [None, TODAY - 3 * DAY, TODAY - 2 * DAY, TODAY - DAY]
        (first,) = due.readers(session, TODAY - DAY, None, 1)
        (second,) = due.readers(session, TODAY - DAY, Place(first.next_due_at, first.id), 1)
        assert [first.id, second.id] == [3, 1]
        assert due.readers(session, TODAY - DAY, Place(second.next_due_at, second.id), 1) == []


def test_a_reader_comes_with_what_decides(database: Database) -> None:
    """Preferences, instants and dates as they are kept."""
    with database.write() as session:
        decides = add(session, 1, last_digest_on=TODAY, last_issue_on=TODAY - DAY, last_accepted_on=TODAY - 2 * DAY)
        expected = decides._replace(email="r1@example.net", created_at=NOW)  # and what their mail says
        assert due.readers(session, TODAY - 2 * DAY, None, 9) == [expected]


def test_what_is_made_is_in_the_ledger_and_with_the_reader(database: Database) -> None:
    """Each value as it was given, also those that rows have in common."""
    with database.write() as session:
        first, second = add(session, 1, last_accepted_on=TODAY - DAY), add(session, 2, last_issue_on=TODAY + DAY)
        one, two = making.new_ids(session, NOW, 2)
        since = TODAY - 2 * DAY
        rows = [
            NewDelivery(one, first, TODAY, "<one>", NOW + DAY, NOW + 2 * DAY, Contents(((5, "front", ""),), since)),
            NewDelivery(two, second, TODAY - DAY, "<two>", NOW, None, Contents((), None, "nothing new")),
        ]
        making.make(session, ISSUE, rows, NOW)
    with database.read() as session:
        made, skipped = session.exec(select(DeliveryRow).order_by(DeliveryRow.id)).all()
        assert (made.id, made.subscriber_id, made.issue_id, made.day, made.status) == (one, 1, 7, TODAY, "ready")
        assert (made.made_at, made.next_attempt_at, made.expires_at) == (NOW, NOW, NOW + DAY)
        assert (made.served_on, made.since, made.picks) == (TODAY - DAY, since, ((5, "front", ""),))
        assert (made.attempts, made.uncertain, made.owner, made.settled_at, made.reply) == (0, 0, None, None, "")
        assert (skipped.status, skipped.settled_at, skipped.reply, skipped.picks) == ("skipped", NOW, "nothing new", ())
        rows_of = {row.id: row for row in session.exec(select(SubscriberRow))}
        assert (rows_of[1].last_digest_on, rows_of[1].last_issue_on) == (TODAY, TODAY)
        assert rows_of[1].next_due_at == NOW + 2 * DAY
        assert (rows_of[2].last_digest_on, rows_of[2].last_issue_on) == (TODAY - DAY, TODAY + DAY)
        assert rows_of[2].next_due_at == NOW  # it stays


def test_what_was_sent_is_known_by_today_s_ids_and_only_what_is_asked_for(database: Database) -> None:
    """A paper that was joined to another counts as that one; what failed was not sent; what waits is given up."""
    states = {1: "accepted", 2: "offered", 3: "held", 4: "failed", 5: "ready", 6: "deferred"}
    with database.write() as session:
        readers = [add(session, n) for n in states]
        making.make(session, EARLIER, [new(session, readers[0], 10, 11, 99)], NOW)
        for reader in readers[1:]:
            making.make(session, EARLIER, [new(session, reader, 10)], NOW)
        session.execute(text("INSERT INTO paper_redirects (old_id, paper_id) VALUES (11, 12)"))
        for number, status in states.items():
            session.execute(text(f"UPDATE deliveries SET status = '{status}' WHERE subscriber_id = {number}"))
        known = History(session, [10, 12], [6])
        had = known.of(session, [*states, 77])
        assert {n: one.sent for n, one in had.items()} == {
            1: frozenset({10, 12}),
            2: frozenset({10}),
            3: frozenset({10}),
            4: frozenset(),
            5: frozenset(),
            6: frozenset(),
        }
        assert [n for n, one in had.items() if one.waits] == [5, 6]
        known.expire(session, [5, 6], NOW)
        gone = session.execute(text("SELECT subscriber_id FROM deliveries WHERE status = 'expired' ORDER BY 1"))
        assert list(gone.scalars()) == [5, 6]
        assert history.have_had(session, [1, 77], EARLIER, TODAY + DAY) == {1}
        assert history.have_had(session, [1, 77], ISSUE, TODAY) == {1}
        assert history.have_had(session, [1, 77], ISSUE, TODAY + DAY) == set()


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(-86_000, 86_000), st.integers(1, 40)), max_size=8))
def test_ids_never_come_again_whatever_the_clock_shows(database: Database, chunks: list[tuple[int, int]]) -> None:
    """Standing still or set back by less than a day: each chunk has its own millisecond, and ids in order."""
    seen: set[int] = set()
    with database.write() as session:
        session.execute(text("DELETE FROM deliveries"))
        for number, (seconds, count) in enumerate(chunks):
            ids = making.new_ids(session, NOW + timedelta(seconds=seconds), count)
            assert ids == sorted(set(ids))
            assert {i >> 20 for i in ids}.isdisjoint(i >> 20 for i in seen)
            assert max(ids) < 1 << 62
            seen.update(ids)
            values = {"subscriber_id": number, "issue_id": number, "day": TODAY, "status": "ready"}
            rows = [DeliveryRow(id=i, message_id="", **(values | {"subscriber_id": i})) for i in ids]
            for row in rows:
                row.made_at = row.next_attempt_at = row.expires_at = NOW
            session.add_all(rows)
            session.flush()


THEIR_ROWS = "INDEX sqlite_autoindex_deliveries_"
THEIR_INDEX = "INDEX ix_subscribers_due (status=? AND last_accepted_on"


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (lambda s: due.groups(s, NOW), THEIR_INDEX + "=? AND next_due_at<?)"),
        (due.groups, THEIR_INDEX + ">?)"),
        (lambda s: due.readers(s, None, None, 500, NOW), THEIR_INDEX + "=? AND next_due_at<?)"),
        (lambda s: due.readers(s, TODAY, Place(NOW - DAY, 5), 500, NOW), THEIR_INDEX + "=? AND next_due_at"),
        (lambda s: due.readers(s, TODAY, Place(NOW - DAY, 5), 500), THEIR_INDEX + "=? AND next_due_at=? AND rowid>?)"),
        (lambda s: history.have_had(s, [1, 2], ISSUE, TODAY), THEIR_ROWS + "1 (subscriber_id=? AND day=?)"),
        (lambda s: making.new_ids(s, NOW, 5), "deliveries USING INTEGER PRIMARY KEY (rowid<?)"),
        (lambda s: History(s, [1], [6]).of(s, [1, 2]), THEIR_ROWS + "2 (subscriber_id=? AND issue_id=?)"),
        (lambda s: History(s, [1], [6]).expire(s, [1], NOW), THEIR_ROWS + "2 (subscriber_id=? AND issue_id=?)"),
    ],
)
def test_an_index_leads_to_the_readers_asked_for(
    database: Database, asked: Callable[[Session], object], way: str
) -> None:
    """Of the list and the ledger nothing is scanned, and nothing is sorted."""
    with explained(database) as plans, database.write() as session:
        asked(session)
    assert any(way in step for step in plans), plans
    steps = [step for step in plans if not step.startswith("SCAN days")]
    assert not any(step.startswith(("SCAN subscribers", "SCAN deliveries")) for step in steps), plans
    assert not any("TEMP B-TREE FOR ORDER" in step for step in steps), plans
