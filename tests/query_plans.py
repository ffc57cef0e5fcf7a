"""How SQLite goes about what is asked of a database."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from sqlalchemy import Engine, event

from newsletter.storage.database import Database


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collect the steps of SQLite's plans for what is asked inside, by whatever way it comes to the driver."""
    plans: list[str] = []

    class Explaining(sqlite3.Cursor):
        def execute(self, statement: str, values: Any = (), /) -> Self:
            if statement.lstrip().startswith(("SELECT", "UPDATE", "WITH")):
                asked = sqlite3.Cursor.execute(self, f"EXPLAIN QUERY PLAN {statement}", values)
                plans.extend(row[3] for row in asked.fetchall())
            return super().execute(statement, values)

    class Opened(sqlite3.Connection):
        def cursor(self, _factory: Any = None) -> Explaining:  # type: ignore[override]
            return super().cursor(Explaining)

    def connect(_dialect: object, _record: object, _arguments: object, said: dict[str, Any]) -> None:
        said["factory"] = Opened

    database.engine.dispose()  # what is opened already explains nothing
    event.listen(Engine, "do_connect", connect)  # of all engines, which comes before what this one listens to
    yield plans
    event.remove(Engine, "do_connect", connect)
    database.engine.dispose()
