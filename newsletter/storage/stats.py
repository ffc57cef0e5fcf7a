"""How much there is of everything: counts for a person who looks on. Not here: what they mean."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, select

from newsletter.domain import delivery, issue, subscriber
from newsletter.storage import deliveries as ledger
from newsletter.storage.tables import DeliveryRow, IssueRow, PaperRow, SubscriberRow


def subscribers(session: Session) -> dict[str, int]:
    """Return how many subscriptions stand where."""
    return _by(session, col(SubscriberRow.status), subscriber.Status)


def issues(session: Session) -> dict[str, int]:
    """Return how many issues stand where."""
    return _by(session, col(IssueRow.status), issue.Status)


def deliveries(session: Session) -> dict[str, int]:
    """Return how many deliveries stand where."""
    found = ledger.counts(session)
    return {str(status): found.get(status, 0) for status in delivery.Status}


def papers(session: Session) -> int:
    """Return how many papers were gathered."""
    return session.exec(select(func.count()).select_from(PaperRow)).one()


def newest_issue(session: Session) -> date | None:
    """Return the date of the newest sealed issue."""
    return session.exec(select(func.max(col(IssueRow.day))).where(IssueRow.status == issue.Status.SEALED)).one()


def last_accepted_at(session: Session) -> datetime | None:
    """Return when a server last accepted a digest."""
    at = col(DeliveryRow.settled_at)
    query = select(at).where(at.is_not(None), DeliveryRow.status == delivery.Status.ACCEPTED)
    return session.exec(query.order_by(at.desc()).limit(1)).first()


def joined_by_day(session: Session, since: date) -> dict[date, int]:
    """Return how many came on the list on each day (UTC) from *since* on."""
    return _by_day(session, col(SubscriberRow.created_at), since)


def left_by_day(session: Session, since: date) -> dict[date, int]:
    """Return how many left on each day from *since* on, and did not come back."""
    gone = (subscriber.Status.UNSUBSCRIBED, subscriber.Status.SUPPRESSED)
    return _by_day(session, col(SubscriberRow.status_at), since, col(SubscriberRow.status).in_(gone))


def _by_day(session: Session, at: Any, since: date, *conditions: ColumnElement[bool]) -> dict[date, int]:
    day, counted = func.date(at), func.count()
    query = select(day, counted).where(at >= datetime.combine(since, time(), UTC), *conditions).group_by(day)
    return {date.fromisoformat(found): many for found, many in session.exec(query).all()}


def _by(session: Session, column: Any, known: Iterable[str]) -> dict[str, int]:
    counted: ColumnElement[int] = func.count()
    found = dict(session.exec(select(column, counted).group_by(column)).all())
    return {str(name): found.get(name, 0) for name in known}
