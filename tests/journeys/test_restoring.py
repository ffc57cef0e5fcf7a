"""A backup is put back: nobody is mailed again, nobody who left comes back, and nothing has to be stopped for it."""

import shutil
import sqlite3
import sys
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from newsroom import Newsroom, instant

from newsletter.errors import BusyError
from newsletter.services import subscribe
from newsletter.services.alone import alone
from newsletter.storage import copies, laws, remains, returns, subscribers
from newsletter.storage.faults import StorageError
from newsletter.storage.locks import Owner
from newsletter.storage.restore import restore
from newsletter.storage.returns import Return

ANN, BOB, EVE, GUS = "ann@example.net", "bob@example.net", "eve@example.net", "gus@example.net"


def test_what_was_due_before_is_held_and_what_comes_after_is_sent(newsroom: Newsroom) -> None:
    """Ann's digest of the day went out after the backup: it is held. Bob's hour is still to come: he gets his.

    Eve and Gus left since, and stay away. No paper comes twice to anybody, and a process that had the database open
    all the time reads the new content.
    """
    path, backup = newsroom.folder / "newsletter.db", newsroom.folder / "monday.db"
    newsroom.subscribe(ANN, EVE, GUS, at="2026-07-13T12:00Z", hour="08:00")
    newsroom.subscribe(BOB, at="2026-07-13T12:00Z", hour="18:00")
    newsroom.publish("2026-07-14", "Alpha")
    for at in ("2026-07-14T08:00Z", "2026-07-14T18:00Z"):
        newsroom.tick(at)
    copies.backup(path, backup)

    newsroom.publish("2026-07-15", "Beta")
    newsroom.tick("2026-07-15T08:00Z")
    with newsroom.app() as app:
        now = instant("2026-07-15T09:00Z")
        subscribe.unsubscribe(app.database, EVE, now)
        subscribe.remove(app.database, GUS, now)
        done = restore(path, backup, instant("2026-07-15T10:00Z"))
        assert (done.held, done.left, done.unread) == (0, 2, "")
        assert subscribe.find(app.database, EVE).status == "unsubscribed"
        with pytest.raises(Exception, match="was removed"):
            subscribe.find(app.database, GUS)
    assert done.kept
    assert copies.damage(done.kept) == laws.broken(path) == []

    newsroom.tick("2026-07-15T10:05Z")
    assert newsroom.ledger[ANN].status == "held"
    why = newsroom.run("why", ANN, "--date", "2026-07-15").out
    assert "restored from a backup" in why
    assert "deliveries release" in why
    newsroom.tick("2026-07-15T18:00Z")
    assert newsroom.ledger[BOB].status == "accepted"
    newsroom.run("deliveries", "release", "--all", "--assume-sent")
    newsroom.publish("2026-07-16", "Gamma")
    newsroom.tick("2026-07-16T18:00Z")
    by_reader = {who: [m.papers for m in newsroom.sink.mails if m.recipient == who] for who in (ANN, BOB, EVE, GUS)}
    alpha, beta, gamma = (f"2607.0000{n}" for n in (1, 2, 3))
    assert by_reader == {
        ANN: [[alpha], [beta], [gamma]],
        BOB: [[alpha], [beta], [gamma]],
        EVE: [[alpha], [beta]],
        GUS: [[alpha], [beta]],
    }


def test_what_cannot_be_put_back_changes_nothing(newsroom: Newsroom, tmp_path: Path) -> None:
    """A damaged backup, a newer one, and one while a run is at work; a damaged database is moved aside."""
    newsroom.subscribe(ANN)
    path, backup, now = newsroom.folder / "newsletter.db", tmp_path / "monday.db", instant("2026-07-15T10:00Z")
    copies.backup(path, backup)
    newsroom.tick(now)
    before = copies.backup(path, tmp_path / "before.db")

    damaged, newer = tmp_path / "damaged.db", tmp_path / "newer.db"
    content = bytearray(backup.read_bytes())
    content[4096:12288] = bytes(8192)
    damaged.write_bytes(content)
    with pytest.raises(StorageError, match="damaged"):
        restore(path, damaged, now)
    shutil.copy(backup, newer)
    with closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="install the newer program"):
        restore(path, newer, now)
    with newsroom.app(now) as app, alone(app.service(lambda: now)), pytest.raises(BusyError):
        restore(path, backup, now)
    assert copies.backup(path, tmp_path / "after.db") == before
    assert not list(newsroom.folder.glob("*.partial*"))

    path.write_bytes(bytes(content))
    done = restore(path, backup, now)
    assert done.kept
    assert done.kept.read_bytes() == bytes(content)
    assert done.unread
    assert newsroom.run("subscribers", "show", ANN).out


