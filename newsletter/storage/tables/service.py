"""The service itself: facts, processes, limits and problems."""

from datetime import datetime

from sqlalchemy import Index
from sqlmodel import Field, SQLModel

from newsletter.storage.tables.columns import instant


class MetaRow(SQLModel, table=True):
    """A fact about the database itself: the pepper of suppressions, the fingerprints of the secrets."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class OwnerRow(SQLModel, table=True):
    """A process that claims deliveries. Its lock file beside the database tells whether it lives."""

    __tablename__ = "owners"
    id: str = Field(primary_key=True)
    host: str
    pid: int
    started_at: datetime = instant(nullable=False)
    heartbeat_at: datetime = instant(nullable=False)


class LeaseRow(SQLModel, table=True):
    """Who gathers, seals and sends. Every version of the schema has this table and ``owners`` as they are here."""

    __tablename__ = "leases"
    name: str = Field(primary_key=True)
    owner: str


class LimitRow(SQLModel, table=True):
    """How often something was done within a while that ``ends_at``. ``key`` is a hash: it names nobody."""

    __tablename__ = "limits"
    __table_args__ = (Index("ix_limits_ends", "ends_at"),)
    key: str = Field(primary_key=True)
    ends_at: datetime = instant(nullable=False)
    used: int


class ProblemRow(SQLModel, table=True):
    """Something the operator was or will be told: one mail per problem and day, one when it is solved."""

    __tablename__ = "problems"
    name: str = Field(primary_key=True)
    text: str
    since: datetime = instant(nullable=False)
    told_at: datetime | None = instant()
    solved_at: datetime | None = instant()
