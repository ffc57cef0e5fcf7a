"""The tables. Rows never leave this folder; ``docs/design.md`` says what each is for.

SQLModel does not check values of tables, so the domain does before they come here.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from newsletter.storage.picks import Packed


class Instant(TypeDecorator[datetime]):
    """A UTC instant that stays UTC: SQLite forgets zones, so it goes in without one and comes out with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* in UTC without its zone; an instant without a zone is a fault of the program."""
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant needs its zone"
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as the UTC instant that it is."""
        return value.replace(tzinfo=UTC) if value else None


def stored(instant: datetime) -> str:
    """Return *instant* (aware) as SQLite keeps it, for statements that go past the column types."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(maxsize=4096)
def instant_of(kept: str) -> datetime:
    """Return the instant that SQLite keeps as *kept*. Remembered: those of one chunk are mostly the same."""
    return datetime.fromisoformat(kept + "+00:00")


day_of = lru_cache(maxsize=4096)(date.fromisoformat)


def _instant(*, nullable: bool = True) -> Any:
    return Field(default=None, sa_column=Column(Instant(), nullable=nullable))


def _big_id() -> Any:
    return Field(sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False))


def _json(default: Any) -> Any:
    return Field(default=default, sa_column=Column(JSON, nullable=False))


# SQLite uses a partial index only for a query that has the index's condition word for word.
IS_READY = text("status = 'ready'")
IS_WAITING = text("status IN ('ready', 'deferred')")
IS_OWNED = text("owner IS NOT NULL")
IS_KEPT = text("status IN ('deferred', 'held', 'failed', 'expired', 'withdrawn', 'skipped')")
IS_SETTLED = text("settled_at IS NOT NULL")
IS_ALERTED = text("next_alert_at IS NOT NULL")
OF_A_READER = text("subscriber_id IS NOT NULL")
CORRECTS = text("corrections IS NOT NULL")
CAN_BE_UNDONE = text("before IS NOT NULL")


def _partial(name: str, *columns: Any, where: Any) -> Index:
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class MetaRow(SQLModel, table=True):
    """A fact about the database itself: the pepper of suppressions, the fingerprints of the secrets."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class PaperRow(SQLModel, table=True):
    """A paper as merged from its sightings. Ids grow and are never reused: of two that are joined the older stays."""

    __tablename__ = "papers"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    title: str
    facts: dict[str, Any] = _json({})
    withdrawn: bool = False
    first_seen_at: datetime = _instant(nullable=False)


class PaperKeyRow(SQLModel, table=True):
    """An arXiv id, a DOI or a canonical link: each names one paper."""

    __tablename__ = "paper_keys"
    key: str = Field(primary_key=True)
    paper_id: int = Field(index=True)


class PaperRedirectRow(SQLModel, table=True):
    """A paper that turned out to be another one, so that links and ledgers still find it."""

    __tablename__ = "paper_redirects"
    old_id: int = Field(primary_key=True)
    paper_id: int = Field(index=True)


class SightingRow(SQLModel, table=True):
    """What one source last said of a paper."""

    __tablename__ = "sightings"
    paper_id: int = Field(primary_key=True)
    source: str = Field(primary_key=True)
    kind: str
    seen_at: datetime = _instant(nullable=False)
    facts: dict[str, Any] = _json({})


class ListingRow(SQLModel, table=True):
    """One source's view of a paper on one day."""

    __tablename__ = "listings"
    __table_args__ = (Index("ix_listings_day", "day"), Index("ix_listings_paper", "paper_id"))
    source: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    paper_id: int = Field(primary_key=True)
    upvotes: int | None = None
    comments: int | None = None
    position: int = 0
    submitter: str = ""
    first_seen: bool = False


class SearchOrderRow(SQLModel, table=True):
    """What results of a search are sorted by: the most upvotes ever, and the day (as SQLite writes it) of a paper.

    Triggers keep it, and the full-text index ``search_words`` beside it.
    """

    __tablename__ = "search_order"
    paper_id: int = Field(primary_key=True)
    day: str
    upvotes: int


class EditionRow(SQLModel, table=True):
    """One row, whose number grows with whatever changes a page that is the same for everyone. Triggers keep it."""

    __tablename__ = "editions"
    id: int = Field(primary_key=True)
    number: int


class FetchRow(SQLModel, table=True):
    """When a source was last asked, for a date by name or ('') for what is current, and what came of it."""

    __tablename__ = "fetches"
    source: str = Field(primary_key=True)
    asked: str = Field(primary_key=True)
    attempted_at: datetime = _instant(nullable=False)
    succeeded_at: datetime | None = _instant()
    retry_at: datetime | None = _instant()
    failures: int = 0
    error: str | None = None
    papers: int = 0
    new: int = 0


