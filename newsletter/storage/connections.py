"""Connections to the SQLite file: how each is set up, the pool that keeps some, and where the disk has no room.

Not here: transactions (``database``).
"""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool

from newsletter.storage.write_lock import BUSY_TIMEOUT, take

_CONNECTIONS = 10  # that are kept: opening one takes longer than most of what is asked
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = NORMAL",  # a power cut tears no commit; what may not be lost is synced behind it (``database``)
    "foreign_keys = ON",
    "temp_store = MEMORY",
    "secure_delete = ON",  # what is erased is overwritten, not only left out
    "cache_size = -8192",  # KiB, of each connection: what a chunk of a long list touches
    # Pages of the write-ahead log, 32 MB, before it is folded into the file: whoever commits waits for that, for two
    # fdatasyncs and each page that was written once or many times since.
    "wal_autocheckpoint = 8000",
)


def driver_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def address(path: Path) -> URL:
    """Return the SQLAlchemy address of the file *path*, in whose name anything may stand."""
    return URL.create("sqlite", database=str(path))


def reader(path: Path, timeout: float = BUSY_TIMEOUT) -> sqlite3.Connection:
    """Return a plain connection that can only read the file *path*, and does not make it. One thread at a time."""
    name = f"{path.absolute().as_uri()}?mode=ro"
    return _opened(name, timeout=timeout, check_same_thread=False) or _without_room(path)


def _opened(uri: str, **said: Any) -> sqlite3.Connection | None:
    """Return a connection, None where the disk has no room for the index of the log that lies beside the file."""
    connection: sqlite3.Connection = sqlite3.connect(uri, uri=True, **said)
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


def engine_of(path: Path) -> Engine:
    """Return the pool of connections to the file *path*, which is made where there is none."""
    engine = create_engine(
        address(path),
        poolclass=QueuePool,
        pool_size=_CONNECTIONS,
        pool_use_lifo=True,  # the one whose pages are the newest in memory; others are there when needed
        connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
        hide_parameters=True,  # an error's text goes into logs, which have nobody's address
    )

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: object, _record: object, _args: object, said: dict[str, Any]) -> sqlite3.Connection:
        return _opened(path.absolute().as_uri(), **said) or _without_room(path)

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        driver = driver_of(connection)
        execute = driver.execute  # a third of what it takes by way of SQLAlchemy
        if connection.get_execution_options().get("immediate"):
            if isinstance(driver, _OnlyReads):
                raise sqlite3.OperationalError("disk I/O error")  # what opening it for a writer ended with
            if driver.in_transaction:
                return  # a writer that is kept has begun
            execute("PRAGMA busy_timeout = 0")
            try:
                take(path, execute)
            finally:
                execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT * 1000}")
        else:
            execute("BEGIN")

    return engine
