"""Limits on every way in; proof of consent; changes of address; why readers left; and links that can be renewed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "limits",
        sa.Column("key", sa.String(), primary_key=True),
        sa.Column("ends_at", sa.DateTime(), nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
    )
    op.create_index("ix_limits_ends", "limits", ["ends_at"])
    op.create_table(
        "consents",
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("network", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber_id", "step"),
    )
    op.create_table(
        "address_changes",
        sa.Column("subscriber_id", _ID, primary_key=True, autoincrement=False),
        sa.Column("nonce", sa.BigInteger(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
    )
    op.create_table(
        "departures",
        sa.Column("subscriber_id", _ID, primary_key=True, autoincrement=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("words", sa.String(), nullable=False),
    )
    op.add_column("subscribers", sa.Column("reminded_at", sa.DateTime()))
    op.add_column("subscribers", sa.Column("linked_at", sa.DateTime()))
    op.add_column("subscribers", sa.Column("feed_number", sa.Integer(), nullable=False, server_default="0"))
