"""What SQLite says when it cannot, in one line for the person who can act."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy.exc import DatabaseError, OperationalError

from newsletter.errors import NewsletterError

_ROOM = 1 << 20  # octets


class StorageError(NewsletterError):
    """The database cannot be read or written: full, locked, damaged or not ours."""


_REMEDIES = {
    "disk is full": "free some room, and do again what did not get done; the next run does so by itself",
    "database is locked": "another process holds it for long; try again, or look for a stuck 'newsletter'",
    "unable to open": "check that the folder exists and may be written",
    "readonly": "check who owns the file and its folder",
    "disk I/O error": "check the disk; the next run reads what was kept and continues",
    "malformed": "restore a backup, or ask 'newsletter db check' what is damaged",
    "not a database": "this file is something else; check database.url",
}


@contextmanager
def named(path: Path, otherwise: str = "") -> Iterator[None]:
    """Turn what SQLite says into one line, a StorageError, for the person who can act.

    *otherwise* is what to do where that is not known. Without it a constraint is a fault of the program, and stays one.
    """
    try:
        yield
    except (DatabaseError, sqlite3.DatabaseError) as error:
        said = str(getattr(error, "orig", error))
        if "disk I/O error" in said and _is_full(path):
            said = "the disk is full"
        remedy = next((r for sign, r in _REMEDIES.items() if sign in said), otherwise)
        if not remedy and not isinstance(error, OperationalError | sqlite3.OperationalError):
            raise
        remedy = remedy or "the next run reads what was kept and continues"
        raise StorageError(f"database {path}: {said}; {remedy}") from error


def _is_full(path: Path) -> bool:
    """Return whether the disk of *path* has no room to speak of: SQLite does not always know why a write failed."""
    with suppress(OSError):
        return shutil.disk_usage(path.parent).free < _ROOM
    return False
