"""Who is due: the readers whose instant has come, the longest unserved first.

Readers are looked at in groups of those who were served last on the same date: who never was comes first, then the
longest unserved. One index has the groups, and in each whose instant has come, so that a chunk of a list costs what the
chunk costs, however long the list is. Not here: who gets what (``services/due.py``), what they had (``history``) and
the rows that are made for them (``making``).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from json import loads
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func
from sqlalchemy import select as sql
from sqlmodel import Session, col, exists, update

from newsletter.domain.subscriber import Preferences
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage.database import cursor, listed
from newsletter.storage.prepared import Prepared
from newsletter.storage.tables import SubscriberRow, day_of, instant_of, stored

_S = SubscriberRow
_ACTIVE = col(_S.status) == SubscriberStatus.ACTIVE
_KEPT = 4096  # wishes that are remembered: most readers share theirs with others
_NEVER = datetime.max.replace(tzinfo=UTC)  # when who wants no digest is due for one
# In the order of ``DueReader``, topics and what else they wish for last. Plain SQL and all rows as one text, as in
# ``turns``: for a thousand readers anything between would cost more than SQLite does.
FACTS = """
  id, next_due_at, last_digest_on, last_issue_on, last_accepted_on, quiet_since, quiet_told,
  email, format, language, created_at,
  topics, alerts, only_topics, frequency, hour, zone, max_papers, min_upvotes
"""
_READERS = f"""SELECT json_group_array(json_array({FACTS}))
FROM (SELECT {FACTS} FROM subscribers WHERE {{which}} ORDER BY next_due_at, id LIMIT :limit)
"""  # noqa: S608 - of the texts above
_NEVER_SERVED, _SERVED = "last_accepted_on IS NULL", "last_accepted_on = :served"
_IS_DUE, _IS_EVER_DUE = "next_due_at <= :now", "next_due_at IS NOT NULL"  # who wants alerts only is due for no digest
# Behind a place, in two ranges of the index: as one, SQLite would go through all who share an instant to find who is
# next.
_BEHIND_IT = ("next_due_at = :at AND id > :after", "next_due_at > :at")


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
    group = _NEVER_SERVED if served_on is None else _SERVED
    values: dict[str, Any] = {"served": served_on and served_on.isoformat(), "now": now and stored(now)}
    if after:
        values |= {"at": stored(after.next_due_at), "after": after.id}
    found: list[DueReader] = []
    for part in _BEHIND_IT if after else ("true",):
        if left := limit - len(found):
            which = f"status = 'active' AND {group} AND {_IS_DUE if now else _IS_EVER_DUE} AND {part}"
            (rows,) = cursor(session).execute(_READERS.format(which=which), values | {"limit": left}).fetchone()
            found += map(due_reader, loads(rows))
    return found


def any_reader(session: Session, now: datetime) -> bool:
    """Return whether anybody is due."""
    return any(readers(session, day, None, 1, now) for day in groups(session, now))


def due_reader(row: Sequence[Any]) -> DueReader:
    """Return the reader of whom ``FACTS`` say this, as they are stored."""
    (id_, at, digest, issue, accepted, quiet, told, email, format_, language, created, *wished) = row
    return DueReader(
        id_,
        _wishes(*wished),
        instant_of(at) if at else _NEVER,
        digest and day_of(digest),
        issue and day_of(issue),
        accepted and day_of(accepted),
        quiet and day_of(quiet),
        bool(told),
        email,
        format_,
        language,
        instant_of(created),
    )


@lru_cache(maxsize=_KEPT)
def _wishes(
    topics: str,
    alerts: str,
    only_topics: int | None,
    frequency: str | None,
    hour: str | None,
    zone: str | None,
    max_papers: int | None,
    min_upvotes: int | None,
) -> Preferences:
    """Return the preferences of which this is stored: the same for equal ones."""
    return Preferences(
        topics=tuple(loads(topics)),
        alerts=tuple(loads(alerts)),
        only_topics=None if only_topics is None else bool(only_topics),
        frequency=frequency,
        hour=time.fromisoformat(hour) if hour else None,
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
    _remembering(tuple(facts)).execute(session, {"readers": reader_ids, **facts})


@lru_cache(maxsize=64)
def _remembering(names: tuple[str, ...]) -> Prepared:
    """Return the statement that changes the facts so *named*."""
    return Prepared(update(_S).where(col(_S.id).in_(listed("readers"))).values({n: bindparam(n) for n in names}))
