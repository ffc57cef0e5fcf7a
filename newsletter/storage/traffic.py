"""What routes took, second by second: what limits per minute and per day count, so that a restart forgets nothing.

``""`` is the route of what nobody knows the route of: it counts for each. Not here: what the limits are
(``services/limits.py``).
"""

import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func
from sqlmodel import Session, col, delete, select

from newsletter.storage.tables import TrafficRow, stored

_T = TrafficRow
_KEPT = timedelta(days=2)
_COUNT = """
INSERT INTO traffic (route, second, accepted) VALUES (?, ?, ?)
ON CONFLICT (route, second) DO UPDATE SET accepted = accepted + excluded.accepted
"""


def count(cursor: sqlite3.Cursor, route: str, now: datetime, messages: int) -> None:
    """Count *messages* as taken by *route* at *now*."""
    cursor.execute(_COUNT, (route, stored(now.replace(microsecond=0)), messages))


def accepted_since(session: Session, route: str, since: datetime) -> int:
    """Return how many messages *route* took since *since*, or in the same second."""
    query = select(func.sum(col(_T.accepted))).where(*_within(route, since))
    return session.exec(query).one() or 0


def accepted_by_all(session: Session, routes: Iterable[str], since: datetime) -> int:
    """Return how many messages all of *routes* took since *since*."""
    within = (col(_T.route).in_({*routes, ""}), col(_T.second) >= since.replace(microsecond=0))
    return session.exec(select(func.sum(col(_T.accepted))).where(*within)).one() or 0


def leaves_at(session: Session, route: str, since: datetime, window: timedelta) -> datetime | None:
    """Return when the oldest of what *route* took since *since* is older than *window*; None where it took nothing."""
    oldest = session.exec(select(func.min(col(_T.second))).where(*_within(route, since))).one()
    return oldest + window + timedelta(seconds=1) if oldest else None


def forget(session: Session, now: datetime) -> None:
    """Forget what no limit counts any more."""
    session.exec(delete(_T).where(col(_T.second) < now - _KEPT))


def _within(route: str, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return col(_T.route).in_((route, "")), col(_T.second) >= since.replace(microsecond=0)
