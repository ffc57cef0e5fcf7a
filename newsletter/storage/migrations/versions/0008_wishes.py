"""Only my topics; saved searches; and since when nothing was found for a reader."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("only_topics", sa.Boolean()))
    op.add_column("subscribers", sa.Column("alerts", sa.JSON(), nullable=False, server_default="[]"))
    op.add_column("subscribers", sa.Column("next_alert_at", sa.DateTime()))
    op.add_column("subscribers", sa.Column("last_alert_on", sa.Date()))
    op.add_column("subscribers", sa.Column("quiet_since", sa.Date()))
    op.add_column("subscribers", sa.Column("quiet_told", sa.Boolean(), nullable=False, server_default=sa.false()))
    some = sa.text("next_alert_at IS NOT NULL")
    op.create_index("ix_subscribers_alert", "subscribers", ["next_alert_at"], sqlite_where=some, postgresql_where=some)
