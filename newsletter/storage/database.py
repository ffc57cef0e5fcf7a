"""The database: opening, transactions, and everything that differs between SQLite and PostgreSQL.

SQLite runs in WAL mode. Readers never wait; writers say BEGIN IMMEDIATE, so that two of them queue instead of
failing half-way. What is committed survives a killed process and a power cut; only a ``Writer`` may be asked to leave
the last seconds to luck.
Not here: the schema's upgrades (``upgrade``) and who may write what (``services``).
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from math import inf
from pathlib import Path
from threading import Lock
from typing import IO, Any, Literal

from sqlalchemy import JSON, URL, Connection, Engine, Select, bindparam, create_engine, event, func, select
from sqlalchemy.dialects.sqlite import insert as _insert
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session

from newsletter.errors import NewsletterError

BUSY_TIMEOUT = 30  # seconds that a writer waits for another
_CONNECTIONS = 10  # that are kept: opening one takes longer than most of what is asked
_ASKS = 0.001  # seconds between two attempts at the write lock
_ROOM = 1 << 20  # octets
_LOOKS = 0.01  # seconds between two looks for who waits
upsert = _insert  # INSERT … ON CONFLICT, which both databases have under their own dialect


Durability = Literal["power-cut", "crash"]
# What FULL adds is one fdatasync of the write-ahead log for each commit, and of all that was committed before. With
# NORMAL a power cut may undo the last commits, never tear one, and a killed process undoes none.
_SYNCED, _NOT_SYNCED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = NORMAL"
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "secure_delete = ON",  # what is erased is overwritten, not only left out
    "cache_size = -8192",  # KiB, of each connection: what a chunk of a long list touches
    # Pages of the write-ahead log, 32 MB, before it is folded into the file: whoever commits waits for that, for two
    # fdatasyncs and each page that was written once or many times since.
    "wal_autocheckpoint = 8000",
)


def listed(name: str) -> Select[Any]:
    """Return the values of the JSON list that is bound as *name*, to look among: one parameter, however many."""
    return select(func.json_each(bindparam(name, type_=JSON)).table_valued("value", name=name).c.value)


class StorageError(NewsletterError):
    """The database cannot be read or written: full, locked, damaged or not ours."""


class Database:
    """One SQLite file. Safe to use from several threads; each transaction has its own connection."""

    def __init__(self, path: Path, durability: Durability = "power-cut") -> None:
        """Take *durability* for a ``writer``; what anybody else commits survives a power cut in any case."""
        self.path = path
        self.engine = _engine(path)
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
        """Give a session that is the only writer, committed at the end and rolled back on any error."""
        with (
            named(self.path),
            self._in_turn(),
            self.engine.connect().execution_options(immediate=True) as connection,
            _writing(connection) as session,
        ):
            yield session

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
                with _queue(self.path) as queue:
                    yield Writer(self.path, connection, queue, self._durability)
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

    def __init__(self, path: Path, connection: Connection, queue: IO[str], durability: Durability) -> None:
        self._path, self._connection, self._queue = path, connection, queue
        self._usual = _SYNCED if durability == "power-cut" else _NOT_SYNCED
        self._driver = _driver(connection)
        self._looks_at = 0.0
        self._driver.execute("PRAGMA busy_timeout = 0")
        self._driver.execute(self._usual)

    def let_others_in(self) -> None:
        """Give whoever waits to write the time to begin, if somebody does; to be called after each commit."""
        now = time.monotonic()
        if now < self._looks_at:
            return
        self._looks_at = now + _LOOKS
        try:
            fcntl.flock(self._queue, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(2 * _ASKS)
        else:
            fcntl.flock(self._queue, fcntl.LOCK_UN)

    @contextmanager
    def session(self, *, synced: bool = False) -> Iterator[Session]:
        """Give a session that is the only writer, committed at the end and rolled back on any error.

        ``synced``, this commit survives a power cut, and so does all that was committed before.
        """
        with named(self._path):
            if synced:
                self._driver.execute(_SYNCED)
            try:
                with _writing(self._connection) as session:
                    yield session
            finally:
                if self._driver.in_transaction:  # a COMMIT failed in a way that leaves it open
                    self._driver.rollback()
                self._driver.execute("PRAGMA busy_timeout = 0")
                if synced:
                    self._driver.execute(self._usual)

    @contextmanager
    def cursor(self) -> Iterator[sqlite3.Cursor]:
        """Give the same without SQLAlchemy, which would cost more than the statements that every message needs."""
        with named(self._path):
            cursor = self._driver.cursor()
            _take_the_lock(self._path, cursor.execute)
            try:
                yield cursor
                cursor.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):  # nothing to roll back where the failed COMMIT did
                    cursor.execute("ROLLBACK")
                raise


@contextmanager
def _writing(connection: Connection) -> Iterator[Session]:
    with connection.begin(), Session(connection, join_transaction_mode="rollback_only") as session:
        yield session
        session.flush()


def cursor(session: Session) -> sqlite3.Cursor:
    """Return a cursor of the driver's in the transaction of *session*."""
    return _driver(session.connection()).cursor()


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def address(path: Path) -> URL:
    """Return the SQLAlchemy address of the file *path*, in whose name anything may stand."""
    return URL.create("sqlite", database=str(path))


