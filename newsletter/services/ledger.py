"""The sender's ledger, off the event loop: what is asked for while a commit is under way shares the next one.

Promises that what it returned is durable, and that between two commits other writers get in. A disk that takes
milliseconds to make a commit durable thus serves all connections at once. Not here: what the moves are
(``storage/claims.py``).
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from newsletter.storage.database import Database

Clock = Callable[[], datetime]
_T = TypeVar("_T")
_Work = Callable[[Session], Any]

_LETS_IN = 0.001  # seconds between two commits: another writer asks that often


class Ledger:
    """Runs what it is given in transactions, in order. Close it when the loop ends."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._pending: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def write(self, work: Callable[[Session], _T]) -> _T:
        """Return what *work* returns, its changes committed; a cancelled caller does not undo them.

        What *work* raises undoes its own changes only. Raises StorageError when the commit fails: then it may have
        happened or not.
        """
        answer: asyncio.Future[_T] = asyncio.get_running_loop().create_future()
        self._pending.append((work, answer))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await answer

    async def _flush(self) -> None:
        loop = asyncio.get_running_loop()
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                answers = await loop.run_in_executor(self._thread, self._commit, [work for work, _ in batch])
            except Exception as error:  # noqa: BLE001 - handed to everybody whose work was in this commit
                answers = [error] * len(batch)
            for (_, waiting), answer in zip(batch, answers, strict=True):
                if waiting.done():
                    continue  # the caller was cancelled
                if isinstance(answer, Exception):
                    waiting.set_exception(answer)
                else:
                    waiting.set_result(answer)

    def _commit(self, batch: list[_Work]) -> list[Any]:
        with self._database.write() as session:
            answers = [_one(session, work) for work in batch]
        time.sleep(_LETS_IN)
        return answers

    def close(self) -> None:
        """Wait for what is being written, and stop the thread."""
        self._thread.shutdown(wait=True)


def _one(session: Session, work: _Work) -> Any:
    try:
        with session.begin_nested():
            return work(session)
    except SQLAlchemyError:
        raise  # the database itself: nothing of this commit can be trusted
    except Exception as error:  # noqa: BLE001 - handed to the caller, whose changes are undone
        return error
