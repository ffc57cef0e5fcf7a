"""Who is alive, and who may work: owners with lock files beside the database, and leases held by owners.

A lock file is held as long as its process lives, whatever kills it, so that a dead owner is known at once. Where
the file cannot tell (another host), an owner whose heartbeat is older than ``silence`` counts as dead.
"""

import fcntl
import os
import secrets
import socket
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from sqlalchemy import func
from sqlmodel import Session, col, delete, select, update

from newsletter.storage.database import Database, cursor
from newsletter.storage.faults import StorageError
from newsletter.storage.tables import LeaseRow, OwnerRow


class Owner:
    """This process as a claimant of work. Use as a context manager; ``id`` is random and never reused."""

    def __init__(self, database: Database, now: datetime) -> None:
        self.id = secrets.token_hex(8)
        self._database, self._started_at = database, now
        self._path = lock_file(database.path, self.id)

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(exist_ok=True)
            self._file = self._path.open("w")
        except OSError as error:
            raise StorageError(f"{self._path.parent}: {error.strerror}; check who owns it and its folder") from error
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            self._enter()
        except BaseException:
            self._leave()
            raise
        return self

    def _enter(self) -> None:
        with self._database.write() as session:
            session.add(
                OwnerRow(
                    id=self.id,
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started_at=self._started_at,
                    heartbeat_at=self._started_at,
                )
            )

    def __exit__(self, *_: object) -> None:
        try:
            with self._database.write() as session:
                _forget(session, self.id)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def beat(session: Session, owner: str, now: datetime) -> bool:
    """Record that *owner* is alive at *now*. False where it was silent for too long, and others took over."""
    return session.exec(update(OwnerRow).where(col(OwnerRow.id) == owner).values(heartbeat_at=now)).rowcount == 1


def last_heartbeat(session: Session) -> datetime | None:
    """Return the newest sign of life of those who are at work, None where nobody is."""
    return session.exec(select(func.max(col(OwnerRow.heartbeat_at)))).one()


def is_known(cursor: sqlite3.Cursor, owner: str) -> bool:
    """Return whether nobody has taken *owner* for dead."""
    return cursor.execute("SELECT 1 FROM owners WHERE id = ?", (owner,)).fetchone() is not None


def dead_owners(session: Session, path: Path, now: datetime, silence: timedelta) -> dict[str, datetime]:
    """Return the owners that died: their lock file is free, or elsewhere they have been silent for *silence*.

    With each its last heartbeat.
    """
    here = socket.gethostname()
    return {
        row.id: row.heartbeat_at
        for row in session.exec(select(OwnerRow))
        if (row.host == here and not is_held(lock_file(path, row.id))) or now - row.heartbeat_at > silence
    }


def any_alive(session: Session, path: Path, now: datetime, silence: timedelta) -> bool:
    """Return whether any owner is at work that did not die."""
    known = set(session.exec(select(OwnerRow.id)))
    return bool(known - dead_owners(session, path, now, silence).keys())


def bury(session: Session, path: Path, owner: str) -> None:
    """Forget a dead owner, its leases and its lock file. What it had claimed is to be recovered with it."""
    _forget(session, owner)
    lock_file(path, owner).unlink(missing_ok=True)


def take_lease(session: Session, name: str, owner: str) -> str | None:
    """Give *owner* the lease *name*, or return who holds it: nobody who was taken for dead, whenever they took it."""
    held = session.get(LeaseRow, name)
    if held and held.owner != owner and is_known(cursor(session), held.owner):
        return held.owner
    session.merge(LeaseRow(name=name, owner=owner))
    return None


def release_lease(session: Session, name: str, owner: str) -> None:
    """Give the lease back; nothing happens where *owner* no longer holds it."""
    session.exec(delete(LeaseRow).where(col(LeaseRow.name) == name, col(LeaseRow.owner) == owner))


def _forget(session: Session, owner: str) -> None:
    session.exec(delete(LeaseRow).where(col(LeaseRow.owner) == owner))
    session.exec(delete(OwnerRow).where(col(OwnerRow.id) == owner))


def lock_file(path: Path, owner: str) -> Path:
    """Return the lock file of *owner* beside the database at *path*."""
    return path.with_name(path.name + ".owners") / owner


def any_held(path: Path) -> bool:
    """Return whether anybody works with the database at *path*, whatever stands in it."""
    folder = lock_file(path, "any").parent
    return folder.is_dir() and any(is_held(lock) for lock in folder.iterdir())


def is_held(lock: Path) -> bool:
    """Return whether a living process holds the file *lock*."""
    try:
        with lock.open("r") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
