"""Who is due, and the rows that make a digest theirs: one per reader and date, and never the same issue twice.

Readers are looked at in groups of those who were served last on the same date: who never was comes first, then the
longest unserved. One index has the groups, and in each whose instant has come, so that a chunk of a list costs what the
chunk costs, however long the list is. Not here: who gets what (``services/due.py``), and claiming (``claims``).
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, cached_property, lru_cache
from itertools import chain
from types import MappingProxyType
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnDefault, Connection, Dialect, String, cast, func, union
from sqlalchemy import select as sql
from sqlmodel import Session, SQLModel, col, exists, select, update

from newsletter.domain.delivery import OPEN, SENT, Status
from newsletter.domain.issue import Issue
from newsletter.domain.pool import Why
from newsletter.domain.subscriber import Preferences
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.storage import had, retention
from newsletter.storage.database import listed
from newsletter.storage.papers import chunks
from newsletter.storage.picks import Picks, packed, papers_in, papers_line
from newsletter.storage.tables import IS_WAITING, DeliveryRow, PaperRedirectRow, SubscriberRow

_S, _D = SubscriberRow, DeliveryRow
_LEDGER = SQLModel.metadata.tables["deliveries"]
_ACTIVE = col(_S.status) == SubscriberStatus.ACTIVE
_WAITS = (Status.READY, Status.DEFERRED)
_KEPT = 4096  # wishes and picks that are remembered: most readers share theirs with others
_HISTORIES = 2048  # some kilobytes each
_RANDOM_BITS = 20
_AHEAD = timedelta(days=1)  # how far a clock may have been set back


class DueReader(NamedTuple):
    """An active reader, with what decides whether and what they get.

    Of the preferences those that choose: not the format, nor the language. ``last_issue_on`` and
    ``last_accepted_on`` are issues' dates, ``last_digest_on`` is the reader's, and so is ``quiet_since``.
    """

    id: int
    preferences: Preferences
    next_due_at: datetime
    last_digest_on: date | None
    last_issue_on: date | None
    last_accepted_on: date | None
    quiet_since: date | None = None
    quiet_told: bool = False


@dataclass(frozen=True, eq=False)
class Contents:
    """What a digest carries: made once, and shared by all readers who get the same.

    ``skipped`` says why there is nothing to send, '' where there is. ``quiet`` is whether it only says so.
    """

    picks: Picks
    since: date | None = None
    skipped: str = ""
    unlisted: str = ""
    corrections: tuple[int, ...] = ()
    quiet: bool = False

    @cached_property
    def stored(self) -> str:
        """Return the picks as the database keeps them."""
        return packed(self.picks)

    @cached_property
    def stored_corrections(self) -> str | None:
        """Return the corrections as the database keeps them."""
        return json.dumps(self.corrections) if self.corrections else None


class NewDelivery(NamedTuple):
    """A row to be made. ``next_due_at`` is the reader's next instant, None where it stays."""

    id: int
    reader: DueReader
    day: date
    message_id: str
    expires_at: datetime
    next_due_at: datetime | None
    contents: Contents


class Had(NamedTuple):
    """What a reader was sent of the papers asked about, and whether an earlier digest still waits."""

    sent: frozenset[int] = frozenset()
    waits: bool = False


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
        found += session.connection().execute(part.order_by(instant, col(_S.id)).limit(left)) if left else []
    return [
        DueReader(i, wishes(*chosen), at, digest_on, issue_on, served_on, quiet_since, told)
        for i, at, digest_on, issue_on, quiet_since, told, *chosen in found
    ]


def any_reader(session: Session, now: datetime) -> bool:
    """Return whether anybody is due."""
    return any(readers(session, day, None, 1, now) for day in groups(session, now))


# Topics and alerts as they are written: most readers' are those of another one.
WISHES = (
    *(cast(col(_S.topics), String), cast(col(_S.alerts), String), col(_S.only_topics)),
    *(col(_S.frequency), col(_S.hour), col(_S.zone), col(_S.max_papers), col(_S.min_upvotes)),
)


def _of_group(served_on: date | None) -> Any:
    facts = (col(_S.id), col(_S.next_due_at), col(_S.last_digest_on), col(_S.last_issue_on))
    last = col(_S.last_accepted_on)
    wanted = sql(*facts, col(_S.quiet_since), col(_S.quiet_told), *WISHES)
    return wanted.where(_ACTIVE, last.is_(None) if served_on is None else last == served_on)


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


def have_had(session: Session, reader_ids: Collection[int], issue: Issue, day: date) -> set[int]:
    """Return who of these readers has a digest of *day*, or of *issue*."""
    theirs = col(_D.subscriber_id).in_(listed("readers"))
    of_day = sql(col(_D.subscriber_id)).where(theirs, col(_D.day) == day)
    of_issue = sql(col(_D.subscriber_id)).where(theirs, col(_D.issue_id) == issue.id)
    return set(session.execute(union(of_day, of_issue), {"readers": list(reader_ids)}).scalars())