def reader(path: Path, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Return a plain connection that can only read the file *path*, and does not make it. One thread at a time."""
    return _opened(f"{path.absolute().as_uri()}?mode=ro", timeout) or _without_room(path)


def _connection(path: Path) -> sqlite3.Connection:
    return _opened(path.absolute().as_uri(), BUSY_TIMEOUT) or _without_room(path)


def _opened(uri: str, timeout: float) -> sqlite3.Connection | None:
    """Return a connection, None where the disk has no room for the index of the log that lies beside the file."""
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, check_same_thread=False)
    try:
        connection.execute("PRAGMA schema_version").fetchone()  # reads, for which that index is needed
    except sqlite3.Error as error:
        connection.close()
        if not error.sqlite_errorname.startswith("SQLITE_IOERR_SHM"):
            raise
        return None
    return connection


def _without_room(path: Path) -> sqlite3.Connection:
    """Return a connection that reads where there is no room, the index being in memory: others are kept out meanwhile.

    It cannot write, so that nobody stays who keeps others out for long: what serves, writes when it begins.
    """
    name = f"{path.absolute().as_uri()}?mode=rw&vfs=unix-excl"
    connection = sqlite3.connect(name, uri=True, timeout=BUSY_TIMEOUT, check_same_thread=False, factory=_OnlyReads)
    connection.execute("PRAGMA query_only = ON")
    return connection


class _OnlyReads(sqlite3.Connection):
    """A connection to a database beside which nothing can be written."""


def _engine(path: Path) -> Engine:
    engine = create_engine(
        address(path),
        creator=lambda: _connection(path),
        poolclass=QueuePool,
        pool_size=_CONNECTIONS,
        pool_use_lifo=True,  # the one whose pages are the newest in memory; others are there when needed
        hide_parameters=True,  # an error's text goes into logs, which have nobody's address
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = _driver(connection)
        execute = driver.execute  # a third of what it takes by way of SQLAlchemy
        if connection.get_execution_options().get("immediate"):
            if isinstance(driver, _OnlyReads):
                raise sqlite3.OperationalError("disk I/O error")  # what opening it for a writer ended with
            execute("PRAGMA busy_timeout = 0")
            try:
                _take_the_lock(path, execute)
            finally:
                execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000}")
        else:
            execute("BEGIN")

    return engine


def _take_the_lock(path: Path, execute: Callable[[str], object]) -> None:
    """Take the write lock, asking often: SQLite would ask ten times a second, and seldom in a moment when it is free.

    A sender at work lets go of it between two commits when it sees that somebody waits.
    """
    if _is_ours(execute, inf):
        return
    ends = time.monotonic() + BUSY_TIMEOUT
    with _queue(path) as queue:
        with suppress(BlockingIOError):  # a hint, and no more: who holds it may be suspended
            fcntl.flock(queue, fcntl.LOCK_SH | fcntl.LOCK_NB)
        while not _is_ours(execute, ends):
            time.sleep(_ASKS)


def _is_ours(execute: Callable[[str], object], ends: float) -> bool:
    try:
        execute("BEGIN IMMEDIATE")
    except (OperationalError, sqlite3.OperationalError) as error:
        if "locked" not in str(error) or time.monotonic() > ends:
            raise
        return False
    return True


def _queue(path: Path) -> IO[str]:
    """Open the file on which those hold a lock who wait to write to the database at *path*. Raises StorageError."""
    name = path.with_name(path.name + ".queue")
    try:
        return open(name, "a", opener=lambda file, flags: os.open(file, flags, 0o600))
    except OSError as error:
        raise StorageError(f"{name}: {error.strerror}; check who owns it and its folder") from error


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


def fold(path: Path) -> bool:
    """Fold the write-ahead log of the database at *path* into the file and empty it. False where others kept it."""
    with named(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection, _queue(path) as queue:
        with suppress(BlockingIOError):
            fcntl.flock(queue, fcntl.LOCK_SH | fcntl.LOCK_NB)  # a sender at work lets go of the write lock then
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def rewrite(path: Path) -> None:
    """Write the database at *path* anew, without what lies in its free pages. Needs as much room again."""
    with named(path), closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as connection:
        connection.execute("VACUUM")
