"""The schema's version: creating a database that is not there yet, upgrading an older one, refusing a newer one.

An upgrade waits for the run at work, takes a backup beside the database, and keeps every row. An older process
that still runs notices at its next tick (``require_current``) and ends.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from newsletter.errors import BusyError
from newsletter.storage.connections import address, reader
from newsletter.storage.copies import backup, version
from newsletter.storage.faults import StorageError, named
from newsletter.storage.locks import is_held, lock_file
from newsletter.storage.write_lock import BUSY_TIMEOUT

HEAD = "0020"  # the version of the tables in ``tables``; a test compares it with the migrations
MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(path: Path, now: datetime, *, migrations: Path = MIGRATIONS, head: str = HEAD) -> Path | None:
    """Bring the database at *path* to *head*, creating it if need be. Return the backup taken, if any.

    Raises StorageError when it is newer than this program or cannot be opened, BusyError when a run is at work
    for longer than a writer waits.
    """
    if version(path) == head:
        return None
    with alone(path):
        before = version(path)
        if before == head:
            return None
        if before is not None and before not in known(migrations):
            raise StorageError(
                f"database {path} has version {before}, this program knows up to {head}: install the newer program"
            )
        if before is None:
            path.touch(mode=0o600)  # every reader's address will be in it
            migrate(path, migrations, head)
            return None
        saved = _backup_beside(path, before, now)
        with _needed_if_changed(saved, path, before):
            migrate(path, migrations, head)
        return saved


def absent(path: Path) -> str:
    """Return what is said where a database must be and is none, and what to do."""
    return (
        f"there is no database {path}: look at database.url and whether its disk is there; "
        "'newsletter db restore FILE' puts a backup there, 'newsletter db upgrade' an empty one"
    )


class OutdatedError(StorageError):
    """A newer program has upgraded the database: this one must end."""


def require_current(path: Path, head: str = HEAD) -> None:
    """Raise OutdatedError when the database at *path* is not of this program's version any more."""
    found = version(path)
    if found != head:
        raise OutdatedError(f"database {path} was upgraded to version {found} meanwhile: start the newer program")


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep other upgrades out, and wait until no live run holds the lease."""
    with keeping_out(path):
        give_up = time.monotonic() + BUSY_TIMEOUT
        while holder := _live_run(path):
            if time.monotonic() > give_up:
                raise BusyError(f"run {holder} is at work; the database will be upgraded when it has ended")
            time.sleep(0.2)
        yield


@contextmanager
def keeping_out(path: Path) -> Iterator[None]:
    """Keep out who else would upgrade or replace the database at *path*."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".upgrade").open("w")
    except OSError as error:
        raise StorageError(f"database {path}: {error.strerror}; check who owns the folder") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield  # the file stays: who waits for it must not hold the lock of one that is gone


def _live_run(path: Path) -> str | None:
    if not path.exists() or version(path) is None:
        return None
    with named(path), closing(reader(path)) as connection:
        row = connection.execute("SELECT owner FROM leases WHERE name = 'run'").fetchone()
    return str(row[0]) if row and is_held(lock_file(path, row[0])) else None


def known(migrations: Path) -> set[str]:
    """Return the versions from which *migrations* lead on."""
    return {file.name.partition("_")[0] for file in (migrations / "versions").glob("[0-9]*.py")}


def _backup_beside(path: Path, before: str, now: datetime) -> Path:
    saved = path.with_name(f"{path.name}.{before}.{now:%Y%m%dT%H%M%S}.backup")
    backup(path, saved)
    return saved


@contextmanager
def _needed_if_changed(saved: Path, path: Path, before: str) -> Iterator[None]:
    """Remove the backup where what it was for fails: whoever tries again and again for want of room would fill it."""
    try:
        yield
    except Exception:
        if version(path) == before:
            saved.unlink()
        raise


def migrate(path: Path, migrations: Path, head: str) -> None:
    """Run the migrations to *head* in one transaction. Raises BusyError, nothing being changed, beside a live run."""
    # Imported here since it takes a third of a second, and only an upgrade needs it.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, event

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    engine = create_engine(address(path))

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # Rebuilding a table with foreign keys on deletes the rows that point at it.
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    try:
        with named(path, "nothing was changed"), engine.begin() as connection:
            if holder := _live_run(path):  # it came between the look and the transaction, which keeps others out
                raise BusyError(f"run {holder} is at work; the next command upgrades the database")
            config.attributes["connection"] = connection
            command.upgrade(config, head)
            if loose := connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall():
                raise StorageError(f"database {path}: the upgrade would leave {len(loose)} rows that point at nothing")
    finally:
        engine.dispose()
