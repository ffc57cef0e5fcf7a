"""The sender's ledger, off the event loop: one thread, one writer, each call one transaction.

Promises that what it returned is durable, that between two transactions other writers get in, and that a clock's
reading is taken when a thing is recorded. Not here: what the moves are (``storage/claims.py``).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar

from sqlmodel import Session

from newsletter.storage.database import Database

Clock = Callable[[], datetime]
_T = TypeVar("_T")


class Ledger:
    """Runs what it is given in transactions. Close it when the loop ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def write(self, work: Callable[[Session], _T]) -> _T:
        """Return what *work* returns, its changes committed; a cancelled caller does not undo them."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, work)

    def _write(self, work: Callable[[Session], _T]) -> _T:
        with self._database.write() as session:
            return work(session)

    def close(self) -> None:
        """Wait for what is being written, and stop the thread."""
        self._thread.shutdown(wait=True)
