"""The sender's side of the ledger: claiming, offering, settling, recovering. Each move is one conditional update.

A claim holds a few seconds' work. ``offer`` is durable before the final dot and sees, in the same statement, that
the row is still ours, the reader still active and the issue not stopped. Every move looks only at what is open,
however long the ledger grows.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, func, literal_column, or_
from sqlmodel import Session, col, select, update

from newsletter.domain.delivery import (
    MOST_UNCERTAIN,
    OPEN,
    Delivery,
    Outcome,
    Status,
    Verdict,
    after_attempt,
    retry_after,
)
from newsletter.domain.issue import Brake
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage.deliveries import delivery
from newsletter.storage.tables import DeliveryRow, IssueRow, OwnerRow, SubscriberRow

_D, _S = DeliveryRow, SubscriberRow

# The condition of the index ix_deliveries_open, word for word: SQLite uses a partial index only where it reads the
# same condition in the query.
_IS_OPEN = col(_D.status).in_([literal_column(f"'{status}'") for status in (*OPEN, Status.HELD)])
_WAITS = (_IS_OPEN, col(_D.status).in_((Status.READY, Status.DEFERRED)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is ours to send, and what composing it needs of its reader."""

    delivery: Delivery
    email: str
    format: str | None
    created_at: datetime
    frequency: str | None
    hour: time | None
    zone: str | None


def _reader_is_active() -> ColumnElement[bool]:
    # Correlated, so that one row costs one look, however long the list is.
    return exists().where(col(_S.id) == col(_D.subscriber_id), col(_S.status) == SubscriberStatus.ACTIVE)


def _issue_is(brake: Brake) -> ColumnElement[bool]:
    return exists().where(col(IssueRow.id) == col(_D.issue_id), col(IssueRow.brake) == brake)


def _of_issue(issue_id: int | None) -> tuple[ColumnElement[bool], ...]:
    return () if issue_id is None else (col(_D.issue_id) == issue_id,)


def claim(
    session: Session,
    owner: str,
    now: datetime,
    limit: int,
    *,
    busy: Sequence[str] = (),
    behind: Collection[int] = (),
    issue_id: int | None = None,
) -> list[Claimed]:
    """Lease up to *limit* deliveries that are due to *owner*, the longest unserved readers first, *behind* last.

    Not those of stopped issues, nor to the domains *busy*; of one issue only where given.
    """
    query = (
        select(_D, _S)
        .join(_S, col(_S.id) == col(_D.subscriber_id))
        .where(
            *_WAITS,
            col(_D.next_attempt_at) <= now,
            col(_D.expires_at) > now,
            col(_S.status) == SubscriberStatus.ACTIVE,
            _issue_is(Brake.NONE),
            *_of_issue(issue_id),
            *(~col(_S.email_key).endswith("@" + domain, autoescape=True) for domain in busy),
        )
        .order_by(
            col(_D.id).in_(behind),
            col(_D.served_on).is_not(None),
            col(_D.served_on),
            col(_D.next_attempt_at),
            col(_D.id),
        )
        .limit(limit)
    )
    found = [
        Claimed(
            delivery=delivery(row),
            email=reader.email,
            format=reader.format,
            created_at=reader.created_at,
            frequency=reader.frequency,
            hour=reader.hour,
            zone=reader.zone,
        )
        for row, reader in session.exec(query)
    ]
    ours = col(_D.id).in_([c.delivery.id for c in found])
    session.exec(update(_D).where(ours).values(status=Status.LEASED, owner=owner))
    return found


def next_trouble(session: Session, now: datetime, issue_id: int | None = None) -> datetime | None:
    """Return when the first delivery that trouble put off may be claimed, None when there is none."""
    waiting = (
        _IS_OPEN,
        col(_D.status) == Status.READY,
        col(_D.expires_at) > now,
        _reader_is_active(),
        _issue_is(Brake.NONE),
        *_of_issue(issue_id),
    )
    return session.exec(select(func.min(col(_D.next_attempt_at))).where(*waiting)).one()


def offer(session: Session, delivery_id: int, owner: str, now: datetime) -> bool:
    """Record that the final dot may follow. False where it must not: not ours, unsubscribed, stopped, too late."""
    still = (
        col(_D.id) == delivery_id,
        col(_D.owner) == owner,
        col(_D.status) == Status.LEASED,
        col(_D.expires_at) > now,
        _reader_is_active(),
        _issue_is(Brake.NONE),
    )
    return session.exec(update(_D).where(*still).values(status=Status.OFFERED, offered_at=now)).rowcount == 1


def give_back(session: Session, owner: str, now: datetime, delivery_ids: Iterable[int] | None = None) -> None:
    """Make leased deliveries of *owner* ready again, or withdrawn where the reader or the issue is gone meanwhile."""
    ours = [_IS_OPEN, col(_D.owner) == owner, col(_D.status) == Status.LEASED]
    if delivery_ids is not None:
        ours.append(col(_D.id).in_(list(delivery_ids)))
    gone = or_(~_reader_is_active(), _issue_is(Brake.CANCELLED))
    withdrawn = {"status": Status.WITHDRAWN, "owner": None, "settled_at": now}
    session.exec(update(_D).where(*ours, gone).values(**withdrawn))
    session.exec(update(_D).where(*ours).values(status=Status.READY, owner=None))


