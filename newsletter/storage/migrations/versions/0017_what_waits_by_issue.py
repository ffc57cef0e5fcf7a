"""What waits lies by issue: a halted issue's rows, however many, are not gone through by who sends another one."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_deliveries_turn": (["coalesce(served_on, '')", "next_attempt_at"], "status = 'ready'"),
    "ix_deliveries_waiting": (["status", "next_attempt_at"], "status IN ('ready', 'deferred')"),
}


def upgrade() -> None:
    for name, (columns, condition) in _INDEXES.items():
        by_issue, where = [sa.text("issue_id"), *map(sa.text, columns)], sa.text(condition)
        op.drop_index(name, "deliveries")
        op.create_index(name, "deliveries", by_issue, sqlite_where=where, postgresql_where=where)
