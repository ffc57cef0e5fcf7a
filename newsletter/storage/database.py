"""The database: transactions, and what else differs between SQLite and PostgreSQL.

SQLite runs in WAL mode. Readers never wait; writers say BEGIN IMMEDIATE, so that two of them queue instead of
failing half-way. What is committed survives a killed process; and a power cut once the log is synced, which is done
behind the commit, while others write. Only a ``Writer`` may be asked to leave that, and the last seconds, to luck.
Not here: connections and what is set for each (``connections``), whose turn it is to write (``write_lock``), how the
log is synced (``syncing``), what is said where SQLite cannot (``faults``), the schema's upgrades (``upgrade``) and who
may write what (``services``).
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO, Any, Literal

from sqlalchemy import JSON, Connection, Select, bindparam, func, select
from sqlalchemy.dialects.sqlite import insert as _insert
from sqlmodel import Session

from newsletter.storage.connections import driver_of, engine_of, reader
from newsletter.storage.faults import named
from newsletter.storage.syncing import WriteAheadLog
from newsletter.storage.write_lock import ASKS, BUSY_TIMEOUT, queue, show, take

_LOOKS = 0.002  # seconds between two looks for who waits
_GIVES = 5 * ASKS  # seconds that they have to begin: on a busy machine they are not awake at once
upsert = _insert  # INSERT … ON CONFLICT, which both databases have under their own dialect


Durability = Literal["power-cut", "crash"]


def listed(name: str) -> Select[Any]:
    """Return the values of the JSON list that is bound as *name*, to look among: one parameter, however many."""
    return select(func.json_each(bindparam(name, type_=JSON)).table_valued("value", name=name).c.value)


class Database:
    """One SQLite file. Safe to use from several threads; each transaction has its own connection."""

    def __init__(self, path: Path, durability: Durability = "power-cut") -> None:
        """Take *durability* for a ``writer``; what anybody else commits survives a power cut in any case."""
        self.path = path
        self.engine = engine_of(path)
        self._log = WriteAheadLog(path)
        self._durability = durability
        self._turn, self._glancing = Lock(), Lock()
        self._glance: sqlite3.Connection | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Give a session that sees one state of the database and writes nothing."""
        with named(self.path), self.engine.connect() as connection, Session(connection) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Give a session that is the only writer, committed at the end and rolled back on any error.

        What is committed survives a power cut, and so does all that was committed before.
        """
        with named(self.path):
            with (
                self._in_turn(),
                self.engine.connect().execution_options(immediate=True) as connection,
                _writing(connection) as session,
            ):
                yield session
            self._log.sync()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread of this process at a time ask for the write lock, so that the others need not ask again."""
        first = self._turn.acquire(timeout=BUSY_TIMEOUT)
        try:
            yield
        finally:
            if first:
                self._turn.release()

    @contextmanager
    def writer(self) -> Iterator["Writer"]:
        """Give a connection that is kept, for who writes again and again."""
        with named(self.path), self.engine.connect().execution_options(immediate=True) as connection:
            try:
                with queue(self.path) as waiting:
                    yield Writer(self.path, connection, waiting, self._log, self._durability)
            finally:
                connection.invalidate()  # the pool's others wait for a busy database

    def glance(self, statement: str) -> Any:
        """Return the one value that *statement* reads, as it is now: for what is looked at again and again.

        It takes as long as SQLite does, which is so little that whoever may not wait may ask; and a second at most.
        """
        with named(self.path), self._glancing:
            if self._glance is None:
                self._glance = reader(self.path, timeout=1)
            return self._glance.execute(statement).fetchone()[0]

    def close(self) -> None:
        """Close the connections; the last one to close folds the write-ahead log into the file."""
        with self._glancing:
            if self._glance:
                self._glance.close()
            self._glance = None
        self.engine.dispose()


class Writer:
    """One connection, so that what it has read stays read: SQLite reads all anew where another one wrote."""

    def __init__(
        self, path: Path, connection: Connection, waiting: IO[str], log: WriteAheadLog, durability: Durability
    ) -> None:
        self._path, self._connection, self._waiting, self._log = path, connection, waiting, log
        self._syncs = durability == "power-cut"
        self._driver = driver_of(connection)
        self._looks_at = 0.0
        self._driver.execute("PRAGMA busy_timeout = 0")

    def begins(self) -> bool:
        """Begin what is written next, if that waits neither for others who write nor for the disk to sync it.

        Now and then its commit folds the log all the same, which takes as long as the disk does.
        """
        if self._syncs or self._gives_way():
            return False
        try:
            self._driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:  # said to who waits for it
            return False
        return True

    def let_others_in(self) -> None:
        """Give whoever waits to write the time to begin, if somebody does; to be called before each commit."""
        ends = time.monotonic() + _GIVES
        while self._gives_way():
            if time.monotonic() > ends:  # who has not begun may be suspended, or many, and would take most of our time
                self._looks_at = time.monotonic() + 4 * _GIVES
                return
            time.sleep(ASKS / 4)

    def _gives_way(self) -> bool:
        now = time.monotonic()
        if now < self._looks_at:
            return False
        if self._somebody_waits():
            return True
        self._looks_at = now + _LOOKS
        return False

    def _somebody_waits(self) -> bool:
        try:
            fcntl.flock(self._waiting, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # it is a hint, and no more: where files cannot be locked, nobody is seen
            return False
        fcntl.flock(self._waiting, fcntl.LOCK_UN)
        return False

    @contextmanager
    def session(self, *, synced: bool = False) -> Iterator[Session]:
        """Give a session that is the only writer, committed at the end and rolled back on any error.

        It goes on with what ``begins`` began. ``synced``, this commit survives a power cut, and so does all that was
        committed before.
        """
        with named(self._path):
            try:
                with _writing(self._connection) as session:
                    yield session
            finally:
                if self._driver.in_transaction:  # a COMMIT failed in a way that leaves it open
                    self._driver.rollback()
                self._driver.execute("PRAGMA busy_timeout = 0")
            if synced or self._syncs:
                self._log.sync()

    @contextmanager
    def cursor(self) -> Iterator[sqlite3.Cursor]:
        """Give the same without SQLAlchemy, which would cost more than the statements that every message needs."""
        with named(self._path):
            cursor = self._driver.cursor()
            if not self._driver.in_transaction:
                take(self._path, cursor.execute)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # nothing to roll back where the failed COMMIT did
                    cursor.execute("ROLLBACK")
                raise
            if self._syncs:
                self._log.sync()


@contextmanager
def _writing(connection: Connection) -> Iterator[Session]:
    with connection.begin(), Session(connection, join_transaction_mode="rollback_only") as session:
        yield session
        session.flush()


def cursor(session: Session) -> sqlite3.Cursor:
    """Return a cursor of the driver's in the transaction of *session*."""
    return driver_of(session.connection()).cursor()


def fold(path: Path) -> bool:
    """Fold the write-ahead log of the database at *path* into the file and empty it. False where others kept it."""
    with named(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection, queue(path) as waiting:
        show(waiting)  # a sender at work lets go of the write lock then
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def rewrite(path: Path) -> None:
    """Write the database at *path* anew, without what lies in its free pages. Needs as much room again."""
    with named(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("VACUUM")
