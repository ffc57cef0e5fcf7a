"""The list of subscribers. Rows stay here: what comes out is ``domain.subscriber.Subscriber``.

Every function takes the caller's session, so that a service decides what is one transaction. Not here: which
moves are legal (``domain``), and who was removed (``suppressions``).
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, String, bindparam, cast, func, insert, or_
from sqlalchemy import select as sql
from sqlmodel import Session, SQLModel, col, delete, select, update

from newsletter.domain.delivery import Status as DeliveryStatus
from newsletter.domain.subscriber import Move, Preferences, Status, Subscriber, move
from newsletter.storage import address_changes, consents, departures, feedback, returns, sign_ups, suppressions
from newsletter.storage.database import listed
from newsletter.storage.prepared import Prepared
from newsletter.storage.tables import DeliveryRow, SubscriberRow

PREFERENCES = tuple(f.name for f in fields(Preferences))
_FACTS = tuple(f.name for f in fields(Subscriber) if f.name != "preferences")
SORTS = {
    "email": (col(SubscriberRow.email_key),),
    "created": (col(SubscriberRow.created_at), col(SubscriberRow.email_key)),
    "status": (col(SubscriberRow.status), col(SubscriberRow.email_key)),
    "next_due": (col(SubscriberRow.next_due_at).nulls_last(), col(SubscriberRow.email_key)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which subscribers a page shows. Texts are found anywhere, without regard to case; None leaves a filter out."""

    status: Status | None = None
    topic: str | None = None
    search: str | None = None
    sort: str = "email"
    limit: int = 50
    offset: int = 0


def new_id() -> int:
    """Return an id for a subscriber: random, so that it tells nothing and is never used again."""
    return secrets.randbits(62)


def get(session: Session, key: str) -> Subscriber | None:
    """Return the subscriber whose address is compared by *key*."""
    row = session.exec(select(SubscriberRow).where(col(SubscriberRow.email_key) == key)).first()
    return _subscriber(row) if row else None


def by_id(session: Session, subscriber_id: int) -> Subscriber | None:
    """Return the subscriber with this id."""
    row = next(_BY_ID.execute(session, {"whose": subscriber_id}), None)
    return _subscriber(row) if row else None


def last_digest_on(session: Session, subscriber_id: int) -> date | None:
    """Return the date of the last digest made for this subscriber."""
    row = session.get(SubscriberRow, subscriber_id)
    return row.last_digest_on if row else None


