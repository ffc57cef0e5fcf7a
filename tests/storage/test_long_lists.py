"""What is asked again and again costs what the answer costs, however long the list and the ledger are.

Counted in steps of SQLite's virtual machine, which are the same on every machine: the ledger of the slow tests is
forty times as long as that of the quick ones, and the bounds are the same.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from made_database import put_database
from query_plans import explained
from sqlalchemy import Connection, event, text
from sqlmodel import Session

from newsletter.config.sending import SmtpSettings
from newsletter.domain.delivery import Status as Sending
from newsletter.domain.issue import Issue, Status
from newsletter.services import records
from newsletter.storage import alerts, claims, deliveries, history, stats, turns
from newsletter.storage.database import Database, cursor

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
LATER = NOW + timedelta(hours=20)
ISSUE = Issue(id=7, date=date(2026, 7, 15), status=Status.SEALED)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (lambda s: history.have_had(s, [1, 2], ISSUE, ISSUE.date), "(subscriber_id=? AND day=?)"),
        (lambda s: history.have_had(s, [1, 2], ISSUE, ISSUE.date), "(subscriber_id=? AND issue_id=?)"),
        (lambda s: history.History(s, [1], [7, 8]).of(s, [1, 2]), "(subscriber_id=? AND issue_id=?)"),
        (lambda s: history.History(s, [1], [7, 8]).expire(s, [1, 2], NOW), "(subscriber_id=? AND issue_id=?)"),
        (deliveries.held, "COVERING INDEX ix_deliveries_kept (status=?)"),
        (lambda s: deliveries.held_ids(s, 200), "COVERING INDEX ix_deliveries_kept (status=?)"),
        (lambda s: deliveries.counts(s, 7), "COVERING INDEX ix_deliveries_kept (status=? AND issue_id=?)"),
        (lambda s: deliveries.counts(s, 7), "COVERING INDEX ix_deliveries_issue (issue_id=?)"),
        (lambda s: deliveries.counts(s, 7), "COVERING INDEX ix_deliveries_waiting (issue_id=? AND status=?)"),
        (lambda s: deliveries.counts(s, 7), "INDEX ix_deliveries_owned (owner>?)"),
        (lambda s: deliveries.page(s, status="offered"), "INDEX ix_deliveries_owned (owner>?)"),
        (lambda s: deliveries.page(s, issue_id=7), "COVERING INDEX ix_deliveries_issue (issue_id=?)"),
        (lambda s: deliveries.page(s, status="accepted", issue_id=7), "INDEX ix_deliveries_issue (issue_id=?)"),
        (lambda s: deliveries.may_be_retried(s, 7, 0, 200), "ix_deliveries_kept (status=? AND issue_id=? AND rowid>?)"),
        (lambda s: deliveries.may_be_retried(s, 7, 0, 200), "(subscriber_id=? AND day>?)"),
        (lambda s: deliveries.retry(s, 7, [1, 2], NOW, LATER), "(subscriber_id=? AND day>?)"),
        (lambda s: deliveries.release(s, [1, 2], NOW, LATER), "deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (lambda s: deliveries.assume_sent(s, [1, 2], NOW), "deliveries USING INTEGER PRIMARY KEY (rowid=?)"),
        (lambda s: alerts.readers(s, NOW, 256), "subscribers USING INDEX ix_subscribers_alert (next_alert_at>? AND"),
        (stats.last_accepted_at, "INDEX ix_deliveries_settled (settled_at>?)"),
    ],
)
def test_an_index_leads_to_the_readers_asked_for(
    database: Database, asked: Callable[[Session], object], way: str
) -> None:
    """Nothing is scanned, and nothing is sorted."""
    with database.write() as session:
        session.execute(
            text(f"INSERT INTO issues {_OF_ISSUE} VALUES (7, '2026-07-15', 'sealed', '', '', 'none', '', '{{}}')")
        )
    with explained(database) as plans, database.write() as session:
        asked(session)
    assert any(way in step for step in plans), plans
    whole = [step for step in plans if step.startswith("SCAN") or "USE TEMP B-TREE" in step]
    # Neither the list of ids that is given nor what was found is long.
    assert not [step for step in whole if "VIRTUAL TABLE" not in step and "(subquery" not in step], plans


@pytest.mark.parametrize("asked", [lambda s: deliveries.page(s, status="failed"), deliveries.issues_with_failed])
def test_of_the_issues_each_costs_one_look(database: Database, asked: Callable[[Session], object]) -> None:
    """What did not end well lies by issue: gone through are the issues, some hundreds a year, and not the ledger."""
    with explained(database) as plans, database.read() as session:
        asked(session)
    assert any("INDEX ix_deliveries_kept (status=? AND issue_id=?)" in step for step in plans), plans
    assert [step for step in plans if step.startswith("SCAN") and "issues" not in step] == []


# A ledger that grew long

ISSUES = (105, 104, 103, 102)  # the newest has the smallest id: ids of issues are random
AT_WORK = 40  # deliveries
_LEDGER = """
INSERT INTO deliveries (id, subscriber_id, issue_id, day, status, message_id, made_at, next_attempt_at, expires_at,
    owner, attempts, uncertain, settled_at, route, server, reply, picks)
