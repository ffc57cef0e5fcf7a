"""The write lock: taken as soon as it is free, and a sign to who holds it again and again that somebody waits."""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import IO

from sqlalchemy.exc import OperationalError

from newsletter.storage.faults import StorageError

BUSY_TIMEOUT = 30  # seconds that a writer waits for another
ASKS = 0.001  # seconds between two attempts


def take(path: Path, execute: Callable[[str], object]) -> None:
    """Take the write lock, asking often: SQLite would ask ten times a second, and seldom in a moment when it is free.

    A sender at work lets go of it between two commits when it sees that somebody waits.
    """
    if _is_ours(execute, inf):
        return
    ends = time.monotonic() + BUSY_TIMEOUT
    with queue(path) as waiting:
        while not _is_ours(execute, ends):
            show(waiting)
            time.sleep(ASKS)


def _is_ours(execute: Callable[[str], object], ends: float) -> bool:
    try:
        execute("BEGIN IMMEDIATE")
    except (OperationalError, sqlite3.OperationalError) as error:
        if "locked" not in str(error) or time.monotonic() > ends:
            raise
        return False
    return True


def show(waiting: IO[str]) -> None:
    """Show that somebody waits: a hint, and no more, since who holds it may be suspended.

    Who looks for it at this very moment keeps it from being given: then it is to be shown again. Where files cannot be
    locked, who holds it does not see it, and it is free at times all the same.
    """
    with suppress(OSError):
        fcntl.flock(waiting, fcntl.LOCK_SH | fcntl.LOCK_NB)


def queue(path: Path) -> IO[str]:
    """Open the file on which those hold a lock who wait to write to the database at *path*. Raises StorageError."""
    name = path.with_name(path.name + ".queue")
    try:
        return open(name, "a", opener=lambda file, flags: os.open(file, flags, 0o600))
    except OSError as error:
        raise StorageError(f"{name}: {error.strerror}; check who owns it and its folder") from error
