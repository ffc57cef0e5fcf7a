"""The ledger as people look at it: what was sent, what waits and why, and what a person decides.

Each state is found by an index of its own: what waits, what is at work, and what did not end well; the rest of an
issue was accepted. Ids grow with time, so that the newest come first by their id. Not here: making due rows (``due``),
the sender's claims (``claims``), and how much of a decision goes into one transaction (``services/records.py``).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select, update

from newsletter.domain.delivery import WAITING, Delivery, Status
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage import papers, retention, turns
from newsletter.storage.database import cursor
from newsletter.storage.tables import IS_KEPT, IS_OWNED, IS_WAITING, DeliveryRow, IssueRow, SubscriberRow

_D = DeliveryRow
_KEPT = (Status.DEFERRED, Status.HELD, Status.FAILED, Status.EXPIRED, Status.WITHDRAWN, Status.SKIPPED)
_OWNED = (Status.LEASED, Status.OFFERED)
# Digests whose dates are so far apart have no paper in common: a reader's window reaches back 14 days, and so does
# the pool of an issue.
_REACH = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A delivery with the date of its issue, and its reader's address: None where the reader was removed."""

    delivery: Delivery
    issued: date
    email: str | None

    @property
    def destination(self) -> str:
        """Return the domain that takes the reader's mail, '' where the reader was removed."""
        return (self.email or "").rpartition("@")[2].casefold()


def counts(session: Session, issue_id: int | None = None) -> dict[str, int]:
    """Return how many deliveries stand where, by state, of one issue or of all; also of those that are totals only."""
    of_issue = () if issue_id is None else (col(_D.issue_id) == issue_id,)
    kept: ColumnElement[int] = func.count()
    query = select(col(_D.status), kept).where(IS_KEPT, *of_issue).group_by(col(_D.status))
    found = Counter(dict(session.exec(query).all()))
    found[Status.READY] = _ready(session, issue_id)
    found.update(status for _, status in _at_work(session, issue_id))
    every = session.exec(select(func.count()).select_from(_D).where(*of_issue)).one()
    found[Status.ACCEPTED] = every - found.total()
    found.update(retention.totals(session, issue_id))
    return {status: count for status, count in found.items() if count}


def _ready(session: Session, issue_id: int | None) -> int:
    query = select(func.count()).where(IS_WAITING, col(_D.status) == Status.READY)
    if issue_id is not None:
        query = query.where(col(_D.issue_id) == issue_id)
    return session.exec(query).one()


def _at_work(session: Session, issue_id: int | None) -> list[tuple[int, str]]:
    """Return the ids and states of what is leased or offered, which is never much."""
    query = select(col(_D.id), col(_D.status), col(_D.issue_id)).where(IS_OWNED, col(_D.status).in_(_OWNED))
    return [(id_, status) for id_, status, of in session.exec(query) if issue_id in {None, of}]


def report(session: Session, issue_id: int) -> dict[str, int]:
    """Return the ``deliveries`` of a run's report: every row made, and what became of them."""
    found = counts(session, issue_id)
    settled = ("accepted", "failed", "expired", "withdrawn", "skipped", "held", "deferred")
    waiting = sum(found.get(status, 0) for status in WAITING)
    return {"audience": sum(found.values()), **{s: found.get(s, 0) for s in settled}, "waiting": waiting}


def held(session: Session) -> int:
    """Return how many deliveries are held, whatever their issue."""
    return session.exec(select(func.count()).where(IS_KEPT, col(_D.status) == Status.HELD)).one()


def page(session: Session, *, status: str | None = None, issue_id: int | None = None, limit: int = 100) -> list[Line]:
    """Return deliveries, the newest first, of one state and one issue where given.

    Ready ones go by when their turn is, the last first: while nothing was put off, the same.
    """
    ids = _newest(session, status, issue_id, limit)
    found = {}
    for some in papers.chunks(ids):
        found.update({row.id: _line(row, day, email) for row, day, email in session.exec(_lines(some))})
    return [found[i] for i in ids]


def _newest(session: Session, status: str | None, issue_id: int | None, limit: int) -> list[int]:
    if status in _OWNED:
        return sorted((id_ for id_, at in _at_work(session, issue_id) if at == status), reverse=True)[:limit]
    if status in _KEPT:
        return _newest_kept(session, str(status), issue_id, limit)
    if status == Status.READY:
        return _last_turns(session, issue_id, limit)
    query = select(col(_D.id)).limit(limit)
    if status:
        query = query.where(col(_D.status) == status)
    if issue_id is not None:
        query = query.where(col(_D.issue_id) == issue_id)
    return list(session.exec(query.order_by(col(_D.id).desc())))


