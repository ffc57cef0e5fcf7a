"""Work in a process of its own that is killed at one exact place: right before, or right after, one commit.

Each line on standard input is a JSON list of: "before" or "after", the state that a delivery leaves ("" for no row
yet), the state that it reaches, the configuration file, an instant, the work, and its keywords. A fresh process does
the work, and dies at the first commit that records such a move; the answer is one line, the status with which it
ended. Nothing of the program is changed: the database's driver is watched, which sees what a transaction is about to
make true, and beside it what is true for everybody else.
"""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import traceback
from pathlib import Path
from typing import Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from newsroom import Clock, instant
from sqlalchemy import Engine, event

from newsletter.app import App, open_app
from newsletter.services import records, subscribe
from newsletter.services.alone import alone
from newsletter.services.run import deliver, run

Statuses = dict[int, str]


class Cursor(sqlite3.Cursor):
    """A cursor that leaves a commit in plain SQL to its connection."""

    def execute(self, sql: str, *values: Any) -> Self:
        """Execute *sql*."""
        if sql.strip().upper() != "COMMIT":
            return super().execute(sql, *values)
        self.connection.commit()
        return self


class Watched(sqlite3.Connection):
    """A connection that ends its process at the commit that it is told to wait for."""

    when, left, reached = "", "", ""

    def cursor(self, _factory: object = None) -> Cursor:
        """Return a cursor."""
        return super().cursor(Cursor)

    def commit(self) -> None:
        """Commit, unless this is the one and nothing of it may remain."""
        if not (self.in_transaction and self._makes_the_move()):
            super().commit()
            return
        if self.when == "after":
            super().commit()
        os.kill(os.getpid(), signal.SIGKILL)

    def _makes_the_move(self) -> bool:
        ours, before = _statuses(self), self._committed()
        return any((before.get(i, ""), status) == (self.left, self.reached) for i, status in ours.items())

    def _committed(self) -> Statuses:
        file = self.execute("PRAGMA database_list").fetchone()[2]
        other = sqlite3.connect(f"{Path(file).as_uri()}?mode=ro", uri=True)
        try:
            return _statuses(other)
        finally:
            other.close()


def _statuses(connection: sqlite3.Connection) -> Statuses:
    try:
        return dict(sqlite3.Connection.execute(connection, "SELECT id, status FROM deliveries"))
    except sqlite3.OperationalError:  # no such table yet
        return {}


@event.listens_for(Engine, "do_connect")
def _watch(_dialect: object, _record: object, _args: object, keywords: dict[str, Any]) -> None:
    keywords["factory"] = Watched


def _work(app: App, clock: Clock, work: str, options: dict[str, Any]) -> None:
    if work == "release":
        records.release(app.database, app.settings.smtp, (), clock(), everything=True, **options)
    elif work == "unsubscribe":
        subscribe.unsubscribe(app.database, options["email"], clock())
    else:
        service = app.service(clock)
        with alone(service) as owner:
            asyncio.run({"run": run, "deliver": deliver}[work](service, owner.id, **options))


def _do(when: str, left: str, reached: str, config: str, at: str, work: str, options: dict[str, Any]) -> None:
    Watched.when, Watched.left, Watched.reached = when, left, reached
    clock = Clock(instant(at))
    with open_app(Path(config), clock()) as app:
        _work(app, clock, work, options)


def _in_a_process(line: str) -> int:
    """Do what *line* asks for, and return the status of its end. The child has only to begin: all is imported."""
    child = os.fork()
    if not child:
        status = 1
        try:
            _do(*json.loads(line))
            status = 0
        except Exception:  # noqa: BLE001 - said here, since the child never returns to where it would be
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for asked in sys.stdin:
        print(_in_a_process(asked), flush=True)
