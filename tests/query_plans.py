"""How SQLite goes about what is asked of a database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event

from newsletter.storage.database import Database


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collect the steps of SQLite's plans for what is asked inside."""
    plans: list[str] = []

    def explain(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "WITH")):
            raw = connection.connection.cursor()
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    event.listen(database.engine, "before_cursor_execute", explain)
    yield plans
    event.remove(database.engine, "before_cursor_execute", explain)
