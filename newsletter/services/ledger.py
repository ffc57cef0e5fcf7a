"""The sender's ledger: what is asked for while a commit is under way shares the next one.

Promises that what it answered is durable, that what was asked earlier is durable no later, and that between commits
other writers get in. What waits for another writer or for the disk does so off the event loop: a disk that takes
milliseconds to make a commit durable thus serves all connections at once. What need not wait is written where it is
asked for: two threads would hand the interpreter's lock to and fro for each statement, which costs more than most.
(When the write-ahead log is folded, every 32 MB, the event loop waits for that too, unless each commit is synced.)
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
_TURNS = 4  # more wait longer than what they save in commits
_T = TypeVar("_T")
_Work = Callable[[Session], Any]
_Told = Callable[[Any], None]  # is given the answer, or the exception


@dataclass(slots=True)
class _Batch:
    """What is committed at once, in this order; then work, in a commit of its own. And what came of it."""

    accepted: list[tuple[Taken, _Told]] = field(default_factory=list)
    settled: list[tuple[_Work, _Told]] = field(default_factory=list)
    offered: list[tuple[int, "asyncio.Future[bool]"]] = field(default_factory=list)
    work: "tuple[_Work, asyncio.Future[Any], bool] | None" = None  # and whether it is synced
    ours: set[int] = field(default_factory=set)
    answers: list[Any] = field(default_factory=list)
    may: set[int] = field(default_factory=set)

    @property
    def moves(self) -> bool:
        """Whether there is anything but work."""
        return bool(self.accepted or self.settled or self.offered)


class Ledger:
    """Commits what it is given, in order. To be made and used on one event loop, and closed when that ends."""

    def __init__(self, database: Database, owner: str, clock: Clock) -> None:
        """Open a connection of its own. Raises StorageError."""
        self._owner, self._clock = owner, clock
        self._loop = asyncio.get_running_loop()
        self._next = _Batch()
        self._works: list[tuple[_Work, asyncio.Future[Any], bool]] = []
        self._is_busy = self._is_closed = False
        self._failed: Exception | None = None
        self._batches: SimpleQueue[_Batch | None] = SimpleQueue()
        self._unserved: list[int] = []  # accepted, and not remembered with their readers yet
        self._closing = ExitStack()
        self._writer = self._closing.enter_context(database.writer())
        self._thread = Thread(target=self._work, name="ledger", daemon=True)
        self._thread.start()

    def accept(self, taken: Taken, told: Callable[[bool | Exception], None]) -> None:
        """Record that a server said 250. *told* is given whether the delivery was still ours."""
        self._next.accepted.append((taken, told))
        self._ask()

    def settle(self, work: Callable[[Session], _T], told: Callable[[_T | Exception], None]) -> None:
        """Record by *work* what else was said about a message: durable no later than what is offered next."""
        self._next.settled.append((work, told))
        self._ask()

    def offer(self, delivery_id: int) -> "asyncio.Future[bool]":
        """Record that the final dot may follow. Answers whether it may."""
        answer: asyncio.Future[bool] = self._loop.create_future()
        self._next.offered.append((delivery_id, answer))
        self._ask()
        return answer

    def write(self, work: Callable[[Session], _T], *, synced: bool = False) -> "asyncio.Future[_T]":
        """Answer what *work* returns, its changes committed; a cancelled caller does not undo them.

        ``synced``, they survive a power cut, and so does all that was recorded before. What *work* raises undoes its
        changes. Raises StorageError when the commit fails: then it may have happened
        or not.
        """
        answer: asyncio.Future[_T] = self._loop.create_future()
        self._works.append((work, answer, synced))
        self._ask()
        return answer

    def _ask(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._begin_after(_TURNS)

    def _begin_after(self, turns: int) -> None:
        """Commit what is asked for by then, the loop having turned so often: what servers say meanwhile shares it."""
        if turns:
            self._loop.call_soon(self._begin_after, turns - 1)
        else:
            self._begin()

    def _begin(self) -> None:
        batch, self._next = self._next, _Batch()
        if self._works:
            batch.work = self._works.pop(0)
        self._begin_with(batch)

    def _begin_with(self, batch: _Batch) -> None:
        if not self._is_closed:
            self._commit(batch, self._loop.call_soon, waits=False)

    def _moved(self, batch: _Batch, failed: Exception | None) -> None:
        for delivery_id, waiting in batch.offered:
            _resolve(waiting, failed or delivery_id in batch.may)
        for taken, told in batch.accepted:
            self._tell(told, failed or taken.delivery_id in batch.ours)
        for place, (_, told) in enumerate(batch.settled):
            self._tell(told, failed or batch.answers[place])
        if batch.work:  # behind those who were told now: their dots do not wait for it
            self._loop.call_soon(self._begin_with, _Batch(work=batch.work))
        else:
            self._ended()

    def _tell(self, told: _Told, answer: Any) -> None:
        """Tell one. A fault of theirs is the event loop's to say: the others are told all the same."""
        try:
            told(answer)
        except Exception as error:  # noqa: BLE001 - said by the loop
            self._loop.call_exception_handler({"message": "whoever was told of a commit failed", "exception": error})

    def _worked(self, waiting: "asyncio.Future[Any]", answer: Any) -> None:
        _resolve(waiting, answer)
        self._ended()

    def _ended(self) -> None:
        if self._next.moves or self._works:
            self._begin_after(_TURNS)  # behind those who were told now, and ask for more
        else:
            self._is_busy = False

    def _work(self) -> None:
        while batch := self._batches.get():
            self._writer.let_others_in()
            self._commit(batch, self._loop.call_soon_threadsafe, waits=True)

    def _commit(self, batch: _Batch, tell: Callable[..., object], *, waits: bool) -> None:
        """Commit the moves of *batch*, or else its work, and *tell* what came of it.

        What would have to wait and may not is left to the thread.
        """
        if batch.moves:
            if not (waits or self._failed or self._writer.begins()):
                self._batches.put(batch)
                return
            # After a commit that may have failed nothing is offered any more: the sender must read what is kept.
            self._failed = self._failed or _failure(self._move, batch)
            tell(self._moved, batch, self._failed)
        elif batch.work:
            work, waiting, synced = batch.work
            if not waits and (synced or not self._writer.begins()):
                self._batches.put(batch)
                return
            tell(self._worked, waiting, self._answer(work, synced=synced))

    def _move(self, batch: _Batch) -> None:
        if batch.settled:  # by way of SQLAlchemy, which takes longer
            with self._writer.session() as session:
                self._accept(cursor(session), batch)
                batch.answers = [work(session) for work, _ in batch.settled]
                session.flush()
                self._offer(cursor(session), batch)
        else:
            with self._writer.cursor() as direct:
                self._accept(direct, batch)
                self._offer(direct, batch)
        self._unserved += batch.ours

    def _accept(self, cursor: Cursor, batch: _Batch) -> None:
        if batch.accepted:
            batch.ours = moves.accept(cursor, [taken for taken, _ in batch.accepted], self._owner, self._clock())

    def _offer(self, cursor: Cursor, batch: _Batch) -> None:
        if batch.offered:
            batch.may = moves.offer(cursor, [one for one, _ in batch.offered], self._owner, self._clock())

    def _answer(self, work: _Work, *, synced: bool) -> Any:
        try:
            with self._writer.session(synced=synced) as session:
                moves.serve(cursor(session), self._unserved)
                answer = work(session)
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            return error
        self._unserved.clear()
        return answer

    def close(self) -> None:
        """Wait for what is being written, and stop the thread. What was asked for and is not begun never will be."""
        self._is_closed = True
        self._batches.put(None)
        self._thread.join()
        self._closing.close()


def _failure(move: Callable[[_Batch], None], batch: _Batch) -> Exception | None:
    try:
        move(batch)
    except Exception as error:  # noqa: BLE001 - handed to everybody whose move was in this commit
        return error
    return None


def _resolve(waiting: "asyncio.Future[Any]", answer: Any) -> None:
    if waiting.done():
        return  # the caller was cancelled
    if isinstance(answer, Exception):
        waiting.set_exception(answer)
    else:
        waiting.set_result(answer)