def last_issues(session: Session, ids: Sequence[int]) -> dict[int, date]:
    """Return the date of the last issue that was made for each of these subscribers, whoever had one."""
    query = sql(col(SubscriberRow.id), col(SubscriberRow.last_issue_on))
    query = query.where(col(SubscriberRow.id).in_(listed("readers")))
    rows = session.connection().execute(query, {"readers": list(ids)})
    return {subscriber: day for subscriber, day in rows if day}


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Since when a subscription stands as it does, the date of its last digest, and of the last issue made for it."""

    status_at: datetime
    last_digest_on: date | None
    last_issue_on: date | None
    last_accepted_on: date | None  # an issue's


def history(session: Session, subscriber_id: int) -> History:
    """Return what was so far of a subscriber who is on the list."""
    row = session.get_one(SubscriberRow, subscriber_id)
    return History(
        status_at=row.status_at,
        last_digest_on=row.last_digest_on,
        last_issue_on=row.last_issue_on,
        last_accepted_on=row.last_accepted_on,
    )


def statuses(session: Session, keys: Sequence[str]) -> dict[str, Status]:
    """Return the status of those of *keys* (some thousands at most) that are on the list."""
    found = select(SubscriberRow.email_key, SubscriberRow.status).where(col(SubscriberRow.email_key).in_(keys))
    return {key: Status(status) for key, status in session.exec(found)}


def languages(session: Session) -> dict[str, int]:
    """Return how many active subscribers prefer each language; those without a preference are left out."""
    language = col(SubscriberRow.language)
    query = select(language, func.count()).where(col(SubscriberRow.status) == Status.ACTIVE, language.is_not(None))
    return {name: count for name, count in session.exec(query.group_by(language).order_by(language)) if name}


def page(session: Session, wanted: Selection) -> tuple[list[Subscriber], int]:
    """Return the subscribers *wanted*, and how many there are without its limit."""
    conditions = _conditions(wanted)
    total = session.exec(select(func.count()).select_from(SubscriberRow).where(*conditions)).one()
    rows = select(SubscriberRow).where(*conditions).order_by(*SORTS[wanted.sort])
    found = session.exec(rows.limit(wanted.limit).offset(wanted.offset))
    return [_subscriber(row) for row in found], total


def chunk(session: Session, after: str, size: int) -> tuple[list[Subscriber], str]:
    """Return the next *size* subscribers behind the key *after* ('' at first), and the key to go on from."""
    behind = select(SubscriberRow).where(col(SubscriberRow.email_key) > after)
    rows = session.exec(behind.order_by(col(SubscriberRow.email_key)).limit(size)).all()
    return [_subscriber(row) for row in rows], rows[-1].email_key if rows else after


def paused_until(session: Session, day: date) -> list[tuple[Subscriber, date | None]]:
    """Return whose pause ends on *day* or before, each with the date of the last digest."""
    ends = col(SubscriberRow.paused_until) <= day
    rows = session.exec(select(SubscriberRow).where(col(SubscriberRow.status) == Status.PAUSED, ends))
    return [(_subscriber(row), row.last_digest_on) for row in rows]


def add(session: Session, entries: Iterable[tuple[str, Subscriber]], now: datetime) -> None:
    """Put new subscribers on the list, each with the key of the address. One statement, good for thousands."""
    rows = [_values(subscriber) | {"email_key": key, "status_at": now} for key, subscriber in entries]
    if rows:
        session.connection().execute(insert(SQLModel.metadata.tables["subscribers"]), rows)


def save(session: Session, before: Subscriber, after: Subscriber, now: datetime) -> None:
    """Keep what changed. Who is no longer active gets nothing more: what waits is withdrawn at once."""
    session.flush()  # the statements are no session's own
    if after.status is not before.status:
        _MOVED.execute(session, {"whose": after.id, "at": now})
        if after.status is not Status.ACTIVE:
            _withdraw(session, after.id, after.status, now)
    _SAVED.execute(session, {"whose": after.id, **_values(after)})
    session.expire_all()


def apply(session: Session, subscriber: Subscriber, to: Move, now: datetime, **facts: Any) -> Subscriber:
    """Move a subscriber, and return what became of it. *facts* are what the new state knows: an instant, a reason.

    Raises IllegalMoveError.
    """
    plain = replace(subscriber, next_due_at=None, next_alert_at=None, paused_until=None, suppression_reason=None)
    after = replace(plain, status=move(subscriber.status, to), **facts)
    save(session, subscriber, after, now)
    return after


def end_quiet(session: Session, subscriber_id: int) -> None:
    """Forget that nothing was found for a reader: they look for something else now."""
    row = (col(SubscriberRow.id) == subscriber_id, col(SubscriberRow.quiet_since).is_not(None))
    session.exec(update(SubscriberRow).where(*row).values(quiet_since=None, quiet_told=False))


def feed_number(session: Session, subscriber_id: int) -> int:
    """Return which number the link to a reader's private feed has to carry, -1 for who is not on the list."""
    row = session.get(SubscriberRow, subscriber_id)
    return row.feed_number if row else -1


def renew_feed(session: Session, subscriber_id: int) -> None:
    """Let no link to a reader's private feed work that there was before."""
    row = col(SubscriberRow.id) == subscriber_id
    session.exec(update(SubscriberRow).where(row).values(feed_number=col(SubscriberRow.feed_number) + 1))


def move_to(session: Session, subscriber_id: int, email: str, key: str) -> None:
    """Let a subscription be of another address, compared by *key*, that nobody on the list has."""
    session.exec(update(SubscriberRow).where(col(SubscriberRow.id) == subscriber_id).values(email=email, email_key=key))


