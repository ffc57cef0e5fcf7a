"""What is asked for each chunk of readers costs what the chunk costs, however long the list and the ledger are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlmodel import Session

from newsletter.domain.issue import Issue, Status
from newsletter.domain.subscriber import Preferences
from newsletter.storage import deliveries, due
from newsletter.storage.database import Database
from newsletter.storage.due import DueReader

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
ISSUE = Issue(id=7, date=date(2026, 7, 15), status=Status.SEALED)
READER = DueReader(
    id=1, preferences=Preferences(), next_due_at=NOW, last_digest_on=None, last_issue_on=None, last_accepted_on=None
)


@contextmanager
def explained(database: Database) -> Iterator[list[str]]:
    """Collect how SQLite goes about what is asked."""
    plans: list[str] = []

    def explain(connection: Connection, _cursor: Any, statement: str, values: Any, _context: Any, _many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            raw = connection.connection.cursor()
            plans.extend(row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", values))

    event.listen(database.engine, "before_cursor_execute", explain)
    yield plans
    event.remove(database.engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (lambda s: due.by_the_clock(s, NOW, ISSUE, 2000), "INDEX ix_subscribers_due (status=? AND next_due_at<?)"),
        (lambda s: due.on_date(s, ISSUE, ISSUE.date, 1, 2000), "subscribers USING INTEGER PRIMARY KEY (rowid>?)"),
        (lambda s: due.expire_earlier(s, [READER], NOW), "INDEX ix_deliveries_open (status=?)"),
        (lambda s: deliveries.sent_papers(s, [1, 2], [7, 8]), "(subscriber_id=? AND issue_id=?)"),
        (deliveries.held, "INDEX ix_deliveries_issue (issue_id=? AND status=?)"),
    ],
)
def test_an_index_leads_to_the_readers_asked_for(
    database: Database, asked: Callable[[Session], object], way: str
) -> None:
    """Nothing is scanned, and nothing is sorted."""
    with explained(database) as plans, database.write() as session:
        asked(session)
    assert any(way in step for step in plans), plans
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in plans), plans