def test_what_was_sent_since_a_backup_counts_against_the_day_s_limit(newsroom: Newsroom) -> None:
    """The provider counts it, whatever is put back."""
    newsroom.configure(smtp={"messages_per_day": 2})
    newsroom.subscribe(ANN, BOB)
    newsroom.publish("2026-07-15", "Alpha")
    path, backup = newsroom.folder / "newsletter.db", newsroom.folder / "backup.db"
    copies.backup(path, backup)
    newsroom.tick("2026-07-15T08:00Z")
    restore(path, backup, instant("2026-07-15T08:30Z"))
    newsroom.subscribe(EVE, at="2026-07-15T08:40Z", hour="09:00")
    report = newsroom.tick("2026-07-15T09:00Z")
    assert len(newsroom.sink.mails) == 2
    assert (report.reason or "").startswith("the day's limit of messages is reached; goes on at 2026-07-16 08:00")


def test_a_run_that_begins_while_a_backup_is_looked_at_is_not_overtaken(newsroom: Newsroom) -> None:
    """What a daemon sends meanwhile would not be known afterwards: nothing is changed then."""
    newsroom.subscribe(ANN)
    path, now = newsroom.folder / "newsletter.db", instant("2026-07-15T07:00Z")
    backup = newsroom.folder / "backup.db"
    copies.backup(path, backup)
    newsroom.subscribe(BOB)
    with ExitStack() as at_work, newsroom.app(now) as app:
        begun: list[str] = []

        def begins(event: str, given: tuple[Any, ...]) -> None:
            if event == "sqlite3.connect" and "restoring" in str(given[0]) and not begun:
                begun.append(event)
                at_work.enter_context(Owner(app.database, now))

        sys.addaudithook(begins)
        with pytest.raises(BusyError, match="a run is at work"):
            restore(path, backup, now)
        assert begun
        with app.database.read() as session:
            assert subscribers.get(session, BOB)


def test_a_copy_on_another_machine_must_be_adopted(newsroom: Newsroom) -> None:
    """The database remembers from where it sent; elsewhere it is refused in a line, until it is told."""
    newsroom.tick("2026-07-15T08:00Z")
    (newsroom.folder / "moved").mkdir()
    moved = Newsroom(newsroom.folder / "moved")
    try:
        copies.backup(newsroom.folder / "newsletter.db", moved.folder / "newsletter.db", replace=True)
        with pytest.raises(StorageError, match=r"was last used on .*'newsletter db adopt'"):
            moved.tick("2026-07-15T08:05Z")
        assert str(newsroom.folder) in moved.run("db", "adopt").out
        moved.tick("2026-07-15T08:05Z")
        assert "is at home here" in moved.run("db", "adopt").out
    finally:
        moved.close()


def test_who_was_forgotten_since_stays_forgotten(newsroom: Newsroom) -> None:
    """A backup that still knows them is put back: their address comes back with nothing, and into no page."""
    path, backup = newsroom.folder / "newsletter.db", newsroom.folder / "monday.db"
    newsroom.subscribe(ANN, GUS, at="2026-07-13T12:00Z", hour="08:00")
    newsroom.publish("2026-07-14", "Alpha")
    newsroom.tick("2026-07-14T08:00Z")
    with newsroom.app() as app:
        gus, at = subscribe.find(app.database, GUS).id, instant("2026-07-14T09:00Z")
        with app.database.write() as session:
            one = Return(came_at=at, kind="bounce", effect="counted", subscriber_id=gus, address=GUS, said=f"<{GUS}>")
            returns.keep(session, "a report", one)
            returns.keep(session, "of a stranger", replace(one, subscriber_id=None))
    copies.backup(path, backup)
    newsroom.run("subscribers", "forget", GUS, "--yes")
    assert not remains.hold(path, GUS)
    assert restore(path, backup, instant("2026-07-15T10:00Z")).left == 1
    assert not remains.hold(path, GUS)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM deliveries").fetchone() == (1,)
    assert laws.broken(path) == []