def told(session: Session, readers: Iterable[DueReader]) -> set[int]:
    """Return whom of these readers a mail told that nothing matches, or is still to tell.

    That such a row was made is remembered with its reader; the ledger knows what became of it, unless that is so long
    ago that it is a total only: then it was sent.
    """
    since = {reader.id: reader.quiet_since for reader in readers if reader.quiet_told and reader.quiet_since}
    if not since:
        return set()
    theirs = (col(_D.subscriber_id).in_(listed("readers")), col(_D.day) >= min(since.values()))
    rows = session.execute(
        sql(col(_D.subscriber_id), col(_D.day), col(_D.picks), col(_D.status)).where(*theirs), {"readers": list(since)}
    )
    found = [
        (i, status in {*SENT, *OPEN})
        for i, day, picks, status in rows
        if day >= since[i] and any(why == Why.NEAREST for _, why, _ in picks)
    ]
    return {i for i, stands in found if stands} | (since.keys() - {i for i, _ in found})


def waiting_issues(session: Session) -> set[int]:
    """Return the issues of which anything waits."""
    return set(session.exec(select(col(_D.issue_id)).where(IS_WAITING, col(_D.status).in_(_WAITS)).distinct()))


class History:
    """What readers were sent of certain papers in digests of certain issues, and what of these still waits.

    What two readers had in common is read once.
    """

    def __init__(
        self,
        session: Session,
        paper_ids: Iterable[int],
        issue_ids: Iterable[int],
        earlier: Mapping[int, Collection[int]] = MappingProxyType({}),
    ) -> None:
        """Ask about the papers *paper_ids*; who was sent an *earlier* one had those that it is the same work as."""
        self._issues = sorted(issue_ids)
        self._today: dict[int, Collection[int]] = {i: (i,) for i in paper_ids} | dict(earlier)
        for part in chunks(sorted(self._today)):
            joined = select(PaperRedirectRow).where(col(PaperRedirectRow.paper_id).in_(part))
            self._today |= {row.old_id: self._today[row.paper_id] for row in session.exec(joined)}
        self._months = retention.months_of_totals(session, self._issues)
        self._papers = lru_cache(maxsize=_HISTORIES)(self._read)

    def of(self, session: Session, reader_ids: Collection[int]) -> dict[int, Had]:
        """Return what these readers had; who had nothing is left out."""
        if not (self._issues and reader_ids):
            return {}
        of_state = col(_D.status)
        picks = func.aggregate_strings(papers_line(col(_D.picks)), " ").filter(of_state.in_(SENT))
        waiting = func.count().filter(of_state.in_(_WAITS))
        query = (
            sql(col(_D.subscriber_id), picks, waiting)
            .where(col(_D.subscriber_id).in_(listed("readers")), col(_D.issue_id).in_(listed("issues")))
            .group_by(col(_D.subscriber_id))
        )
        found = session.connection().execute(query, {"readers": list(reader_ids), "issues": self._issues})
        had_now = {reader: Had(self._papers(sent or ""), waits > 0) for reader, sent, waits in found}
        return had_now | self._before(session, reader_ids, had_now) if self._months else had_now

    def _before(self, session: Session, reader_ids: Collection[int], now: Mapping[int, Had]) -> dict[int, Had]:
        """Return the same of readers who had some of it in digests that are totals only."""
        found = had.of(session, reader_ids, self._months)
        today = self._today
        sent = {i: chain.from_iterable(today[p] for p in papers if p in today) for i, papers in found.items()}
        return {
            i: Had(now[i].sent.union(of) if i in now else frozenset(of), i in now and now[i].waits)
            for i, of in sent.items()
        }

    def _read(self, sent: str) -> frozenset[int]:
        today = self._today
        had = chain.from_iterable(map(papers_in, sent.split(" ")))
        return frozenset(chain.from_iterable(today[i] for i in had if i in today))

    def expire(self, session: Session, reader_ids: Collection[int], now: datetime) -> None:
        """Give up what of these issues still waits for readers whose next digest is due."""
        if not reader_ids:
            return
        late = (
            col(_D.subscriber_id).in_(listed("readers")),
            col(_D.issue_id).in_(listed("issues")),
            col(_D.status).in_(_WAITS),
        )
        values = {"status": Status.EXPIRED, "settled_at": now, "owner": None}
        given_up = update(_D).where(*late).values(**values)
        session.connection().execute(given_up, {"readers": list(reader_ids), "issues": self._issues})