class SummaryRow(SQLModel, table=True):
    """What a language model said of a paper. Without text it was asked in vain, ``failures`` times."""

    __tablename__ = "summaries"
    __table_args__ = (Index("ix_summaries_asked", "asked_at"),)
    paper_id: int = Field(primary_key=True)
    model: str
    text: str = ""
    asked_at: datetime = _instant(nullable=False)
    made_at: datetime | None = _instant()
    failures: int = 0
    error: str | None = None


class ValidatorRow(SQLModel, table=True):
    """What a server gave to ask again whether a resource changed."""

    __tablename__ = "validators"
    source: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    etag: str = ""
    last_modified: str = ""


class IssueRow(SQLModel, table=True):
    """An issue, with the editor's hand."""

    __tablename__ = "issues"
    id: int = _big_id()
    day: date = Field(unique=True)
    status: str
    subject: str = ""
    note: str = ""
    brake: str = "none"
    reason: str = ""
    hand: dict[str, Any] = _json({})
    sealed_at: datetime | None = _instant()
    edited_at: datetime | None = _instant()
    mailed_at: datetime | None = _instant()  # when the editor was mailed the draft
    seal_at: datetime | None = _instant()  # a draft whose sealing was decided, and can be undone until then


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
        _partial("ix_changes_undoable", "issue_id", "id", where=CAN_BE_UNDONE),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(default=None, primary_key=True)
    at: datetime = _instant(nullable=False)
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
    made_at: datetime = _instant(nullable=False)


class SubscriberRow(SQLModel, table=True):
    """One address on the list. ``email_key`` is how addresses are compared."""

    __tablename__ = "subscribers"
    __table_args__ = (
        # The longest unserved first, and only those who are due.
        Index("ix_subscribers_due", "status", "last_accepted_on", "next_due_at"),
        Index("ix_subscribers_created", "created_at"),
        _partial("ix_subscribers_alert", "next_alert_at", where=IS_ALERTED),
    )
    id: int = _big_id()
    email: str
    email_key: str = Field(unique=True)
    status: str
    topics: list[str] = _json([])
    only_topics: bool | None = None
    alerts: list[str] = _json([])
    frequency: str | None = None
    hour: time | None = None
    zone: str | None = None
    max_papers: int | None = None
    min_upvotes: int | None = None
    format: str | None = None
    language: str | None = None
    created_at: datetime = _instant(nullable=False)
    confirmed_at: datetime | None = _instant()
    next_due_at: datetime | None = _instant()
    next_alert_at: datetime | None = _instant()
    paused_until: date | None = None
    status_at: datetime = _instant(nullable=False)
    suppression_reason: str | None = None
    consent_source: str = ""
    asked_at: datetime | None = _instant()  # when a confirmation mail last went out
    welcomed_at: datetime | None = _instant()  # when the mail that greets last did
    parted_at: datetime | None = _instant()  # when the mail that says goodbye last did
    reminded_at: datetime | None = _instant()  # when the mail that says "you are subscribed already" last did
    linked_at: datetime | None = _instant()  # when the mail with the link to one's data last did
    feed_number: int = 0  # of the link to the private feed: one that is renewed has another
    last_digest_on: date | None = None
    last_issue_on: date | None = None
    last_accepted_on: date | None = None
    last_alert_on: date | None = None  # the date of the issue of which an alert was made
    quiet_since: date | None = None  # of the first digest for which nothing was found, until something is
    quiet_told: bool = False  # that it is so


class FeedbackRow(SQLModel, table=True):
    """What a reader last said of a paper: ``save``, ``more`` or ``less``."""

    __tablename__ = "feedback"
    __table_args__ = (Index("ix_feedback_said", "said_at"),)
    subscriber_id: int = Field(sa_type=BigInteger, primary_key=True)
    paper_id: int = Field(primary_key=True)
    said: str
    said_at: datetime = _instant(nullable=False)


class ConsentRow(SQLModel, table=True):
    """That somebody agreed on the pages: ``asked`` for the newsletter, ``confirmed`` it. ``text`` is what they read."""

    __tablename__ = "consents"
    subscriber_id: int = Field(sa_type=BigInteger, primary_key=True)
    step: str = Field(primary_key=True)
    at: datetime = _instant(nullable=False)
    network: str
    text: str


