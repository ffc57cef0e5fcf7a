"""The ledger as people look at it: what was sent, what waits and why, and what a person decides.

Not here: making due rows (``due``) and the sender's claims (``claims``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import exists, func
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select, update

from newsletter.domain.delivery import SENT, WAITING, Delivery, Status
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage import papers
from newsletter.storage.tables import DeliveryRow, IssueRow, SubscriberRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A delivery with the date of its issue, and its reader's address: None where the reader was removed."""

    delivery: Delivery
    issued: date
    email: str | None


def counts(session: Session, issue_id: int) -> dict[str, int]:
    """Return how many deliveries of an issue stand where, by state."""
    query = select(col(DeliveryRow.status), func.count()).where(col(DeliveryRow.issue_id) == issue_id)
    return dict(session.exec(query.group_by(col(DeliveryRow.status))).all())


def report(session: Session, issue_id: int) -> dict[str, int]:
    """Return the ``deliveries`` of a run's report: every row made, and what became of them."""
    found = counts(session, issue_id)
    settled = ("accepted", "failed", "expired", "withdrawn", "skipped", "held", "deferred")
    waiting = sum(found.get(status, 0) for status in WAITING)
    return {"audience": sum(found.values()), **{s: found.get(s, 0) for s in settled}, "waiting": waiting}


def held(session: Session) -> int:
    """Return how many deliveries are held, whatever their issue."""
    every = col(DeliveryRow.issue_id).in_(select(col(IssueRow.id)))  # the index goes by issue, however long the ledger
    return session.exec(select(func.count()).where(every, col(DeliveryRow.status) == Status.HELD)).one()


def page(
    session: Session,
    *,
    status: str | None = None,
    issue_id: int | None = None,
    limit: int | None = 100,
) -> list[Line]:
    """Return deliveries, the newest first, of one state and one issue where given; all with *limit* None."""
    query = _lines()
    if status:
        query = query.where(col(DeliveryRow.status) == status)
    if issue_id is not None:
        query = query.where(col(DeliveryRow.issue_id) == issue_id)
    newest_first = (col(DeliveryRow.made_at).desc(), col(DeliveryRow.id))
    return [_line(*row) for row in session.exec(query.order_by(*newest_first).limit(limit))]


def get(session: Session, delivery_id: int) -> Line | None:
    """Return the delivery with this id, or None."""
    row = session.exec(_lines().where(col(DeliveryRow.id) == delivery_id)).first()
    return _line(*row) if row else None


def of_reader(session: Session, subscriber_id: int, day: date | None = None) -> Delivery | None:
    """Return a reader's delivery of *day*, or the newest one; None where there is none."""
    query = select(DeliveryRow).where(col(DeliveryRow.subscriber_id) == subscriber_id)
    if day:
        query = query.where(col(DeliveryRow.day) == day)
    row = session.exec(query.order_by(col(DeliveryRow.day).desc()).limit(1)).first()
    return delivery(row) if row else None


def of_issue(session: Session, subscriber_id: int, issue_id: int) -> Delivery | None:
    """Return the delivery that brings a reader an issue, or None."""
    wanted = (col(DeliveryRow.subscriber_id) == subscriber_id, col(DeliveryRow.issue_id) == issue_id)
    row = session.exec(select(DeliveryRow).where(*wanted)).first()
    return delivery(row) if row else None


def sent_papers(
    session: Session, subscriber_ids: Iterable[int], issue_ids: Iterable[int]
) -> Mapping[int, frozenset[int]]:
    """Return the papers that each reader was sent in digests of these issues, by today's ids."""
    # Not asked for the status: by the index on issues and states SQLite would read every reader's for a few.
    query = select(col(DeliveryRow.subscriber_id), col(DeliveryRow.status), col(DeliveryRow.picks)).where(
        col(DeliveryRow.subscriber_id).in_(list(subscriber_ids)), col(DeliveryRow.issue_id).in_(list(issue_ids))
    )
    sent: dict[int, set[int]] = {}
    for subscriber_id, status, picks in session.exec(query):
        if status in SENT:
            sent.setdefault(subscriber_id, set()).update(pick[0] for pick in picks)
    today = papers.resolve(session, {i for ids in sent.values() for i in ids})
    return {reader: frozenset(today[i] for i in ids) for reader, ids in sent.items()}


def release(session: Session, delivery_ids: Iterable[int], now: datetime, expires_at: datetime) -> int:
    """Send held deliveries again, until *expires_at* at the latest. Return how many."""
    values = {"status": Status.READY, "next_attempt_at": now, "expires_at": expires_at}
    held = (col(DeliveryRow.id).in_(list(delivery_ids)), col(DeliveryRow.status) == Status.HELD)
    return session.exec(update(DeliveryRow).where(*held).values(**values)).rowcount


def assume_sent(session: Session, delivery_ids: Iterable[int], now: datetime) -> int:
    """Take held deliveries as accepted, the operator vouching for it. Return how many."""
    held = (col(DeliveryRow.id).in_(list(delivery_ids)), col(DeliveryRow.status) == Status.HELD)
    issued = select(col(IssueRow.day)).where(col(IssueRow.id) == col(DeliveryRow.issue_id)).scalar_subquery()
    for subscriber_id, day in session.exec(select(col(DeliveryRow.subscriber_id), issued).where(*held)).all():
        reader = session.get(SubscriberRow, subscriber_id)
        if reader:
            reader.last_accepted_on = max(day, reader.last_accepted_on or day)
    values = {"status": Status.ACCEPTED, "settled_at": now, "reply": "assumed sent by the operator"}
    return session.exec(update(DeliveryRow).where(*held).values(**values)).rowcount


def retry_failed(session: Session, now: datetime, expires_at: datetime, issue_id: int | None) -> int:
    """Make failed deliveries ready again, each its reader's newest: a later one took over its papers.

    Not those of readers who are not active. Return how many.
    """
    active = select(col(SubscriberRow.id)).where(col(SubscriberRow.status) == SubscriberStatus.ACTIVE)
    later = aliased(DeliveryRow)
    of_reader = (
        col(later.subscriber_id) == col(DeliveryRow.subscriber_id),
        col(later.made_at) > col(DeliveryRow.made_at),
    )
    failed = [
        col(DeliveryRow.status) == Status.FAILED,
        col(DeliveryRow.subscriber_id).in_(active),
        ~exists().where(*of_reader),
    ]
    if issue_id is not None:
        failed.append(col(DeliveryRow.issue_id) == issue_id)
    values = {"status": Status.READY, "next_attempt_at": now, "expires_at": expires_at, "settled_at": None}
    return session.exec(update(DeliveryRow).where(*failed).values(**values)).rowcount


def _lines() -> Any:
    return (
        select(DeliveryRow, col(IssueRow.day), col(SubscriberRow.email))
        .join(IssueRow, col(IssueRow.id) == col(DeliveryRow.issue_id))
        .join(SubscriberRow, col(SubscriberRow.id) == col(DeliveryRow.subscriber_id), isouter=True)
    )


def _line(row: DeliveryRow, issued: date, email: str | None) -> Line:
    return Line(delivery=delivery(row), issued=issued, email=email)


def delivery(row: DeliveryRow) -> Delivery:
    """Return the row as the domain knows it."""
    kept = row.model_dump(exclude={"owner", "served_on", "picks", "status"})
    return Delivery(**kept, status=Status(row.status), picks=tuple((p[0], p[1], p[2]) for p in row.picks))
