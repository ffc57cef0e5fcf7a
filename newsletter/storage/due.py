"""Who is due, and the rows that make a digest theirs: one per reader and date, and never the same issue twice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session, col, exists, insert, or_, select, update

from newsletter.domain.delivery import Status
from newsletter.domain.issue import Issue
from newsletter.domain.subscriber import Preferences
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage.tables import IS_OPEN, DeliveryRow, SubscriberRow

_S, _D = SubscriberRow, DeliveryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DueReader:
    """An active reader, with what decides whether and what they get.

    ``last_issue_on`` and ``last_accepted_on`` are issues' dates, ``last_digest_on`` is the reader's.
    """

    id: int
    preferences: Preferences
    next_due_at: datetime
    last_digest_on: date | None
    last_issue_on: date | None
    last_accepted_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDelivery:
    """A row to be made. ``skipped`` says why there is nothing to send, '' where there is."""

    id: int
    reader: DueReader
    day: date
    message_id: str
    expires_at: datetime
    next_due_at: datetime
    since: date | None
    picks: tuple[tuple[int, str, str], ...]
    skipped: str = ""


def by_the_clock(session: Session, now: datetime, issue: Issue | None, limit: int) -> list[DueReader]:
    """Return active readers whose instant has come, and who have not had *issue*."""
    query = select(_S).where(_S.status == SubscriberStatus.ACTIVE, col(_S.next_due_at) <= now)
    if issue:
        query = query.where(or_(col(_S.last_issue_on).is_(None), col(_S.last_issue_on) < issue.date))
    return [_reader(row) for row in session.exec(query.order_by(col(_S.next_due_at)).limit(limit))]


def on_date(session: Session, issue: Issue, day: date, after_id: int, limit: int) -> list[DueReader]:
    """Return active readers with an id above *after_id* who have no digest of *day* and have not had *issue*."""
    had = exists().where(col(_D.subscriber_id) == col(_S.id), or_(col(_D.day) == day, col(_D.issue_id) == issue.id))
    # Active is who has a next instant. Asked by the status, SQLite would sort the whole list for each chunk.
    query = select(_S).where(col(_S.next_due_at).is_not(None), col(_S.id) > after_id, ~had)
    return [_reader(row) for row in session.exec(query.order_by(col(_S.id)).limit(limit))]


def make(session: Session, issue: Issue, rows: Sequence[NewDelivery], now: datetime) -> None:
    """Make the deliveries *rows* of *issue*, and remember with their readers that they were made."""
    if not rows:
        return
    session.execute(insert(_D), [_values(issue, row, now) for row in rows])
    readers = [
        {
            "id": row.reader.id,
            "last_digest_on": max(row.day, row.reader.last_digest_on or row.day),
            "last_issue_on": max(issue.date, row.reader.last_issue_on or issue.date),
            "next_due_at": row.next_due_at,
        }
        for row in rows
    ]
    session.execute(update(_S), readers)


def expire_earlier(session: Session, readers: Iterable[DueReader], now: datetime) -> None:
    """Give up what still waits for *readers*, whose next digest is due."""
    # Looked for among what is open, which is little: by the index on readers each would cost a look at all they had.
    theirs = (col(_D.subscriber_id) + 0).in_([reader.id for reader in readers])
    late = (IS_OPEN, theirs, col(_D.status).in_((Status.READY, Status.DEFERRED)))
    values = {"status": Status.EXPIRED, "settled_at": now, "owner": None}
    session.exec(update(_D).where(*late).values(**values))


def advance(session: Session, due: Iterable[tuple[DueReader, datetime]]) -> None:
    """Give readers for whom there is nothing their next instant."""
    values = [{"id": reader.id, "next_due_at": at} for reader, at in due]
    if values:
        session.execute(update(_S), values)


def _values(issue: Issue, row: NewDelivery, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "subscriber_id": row.reader.id,
        "issue_id": issue.id,
        "day": row.day,
        "status": Status.SKIPPED if row.skipped else Status.READY,
        "message_id": row.message_id,
        "made_at": now,
        "next_attempt_at": now,
        "expires_at": row.expires_at,
        "served_on": row.reader.last_accepted_on,
        "settled_at": now if row.skipped else None,
        "reply": row.skipped,
        "since": row.since,
        "picks": [list(pick) for pick in row.picks],
    }


def _reader(row: SubscriberRow) -> DueReader:
    assert row.next_due_at is not None  # an active reader always has one
    return DueReader(
        id=row.id,
        preferences=Preferences(
            topics=tuple(row.topics),
            frequency=row.frequency,
            hour=row.hour,
            zone=row.zone,
            max_papers=row.max_papers,
            min_upvotes=row.min_upvotes,
            format=row.format,
            language=row.language,
        ),
        next_due_at=row.next_due_at,
        last_digest_on=row.last_digest_on,
        last_issue_on=row.last_issue_on,
        last_accepted_on=row.last_accepted_on,
    )
