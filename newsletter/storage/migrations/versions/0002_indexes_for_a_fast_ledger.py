"""Indexes that a fast sender can afford, the route of each delivery, and what routes took by the second."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PARTIAL = {
    "ix_deliveries_waiting": (["status", "next_attempt_at"], "status IN ('ready', 'deferred')"),
    "ix_deliveries_owned": (["owner"], "owner IS NOT NULL"),
    "ix_deliveries_kept": (
        ["status", "issue_id"],
        "status IN ('deferred', 'held', 'failed', 'expired', 'withdrawn', 'skipped')",
    ),
    "ix_deliveries_settled": (["settled_at"], "settled_at IS NOT NULL"),
}


def upgrade() -> None:
    for name in ("ix_deliveries_issue", "ix_deliveries_open", "ix_deliveries_settled"):
        op.drop_index(name, "deliveries")
    op.drop_index("ix_subscribers_due", "subscribers")
    op.create_index("ix_subscribers_due", "subscribers", ["status", "last_accepted_on", "next_due_at"])
    op.add_column("deliveries", sa.Column("route", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_deliveries_issue", "deliveries", ["issue_id"])
    for name, (columns, condition) in _PARTIAL.items():
        where = sa.text(condition)
        op.create_index(name, "deliveries", columns, sqlite_where=where, postgresql_where=where)
    traffic = op.create_table(
        "traffic",
        sa.Column("route", sa.String(), nullable=False),
        sa.Column("second", sa.DateTime(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("route", "second"),
    )
    # What was accepted in the last day counts against limits, also after the upgrade.
    settled = sa.text(
        "INSERT INTO traffic (route, second, accepted) "
        "SELECT '', substr(settled_at, 1, 19) || '.000000', count(*) FROM deliveries "
        "WHERE status = 'accepted' AND settled_at >= datetime('now', '-2 days') GROUP BY 2"
    )
    assert traffic is not None
    op.execute(settled)
