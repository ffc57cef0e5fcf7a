"""The ledger: digests on their way, what is kept of older ones, and what came back."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from newsletter.storage.picks import Packed
from newsletter.storage.tables.columns import Instant, big_id, growing, instant, partial

# SQLite uses a partial index only for a query that has the index's condition word for word.
IS_READY = text("status = 'ready'")
IS_WAITING = text("status IN ('ready', 'deferred')")
IS_OWNED = text("owner IS NOT NULL")
IS_KEPT = text("status IN ('deferred', 'held', 'failed', 'expired', 'withdrawn', 'skipped')")
IS_SETTLED = text("settled_at IS NOT NULL")
OF_A_READER = text("subscriber_id IS NOT NULL")
CORRECTS = text("corrections IS NOT NULL")


class DeliveryRow(SQLModel, table=True):
    """One digest on its way to one reader."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "day", name="uq_deliveries_reader_day"),
        UniqueConstraint("subscriber_id", "issue_id", name="uq_deliveries_reader_issue"),
        # A message moves through four states in a fraction of a second: an index by state that held all of them would
        # cost more than the rows. What waits, what is at work and what did not end well have indexes of their own;
        # what waits lies by issue, since of a halted one it may be very much, and nobody is to go through it.
        Index("ix_deliveries_issue", "issue_id"),
        partial("ix_deliveries_turn", "issue_id", text("coalesce(served_on, '')"), "next_attempt_at", where=IS_READY),
        partial("ix_deliveries_waiting", "issue_id", "status", "next_attempt_at", where=IS_WAITING),
        partial("ix_deliveries_owned", "owner", where=IS_OWNED),
        partial("ix_deliveries_kept", "status", "issue_id", where=IS_KEPT),
        partial("ix_deliveries_settled", "settled_at", where=IS_SETTLED),
        partial("ix_deliveries_corrections", "subscriber_id", where=CORRECTS),
    )
    id: int = big_id()
    subscriber_id: int = Field(sa_type=BigInteger)
    issue_id: int = Field(sa_type=BigInteger)
    day: date
    status: str
    message_id: str
    made_at: datetime = instant(nullable=False)
    next_attempt_at: datetime = instant(nullable=False)
    expires_at: datetime = instant(nullable=False)
    served_on: date | None = (
        None  # the reader's last accepted digest when this was made: the longest unserved goes first
    )
    owner: str | None = None
    attempts: int = 0
    uncertain: int = 0
    offered_at: datetime | None = instant()
    settled_at: datetime | None = instant()
    route: str = ""
    server: str = ""
    reply: str = ""
    since: date | None = None
    picks: Sequence[Any] = Field(default=(), sa_column=Column(Packed(), nullable=False, server_default=""))
    unlisted: str = ""
    corrections: list[int] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))


class TotalRow(SQLModel, table=True):
    """How many deliveries of an issue ended how, of those that are not kept one by one any more."""

    __tablename__ = "totals"
    issue_id: int = Field(sa_type=BigInteger, primary_key=True)
    status: str = Field(primary_key=True)
    deliveries: int


class HadRow(SQLModel, table=True):
    """The papers that a reader was sent by such deliveries of issues of one month (``had``)."""

    __tablename__ = "had"
    __table_args__ = ({"sqlite_with_rowid": False},)
    month: int = Field(primary_key=True)
    subscriber_id: int = Field(sa_type=BigInteger, primary_key=True)
    papers: bytes


class TrafficRow(SQLModel, table=True):
    """How many messages a route took in one second: what limits per minute and day count."""

    __tablename__ = "traffic"
    route: str = Field(primary_key=True)
    second: datetime = Field(sa_column=Column(Instant(), primary_key=True))
    accepted: int = 0


class ReturnRow(SQLModel, table=True):
    """What one report that came back says of one address, and what followed; ``content`` where nobody understood it.

    ``fingerprint`` is the same however often, and by whichever way, the report comes.
    """

    __tablename__ = "returns"
    __table_args__ = (
        Index("ix_returns_came", "came_at"),
        partial("ix_returns_reader", "subscriber_id", "came_at", where=OF_A_READER),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(
        default=None,
        sa_column=growing(),
    )
    fingerprint: str = Field(unique=True)
    came_at: datetime = instant(nullable=False)
    kind: str
    subscriber_id: int | None = Field(default=None, sa_type=BigInteger)
    delivery_id: int | None = Field(default=None, sa_type=BigInteger)
    address: str = ""
    status: str = ""
    reason: str = ""
    said: str = ""
    effect: str
    subject: str = ""
    content: str | None = None  # octets as characters, so that an address in it can be found and blotted out