def new_ids(session: Session, now: datetime, count: int) -> list[int]:
    """Return ids for the deliveries of one chunk, in order: 42 bits of milliseconds since 1970, and 20 random ones.

    Rows of a chunk thus lie together on disk, and a claim of neighbours touches few pages. An id is never used again:
    a chunk has a millisecond of its own, one later than the last that the ledger knows where the clock does not
    show a later one. So it does not depend on the clock, which may stand still or be set back by a day.
    """
    clock = int(now.timestamp() * 1000)
    before = (clock + int(_AHEAD.total_seconds() * 1000)) << _RANDOM_BITS
    newest = session.exec(select(func.max(col(_D.id))).where(col(_D.id) < before)).one()
    base = max(clock, ((newest or 0) >> _RANDOM_BITS) + 1) << _RANDOM_BITS
    return [base + bits for bits in sorted(random.sample(range(1 << _RANDOM_BITS), count))]


def make(session: Session, issue: Issue, rows: Sequence[NewDelivery], now: datetime) -> None:
    """Make the deliveries *rows* of *issue*, and remember with their readers that they were made."""
    if not rows:
        return
    _insert(session.connection(), issue, rows, now)
    alike: dict[Any, list[int]] = defaultdict(list)
    for row in rows:
        reader = row.reader
        digest_on, issue_on = reader.last_digest_on or row.day, reader.last_issue_on or issue.date
        quiet = _quiet(row)
        alike[max(row.day, digest_on), max(issue.date, issue_on), row.next_due_at, quiet].append(reader.id)
    for (digest_on, issue_on, at, quiet), ids in alike.items():
        facts = {**dict(quiet), **({"next_due_at": at} if at else {})}
        _remember(session, ids, last_digest_on=digest_on, last_issue_on=issue_on, **facts)


def _quiet(row: NewDelivery) -> tuple[tuple[str, Any], ...]:
    """Return what changes of since when nothing was found for the row's reader."""
    reader, contents = row.reader, row.contents
    if not (contents.picks or contents.skipped):
        return ()  # the mail of an empty issue
    if contents.skipped or contents.quiet:
        told = (("quiet_told", True),) if contents.quiet else ()
        return told if reader.quiet_since else (("quiet_since", row.day), *told)
    return (("quiet_since", None), ("quiet_told", False)) if reader.quiet_since else ()


def advance(session: Session, due: Iterable[tuple[DueReader, datetime]]) -> None:
    """Give readers for whom there is nothing their next instant."""
    alike: dict[datetime, list[int]] = defaultdict(list)
    for reader, at in due:
        alike[at].append(reader.id)
    for at, ids in alike.items():
        _remember(session, ids, next_due_at=at)


def _remember(session: Session, reader_ids: list[int], **facts: Any) -> None:
    those = update(_S).where(col(_S.id).in_(listed("readers"))).values(**facts)
    session.connection().execute(those, {"readers": reader_ids})


_OF_CONTENTS = ("since", "picks", "unlisted", "corrections", "status", "settled_at", "reply")
_OF_READER = ("id", "subscriber_id", "message_id", "day", "expires_at", "served_on")


def _insert(connection: Connection, issue: Issue, rows: Sequence[NewDelivery], now: datetime) -> None:
    """Insert *rows* as the driver takes them.

    Half of what a row costs would else be making the same values ready again and again: dates, instants and picks.
    """
    stored = {c.name: _stored(c, connection.dialect) for c in _LEDGER.columns}
    day, instant, served_on = stored["day"], stored["expires_at"], stored["served_on"]

    @cache
    def carries(contents: Contents) -> tuple[Any, ...]:
        status, settled_at = (Status.SKIPPED, now) if contents.skipped else (Status.READY, None)
        settled = (status.value, stored["settled_at"](settled_at), contents.skipped)
        carried = (contents.stored, contents.unlisted, contents.stored_corrections)
        return (stored["since"](contents.since), *carried, *settled, *same)

    scalars = {c.name: c.default.arg for c in _LEDGER.columns if isinstance(c.default, ColumnDefault)}
    alike = {**scalars, "issue_id": issue.id, "made_at": now, "next_attempt_at": now}
    names = [name for name in alike if name not in _OF_CONTENTS]
    same = tuple(stored[name](alike[name]) for name in names)
    columns = (*_OF_READER, *_OF_CONTENTS, *names)
    made = [
        (
            row.id,
            row.reader.id,
            row.message_id,
            day(row.day),
            instant(row.expires_at),
            served_on(row.reader.last_accepted_on),
            *carries(row.contents),
        )
        for row in rows
    ]
    # As one statement: for each of many the driver would give up the interpreter's lock, and wait for it.
    places = f"({', '.join('?' * len(columns))})"
    connection.exec_driver_sql(
        f"INSERT INTO {_LEDGER.name} ({', '.join(columns)}) VALUES {', '.join([places] * len(made))}",  # noqa: S608
        tuple(chain.from_iterable(made)),
    )


def _stored(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any]:
    """Return what makes a value of *column* ready for the driver, each once."""
    ready = column.type.dialect_impl(dialect).bind_processor(dialect)
    return cache(ready) if ready else lambda value: value
