"""An index of whose turn it is, so that a claim reads what it takes and no more."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    turn, where = [sa.text("coalesce(served_on, '')"), sa.text("next_attempt_at")], sa.text("status = 'ready'")
    op.create_index("ix_deliveries_turn", "deliveries", turn, sqlite_where=where, postgresql_where=where)