SELECT :place * 1000000000 + id, id, :issue, :day,
    CASE WHEN :last AND id <= :at_work THEN iif(id % 2, 'leased', 'offered')
         WHEN :last AND id % 50 = 7 THEN 'ready'
         ELSE CASE id % 50 WHEN 1 THEN 'failed' WHEN 2 THEN 'deferred' WHEN 3 THEN 'held' WHEN 4 THEN 'expired'
              WHEN 5 THEN 'withdrawn' WHEN 6 THEN 'skipped' ELSE 'accepted' END END,
    '<' || id || '@example.org>', :at, :at, :at, CASE WHEN :last AND id <= :at_work THEN 'ours' END, 1, 0,
    CASE WHEN id % 50 NOT IN (2, 3) THEN :at END, '', 'mx.example', '250 2.0.0 taken',
    '[[1, "front", ""], [2, "front", ""], [3, "front", ""]]'
FROM subscribers
"""
_OF_ISSUE = "(id, day, status, subject, note, brake, reason, hand)"
_READERS = """
INSERT INTO subscribers (id, email, email_key, status, topics, created_at, status_at, consent_source)
WITH RECURSIVE readers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM readers WHERE id < :readers)
SELECT id, 'r' || id || '@example.org', 'r' || id || '@example.org', iif(id % 100 = 1, 'suppressed', 'active'), '[]',
    :at, :at, '' FROM readers
"""


def fill(path: Path, readers: int) -> None:
    """Write four issues' deliveries to so many readers, with the indexes made at the end, which is quicker."""
    ledger = sqlite3.connect(path, isolation_level=None)
    ledger.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000")
    indexes = ledger.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name = 'deliveries' AND sql LIKE '%INDEX%'")
    made = indexes.fetchall()
    for name, _ in made:
        ledger.execute(f"DROP INDEX {name}")
    ledger.execute(_READERS, {"readers": readers, "at": "2026-01-01 00:00:00.000000"})
    for place, issue in enumerate(ISSUES, 1):
        day = f"2026-07-{10 + place}"
        values = "(?, ?, 'sealed', '', '', 'none', '', '{}')"
        ledger.execute(f"INSERT INTO issues {_OF_ISSUE} VALUES {values}", (issue, day))
        last = place == len(ISSUES)
        facts = {"place": place, "issue": issue, "day": day, "last": last, "at": f"{day} 08:00:00.000000"}
        ledger.execute(_LEDGER, {**facts, "at_work": AT_WORK})
    for _, sql in made:
        ledger.execute(sql)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.close()


