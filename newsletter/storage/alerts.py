"""Whose alerts are to be looked at, and what is remembered of having done so.

An alert is a delivery like a digest: one row per reader and date, made by ``making.make``. Not here: what is found
(``services/chooser.py``).
"""

from collections.abc import Collection, Iterable
from datetime import date, datetime
from json import loads

from sqlalchemy import select as sql
from sqlmodel import Session, col, update

from newsletter.domain.issue import Issue
from newsletter.storage.database import cursor, listed
from newsletter.storage.due import FACTS, DueReader, due_reader
from newsletter.storage.tables import SubscriberRow, instant_of, stored

_S = SubscriberRow
# The plus keeps SQLite from going through all who are active: an index has those with alerts alone.
_READERS = f"""SELECT json_group_array(json_array(next_alert_at, {FACTS})) FROM (
  SELECT next_alert_at, {FACTS} FROM subscribers
  WHERE next_alert_at IS NOT NULL AND next_alert_at <= :now AND +status = 'active'
  ORDER BY next_alert_at, id LIMIT :limit
)
"""  # noqa: S608 - of a text of ours


def readers(session: Session, now: datetime, limit: int) -> list[tuple[DueReader, datetime]]:
    """Return active readers whose alerts are due, each with since when, the longest due first.

    Who wants no digest has one due in the farthest future.
    """
    (rows,) = cursor(session).execute(_READERS, {"now": stored(now), "limit": limit}).fetchone()
    return [(due_reader(facts), instant_of(at)) for at, *facts in loads(rows)]


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