def _last_turns(session: Session, issue_id: int | None, limit: int) -> list[int]:
    """Merge the last of what is ready of each issue."""
    turn, found = (col(_D.next_attempt_at).desc(), col(_D.id).desc()), list[tuple[datetime, int]]()
    for issue in turns.waiting(cursor(session)):
        if issue_id in {None, issue}:
            ready = (IS_WAITING, col(_D.status) == Status.READY, col(_D.issue_id) == issue)
            query = select(col(_D.next_attempt_at), col(_D.id)).where(*ready).order_by(*turn)
            found += session.exec(query.limit(limit))
    return [id_ for _, id_ in sorted(found, reverse=True)[:limit]]


def _newest_kept(session: Session, status: str, issue_id: int | None, limit: int) -> list[int]:
    """Merge the newest of each issue, as the index has them; issues whose newest are older than these are left out."""
    newest_of = select(func.max(col(_D.id))).where(*_kept(status), col(_D.issue_id) == col(IssueRow.id))
    tops = select(newest_of.correlate(IssueRow).scalar_subquery(), col(IssueRow.id))
    if issue_id is not None:
        tops = tops.where(col(IssueRow.id) == issue_id)
    newest: list[int] = []
    for top, issue in sorted(((top, issue) for top, issue in session.exec(tops) if top), reverse=True):
        if len(newest) == limit and top < newest[-1]:
            break
        query = select(col(_D.id)).where(*_kept(status), col(_D.issue_id) == issue).order_by(col(_D.id).desc())
        newest = sorted([*newest, *session.exec(query.limit(limit))], reverse=True)[:limit]
    return newest


def _kept(status: str) -> tuple[Any, ...]:
    # SQLite takes a partial index only for a query that has the index's condition word for word.
    return IS_KEPT, col(_D.status) == status


def destinations(session: Session, status: str, issue_id: int, limit: int) -> list[str]:
    """Return the destination of each of the newest deliveries of an issue in a state that did not end well."""
    newest = select(col(_D.subscriber_id)).where(*_kept(status), col(_D.issue_id) == issue_id)
    some = newest.order_by(col(_D.id).desc()).limit(limit).subquery()
    emails = session.exec(select(col(SubscriberRow.email)).where(col(SubscriberRow.id) == some.c.subscriber_id))
    return [email.rpartition("@")[2].casefold() for email in emails]


def get(session: Session, delivery_id: int) -> Line | None:
    """Return the delivery with this id, or None."""
    row = session.exec(_lines([delivery_id])).first()
    return _line(*row) if row else None


def all_of(session: Session, subscriber_id: int) -> list[Line]:
    """Return every delivery of a reader, the oldest first."""
    theirs = select(col(_D.id)).where(col(_D.subscriber_id) == subscriber_id)
    rows = session.exec(_lines(theirs).order_by(col(_D.day), col(_D.id)))
    return [_line(row, issued, email) for row, issued, email in rows]


def of_reader(session: Session, subscriber_id: int, day: date | None = None) -> Delivery | None:
    """Return a reader's delivery of *day*, or the newest one; None where there is none."""
    query = select(_D).where(col(_D.subscriber_id) == subscriber_id)
    if day:
        query = query.where(col(_D.day) == day)
    row = session.exec(query.order_by(col(_D.day).desc()).limit(1)).first()
    return delivery(row) if row else None


def of_issue(session: Session, subscriber_id: int, issue_id: int) -> Delivery | None:
    """Return the delivery that brings a reader an issue, or None."""
    wanted = (col(_D.subscriber_id) == subscriber_id, col(_D.issue_id) == issue_id)
    row = session.exec(select(_D).where(*wanted)).first()
    return delivery(row) if row else None


def held_ids(session: Session, limit: int) -> list[int]:
    """Return the ids of some that are held, whatever their issue."""
    return list(session.exec(select(col(_D.id)).where(*_kept(Status.HELD)).limit(limit)))