@pytest.fixture(
    scope="module", params=[2_500, pytest.param(100_000, marks=pytest.mark.slow)], ids="{:,} readers".format
)
def ledger(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Return a ledger of four issues to so many readers; what the last tests here decide stays decided."""
    path = tmp_path_factory.mktemp("long") / "newsletter.db"
    put_database(path)
    fill(path, request.param)
    opened = Database(path)
    yield opened
    opened.close()
    shutil.rmtree(path.parent)


class Steps:
    """Counts the steps of SQLite's virtual machine, by transaction that writes, and of all that read together."""

    GRAIN = 10

    def __init__(self, database: Database) -> None:
        self.read = 0
        self.written: list[int] = []
        self._engine = database.engine

    def __enter__(self) -> "Steps":
        event.listen(self._engine, "begin", self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        event.remove(self._engine, "begin", self._begin)

    def _begin(self, connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get("immediate"))
        if writes:
            self.written.append(0)
        raw: Any = connection.connection.driver_connection
        raw.set_progress_handler(self._wrote if writes else self._looked, self.GRAIN)

    def _wrote(self) -> None:
        self.written[-1] += self.GRAIN

    def _looked(self) -> None:
        self.read += self.GRAIN


@pytest.mark.parametrize("issue_id", [None, ISSUES[-1], ISSUES[0]], ids=["all", "newest", "oldest"])
@pytest.mark.parametrize("status", [None, *Sending])
def test_a_page_of_the_ledger_costs_what_it_shows(
    ledger: Database, status: Sending | None, issue_id: int | None
) -> None:
    """The newest forty of any state and any issue, in order: some fifty steps for each, however many there are."""
    with Steps(ledger) as steps, ledger.read() as session:
        found = deliveries.page(session, status=status, issue_id=issue_id, limit=40)
    print(f"{status or 'any state'}, issue {issue_id or 'any'}: {len(found)} shown in {steps.read} steps")
    ids = [line.delivery.id for line in found]
    assert ids == sorted(ids, reverse=True)
    assert {line.delivery.status for line in found} <= ({status} if status else set(Sending))
    assert {line.delivery.issue_id for line in found} <= ({issue_id} if issue_id else set(ISSUES))
    at_work = status in {Sending.LEASED, Sending.OFFERED}
    none = issue_id == ISSUES[0] and (at_work or status is Sending.READY)
    assert len(found) == (0 if none else AT_WORK // 2 if at_work else 40)
    assert steps.read < 4_000


@pytest.mark.parametrize("issue_id", [None, *ISSUES])
def test_the_counts_are_those_of_the_rows(ledger: Database, issue_id: int | None) -> None:
    """Who was accepted is not counted but left over, and that is exact; no row is read for it."""
    of_issue = f"WHERE issue_id = {issue_id}" if issue_id else ""
    with ledger.read() as session:
        asked = text(f"SELECT status, count(*) FROM deliveries NOT INDEXED {of_issue} GROUP BY status")
        expected = dict(session.execute(asked).all())
    with Steps(ledger) as steps, ledger.read() as session:
        found = deliveries.counts(session, issue_id)
    print(f"issue {issue_id or 'any'}: {sum(found.values()):,} counted in {steps.read:,} steps")
    assert found == expected
    assert steps.read < 5 * sum(found.values()) + 2_000


def test_how_many_are_held_is_known_by_an_index(ledger: Database) -> None:
    """Every run asks."""
    with ledger.read() as session:
        expected = session.execute(text("SELECT count(*) FROM deliveries NOT INDEXED WHERE status = 'held'")).scalar()
    with Steps(ledger) as steps, ledger.read() as session:
        found = deliveries.held(session)
    print(f"{found:,} held counted in {steps.read:,} steps")
    assert found == expected
    assert steps.read < 4 * found + 1_000


def test_what_readers_had_is_found_one_by_one(ledger: Database) -> None:
    """It is asked for each chunk of readers."""
    with ledger.read() as session:
        known = history.History(session, [1, 2, 3], ISSUES[1:])
    with Steps(ledger) as steps, ledger.read() as session:
        known.of(session, list(range(1, 201)))
    print(f"the papers of 200 readers: {steps.read:,} steps")
    assert steps.read < 40_000


def test_failed_ones_are_retried_in_small_transactions(ledger: Database) -> None:
    """Only of active readers, only the newest of each, and the write lock is never held for more than a few rows."""
    with Steps(ledger) as steps:
        retried = list(islice(records.retry_failed(ledger, NOW, LATER, None), 5))
    print(
        f"{retried} retried, {max(steps.written):,} steps in the longest transaction; {steps.read:,} steps to find them"
    )
    assert sum(retried) > 20
    assert max(retried) <= records.AT_ONCE
    assert max(steps.written) < 210 * records.AT_ONCE
    with ledger.read() as session:
        asked = text("SELECT DISTINCT issue_id FROM deliveries WHERE status = 'ready' AND settled_at IS NULL")
        assert {issue for (issue,) in session.execute(asked)} == {ISSUES[-1]}  # who failed before has a later one


@pytest.mark.parametrize("sent", [True, False], ids=["assumed sent", "sent again"])
def test_held_ones_are_decided_on_in_small_transactions(ledger: Database, sent: bool) -> None:
    """Some of one issue by name, then all: the write lock is never held for more than a few rows."""
    with ledger.read() as session:
        named = [records.name_of(one) for one in deliveries.held_ids(session, 450)]
        before = deliveries.held(session)
    everything = not sent
    with Steps(ledger) as steps:
        ids = () if everything else named[:30]
        decided = records.release(ledger, SmtpSettings(), ids, NOW, everything=everything, sent=sent)
    print(
        f"{len(decided):,} decided on in {len(steps.written):,} transactions, the longest {max(steps.written):,} steps"
    )
    assert len(decided) == (before if everything else 30)
    assert max(steps.written) < 210 * records.AT_ONCE
    with ledger.read() as session:
        assert deliveries.held(session) == before - len(decided)


# A halted issue, of which much waits


@pytest.mark.parametrize("waits", [100, 4000])
def test_what_waits_of_a_halted_issue_costs_nobody_anything(database: Database, waits: int) -> None:
    """Others' digests are claimed, and looked for, in as many steps: under the write lock, which others wait for."""
    fill(database.path, waits)
    with database.write() as session:
        session.execute(text("UPDATE issues SET brake = 'halted' WHERE id IN (102, 103)"))
        for status, those in (("ready", "102"), ("deferred", "103"), ("accepted", "104, 105")):
            session.execute(text(f"UPDATE deliveries SET status = '{status}' WHERE issue_id IN ({those})"))
        session.execute(text("UPDATE deliveries SET status = 'ready' WHERE issue_id = 104 AND subscriber_id = 50"))
        session.execute(text("UPDATE deliveries SET owner = NULL, expires_at = '2027-01-01 00:00:00.000000'"))
    for asked in (
        lambda s: [one.id for one in turns.claim(cursor(s), "ours", NOW, 256)],
        lambda s: [one.id for one in turns.claim(cursor(s), "ours", NOW, 256, busy=["example.com"])],
        lambda s: turns.passed(cursor(s), NOW),
        lambda s: claims.next_trouble(s, NOW),
        lambda s: claims.any_due(s, NOW),
    ):
        with Steps(database) as steps, database.write() as session:
            asked(session)
            session.rollback()
        print(f"{waits} wait of a halted issue: {steps.written[-1]} steps")
        assert steps.written[-1] < 1_000


def test_what_waits_in_vain_is_found_before_what_does_not(database: Database) -> None:
    """All of a late or a cancelled issue is given up, some at a time, without going through another one each time."""
    fill(database.path, 1200)
    with database.write() as session:
        session.execute(text("UPDATE deliveries SET owner = NULL, status = 'accepted'"))
        session.execute(text("UPDATE deliveries SET status = 'ready' WHERE issue_id IN (102, 103, 105)"))
        session.execute(text("UPDATE deliveries SET expires_at = '2027-01-01 00:00:00.000000' WHERE issue_id < 105"))
        session.execute(text("UPDATE issues SET brake = 'cancelled' WHERE id = 103"))
        session.execute(text("UPDATE subscribers SET status = 'active'"))
    for given_up in range(0, 2400, 400):
        with Steps(database) as steps, database.read() as session:
            found = claims.in_vain(session, NOW)[:400]
        print(f"{given_up} given up: {steps.read} steps")
        assert len(found) == 400
        assert steps.read < 40 * 500
        with database.write() as session:
            assert claims.expire(session, NOW, found) + claims.withdraw(session, NOW, found) == 400
    with database.read() as session:
        assert claims.in_vain(session, NOW) == []


# The order, where issues overlap


def test_the_newest_come_first_also_where_issues_overlap(database: Database) -> None:
    """A past issue may be sent while today's is: rows of both alternate, and the list follows the rows."""
    fill(database.path, 100)
    with database.write() as session:
        # One reader of the oldest issue was made last of all, one of the newest first of all.
        session.execute(text("UPDATE deliveries SET id = 9000000000 WHERE id = 1000000051"))
        session.execute(text("UPDATE deliveries SET id = 1 WHERE id = 4000000051"))
    with database.read() as session:
        ids = [line.delivery.id for line in deliveries.page(session, status="failed", limit=100)]
        assert ids == [9000000000, 3000000051, 3000000001, 2000000051, 2000000001, 1000000001, 1]
        for limit in range(1, 8):
            found = deliveries.page(session, status="failed", limit=limit)
            assert [line.delivery.id for line in found] == ids[:limit]


def test_of_a_reader_only_the_digest_made_last_is_retried(database: Database) -> None:
    """Also where that is one of an earlier date: it took over the papers of the one that had failed."""
    fill(database.path, 100)
    with database.write() as session:
        session.execute(text("UPDATE deliveries SET id = 9000000000 WHERE id = 1000000051"))
    assert sum(records.retry_failed(database, NOW, LATER, ISSUES[-1])) == 0
    assert sum(records.retry_failed(database, NOW, LATER, None)) == 1
    with database.read() as session:
        line = deliveries.get(session, 9000000000)
        assert line is not None
        again = (line.delivery.status, line.delivery.next_attempt_at, line.delivery.expires_at)
        assert again == (Sending.READY, NOW, LATER)
        assert deliveries.counts(session)["failed"] == 6
