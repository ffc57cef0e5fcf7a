"""What readers were sent, in a few octets a paper instead of some twenty.

The form is written out here as it was then: the program's own may change, and this must not change with it.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0011"
branch_labels = None
depends_on = None

_LETTERS = dict(
    zip(("topic", "taste", "front", "pool", "top", "editor", "ours", "alert", "nearest"), "ABCDEFGHI", strict=True)
)
_AT_ONCE = 1000  # rows in memory


def upgrade() -> None:
    op.alter_column("deliveries", "picks", new_column_name="picks_before")
    op.add_column("deliveries", sa.Column("picks", sa.String(), nullable=False, server_default=""))
    connection, after = op.get_bind(), None
    newest = sa.text(
        "SELECT id, picks_before FROM deliveries WHERE id > :after AND picks_before <> '[]' ORDER BY id LIMIT :some"
    )
    change = sa.text("UPDATE deliveries SET picks = :picks WHERE id = :id")
    while rows := connection.execute(newest, {"after": after or -1, "some": _AT_ONCE}).all():
        connection.execute(change, [{"id": i, "picks": _packed(json.loads(picks))} for i, picks in rows])
        after = rows[-1][0]
    op.drop_column("deliveries", "picks_before")


def _packed(picks: Iterable[Sequence[Any]]) -> str:
    before, line, details = 0, "", dict[str, int]()
    for paper_id, why, detail in picks:
        text = " ".join(detail.split())
        number = f".{details.setdefault(text, len(details)):x}" if text else ""
        line += f"{paper_id - before:x}{number}{_LETTERS.get(why, 'D')}"
        before = paper_id
    return "\n".join((line, *details))
