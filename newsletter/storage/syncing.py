"""Syncing the write-ahead log behind a commit, while others write.

With synchronous = FULL SQLite does the same in each commit, and lets nobody write meanwhile. Not here: whose commits
are synced (``database``).
"""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from newsletter.storage.faults import StorageError

_FOLDING = 1  # seconds that it waits for who reads


class WriteAheadLog:
    """The log of the database at *path*, beside the file itself where that is a link to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        real = path.resolve()
        self._log = real.with_name(f"{real.name}-wal")
        self._torn = False

    def sync(self) -> None:
        """Let what was committed survive a power cut, and all that was committed before.

        What has been folded into the file was synced by who did. A log that cannot be synced is folded too: what was
        lost of it would hide whatever comes behind. Raises StorageError where that fails as well, and again until it
        does not; then what was committed may be lost in a power cut, though all see it.
        """
        if self._torn or not self._synced():
            self._torn = not self._folded()
        if self._torn:
            said = f"database {self._path}: the disk fails to sync; check the disk"
            raise StorageError(f"{said}; what was written last may be lost in a power cut")

    def _synced(self) -> bool:
        try:
            with suppress(FileNotFoundError), self._log.open("rb", buffering=0) as log:
                os.fdatasync(log)
        except OSError:
            return False
        return True

    def _folded(self) -> bool:
        try:
            with closing(sqlite3.connect(self._path, timeout=_FOLDING)) as connection:
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error:
            return False
        return not busy
