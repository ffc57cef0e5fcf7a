"""What the database holds of one reader, in whatever table: to be shown to them, and to be wiped out.

Tables are found by their columns, so that one that is added is not forgotten. Not here: what is told of it
(``services/known``), and the subscription itself (``subscribers``).
"""

import re
from collections.abc import Iterator
from typing import Any

from sqlalchemy import String, Table, delete, func, select, update
from sqlmodel import AutoString, Session, SQLModel

_OWN = {"subscribers", "deliveries"}  # what is asked for by name, not found by its columns
# What upstreams and the editor wrote: a paper's author may be a reader, and stays its author.
_PUBLISHED = {
    *("papers", "paper_keys", "paper_redirects", "sightings", "listings", "fetches", "summaries", "validators"),
    *("issues", "issue_papers", "corrections"),
}


def of_reader(session: Session, subscriber_id: int) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every other table that names this reader, by the table's name."""
    found = {}
    for table in _naming():
        rows = session.execute(select(table).where(table.c.subscriber_id == subscriber_id)).mappings()
        found[table.name] = [{name: value for name, value in row.items() if name != "subscriber_id"} for row in rows]
    return {name: rows for name, rows in found.items() if rows}


def subscription(session: Session, subscriber_id: int) -> dict[str, Any]:
    """Return everything that stands in the reader's own row."""
    table = SQLModel.metadata.tables["subscribers"]
    row = session.execute(select(table).where(table.c.id == subscriber_id)).mappings().one()
    return {name: value for name, value in row.items() if name not in {"id", "email_key"}}


def erase(session: Session, subscriber_id: int) -> None:
    """Delete every row that names this reader, the subscription aside, which ``subscribers.remove`` ends."""
    for table in (*_naming(), SQLModel.metadata.tables["deliveries"]):
        session.execute(delete(table).where(table.c.subscriber_id == subscriber_id))


def blot(session: Session, address: str, *, ledger: bool) -> int:
    """Put … where a text names *address*: of servers, reasons, problems. Return how many texts did.

    Also in the *ledger*, which takes long where that is long: for who is on the list, ``erase`` has been there.
    """
    named = re.compile(rf"(?<![\w.+-]){re.escape(address)}(?![\w-])", re.IGNORECASE)
    left = {"subscribers", *_PUBLISHED} | (set() if ledger else {"deliveries"})
    tables = [table for name, table in SQLModel.metadata.tables.items() if name not in left]
    return sum(_blot(session, table, address, named) for table in tables)


def _naming() -> Iterator[Table]:
    for name, table in sorted(SQLModel.metadata.tables.items()):
        if name not in _OWN and "subscriber_id" in table.c:
            yield table


def _blot(session: Session, table: Table, address: str, named: re.Pattern[str]) -> int:
    done = 0
    for column in table.columns:
        if not isinstance(column.type, String | AutoString) or column.primary_key:
            continue
        keys = list(table.primary_key.columns)
        holds = func.instr(func.lower(column), func.lower(address)) > 0
        for *key, text in session.execute(select(*keys, column).where(holds)).all():
            row = [one == value for one, value in zip(keys, key, strict=True)]
            session.execute(update(table).where(*row).values({column.name: named.sub("…", text)}))
            done += 1
    return done
