"""Corrections of issues, and which mail told of them; when a reader was last greeted, and bidden farewell."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issue_id", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.add_column("deliveries", sa.Column("corrections", sa.JSON()))
    where = sa.text("corrections IS NOT NULL")
    op.create_index(
        "ix_deliveries_corrections", "deliveries", ["subscriber_id"], sqlite_where=where, postgresql_where=where
    )
    op.add_column("subscribers", sa.Column("welcomed_at", sa.DateTime()))
    op.add_column("subscribers", sa.Column("parted_at", sa.DateTime()))
