"""What reports of mail that came back say of whom, and what followed."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "returns",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("fingerprint", sa.String(), nullable=False, unique=True),
        sa.Column("came_at", sa.DateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger()),
        sa.Column("delivery_id", sa.BigInteger()),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("said", sa.String(), nullable=False),
        sa.Column("effect", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("content", sa.String()),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_returns_came", "returns", ["came_at"])
    known = sa.text("subscriber_id IS NOT NULL")
    columns = ["subscriber_id", "came_at"]
    op.create_index("ix_returns_reader", "returns", columns, sqlite_where=known, postgresql_where=known)
