"""The database: many at once, instants, versions, and who is alive."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlmodel import col, select

from newsletter.errors import BusyError
from newsletter.storage import locks
from newsletter.storage.copies import backup, rehearsal, version
from newsletter.storage.database import Database, Durability
from newsletter.storage.faults import StorageError
from newsletter.storage.locks import Owner
from newsletter.storage.tables import LeaseRow, MetaRow, OwnerRow, ProblemRow
from newsletter.storage.upgrade import HEAD, MIGRATIONS, migrate, require_current, upgrade

NOW = datetime(2026, 7, 15, 9, 30, 15, 250, tzinfo=UTC)
SILENCE = timedelta(minutes=15)
NEXT = "9999"  # the version after the newest


def keep(database: Database, key: str, value: str) -> None:
    """Write a row."""
    with database.write() as session:
        session.merge(MetaRow(key=key, value=value))


def kept(database: Database) -> dict[str, str]:
    """Return the rows written."""
    with database.read() as session:
        return {row.key: row.value for row in session.exec(select(MetaRow))}


# Many at once


def test_it_runs_in_wal_mode(database: Database):
    """Readers do not wait for writers, and a power cut tears nothing."""
    with database.read() as session:
        settings = [session.connection().exec_driver_sql(f"PRAGMA {name}").scalar() for name in _SETTINGS]

    assert settings == list(_SETTINGS.values())


_SETTINGS = {"journal_mode": "wal", "synchronous": 1, "foreign_keys": 1}


def test_writers_queue(database: Database):
    """Read, then write, from many threads: none fails as locked, and no step is lost."""
    keep(database, "steps", "0")

    def count(_: int) -> None:
        for _ in range(25):
            with database.write() as session:
                row = session.get_one(MetaRow, "steps")
                row.value = str(int(row.value) + 1)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(count, range(8)))

    assert kept(database) == {"steps": "200"}


def test_a_reader_sees_one_state_and_waits_for_nobody(database: Database):
    """While one reads, another writes; the first sees what was there when it began."""
    keep(database, "state", "old")
    with database.read() as session:
        before = session.exec(select(MetaRow.value)).one()
        keep(database, "state", "new")
        after = session.exec(select(MetaRow.value)).one()

    assert (before, after) == ("old", "old")
    assert kept(database) == {"state": "new"}


def test_a_glance_sees_what_is_committed(database: Database):
    """It is as new as any reader's look, and a closed database can be looked at again."""
    asked = "SELECT count(*) FROM suppressions"
    for held in range(2):
        assert database.glance(asked) == held
        with database.write() as session:
            session.connection().exec_driver_sql(
                "INSERT INTO suppressions (hash, reason, created_at) VALUES (?, 'x', '2026-07-15')", (f"{held}",)
            )
            assert database.glance(asked) == held
        assert database.glance(asked) == held + 1
        database.close()


def test_an_error_leaves_nothing_behind(database: Database):
    """A transaction is kept whole or not at all."""

    def half() -> None:
        with database.write() as session:
            session.add(MetaRow(key="half", value="done"))
            session.flush()
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        half()

    assert kept(database) == {}


def test_an_instant_stays_utc(database: Database):
    """Whatever zone it was given in, it comes back as the same instant in UTC, and one without a zone is refused."""
    given = NOW.astimezone(ZoneInfo("Asia/Kathmandu"))
    with database.write() as session:
        session.add(ProblemRow(name="a", text="", since=given))
    with database.read() as session:
        back = session.exec(select(ProblemRow.since)).one()

    assert (back, back.tzinfo) == (NOW, UTC)
    with pytest.raises(StatementError, match="needs its zone"), database.write() as session:
        session.add(ProblemRow(name="b", text="", since=NOW.replace(tzinfo=None)))


# Versions


def test_a_database_that_is_not_there_is_made(tmp_path: Path):
    """With its folder; nothing is backed up, and the second time there is nothing to do."""
    path = tmp_path / "new" / "folder" / "newsletter.db"

    assert version(path) is None
    assert upgrade(path, NOW) is None
    assert version(path) == HEAD
    assert upgrade(path, NOW) is None
    require_current(path)
    assert [file.name for file in path.parent.iterdir() if "backup" in file.name] == []


def test_several_processes_make_it_together(tmp_path: Path):
    """Whichever command comes first makes it, and the others find it made."""
    code = "import sys, pathlib, datetime; from newsletter.storage.upgrade import upgrade\n"
    code += "upgrade(pathlib.Path(sys.argv[1]), datetime.datetime.now(datetime.UTC))"
    path = tmp_path / "newsletter.db"

    started = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]

    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    assert version(path) == HEAD