def settle(
    session: Session, claimed: Delivery, owner: str, outcome: Outcome, now: datetime, *, resend: bool, pause: timedelta
) -> Status | None:
    """Record what an attempt came to, and return the state after it: None where the row is no longer ours.

    A site's trouble costs no attempt, and waits for *pause*.
    """
    row = session.exec(select(_D).where(col(_D.id) == claimed.id, col(_D.owner) == owner)).first()
    if row is None:
        return None  # another owner took it over while this one was silent: its word counts
    uncertain = row.uncertain + (outcome.verdict is Verdict.UNCERTAIN)
    row.status = after_attempt(Status(row.status), outcome.verdict, uncertain, resend=resend)
    row.uncertain, row.owner, row.reply = uncertain, None, outcome.reply
    row.server = outcome.server or row.server
    if outcome.verdict is Verdict.TROUBLE:
        row.next_attempt_at = now + pause
    else:
        row.attempts += 1
        row.next_attempt_at = now + retry_after(row.attempts)
    if row.status in {Status.ACCEPTED, Status.FAILED}:
        row.settled_at = now
    if row.status is Status.ACCEPTED:
        _serve(session, row)
    session.add(row)
    return row.status


def _serve(session: Session, row: DeliveryRow) -> None:
    """Remember with the reader which issue was accepted last; that of an earlier date changes nothing."""
    issued = select(col(IssueRow.day)).where(col(IssueRow.id) == row.issue_id).scalar_subquery()
    later = or_(col(_S.last_accepted_on).is_(None), col(_S.last_accepted_on) < issued)
    session.exec(update(_S).where(col(_S.id) == row.subscriber_id, later).values(last_accepted_on=issued))


def recover(session: Session, now: datetime, *, resend: bool, owner: str | None = None) -> None:
    """Take over what *owner* leaves, or without one what belongs to owners that are no more.

    Leased is ready again; offered is uncertain, and repeated at once or held.
    """
    left = col(_D.owner) == owner if owner else ~exists().where(col(OwnerRow.id) == col(_D.owner))
    left_leased = (_IS_OPEN, col(_D.status) == Status.LEASED, left)
    session.exec(update(_D).where(*left_leased).values(status=Status.READY, owner=None))
    held = Status.HELD
    after = case((col(_D.uncertain) + 1 < MOST_UNCERTAIN, Status.READY), else_=held) if resend else held
    values: dict[str, Any] = {
        "status": after,
        "uncertain": col(_D.uncertain) + 1,
        "owner": None,
        "next_attempt_at": now,
        "reply": "the sender died before the server's answer",
    }
    session.exec(update(_D).where(_IS_OPEN, col(_D.status) == Status.OFFERED, left).values(**values))


def expire(session: Session, now: datetime) -> int:
    """Give up what is too late. Return how many."""
    late = (*_WAITS, col(_D.expires_at) <= now)
    return session.exec(update(_D).where(*late).values(status=Status.EXPIRED, settled_at=now, owner=None)).rowcount


def withdraw(session: Session, now: datetime) -> int:
    """Withdraw what no longer may be sent: the issue was cancelled, or the reader is not active. Return how many."""
    gone = (*_WAITS, or_(_issue_is(Brake.CANCELLED), ~_reader_is_active()))
    return session.exec(update(_D).where(*gone).values(status=Status.WITHDRAWN, settled_at=now, owner=None)).rowcount


def accepted_since(session: Session, since: datetime) -> int:
    """Return how many messages were accepted since *since*: what limits per minute and day count."""
    query = select(func.count()).where(col(_D.settled_at) >= since, col(_D.status) == Status.ACCEPTED)
    return session.exec(query).one()


def last_verdicts(session: Session, since: datetime, limit: int) -> list[Status]:
    """Return the states of the last *limit* deliveries settled since *since*, newest first."""
    query = select(col(_D.status)).where(
        col(_D.settled_at) >= since, col(_D.status).in_((Status.ACCEPTED, Status.FAILED))
    )
    return [Status(s) for s in session.exec(query.order_by(col(_D.settled_at).desc()).limit(limit))]


def oldest_accepted(session: Session, since: datetime) -> datetime | None:
    """Return when the first message since *since* was accepted: when it leaves the window, one more may go."""
    query = select(func.min(col(_D.settled_at))).where(col(_D.settled_at) >= since, col(_D.status) == Status.ACCEPTED)
    return session.exec(query).one()


def any_open(session: Session) -> bool:
    """Return whether any delivery is still ready, leased, offered or deferred."""
    return session.exec(select(_D.id).where(_IS_OPEN, col(_D.status).in_(OPEN)).limit(1)).first() is not None
