"""Of each digest, which papers of its issue are not even to be named: what the reader had, or does not want."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("unlisted", sa.String(), nullable=False, server_default=""))