def test_a_newer_database_is_refused(database: Database):
    """An older program touches nothing."""
    with closing(sqlite3.connect(database.path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = database.path.read_bytes()

    with pytest.raises(StorageError, match="install the newer program"):
        upgrade(database.path, NOW)
    with pytest.raises(StorageError, match="start the newer program"):
        require_current(database.path)
    assert database.path.read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path):
    """A file with other tables stays as it is."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE songs (title TEXT)")

    with pytest.raises(StorageError, match=r"holds other tables than a newsletter's; check database\.url"):
        upgrade(path, NOW)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    """So is a text."""
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, but a text that is long enough to have a header.\n" * 50)

    with pytest.raises(StorageError, match=r"check database\.url"):
        upgrade(path, NOW)
    assert path.read_text().startswith("Not a database")


@pytest.fixture
def migrations(tmp_path: Path) -> Callable[[str], Path]:
    """Return what gives the migrations, and one more that does what is said."""

    def extended(body: str) -> Path:
        folder = tmp_path / "migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        head = f'revision = "{NEXT}"\ndown_revision = "{HEAD}"\nbranch_labels = depends_on = None\n'
        lines = "".join(f"    {line}\n" for line in body.splitlines())
        text = f"import sqlalchemy as sa\nfrom alembic import op\n{head}\ndef upgrade():\n{lines}"
        (folder / "versions" / f"{NEXT}_one_more.py").write_text(text)
        return folder

    return extended


_REBUILD = """
with op.batch_alter_table("meta", recreate="always") as meta:
    meta.add_column(sa.Column("note", sa.String(), nullable=False, server_default="none"))
"""


def test_an_upgrade_keeps_every_row_and_takes_a_backup(database: Database, migrations: Callable[[str], Path]):
    """The older version lies beside, whole; the program that made it notices and ends."""
    for number in range(100):
        keep(database, f"key {number}", str(number))
    database.close()

    saved = upgrade(database.path, NOW, migrations=migrations(_REBUILD), head=NEXT)

    assert saved == database.path.with_name(f"newsletter.db.{HEAD}.20260715T093015.backup")
    assert (version(database.path), version(saved)) == (NEXT, HEAD)
    with closing(sqlite3.connect(database.path)) as new, closing(sqlite3.connect(saved)) as old:
        rows = old.execute("SELECT key, value FROM meta ORDER BY key").fetchall()
        assert len(rows) == 100
        assert new.execute("SELECT key, value FROM meta ORDER BY key").fetchall() == rows
        assert new.execute("SELECT DISTINCT note FROM meta").fetchall() == [("none",)]
    with pytest.raises(StorageError, match=f"was upgraded to version {NEXT} meanwhile"):
        require_current(database.path)


def test_an_upgrade_that_fails_changes_nothing(database: Database, migrations: Callable[[str], Path]):
    """What it had done is undone, the version stays, and no backup is left, of which each attempt would leave one."""
    keep(database, "key", "value")
    folder = migrations(f'{_REBUILD}\nop.execute("INSERT INTO nowhere VALUES (1)")')

    with pytest.raises(StorageError, match="nothing was changed"):
        upgrade(database.path, NOW, migrations=folder, head=NEXT)

    assert version(database.path) == HEAD
    assert kept(database) == {"key": "value"}
    assert list(database.path.parent.glob("*.backup")) == []


def test_an_upgrade_waits_for_the_run_at_work(database: Database, migrations: Callable[[str], Path]):
    """It begins when the lease is given back, and what the run wrote until then is kept."""
    folder = migrations(_REBUILD)
    upgrading = threading.Thread(target=upgrade, args=(database.path, NOW), kwargs={"migrations": folder, "head": NEXT})
    with Owner(database, NOW) as owner:
        with database.write() as session:
            assert locks.take_lease(session, "run", owner.id) is None
        upgrading.start()
        upgrading.join(1)
        assert upgrading.is_alive()
        assert version(database.path) == HEAD
        keep(database, "last", "word")
        with database.write() as session:
            locks.release_lease(session, "run", owner.id)
        upgrading.join(30)

        assert version(database.path) == NEXT
        with closing(sqlite3.connect(database.path)) as connection:
            assert connection.execute("SELECT key, value, note FROM meta").fetchall() == [("last", "word", "none")]


def test_an_upgrade_looks_again_when_it_has_the_database_to_itself(
    database: Database, migrations: Callable[[str], Path]
):
    """A run that began after the first look keeps its tables."""
    folder = migrations(_REBUILD)
    with Owner(database, NOW) as owner:
        with database.write() as session:
            assert locks.take_lease(session, "run", owner.id) is None
        with pytest.raises(BusyError, match=f"run {owner.id} is at work"):
            migrate(database.path, folder, NEXT)

    assert version(database.path) == HEAD


def test_an_upgrade_does_not_wait_for_the_dead(database: Database, migrations: Callable[[str], Path]):
    """A lease whose owner was killed holds nobody up."""
    with child(database) as (process, _):
        kill(process)

    assert upgrade(database.path, NOW, migrations=migrations(_REBUILD), head=NEXT) is not None


# Who is alive


@contextmanager
def child(database: Database) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Give another process that holds the lease of runs, and its owner's id."""
    code = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from newsletter.storage.database import Database
from newsletter.storage.locks import Owner, take_lease
database = Database(Path(sys.argv[1]))
with Owner(database, datetime.now(UTC)) as owner:
    with database.write() as session:
        assert take_lease(session, "run", owner.id) is None
    print(owner.id, flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(database.path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process so that it can tidy nothing."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=30)


def dead(database: Database, now: datetime = NOW) -> list[str]:
    """Return the owners that count as dead."""
    with database.read() as session:
        return list(locks.dead_owners(session, database.path, now, SILENCE))


def test_one_lease_has_one_owner(database: Database):
    """The second is told who holds it, and gets it when the first gives it back."""
    with Owner(database, NOW) as first, Owner(database, NOW) as second:
        with database.write() as session:
            assert locks.take_lease(session, "run", first.id) is None
            assert locks.take_lease(session, "run", first.id) is None, "taking it again changes nothing"
            assert locks.take_lease(session, "run", second.id) == first.id
            locks.release_lease(session, "run", second.id)
            assert locks.take_lease(session, "run", second.id) == first.id, "only the owner gives it back"
            locks.release_lease(session, "run", first.id)
            assert locks.take_lease(session, "run", second.id) is None
        assert first.id != second.id
        assert dead(database) == []


def test_a_lease_of_who_was_taken_for_dead_keeps_nobody_out(database: Database):
    """Who slept past it, and took the lease before it noticed, may have died since: nobody would bury it again."""
    with Owner(database, NOW) as owner, database.write() as session:
        session.add(LeaseRow(name="run", owner="buried and gone"))
        session.flush()
        assert locks.take_lease(session, "run", owner.id) is None


def test_an_owner_leaves_nothing_behind(database: Database):
    """When it ends, also by an error, its lease, its row and its lock file are gone."""
    owner = Owner(database, NOW)

    def work() -> None:
        with owner:
            with database.write() as session:
                locks.take_lease(session, "run", owner.id)
            assert locks.is_held(locks.lock_file(database.path, owner.id))
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        work()

    assert not locks.lock_file(database.path, owner.id).exists()
    with database.read() as session:
        assert session.exec(select(OwnerRow)).all() == []
        assert session.exec(select(LeaseRow)).all() == []


def test_a_killed_process_is_dead_at_once(database: Database):
    """Its lock file is free though its heartbeat is fresh; buried, it holds nothing any more."""
    with Owner(database, NOW) as alive, child(database) as (process, killed):
        assert dead(database) == []
        kill(process)

        assert dead(database) == [killed]
        with database.write() as session:
            assert locks.take_lease(session, "run", alive.id) == killed
            locks.bury(session, database.path, killed)
            assert locks.take_lease(session, "run", alive.id) is None
        assert dead(database) == []
        assert not locks.lock_file(database.path, killed).exists()


def test_an_owner_elsewhere_is_dead_when_it_falls_silent(database: Database):
    """Its lock file cannot be asked from here, so its heartbeat is."""
    with database.write() as session:
        session.add(OwnerRow(id="far", host="elsewhere.example", pid=1, started_at=NOW, heartbeat_at=NOW))

    assert dead(database, NOW + SILENCE) == []
    assert dead(database, NOW + SILENCE + timedelta(seconds=1)) == ["far"]
    with database.write() as session:
        locks.beat(session, "far", NOW + SILENCE)
    assert dead(database, NOW + 2 * SILENCE) == []
    with database.read() as session:
        assert session.exec(select(OwnerRow.heartbeat_at).where(col(OwnerRow.id) == "far")).one() == NOW + SILENCE


def test_nobody_else_can_read_the_list(tmp_path: Path) -> None:
    """The database and its backups hold every address: they are for their owner alone."""
    path, copy = tmp_path / "newsletter.db", tmp_path / "copy.db"
    upgrade(path, datetime(2026, 7, 15, tzinfo=UTC))
    backup(path, copy)
    assert [file.stat().st_mode & 0o777 for file in (path, copy)] == [0o600, 0o600]


def test_what_is_rehearsed_stays_in_the_rehearsal(database: Database) -> None:
    """It begins with what is there, others write meanwhile, and nothing of it is left: no row, and no file."""
    keep(database, "before", "1")
    files = set(database.path.parent.iterdir())
    with rehearsal(database.path) as session:
        session.merge(MetaRow(key="tried", value="1"))
        session.flush()
        keep(database, "meanwhile", "1")
        assert {"before", "tried"} <= {row.key for row in session.exec(select(MetaRow))}
        assert set(database.path.parent.iterdir()) == files
    assert {"before", "meanwhile"} <= kept(database).keys()
    assert "tried" not in kept(database)


def test_a_commit_that_fails_leaves_the_writer_as_it_was(database: Database) -> None:
    """What was begun is undone, and the lock is free: the next transaction is a new one."""
    with database.writer() as writer:
        with writer.cursor() as cursor:
            cursor.execute("CREATE TABLE one (id INTEGER PRIMARY KEY)")
            cursor.execute("CREATE TABLE two (one INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(IntegrityError), writer.session() as session:
            session.execute(text("INSERT INTO two VALUES (7)"))
        with writer.cursor() as cursor:
            assert cursor.execute("SELECT count(*) FROM two").fetchone() == (0,)
        with database.write() as session:
            session.execute(text("INSERT INTO one VALUES (7)"))


@pytest.mark.parametrize(
    ("durability", "synced"), [("crash", ["asked", "other"]), ("power-cut", ["asked", "usual", "other"])]
)
def test_a_writer_syncs_what_it_is_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durability: Durability, synced: list[str]
) -> None:
    """A writer that may lose its last seconds syncs when it is asked to, and everybody else always does.

    Each commit is synced when all see it and others may write again.
    """
    upgrade(tmp_path / "n.db", NOW)
    database = Database(tmp_path / "n.db", durability)
    found: list[str] = []

    def sync(log: IO[bytes]) -> None:
        fdatasync(log)
        assert log.name == str(tmp_path / "n.db-wal")
        with closing(sqlite3.connect(tmp_path / "n.db", timeout=0)) as another:
            another.execute("BEGIN IMMEDIATE")
            found.append(another.execute("SELECT value FROM meta WHERE key = 'who'").fetchone()[0])

    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", sync)
    with database.writer() as writer:
        with writer.session(synced=True) as session:
            session.merge(MetaRow(key="who", value="asked"))
        with writer.cursor() as cursor:
            cursor.execute("UPDATE meta SET value = 'usual' WHERE key = 'who'")
    keep(database, "who", "other")
    assert found == synced
    database.close()


def test_what_cannot_be_synced_is_told(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails then has not kept what was written: nobody is told that it has, until all is in the file.

    What comes behind a hole in the log would be lost with it.
    """
    log = database.path.with_name(f"{database.path.name}-wal")
    fdatasync = os.fdatasync

    def fail(_log: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    keep(database, "steps", "0")
    with closing(sqlite3.connect(database.path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM meta").fetchone()  # the log cannot be emptied meanwhile
        monkeypatch.setattr(os, "fdatasync", fail)
        with pytest.raises(StorageError, match="the disk fails to sync; check the disk"):
            keep(database, "steps", "1")
        monkeypatch.setattr(os, "fdatasync", fdatasync)
        with pytest.raises(StorageError), database.writer() as writer, writer.session(synced=True) as session:
            session.merge(MetaRow(key="steps", value="2"))
    keep(database, "steps", "3")
    assert log.stat().st_size == 0
    monkeypatch.setattr(os, "fdatasync", fail)
    keep(database, "steps", "4")  # folding does what syncing could not
    assert (kept(database)["steps"], log.stat().st_size) == ("4", 0)


def test_the_log_of_a_linked_file_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite keeps it beside the file itself."""
    (tmp_path / "data").mkdir()
    upgrade(tmp_path / "data" / "n.db", NOW)
    (tmp_path / "n.db").symlink_to(tmp_path / "data" / "n.db")
    synced: list[str] = []
    monkeypatch.setattr(os, "fdatasync", lambda log: synced.append(log.name))
    database = Database(tmp_path / "n.db")
    keep(database, "who", "me")
    database.close()
    assert synced == [str(tmp_path / "data" / "n.db-wal")]
