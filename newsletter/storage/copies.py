"""Whole copies of the database: taken while it is in use, looked through before they count, and put back.

A copy has its name only once it is whole. Not here: what a restored database must not do again (``restore``).
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import StaticPool, create_engine
from sqlmodel import Session

from newsletter.storage.connections import reader
from newsletter.storage.faults import StorageError, named
from newsletter.storage.write_lock import BUSY_TIMEOUT

_UNFINISHED = ("", "-journal", "-wal", "-shm")


def backup(path: Path, target: Path, *, replace: bool = False) -> dict[str, int]:
    """Copy the database at *path*, in use or not, to *target*. Return its rows, by table.

    The copy has passed SQLite's own check and has as many rows in each table as the database had; only then does it
    *replace* an older copy. Raises StorageError, also where *target* is there and is not to be replaced.
    """
    if target.exists() and not (replace and _is_older(target, path)):
        what = "is no backup to be replaced" if replace else "is there already, and --replace was not given"
        raise StorageError(f"{target}: {what}; name another file")
    with (
        _finishing(target) as partial,
        named(path),
        closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as source,
    ):
        source.execute("BEGIN")  # what is counted is what is copied
        rows = _rows(source)
        with named(target, "name another place"), closing(sqlite3.connect(partial)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, that can be read from anywhere
        _verify(partial, rows)
    return rows


def version(path: Path) -> str | None:
    """Return the version of the database at *path*, None when it is not there or empty. Raises StorageError."""
    if not path.exists():
        return None
    with named(path, "check database.url"), closing(reader(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if "alembic_version" in tables:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            return str(row[0]) if row else None
    if tables:
        raise StorageError(f"database {path} holds other tables than a newsletter's; check database.url")
    return None


def _is_older(target: Path, path: Path) -> bool:
    """Return whether *target* is a copy of a newsletter's database, and not the one at *path* itself."""
    try:
        return version(target) is not None and not target.samefile(path)
    except StorageError:
        return False


def put_back(copy: Path, path: Path) -> None:
    """Let the database at *path* be what *copy* is, in one transaction: who has it open reads the new content."""
    with (
        named(path, "nothing was changed"),
        closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as target,
        closing(reader(copy)) as source,
    ):
        target.execute("PRAGMA journal_mode = WAL")
        source.backup(target)


def aside(path: Path, kept: Path) -> None:
    """Move the database at *path*, of which no copy can be taken, with what is beside it, to *kept*."""
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))


def damage(path: Path) -> list[str]:
    """Return what SQLite finds wrong with the database at *path*, a line each."""
    try:
        with closing(reader(path)) as connection:
            said = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [line for line in said if line != "ok"]


@contextmanager
def rehearsal(path: Path) -> Iterator[Session]:
    """Give a session in a copy of the database at *path* that is nobody else's, and gone afterwards.

    Whatever takes how long there, nobody waits for it. SQLite keeps the copy in a file without a name, so that who is
    killed leaves nobody's address behind.
    """
    with named(path), closing(sqlite3.connect("", check_same_thread=False)) as copy:
        with closing(reader(path)) as source:
            source.backup(copy)
        engine = create_engine("sqlite://", creator=lambda: copy, poolclass=StaticPool)
        with engine.connect() as connection, Session(connection) as session:
            yield session


@contextmanager
def _finishing(target: Path) -> Iterator[Path]:
    """Give a file to write into, which becomes *target* when all has gone well, and nothing otherwise."""
    partial = target.with_name(target.name + ".partial")
    clear(partial)  # of one that was killed
    try:
        partial.touch(mode=0o600)  # every reader's address will be in it
        yield partial
        partial.rename(target)
        _sync(target.parent)
    except OSError as error:
        raise StorageError(f"{target}: {error.strerror}; name another place") from error
    finally:
        clear(partial)


def clear(partial: Path) -> None:
    """Remove an unfinished copy, with what SQLite put beside it."""
    for suffix in _UNFINISHED:
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Let a name that was given survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _verify(copy: Path, rows: dict[str, int]) -> None:
    found = damage(copy)
    if not found:
        with closing(reader(copy)) as connection:
            found = [
                f"{name} has {has} rows of {rows[name]}" for name, has in _rows(connection).items() if has != rows[name]
            ]
    if found:
        raise StorageError(f"{copy}: the copy is damaged ({found[0]}); check the disk, and the database by 'db check'")


def _rows(connection: sqlite3.Connection) -> dict[str, int]:
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    count = "SELECT count(*) FROM {}"
    return {t: connection.execute(count.format(t)).fetchone()[0] for t in tables if not t.startswith("sqlite_")}