class AddressChangeRow(SQLModel, table=True):
    """The address to which a subscription moves once its owner confirms. ``nonce`` is in the link that does."""

    __tablename__ = "address_changes"
    subscriber_id: int = _big_id()
    nonce: int = Field(sa_type=BigInteger)
    email: str
    asked_at: datetime = _instant(nullable=False)


class DepartureRow(SQLModel, table=True):
    """Why a reader left, as far as they said."""

    __tablename__ = "departures"
    subscriber_id: int = _big_id()
    at: datetime = _instant(nullable=False)
    reason: str
    words: str = ""


class SignUpRow(SQLModel, table=True):
    """What somebody asked for on the pages, from before they are answered until it is done (``sign_ups``).

    Who is on the list is named by ``subscriber_id``, and nothing else of what they typed is kept here any more.
    """

    __tablename__ = "sign_ups"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    asked_at: datetime = _instant(nullable=False)
    due_at: datetime = _instant(nullable=False)
    taken_at: datetime | None = _instant()
    tries: int = 0
    email: str
    texts: str  # JSON, as characters, so that an address in it can be found and blotted out
    network: str
    agreed: str
    subscriber_id: int | None = Field(default=None, sa_type=BigInteger)
    mail: str = ""


class LimitRow(SQLModel, table=True):
    """How often something was done within a while that ``ends_at``. ``key`` is a hash: it names nobody."""

    __tablename__ = "limits"
    __table_args__ = (Index("ix_limits_ends", "ends_at"),)
    key: str = Field(primary_key=True)
    ends_at: datetime = _instant(nullable=False)
    used: int


class SuppressionRow(SQLModel, table=True):
    """An address that must not be mailed again, as a hash that outlives the address."""

    __tablename__ = "suppressions"
    hash: str = Field(primary_key=True)
    reason: str
    created_at: datetime = _instant(nullable=False)


class ReturnRow(SQLModel, table=True):
    """What one report that came back says of one address, and what followed; ``content`` where nobody understood it.

    ``fingerprint`` is the same however often, and by whichever way, the report comes.
    """

    __tablename__ = "returns"
    __table_args__ = (
        Index("ix_returns_came", "came_at"),
        _partial("ix_returns_reader", "subscriber_id", "came_at", where=OF_A_READER),
        {"sqlite_autoincrement": True},
    )
    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    fingerprint: str = Field(unique=True)
    came_at: datetime = _instant(nullable=False)
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
        _partial("ix_deliveries_turn", "issue_id", text("coalesce(served_on, '')"), "next_attempt_at", where=IS_READY),
        _partial("ix_deliveries_waiting", "issue_id", "status", "next_attempt_at", where=IS_WAITING),
        _partial("ix_deliveries_owned", "owner", where=IS_OWNED),
        _partial("ix_deliveries_kept", "status", "issue_id", where=IS_KEPT),
        _partial("ix_deliveries_settled", "settled_at", where=IS_SETTLED),
        _partial("ix_deliveries_corrections", "subscriber_id", where=CORRECTS),
    )
    id: int = _big_id()
    subscriber_id: int = Field(sa_type=BigInteger)
    issue_id: int = Field(sa_type=BigInteger)
    day: date
    status: str
    message_id: str
    made_at: datetime = _instant(nullable=False)
    next_attempt_at: datetime = _instant(nullable=False)
    expires_at: datetime = _instant(nullable=False)
    served_on: date | None = (
        None  # the reader's last accepted digest when this was made: the longest unserved goes first
    )
    owner: str | None = None
    attempts: int = 0
    uncertain: int = 0
    offered_at: datetime | None = _instant()
    settled_at: datetime | None = _instant()
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


class OwnerRow(SQLModel, table=True):
    """A process that claims deliveries. Its lock file beside the database tells whether it lives."""

    __tablename__ = "owners"
    id: str = Field(primary_key=True)
    host: str
    pid: int
    started_at: datetime = _instant(nullable=False)
    heartbeat_at: datetime = _instant(nullable=False)


class LeaseRow(SQLModel, table=True):
    """Who gathers, seals and sends. Every version of the schema has this table and ``owners`` as they are here."""

    __tablename__ = "leases"
    name: str = Field(primary_key=True)
    owner: str


class ProblemRow(SQLModel, table=True):
    """Something the operator was or will be told: one mail per problem and day, one when it is solved."""

    __tablename__ = "problems"
    name: str = Field(primary_key=True)
    text: str
    since: datetime = _instant(nullable=False)
    told_at: datetime | None = _instant()
    solved_at: datetime | None = _instant()
