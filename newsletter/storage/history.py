"""What readers had: of an issue, on a date, of certain papers, and what of it still waits.

Not here: who is due (``due``), and what they get for it (``services/chooser.py``).
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from functools import lru_cache
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import func, union
from sqlalchemy import select as sql
from sqlmodel import Session, col, select, update

from newsletter.domain.delivery import ON_ITS_WAY, OPEN, SENT, Status
from newsletter.domain.issue import Issue
from newsletter.domain.pool import Why
from newsletter.storage import had, retention
from newsletter.storage.database import listed
from newsletter.storage.due import DueReader
from newsletter.storage.papers import chunks
from newsletter.storage.picks import papers_in, papers_line
from newsletter.storage.tables import DeliveryRow, PaperRedirectRow

_D = DeliveryRow
_WAITS = (Status.READY, Status.DEFERRED)
_HISTORIES = 2048  # that are remembered, some kilobytes each


class Had(NamedTuple):
    """What a reader was sent of the papers asked about, and whether an earlier digest still waits.

    One that a sender has taken up counts as sent: it cannot be given up any more.
    """

    sent: frozenset[int] = frozenset()
    waits: bool = False


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
        picks = func.aggregate_strings(papers_line(col(_D.picks)), " ").filter(of_state.in_(ON_ITS_WAY))
        waiting = func.count().filter(of_state.in_(_WAITS))
        query = (
            sql(col(_D.subscriber_id), picks, waiting)
            .where(col(_D.subscriber_id).in_(listed("readers")), col(_D.issue_id).in_(listed("issues")))
            .group_by(col(_D.subscriber_id))
        )
        found = session.connection().execute(query, {"readers": list(reader_ids), "issues": self._issues}).all()
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
