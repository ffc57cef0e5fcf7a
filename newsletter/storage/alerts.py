"""Whose alerts are to be looked at, and what is remembered of having done so.

An alert is a delivery like a digest: one row per reader and date, made by ``making.make``. Not here: what is found
(``services/chooser.py``).
"""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import select as sql
from sqlmodel import Session, col, update

from newsletter.domain.issue import Issue
from newsletter.domain.subscriber import Status
from newsletter.storage.database import listed
from newsletter.storage.due import FACTS, DueReader, due_reader
from newsletter.storage.tables import IS_ALERTED, SubscriberRow

_S = SubscriberRow
_NEVER = datetime.max.replace(tzinfo=UTC)


def readers(session: Session, now: datetime, limit: int) -> list[tuple[DueReader, datetime]]:
    """Return active readers whose alerts are due, each with since when, the longest due first.

    Who wants no digest has one due in the farthest future.
    """
    due = (IS_ALERTED, col(_S.next_alert_at) <= now, col(_S.status) == Status.ACTIVE)
    query = sql(col(_S.next_alert_at), *FACTS).where(*due)
    ordered = session.connection().execute(query.order_by(col(_S.next_alert_at), col(_S.id)).limit(limit))
    rows: list[Any] = list(ordered)
    return [(due_reader(i, at or _NEVER, *facts), alert_at) for alert_at, i, at, *facts in rows]


def advance(session: Session, at: datetime, reader_ids: Collection[int]) -> None:
    """Look at the alerts of these readers at *at* again."""
    those = update(_S).where(col(_S.id).in_(listed("readers"))).values(next_alert_at=at)
    session.connection().execute(those, {"readers": list(reader_ids)})


def made(session: Session, issue: Issue, reader_ids: Iterable[int]) -> None:
    """Remember that these readers had *issue* as an alert only."""
    those = update(_S).where(col(_S.id).in_(listed("readers"))).values(last_alert_on=issue.date)
    session.connection().execute(those, {"readers": list(reader_ids)})


def only(session: Session, issued: date, reader_ids: Collection[int]) -> set[int]:
    """Return who of these readers had the issue dated *issued* as an alert only."""
    query = sql(col(_S.id)).where(col(_S.id).in_(listed("readers")), col(_S.last_alert_on) == issued)
    return set(session.connection().execute(query, {"readers": list(reader_ids)}).scalars())
