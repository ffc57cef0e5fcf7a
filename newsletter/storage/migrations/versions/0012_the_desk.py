"""What was changed and by whom; when the editor was mailed a draft, and when it is sealed; what readers said lately."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), primary_key=True, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("issue_id", sa.BigInteger()),
        sa.Column("before", sa.JSON()),
        sqlite_autoincrement=True,
    )
    some = sa.text("before IS NOT NULL")
    op.create_index("ix_changes_undoable", "changes", ["issue_id", "id"], sqlite_where=some, postgresql_where=some)
    op.add_column("issues", sa.Column("mailed_at", sa.DateTime()))
    op.add_column("issues", sa.Column("seal_at", sa.DateTime()))
    op.create_index("ix_feedback_said", "feedback", ["said_at"])
