"""Readers: who is on the list, what they said, and who must not be."""

from datetime import date, datetime, time

from sqlalchemy import BigInteger, Index, text
from sqlmodel import Field, SQLModel

from newsletter.storage.tables.columns import big_id, growing, instant, json_of, partial

# SQLite uses a partial index only for a query that has the index's condition word for word.
IS_ALERTED = text("next_alert_at IS NOT NULL")


class SubscriberRow(SQLModel, table=True):
    """One address on the list. ``email_key`` is how addresses are compared."""

    __tablename__ = "subscribers"
    __table_args__ = (
        # The longest unserved first, and only those who are due.
        Index("ix_subscribers_due", "status", "last_accepted_on", "next_due_at"),
        Index("ix_subscribers_created", "created_at"),
        partial("ix_subscribers_alert", "next_alert_at", where=IS_ALERTED),
    )
    id: int = big_id()
    email: str
    email_key: str = Field(unique=True)
    status: str
    topics: list[str] = json_of([])
    only_topics: bool | None = None
    alerts: list[str] = json_of([])
    frequency: str | None = None
    hour: time | None = None
    zone: str | None = None
    max_papers: int | None = None
    min_upvotes: int | None = None
    format: str | None = None
    language: str | None = None
    created_at: datetime = instant(nullable=False)
    confirmed_at: datetime | None = instant()
    next_due_at: datetime | None = instant()
    next_alert_at: datetime | None = instant()
    paused_until: date | None = None
    status_at: datetime = instant(nullable=False)
    suppression_reason: str | None = None
    consent_source: str = ""
    asked_at: datetime | None = instant()  # when a confirmation mail last went out
    welcomed_at: datetime | None = instant()  # when the mail that greets last did
    parted_at: datetime | None = instant()  # when the mail that says goodbye last did
    reminded_at: datetime | None = instant()  # when the mail that says "you are subscribed already" last did
    linked_at: datetime | None = instant()  # when the mail with the link to one's data last did
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
    said_at: datetime = instant(nullable=False)


class ConsentRow(SQLModel, table=True):
    """That somebody agreed on the pages: ``asked`` for the newsletter, ``confirmed`` it. ``text`` is what they read."""

    __tablename__ = "consents"
    subscriber_id: int = Field(sa_type=BigInteger, primary_key=True)
    step: str = Field(primary_key=True)
    at: datetime = instant(nullable=False)
    network: str
    text: str


class AddressChangeRow(SQLModel, table=True):
    """The address to which a subscription moves once its owner confirms. ``nonce`` is in the link that does."""

    __tablename__ = "address_changes"
    subscriber_id: int = big_id()
    nonce: int = Field(sa_type=BigInteger)
    email: str
    asked_at: datetime = instant(nullable=False)


class DepartureRow(SQLModel, table=True):
    """Why a reader left, as far as they said."""

    __tablename__ = "departures"
    subscriber_id: int = big_id()
    at: datetime = instant(nullable=False)
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
        sa_column=growing(),
    )
    asked_at: datetime = instant(nullable=False)
    due_at: datetime = instant(nullable=False)
    taken_at: datetime | None = instant()
    tries: int = 0
    email: str
    texts: str  # JSON, as characters, so that an address in it can be found and blotted out
    network: str
    agreed: str
    subscriber_id: int | None = Field(default=None, sa_type=BigInteger)
    mail: str = ""


class SuppressionRow(SQLModel, table=True):
    """An address that must not be mailed again, as a hash that outlives the address."""

    __tablename__ = "suppressions"
    hash: str = Field(primary_key=True)
    reason: str
    created_at: datetime = instant(nullable=False)