def release(session: Session, delivery_ids: Iterable[int], now: datetime, expires_at: datetime) -> int:
    """Send held deliveries again, until *expires_at* at the latest. Return how many."""
    values = {"status": Status.READY, "next_attempt_at": now, "expires_at": expires_at}
    held = (col(_D.id).in_(list(delivery_ids)), col(_D.status) == Status.HELD)
    return session.exec(update(_D).where(*held).values(**values)).rowcount


def assume_sent(session: Session, delivery_ids: Iterable[int], now: datetime) -> int:
    """Take held deliveries as accepted, the operator vouching for it. Return how many."""
    held = (col(_D.id).in_(list(delivery_ids)), col(_D.status) == Status.HELD)
    issued = select(col(_D.subscriber_id), col(IssueRow.day)).join(IssueRow, col(IssueRow.id) == col(_D.issue_id))
    served: dict[date, list[int]] = {}
    for subscriber_id, day in session.exec(issued.where(*held)):
        served.setdefault(day, []).append(subscriber_id)
    for day, readers in served.items():
        last = col(SubscriberRow.last_accepted_on)
        theirs = (col(SubscriberRow.id).in_(readers), or_(last.is_(None), last < day))
        session.exec(update(SubscriberRow).where(*theirs).values(last_accepted_on=day))
    values = {"status": Status.ACCEPTED, "settled_at": now, "reply": "assumed sent by the operator"}
    return session.exec(update(_D).where(*held).values(**values)).rowcount


def issues_with_failed(session: Session) -> list[int]:
    """Return the ids of the issues of which a delivery failed, the oldest issue first."""
    failed = exists().where(*_kept(Status.FAILED), col(_D.issue_id) == col(IssueRow.id))
    return list(session.exec(select(col(IssueRow.id)).where(failed).order_by(col(IssueRow.day))))


def may_be_retried(session: Session, issue_id: int, after: int, limit: int) -> list[int]:
    """Return the ids above *after* of failed deliveries of an issue, in order, that ``retry`` would send again."""
    failed = (*_kept(Status.FAILED), col(_D.issue_id) == issue_id, col(_D.id) > after)
    wanted = select(col(_D.id)).where(*failed, *_wanted(session, issue_id))
    return list(session.exec(wanted.order_by(col(_D.id)).limit(limit)))


def retry(session: Session, issue_id: int, delivery_ids: Iterable[int], now: datetime, expires_at: datetime) -> int:
    """Make failed deliveries of an issue ready again, each its reader's newest: a later one took over its papers.

    Not those of readers who are not active. Return how many.
    """
    failed = (col(_D.id).in_(list(delivery_ids)), col(_D.status) == Status.FAILED)
    values = {"status": Status.READY, "next_attempt_at": now, "expires_at": expires_at, "settled_at": None}
    return session.exec(update(_D).where(*failed, *_wanted(session, issue_id)).values(**values)).rowcount


def _wanted(session: Session, issue_id: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions that a reader is active and this the last digest made for them.

    Among those since shortly before the issue, which the index on readers and days leads to.
    """
    since = session.get_one(IssueRow, issue_id).day - _REACH
    reader, later = aliased(SubscriberRow), aliased(_D)
    active = (col(reader.id) == col(_D.subscriber_id), col(reader.status) == SubscriberStatus.ACTIVE)
    of_reader = (col(later.subscriber_id) == col(_D.subscriber_id), col(later.day) > since)
    return exists().where(*active), ~exists().where(*of_reader, col(later.id) > col(_D.id))


def _lines(delivery_ids: Any) -> Any:
    return (
        select(_D, col(IssueRow.day), col(SubscriberRow.email))
        .join(IssueRow, col(IssueRow.id) == col(_D.issue_id))
        .join(SubscriberRow, col(SubscriberRow.id) == col(_D.subscriber_id), isouter=True)
        .where(col(_D.id).in_(delivery_ids))
    )


def _line(row: DeliveryRow, issued: date, email: str | None) -> Line:
    return Line(delivery=delivery(row), issued=issued, email=email)


_AS_THEY_ARE = [field.name for field in fields(Delivery) if field.name not in {"status", "corrections"}]


def delivery(row: DeliveryRow) -> Delivery:
    """Return the row as the domain knows it."""
    kept = {name: getattr(row, name) for name in _AS_THEY_ARE}
    return Delivery(**kept, status=Status(row.status), corrections=tuple(row.corrections or ()))
