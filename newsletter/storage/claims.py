"""The sender's side of the ledger: settling what was refused, giving back, recovering, each one conditional update.

Every move looks only at what waits or is at work, however long the ledger grows. Not here: claiming (``turns``), and
offering and accepting, which every message goes through (``moves``).
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_
from sqlmodel import Session, col, select, update

from newsletter.domain.delivery import (
    MOST_UNCERTAIN,
    Outcome,
    Status,
    Verdict,
    after_attempt,
    retry_after,
)
from newsletter.domain.issue import Brake
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage import traffic, turns
from newsletter.storage.database import cursor
from newsletter.storage.tables import DeliveryRow, IssueRow, OwnerRow, SubscriberRow

_D, _S = DeliveryRow, SubscriberRow
_SOME = 500  # deliveries that are given up at a time: for some hundredths of a second others wait for it


def _reader_is_active() -> ColumnElement[bool]:
    # Correlated, so that one row costs one look, however long the list is.
    return exists().where(col(_S.id) == col(_D.subscriber_id), col(_S.status) == SubscriberStatus.ACTIVE)


def _issue_is(brake: Brake) -> ColumnElement[bool]:
    return exists().where(col(IssueRow.id) == col(_D.issue_id), col(IssueRow.brake) == brake)


# SQLite takes a partial index only for a query that has the index's condition: the same values, not bound ones.
_WAITS = col(_D.status).in_([literal_column(f"'{status}'") for status in (Status.READY, Status.DEFERRED)])
_OWNED = col(_D.owner).is_not(None)
_SETTLED = col(_D.settled_at).is_not(None)


def next_trouble(session: Session, now: datetime, issue_id: int | None = None) -> datetime | None:
    """Return when the first delivery that trouble put off may be claimed, None when there is none."""
    waiting = (_WAITS, col(_D.status) == Status.READY, col(_D.expires_at) > now, _reader_is_active())
    query = select(col(_D.next_attempt_at)).where(*waiting).order_by(col(_D.next_attempt_at)).limit(1)
    issues = turns.running(cursor(session), issue_id)
    found = (session.exec(query.where(col(_D.issue_id) == issue)).first() for issue in issues)
    return min(filter(None, found), default=None)


def give_back(session: Session, owner: str, now: datetime, delivery_ids: Iterable[int] | None = None) -> None:
    """Make leased deliveries of *owner* ready again, or withdrawn where the reader or the issue is gone meanwhile."""
    ours = [_OWNED, col(_D.owner) == owner, col(_D.status) == Status.LEASED]
    if delivery_ids is not None:
        ours.append(col(_D.id).in_(list(delivery_ids)))
    gone = or_(~_reader_is_active(), _issue_is(Brake.CANCELLED))
    withdrawn = {"status": Status.WITHDRAWN, "owner": None, "settled_at": now}
    session.exec(update(_D).where(*ours, gone).values(**withdrawn))
    session.exec(update(_D).where(*ours).values(status=Status.READY, owner=None))


def settle(
    session: Session,
    delivery_id: int,
    owner: str,
    outcome: Outcome,
    now: datetime,
    *,
    resend: bool,
    pause: timedelta,
    route: str = "",
) -> Status | None:
    """Record what an attempt came to, and return the state after it: None where the row is no longer ours.

    A site's trouble costs no attempt, and waits for *pause*.
    """
    assert outcome.verdict is not Verdict.ACCEPTED, "what was accepted is recorded in groups: moves.accept"
    ours = (col(_D.id) == delivery_id, col(_D.owner) == owner, col(_D.status).in_((Status.LEASED, Status.OFFERED)))
    row = session.exec(select(_D).where(*ours)).first()
    if row is None:
        return None
    if outcome.verdict is Verdict.UNCERTAIN:
        row.uncertain += 1
        traffic.count(cursor(session), route, now, 1)  # a server that took it counts it
    row.status = after_attempt(Status(row.status), outcome.verdict, row.uncertain, resend=resend)
    row.owner, row.reply, row.route, row.server = None, outcome.reply, route, outcome.server or row.server
    if outcome.verdict is Verdict.TROUBLE:
        row.next_attempt_at = now + pause
    else:
        row.attempts += 1
        row.next_attempt_at = now + retry_after(row.attempts)
    if row.status is Status.FAILED:
        row.settled_at = now
    session.add(row)
    return row.status


def recover(
    session: Session,
    now: datetime,
    *,
    resend: bool,
    owner: str | None = None,
    why: str = "the sender died before the server's answer",
) -> None:
    """Take over what *owner* leaves, or without one what belongs to owners that are no more.

    Leased is ready again; offered is uncertain, and repeated at once or held. It counts against the limits of every
    route: nobody knows over which one it went, nor whether a server took it.
    """
    left = col(_D.owner) == owner if owner else ~exists().where(col(OwnerRow.id) == col(_D.owner))
    left_leased = (_OWNED, col(_D.status) == Status.LEASED, left)
    session.exec(update(_D).where(*left_leased).values(status=Status.READY, owner=None))
    held = Status.HELD
    after = case((col(_D.uncertain) + 1 < MOST_UNCERTAIN, Status.READY), else_=held) if resend else held
    values: dict[str, Any] = {
        "status": after,
        "uncertain": col(_D.uncertain) + 1,
        "owner": None,
        "next_attempt_at": now,
        "reply": why,
    }
    uncertain = session.exec(update(_D).where(_OWNED, col(_D.status) == Status.OFFERED, left).values(**values)).rowcount
    if uncertain:
        traffic.count(cursor(session), "", now, uncertain)


def in_vain(session: Session, now: datetime, *, gone: bool = False) -> list[int]:
    """Return some of what waits in vain: too late (unless only what is ``gone``), cancelled, or the reader not active.

    Looks at all that waits, so is to be asked without the write lock. What is found is few enough for one transaction.
    Where much of it is in vain it is found first: of cancelled issues, and then of the oldest.
    """
    unwanted = _is_gone() if gone else or_(_is_late(now), _is_gone())
    some = select(col(_D.id)).where(_WAITS, unwanted).limit(_SOME)
    waiting = turns.waiting(cursor(session))
    for issue in sorted(waiting, key=lambda one: waiting[one] != Brake.CANCELLED):
        if found := session.exec(some.where(col(_D.issue_id) == issue)).all():
            return list(found)
    return []


def expire(session: Session, now: datetime, delivery_ids: Iterable[int]) -> int:
    """Give up what is too late of these. Return how many."""
    late = (_WAITS, col(_D.id).in_(list(delivery_ids)), _is_late(now))
    return session.exec(update(_D).where(*late).values(status=Status.EXPIRED, settled_at=now, owner=None)).rowcount


def withdraw(session: Session, now: datetime, delivery_ids: Iterable[int]) -> int:
    """Withdraw what no longer may be sent of these. Return how many."""
    gone = (_WAITS, col(_D.id).in_(list(delivery_ids)), _is_gone())
    return session.exec(update(_D).where(*gone).values(status=Status.WITHDRAWN, settled_at=now, owner=None)).rowcount


def _is_late(now: datetime) -> ColumnElement[bool]:
    return col(_D.expires_at) <= now


def _is_gone() -> ColumnElement[bool]:
    return or_(_issue_is(Brake.CANCELLED), ~_reader_is_active())


def last_verdicts(session: Session, route: str, since: datetime, limit: int) -> list[Status]:
    """Return the states of the last *limit* deliveries that a server settled on *route* since *since*, newest first.

    Looks at all that was settled since, so is to be asked without the write lock.
    """
    query = select(col(_D.status)).where(
        _SETTLED,
        col(_D.settled_at) >= since,
        col(_D.route).in_((route, "")),
        col(_D.server) != "",  # what we ourselves refuse to send says nothing of a route
        col(_D.status).in_((Status.ACCEPTED, Status.FAILED)),
    )
    return [Status(s) for s in session.exec(query.order_by(col(_D.settled_at).desc()).limit(limit))]


def expected(session: Session, now: datetime, on_date: date | None = None) -> int:
    """Return about how many messages a sender may have before it: rows of running issues, readers yet to be made due.

    Those are readers whose hour has come, or who have had no digest of *on_date*, whatever their hour. Counts them
    all, so is to be asked without the write lock.
    """
    rows, _ = put_off(session)
    last = col(_S.last_digest_on)
    due = or_(last.is_(None), last < on_date) if on_date else col(_S.next_due_at) <= now
    active = col(_S.status) == SubscriberStatus.ACTIVE
    return rows + session.exec(select(func.count()).select_from(_S).where(active, due)).one()


def any_due(session: Session, now: datetime) -> bool:
    """Return whether any delivery waits for nothing but a sender."""
    due = select(_D.id).where(_WAITS, col(_D.next_attempt_at) <= now).limit(1)
    issues = turns.running(cursor(session))
    return any(session.exec(due.where(col(_D.issue_id) == issue)).first() is not None for issue in issues)


def put_off(session: Session) -> tuple[int, datetime | None]:
    """Return how many deliveries of running issues wait, and the first instant at which one may be claimed."""
    wait: ColumnElement[int] = func.count()
    query = select(wait, func.min(col(_D.next_attempt_at))).where(_WAITS)
    found = [session.exec(query.where(col(_D.issue_id) == issue)).one() for issue in turns.running(cursor(session))]
    return sum(count for count, _ in found), min((at for _, at in found), default=None)


def any_open(session: Session) -> bool:
    """Return whether any delivery is still ready, leased, offered or deferred."""
    waits = session.exec(select(_D.id).where(_WAITS).limit(1)).first()
    return waits is not None or session.exec(select(_D.id).where(_OWNED).limit(1)).first() is not None
