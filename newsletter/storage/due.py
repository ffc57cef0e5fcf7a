"""Who is due: the readers whose instant has come, the longest unserved first.

Readers are looked at in groups of those who were served last on the same date: who never was comes first, then the
longest unserved. One index has the groups, and in each whose instant has come, so that a chunk of a list costs what the
chunk costs, however long the list is. Not here: who gets what (``services/due.py``), what they had (``history``) and
the rows that are made for them (``making``).
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from itertools import starmap
from typing import Any, NamedTuple

from sqlalchemy import String, cast, func
from sqlalchemy import select as sql
from sqlmodel import Session, col, exists, update

from newsletter.domain.subscriber import Preferences
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage.database import listed
from newsletter.storage.tables import SubscriberRow

_S = SubscriberRow
_ACTIVE = col(_S.status) == SubscriberStatus.ACTIVE
_KEPT = 4096  # wishes that are remembered: most readers share theirs with others


class DueReader(NamedTuple):
    """An active reader, with what decides whether and what they get.

    ``preferences`` are those that choose; the format and the language stand beside them, with what else a mail says.
    ``last_issue_on`` and ``last_accepted_on`` are issues' dates, ``last_digest_on`` is the reader's, and so is
    ``quiet_since``.
    """

    id: int
    preferences: Preferences
    next_due_at: datetime
    last_digest_on: date | None
    last_issue_on: date | None
    last_accepted_on: date | None
    quiet_since: date | None = None
    quiet_told: bool = False
    email: str = ""
    format: str | None = None
    language: str | None = None
    created_at: datetime = datetime.min.replace(tzinfo=UTC)


class Place(NamedTuple):
    """Where in its group a reader stands."""

    next_due_at: datetime
    id: int


def groups(session: Session, now: datetime | None = None) -> list[date | None]:
    """Return the dates on which active readers were served last, None (never) first, then the longest ago.

    With *now* only groups in which somebody is due; the first is always there.
    """
    last = col(_S.last_accepted_on)
    days = sql(func.min(last).label("day")).where(_ACTIVE).cte("days", recursive=True)
    later = sql(func.min(last)).where(_ACTIVE, last > days.c.day).scalar_subquery()
    days = days.union_all(sql(later).where(days.c.day.is_not(None)))
    query = sql(days.c.day).where(days.c.day.is_not(None))
    if now:
        query = query.where(exists().where(_ACTIVE, last == days.c.day, col(_S.next_due_at) <= now))
    return [None, *sorted(day for (day,) in session.execute(query))]


def readers(
    session: Session, served_on: date | None, after: Place | None, limit: int, now: datetime | None = None
) -> list[DueReader]:
    """Return readers of a group in the order of their instants, those behind *after*; with *now* only who is due."""
    query, instant = _of_group(served_on), col(_S.next_due_at)
    if now:
        query = query.where(instant <= now)
    elif not after:
        query = query.where(instant.is_not(None))  # who wants alerts only is due for no digest
    # Two ranges of the index: as one, SQLite would go through all who share an instant to find who is next.
    parts = [query]
    if after:
        parts = [query.where(instant == after.next_due_at, col(_S.id) > after.id)]
        parts += [query.where(instant > after.next_due_at)]
    found: list[Any] = []
    for part in parts:
        left = limit - len(found)
        if left:
            found += session.connection().execute(part.order_by(instant, col(_S.id)).limit(left)).all()
    return list(starmap(due_reader, found))


def any_reader(session: Session, now: datetime) -> bool:
    """Return whether anybody is due."""
    return any(readers(session, day, None, 1, now) for day in groups(session, now))


# Topics and alerts as they are written: most readers' are those of another one.
WISHES = (
    *(cast(col(_S.topics), String), cast(col(_S.alerts), String), col(_S.only_topics)),
    *(col(_S.frequency), col(_S.hour), col(_S.zone), col(_S.max_papers), col(_S.min_upvotes)),
)


FACTS = (
    *(col(_S.id), col(_S.next_due_at), col(_S.last_digest_on), col(_S.last_issue_on), col(_S.last_accepted_on)),
    *(col(_S.quiet_since), col(_S.quiet_told)),
    *(col(_S.email), col(_S.format), col(_S.language), col(_S.created_at)),
    *WISHES,
)


def due_reader(reader_id: int, next_due_at: datetime, *rest: Any) -> DueReader:
    """Return the reader of whom ``FACTS`` says this."""
    return DueReader(reader_id, wishes(*rest[_SAID:]), next_due_at, *rest[:_SAID])


_SAID = len(FACTS) - len(WISHES) - 2


def _of_group(served_on: date | None) -> Any:
    last = col(_S.last_accepted_on)
    return sql(*FACTS).where(_ACTIVE, last.is_(None) if served_on is None else last == served_on)


@lru_cache(maxsize=_KEPT)
def wishes(
    topics: str,
    alerts: str,
    only_topics: bool | None,
    frequency: str | None,
    hour: time | None,
    zone: str | None,
    max_papers: int | None,
    min_upvotes: int | None,
) -> Preferences:
    """Return the preferences that ``WISHES`` say: the same for equal ones."""
    return Preferences(
        topics=tuple(json.loads(topics)),
        alerts=tuple(json.loads(alerts)),
        only_topics=only_topics,
        frequency=frequency,
        hour=hour,
        zone=zone,
        max_papers=max_papers,
        min_upvotes=min_upvotes,
    )


def advance(session: Session, due: Iterable[tuple[DueReader, datetime]]) -> None:
    """Give readers for whom there is nothing their next instant."""
    alike: dict[datetime, list[int]] = defaultdict(list)
    for reader, at in due:
        alike[at].append(reader.id)
    for at, ids in alike.items():
        remember(session, ids, next_due_at=at)


def remember(session: Session, reader_ids: list[int], **facts: Any) -> None:
    """Change *facts* of these readers."""
    those = update(_S).where(col(_S.id).in_(listed("readers"))).values(**facts)
    session.connection().execute(those, {"readers": reader_ids})
