"""The sender's ledger, off the event loop: what is asked for while a commit is under way shares the next one.

Promises that what it answered is durable, that what was asked earlier is durable no later, and that between commits
other writers get in. A disk that takes milliseconds to make a commit durable thus serves all connections at once.
Not here: what the moves are (``storage/moves.py``, ``storage/claims.py``).
"""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue
from sqlite3 import Cursor
from threading import Thread
from typing import Any, TypeVar

from sqlmodel import Session

from newsletter.storage import moves
from newsletter.storage.database import Database, cursor
from newsletter.storage.moves import Taken

Clock = Callable[[], datetime]
_T = TypeVar("_T")
_Asked = list[tuple[Any, "asyncio.Future[Any]"]]


@dataclass(slots=True)
class _Batch:
    """What is committed at once, in this order; then work, in a commit of its own."""

    accepted: _Asked = field(default_factory=list)
    settled: _Asked = field(default_factory=list)
    offered: _Asked = field(default_factory=list)
    works: _Asked = field(default_factory=list)

    @property
    def moves(self) -> bool:
        """Whether there is anything but work."""
        return bool(self.accepted or self.settled or self.offered)


class Ledger:
    """Commits what it is given, in order. To be made and used on one event loop, and closed when that ends."""

    def __init__(self, database: Database, owner: str, clock: Clock) -> None:
        """Open a connection of its own. Raises StorageError."""
        self._database, self._owner, self._clock = database, owner, clock
        self._loop = asyncio.get_running_loop()
        self._next = _Batch()
        self._works: _Asked = []
        self._is_busy = False
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._unserved: list[int] = []  # accepted, and not remembered with their readers yet
        self._closing = ExitStack()
        self._direct = self._closing.enter_context(database.direct())
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    def accept(self, taken: Taken) -> "asyncio.Future[bool]":
        """Record that a server said 250. Answers whether the delivery was still ours."""
        return self._ask(self._next.accepted, taken)

    def settle(self, work: Callable[[Session], _T]) -> "asyncio.Future[_T]":
        """Record by *work* what else was said about a message: durable no later than what is offered next."""
        return self._ask(self._next.settled, work)

    def offer(self, delivery_id: int) -> "asyncio.Future[bool]":
        """Record that the final dot may follow. Answers whether it may."""
        return self._ask(self._next.offered, delivery_id)

    def write(self, work: Callable[[Session], _T]) -> "asyncio.Future[_T]":
        """Answer what *work* returns, its changes committed; a cancelled caller does not undo them.

        What *work* raises undoes its changes. Raises StorageError when the commit fails: then it may have happened
        or not.
        """
        return self._ask(self._works, work)

    def _ask(self, asked: _Asked, what: Any) -> "asyncio.Future[Any]":
        answer = self._loop.create_future()
        asked.append((what, answer))
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._begin)  # what is asked in the same turn of the loop shares the commit
        return answer

    def _begin(self) -> None:
        batch, self._next = self._next, _Batch()
        if self._works:
            batch.works.append(self._works.pop(0))
        self._batches.put(batch)

    def _moved(self, batch: _Batch, answers: Any) -> None:
        if not batch.works:
            self._ended()
        for asked in (batch.accepted, batch.settled, batch.offered):
            _answer(asked, answers)

    def _worked(self, batch: _Batch, answers: Any) -> None:
        self._ended()
        _answer(batch.works, answers)

    def _ended(self) -> None:
        if self._next.moves or self._works:
            self._begin()
        else:
            self._is_busy = False

    def _work(self) -> None:
        failed: Any = None
        while batch := self._batches.get():
            if batch.moves:
                # After a commit that may have failed nothing is offered any more: the sender must read what is kept.
                answers = failed or _attempt(self._move, batch)
                failed = answers if isinstance(answers, Exception) else None
                self._loop.call_soon_threadsafe(self._moved, batch, answers)
            if batch.works:
                self._loop.call_soon_threadsafe(self._worked, batch, _attempt(self._commit, batch.works[0][0]))

    def _move(self, batch: _Batch) -> dict[Any, Any]:
        if batch.settled:  # by way of SQLAlchemy, which takes longer
            with self._database.write() as session:
                moved = self._accept(cursor(session), batch)
                moved.update((work, work(session)) for work, _ in batch.settled)
                session.flush()
                moved |= self._offer(cursor(session), batch)
        else:
            with self._direct.write() as direct:
                moved = self._accept(direct, batch) | self._offer(direct, batch)
        self._unserved += [taken.delivery_id for taken, _ in batch.accepted if moved[taken]]
        self._direct.let_others_in()
        return moved

    def _accept(self, cursor: Cursor, batch: _Batch) -> dict[Any, Any]:
        taken = [taken for taken, _ in batch.accepted]
        ours = moves.accept(cursor, taken, self._owner, self._clock()) if taken else set()
        return {one: one.delivery_id in ours for one in taken}

    def _offer(self, cursor: Cursor, batch: _Batch) -> dict[Any, Any]:
        ids = [delivery_id for delivery_id, _ in batch.offered]
        may = moves.offer(cursor, ids, self._owner, self._clock()) if ids else set()
        return {one: one in may for one in ids}

    def _commit(self, work: Callable[[Session], Any]) -> dict[Any, Any]:
        with self._database.write() as session:
            moves.serve(cursor(session), self._unserved)
            answer = work(session)
        self._unserved.clear()
        self._direct.let_others_in()
        return {work: answer}

    def close(self) -> None:
        """Wait for what is being written, and stop the thread."""
        self._batches.put(None)
        self._thread.join()
        self._closing.close()


def _attempt(act: Callable[..., Any], *what: Any) -> Any:
    try:
        return act(*what)
    except Exception as error:  # noqa: BLE001 - handed to everybody whose work was in this commit
        return error


def _answer(asked: _Asked, answers: Any) -> None:
    for what, waiting in asked:
        if waiting.done():
            continue  # the caller was cancelled
        if isinstance(answers, Exception):
            waiting.set_exception(answers)
        else:
            waiting.set_result(answers[what])
