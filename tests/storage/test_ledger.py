"""The sender's ledger as a sender uses it: who is told what in which order, and what waits for others who write."""

import asyncio
import errno
import fcntl
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlmodel import Session

from newsletter.services.ledger import Ledger
from newsletter.storage import moves
from newsletter.storage.database import Database, Durability
from newsletter.storage.faults import StorageError
from newsletter.storage.write_lock import queue

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
UNKNOWN = 7  # a delivery that there is not: it is not ours, so that its dot may not follow


@pytest.fixture(params=["crash", "power-cut"])
def database(database: Database, request: pytest.FixtureRequest) -> Iterator[Database]:
    """Return a database whose sender writes on the event loop what waits for nobody, or all in its thread."""
    durability: Durability = request.param
    opened = Database(database.path, durability)
    yield opened
    opened.close()


def use(database: Database, story: Callable[[Ledger], Awaitable[None]]) -> None:
    """Tell a *story* of a ledger of its own, which is closed at the end; within ten seconds."""

    async def told() -> None:
        ledger = Ledger(database, "ours", lambda: NOW)
        try:
            await asyncio.wait_for(story(ledger), 10)
        finally:
            ledger.close()

    asyncio.run(told())


def test_an_offer_does_not_wait_for_work_that_was_asked_for_with_it(database: Database) -> None:
    """The dot goes out before a chunk of others is made."""
    order: list[str] = []

    async def story(ledger: Ledger) -> None:
        async def offer() -> None:
            assert not await ledger.offer(UNKNOWN)
            order.append("offered")

        offering = asyncio.create_task(offer())
        await asyncio.sleep(0)
        await ledger.write(lambda _session: order.append("worked"))
        await offering

    use(database, story)
    assert order == ["offered", "worked"]


def test_who_fails_when_told_does_not_stop_the_ledger(database: Database) -> None:
    """The fault is the event loop's to tell; the others are answered."""
    faults: list[str] = []
    heard: list[str] = []

    def told(_answer: object) -> None:
        raise ValueError("of who was told")

    async def story(ledger: Ledger) -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: faults.append(str(context["exception"]))
        )
        ledger.settle(lambda _session: None, told)
        ledger.settle(lambda _session: "of the same commit", heard.append)
        while not faults:
            await asyncio.sleep(0.005)
        assert await ledger.write(lambda _session: "written") == "written"
        assert await ledger.write(lambda _session: "again") == "again"

    use(database, story)
    assert (faults, heard) == (["of who was told"], ["of the same commit"])


def test_after_a_commit_that_failed_nothing_is_offered(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have happened or not: what is kept has to be read first. What is recorded goes on."""
    offer, asked = moves.offer, 0

    def fails_once(*move: Any) -> set[int]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise sqlite3.OperationalError("disk I/O error")
        return offer(*move)

    monkeypatch.setattr(moves, "offer", fails_once)

    async def story(ledger: Ledger) -> None:
        for _ in range(2):
            with pytest.raises(StorageError):
                await ledger.offer(UNKNOWN)
        assert await ledger.write(lambda _session: "written") == "written"

    use(database, story)
    assert asked == 1


def test_where_files_cannot_be_locked_the_sender_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not see who waits; a table of locks may be full, or a network's file system have none."""

    def locks(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    async def story(ledger: Ledger) -> None:
        monkeypatch.setattr(fcntl, "flock", locks)
        with closing(sqlite3.connect(database.path, isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            offering = ledger.offer(UNKNOWN)
            await asyncio.sleep(0.05)
            another.execute("COMMIT")
            assert not await offering

    use(database, story)


def test_work_that_fails_is_told_to_who_asked_and_undone(database: Database) -> None:
    """What comes behind it is written."""

    def fail(session: Session) -> None:
        session.connection().exec_driver_sql("INSERT INTO meta (key, value) VALUES ('of the work', 'lost')")
        raise ValueError("of the work")

    async def story(ledger: Ledger) -> None:
        with pytest.raises(ValueError, match="of the work"):
            await ledger.write(fail)
        lost = "SELECT count(*) FROM meta WHERE value = 'lost'"
        assert await ledger.write(lambda session: session.connection().exec_driver_sql(lost).scalar()) == 0

    use(database, story)


def test_while_another_writes_the_event_loop_goes_on(database: Database) -> None:
    """What was asked for is written when the lock is free."""

    async def story(ledger: Ledger) -> None:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as another:
            another.execute("BEGIN IMMEDIATE")
            asked = asyncio.ensure_future(ledger.write(lambda _session: "written"))
            for _ in range(20):
                await asyncio.sleep(0.005)
            assert not asked.done()
            another.execute("COMMIT")
            assert await asked == "written"

    use(database, story)


def test_a_ledger_that_is_closed_begins_nothing(database: Database) -> None:
    """Whoever was cancelled with it leaves work behind that nobody waits for."""
    faults: list[str] = []

    async def story(ledger: Ledger) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(str(context)))
        asked = ledger.write(lambda _session: None)
        ledger.close()
        asked.cancel()
        await asyncio.sleep(0.05)

    use(database, story)
    assert faults == []


def test_a_suspended_writer_does_not_stop_who_wakes_up_late(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows that it waits and never begins; we slept longer than we give it, as on a busy machine."""
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda _seconds: sleep(0.06))
    with queue(database.path) as suspended, database.writer() as writer:
        fcntl.flock(suspended, fcntl.LOCK_SH)
        writer.let_others_in()
        with writer.session():
            pass