def remove(session: Session, subscriber: Subscriber, key: str, now: datetime) -> None:
    """Erase a subscriber. What stays is a hash of the address, so that no import brings it back."""
    _withdraw(session, subscriber.id, "removed", now)
    match subscriber.status:
        case Status.SUPPRESSED:
            reason = f"{Status.SUPPRESSED}: {subscriber.suppression_reason}"
        case Status.UNSUBSCRIBED:
            reason = str(Status.UNSUBSCRIBED)
        case _:
            reason = "removed"
    suppressions.suppress(session, key, reason, now)
    erase(session, subscriber.id)


def erase(session: Session, subscriber_id: int) -> None:
    """Erase a subscriber, and what they said and agreed to, and nothing else: nothing keeps the address away."""
    for kept in (feedback, consents, departures, address_changes, returns, sign_ups):
        kept.erase(session, subscriber_id)
    session.exec(delete(SubscriberRow).where(col(SubscriberRow.id) == subscriber_id))


def drop_unconfirmed(session: Session, before: datetime, limit: int) -> int:
    """Erase up to *limit* of those who never confirmed, and were last asked before *before*. Return how many."""
    asked = func.coalesce(col(SubscriberRow.asked_at), col(SubscriberRow.status_at))
    strangers = (col(SubscriberRow.status) == Status.PENDING, col(SubscriberRow.confirmed_at).is_(None))
    found = session.exec(select(SubscriberRow.id).where(*strangers, asked < before).limit(limit)).all()
    for subscriber_id in found:
        erase(session, subscriber_id)
    return len(found)


def _withdraw(session: Session, subscriber_id: int, why: str, now: datetime) -> None:
    session.flush()
    _WITHDRAWN.execute(session, {"whose": subscriber_id, "at": now, "why": why})


_ROW = col(SubscriberRow.id) == bindparam("whose")
_BY_ID = Prepared(sql(SQLModel.metadata.tables["subscribers"]).where(_ROW))

_STAYING = {"id", "email", "created_at"}  # SQLite would write their indexes, too
_SAVED = Prepared(
    update(SubscriberRow).where(_ROW).values({n: bindparam(n) for n in (*_FACTS, *PREFERENCES) if n not in _STAYING})
)
_MOVED = Prepared(update(SubscriberRow).where(_ROW).values(status_at=bindparam("at")))
# What is leased is caught when it is offered: that is conditional on an active subscriber.
_WITHDRAWN = Prepared(
    update(DeliveryRow)
    .where(
        col(DeliveryRow.subscriber_id) == bindparam("whose"),
        or_(*(col(DeliveryRow.status) == status for status in (DeliveryStatus.READY, DeliveryStatus.DEFERRED))),
    )
    .values(status=DeliveryStatus.WITHDRAWN, settled_at=bindparam("at"), reply=bindparam("why"))
)


def _conditions(wanted: Selection) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.status:
        conditions.append(col(SubscriberRow.status) == wanted.status)
    if wanted.search:
        conditions.append(col(SubscriberRow.email_key).contains(wanted.search.casefold(), autoescape=True))
    if wanted.topic:
        # Topics are kept as JSON; inside its quotes a text looks the same in every database.
        said = json.dumps(wanted.topic)[1:-1].lower()
        conditions.append(func.lower(cast(col(SubscriberRow.topics), String)).contains(said, autoescape=True))
    return conditions


def _subscriber(row: SubscriberRow | Row[Any]) -> Subscriber:
    chosen = {name: getattr(row, name) for name in PREFERENCES}
    chosen |= {"topics": tuple(row.topics), "alerts": tuple(row.alerts)}
    facts = {name: getattr(row, name) for name in _FACTS} | {"status": Status(row.status)}
    return Subscriber(**facts, preferences=Preferences(**chosen))


def _values(subscriber: Subscriber) -> dict[str, Any]:
    facts = {name: getattr(subscriber, name) for name in _FACTS}
    chosen = {name: getattr(subscriber.preferences, name) for name in PREFERENCES}
    lists = {"topics": list(subscriber.preferences.topics), "alerts": list(subscriber.preferences.alerts)}
    return facts | chosen | lists
