"""Issues, their papers, and what was done to them."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, text
from sqlmodel import Field, SQLModel

from newsletter.storage.tables.columns import big_id, instant, json_of, partial

# SQLite uses a partial index only for a query that has the index's condition word for word.
CAN_BE_UNDONE = text("before IS NOT NULL")


class IssueRow(SQLModel, table=True):
    """An issue, with the editor's hand."""

    __tablename__ = "issues"
    id: int = big_id()
    day: date = Field(unique=True)
    status: str
    subject: str = ""
    note: str = ""
    brake: str = "none"
    reason: str = ""
    hand: dict[str, Any] = json_of({})
    sealed_at: datetime | None = instant()
    edited_at: datetime | None = instant()
    mailed_at: datetime | None = instant()  # when the editor was mailed the draft
    seal_at: datetime | None = instant()  # a draft whose sealing was decided, and can be undone until then


class IssuePaperRow(SQLModel, table=True):
    """A paper of a sealed issue's pool, as it stood when the issue was sealed. Ranks count from 1."""

    __tablename__ = "issue_papers"
    __table_args__ = (Index("ix_issue_papers_paper", "paper_id"),)
    issue_id: int = Field(sa_type=BigInteger, primary_key=True)
    paper_id: int = Field(primary_key=True)
    pool_rank: int
    front_rank: int | None = None
    editors: bool = False
    upvotes: int | None = None
    comments: int | None = None
    first_listed: date


class ChangeRow(SQLModel, table=True):
    """What was changed, by whom and from where; of a draft also how it stood ``before``, while that can be undone."""

    __tablename__ = "changes"
    __table_args__ = (
        partial("ix_changes_undoable", "issue_id", "id", where=CAN_BE_UNDONE),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = instant(nullable=False)
    who: str
    origin: str = ""
    what: str
    issue_id: int | None = Field(default=None, sa_type=BigInteger)
    before: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class CorrectionRow(SQLModel, table=True):
    """What was wrong in a sealed issue. Who had the issue is told once; a delivery's ``corrections`` say of what."""

    __tablename__ = "corrections"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = Field(default=None, primary_key=True)
    issue_id: int = Field(sa_type=BigInteger)
    text: str
    made_at: datetime = instant(nullable=False)
