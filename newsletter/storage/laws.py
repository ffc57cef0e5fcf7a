"""What holds in a database that is sound: SQLite's own structure, rows that point at rows, and the ledger's laws."""

import sqlite3
from contextlib import closing
from pathlib import Path

from newsletter.storage.connections import reader
from newsletter.storage.copies import damage

# Each table and column that names a row of another table.
_POINTERS = (
    ("deliveries", "issue_id", "issues", "id"),
    ("issue_papers", "issue_id", "issues", "id"),
    ("issue_papers", "paper_id", "papers", "id"),
    ("corrections", "issue_id", "issues", "id"),
    ("paper_keys", "paper_id", "papers", "id"),
    ("paper_redirects", "paper_id", "papers", "id"),
    ("listings", "paper_id", "papers", "id"),
    ("feedback", "subscriber_id", "subscribers", "id"),
)
# What is counted from, and what must not be there.
_LAWS = (
    (
        "deliveries are in a state that there is not",
        (
            "deliveries WHERE status NOT IN ('ready', 'leased', 'offered', 'deferred', 'held',"
            " 'accepted', 'failed', 'expired', 'withdrawn', 'skipped')"
        ),
    ),
    (
        "deliveries are at work and belong to nobody",
        "deliveries WHERE status IN ('leased', 'offered') AND owner IS NULL",
    ),
    (
        "deliveries belong to somebody and are not at work",
        "deliveries WHERE owner IS NOT NULL AND status NOT IN ('leased', 'offered')",
    ),
    (
        "deliveries have ended, nobody knows when",
        "deliveries WHERE settled_at IS NULL AND status IN ('accepted', 'failed', 'expired', 'withdrawn', 'skipped')",
    ),
    (
        "deliveries are of an issue that is not sealed",
        "deliveries d JOIN issues i ON i.id = d.issue_id WHERE i.status <> 'sealed'",
    ),
    (
        "deliveries wait for readers who are not active",
        (
            "deliveries d WHERE d.status IN ('ready', 'deferred')"
            " AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = d.subscriber_id AND s.status = 'active')"
        ),
    ),
    (
        "active readers are never due",
        (
            "subscribers WHERE status = 'active' AND next_due_at IS NULL AND next_alert_at IS NULL"
            " AND coalesce(frequency, '') <> 'alerts'"
        ),
    ),
    (
        "sign-ups are of nobody",
        ("sign_ups u WHERE u.email = '' AND NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = u.subscriber_id)"),
    ),
    ("readers are due though they are not active", "subscribers WHERE status <> 'active' AND next_due_at IS NOT NULL"),
)


def broken(path: Path) -> list[str]:
    """Return what is wrong with the database at *path*, of this program's version: a line each."""
    return damage(path) or _unlawful(path)


def _unlawful(path: Path) -> list[str]:
    try:
        with closing(reader(path)) as connection:
            against = [*map(_pointing, _POINTERS), *_LAWS]
            count = "SELECT count(*) FROM {}"
            found = [(connection.execute(count.format(which)).fetchone()[0], law) for law, which in against]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    return [f"{count} {law}" for count, law in found if count]


def _pointing(pointer: tuple[str, str, str, str]) -> tuple[str, str]:
    table, column, other, key = pointer
    # A paper that turned out to be another one is still found.
    joined = f"AND t.{column} NOT IN (SELECT old_id FROM paper_redirects)" if other == "papers" else ""  # noqa: S608
    there = f"SELECT 1 FROM {other} o WHERE o.{key} = t.{column}"  # noqa: S608
    return f"rows of {table} point by {column} at no row of {other}", f"{table} t WHERE NOT EXISTS ({there}) {joined}"
