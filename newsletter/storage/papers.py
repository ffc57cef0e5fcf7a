"""Papers as they are read: by key, by id, by the day on which they were listed.

Not here: how what sources say becomes papers (``sightings``), and finding them by words (``search``).
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import func
from sqlalchemy import select as sql
from sqlmodel import Session, col, select

from newsletter.domain.paper import OURS, Listing, Paper, key_of
from newsletter.domain.ranking import Candidate
from newsletter.storage.database import cursor
from newsletter.storage.tables import ListingRow, PaperKeyRow, PaperRedirectRow, PaperRow

_T = TypeVar("_T")
_CHUNK = 500  # keys or ids in one statement: SQLite takes at most 32,766 parameters
_KEPT = tuple(f.name for f in fields(Paper) if f.name not in OURS)
_LISTED = tuple(f.name for f in fields(Listing))
_THESE = """
SELECT id, facts, summaries.text FROM papers LEFT JOIN summaries ON paper_id = id
WHERE id IN (SELECT value FROM json_each(?))
"""


def facts_of(paper: Paper) -> dict[str, Any]:
    """Return what JSON keeps of *paper*: what sources say, where it is not empty."""
    facts = {name: getattr(paper, name) for name in _KEPT}
    return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in facts.items() if v not in ("", (), None)}


def paper_of(paper_id: int, facts: Mapping[str, Any], machine_summary: str | None = None) -> Paper:
    """Return the paper of which JSON kept *facts*, with what a language model said of it."""
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in facts.items()}
    values |= {n: datetime.fromisoformat(values[n]) for n in ("published", "updated") if n in values}
    return Paper(**values, id=paper_id, machine_summary=machine_summary or "")


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield *items* in parts that one statement takes as parameters."""
    return (items[n : n + _CHUNK] for n in range(0, len(items), _CHUNK))


def resolve(session: Session, paper_ids: Iterable[int]) -> dict[int, int]:
    """Return today's id of each of *paper_ids*, which may have been joined to others since."""
    wanted = set(paper_ids)
    found = {i: i for i in wanted}
    for part in chunks(sorted(wanted)):
        rows = session.exec(select(PaperRedirectRow).where(col(PaperRedirectRow.old_id).in_(part)))
        found |= {row.old_id: row.paper_id for row in rows}
    return found


def find(session: Session, named: str) -> Paper | None:
    """Return the paper that *named* (an id of ours as ``#12``, an arXiv id, a DOI or a link) names, or None."""
    if ours := re.fullmatch(r"\s*#([0-9]{1,18})\s*", named):
        paper_id: int | None = int(ours[1])
    else:
        row = session.get(PaperKeyRow, key_of(named))
        paper_id = row.paper_id if row else None
    return load(session, [paper_id]).get(paper_id) if paper_id is not None else None


def load(session: Session, paper_ids: Iterable[int]) -> dict[int, Paper]:
    """Return the papers with these ids; an id that was joined to another gives that one, under the old id too."""
    today = resolve(session, paper_ids)
    found = {paper.id: paper for paper in load_these(session, today.values())}
    return found | {old: found[new] for old, new in today.items() if new in found}


def load_these(session: Session, paper_ids: Iterable[int]) -> Iterator[Paper]:
    """Return the papers with these ids of today."""
    rows = cursor(session).execute(_THESE, (json.dumps(sorted(set(paper_ids))),))  # many, and often
    return (paper_of(paper_id, json.loads(facts), said) for paper_id, facts, said in rows)


def listed(session: Session, first: date, last: date) -> list[Candidate]:
    """Return the papers that any source listed on the days *first* to *last*, with those listings."""
    return _candidates(session, session.exec(select(ListingRow).where(*_within(first, last))))


def listed_of(session: Session, paper_ids: Sequence[int], first: date, last: date) -> list[Candidate]:
    """Return those of *paper_ids* that were listed on the days *first* to *last*, in the order of the ids."""
    rows = [
        row
        for part in chunks(paper_ids)
        for row in session.exec(select(ListingRow).where(col(ListingRow.paper_id).in_(part), *_within(first, last)))
    ]
    found = {candidate.paper.id: candidate for candidate in _candidates(session, rows)}
    return [found[paper_id] for paper_id in paper_ids if paper_id in found]


def _within(first: date, last: date) -> tuple[Any, Any]:
    return col(ListingRow.day) >= first, col(ListingRow.day) <= last


def _candidates(session: Session, rows: Iterable[ListingRow]) -> list[Candidate]:
    listings: dict[int, list[Listing]] = defaultdict(list)
    for row in rows:
        listings[row.paper_id].append(_listing(row))
    found, first_listed = load(session, listings), _first_listed(session, listings)
    return [
        Candidate(paper=found[i], listings=tuple(said), first_listed=first_listed[i]) for i, said in listings.items()
    ]


def _first_listed(session: Session, paper_ids: Iterable[int]) -> dict[int, date]:
    found: dict[int, date] = {}
    for part in chunks(sorted(paper_ids)):
        query = select(ListingRow.paper_id, func.min(ListingRow.day)).where(col(ListingRow.paper_id).in_(part))
        found |= dict(session.exec(query.group_by(col(ListingRow.paper_id))).all())
    return found


def sources_of(session: Session, day: date) -> set[str]:
    """Return the sources that listed anything on *day*."""
    return set(session.exec(select(col(ListingRow.source)).where(col(ListingRow.day) == day).distinct()))


def listed_by_day(session: Session, since: date) -> dict[str, dict[date, int]]:
    """Return how many papers each source listed on each day from *since* on."""
    query = select(col(ListingRow.source), col(ListingRow.day), func.count()).where(col(ListingRow.day) >= since)
    found: dict[str, dict[date, int]] = defaultdict(dict)
    for source, day, count in session.exec(query.group_by(col(ListingRow.source), col(ListingRow.day))):
        found[source][day] = count
    return found


def days_listed(session: Session, paper_id: int) -> list[Listing]:
    """Return every listing of a paper, oldest first."""
    rows = session.exec(select(ListingRow).where(ListingRow.paper_id == paper_id).order_by(col(ListingRow.day)))
    return [_listing(row) for row in rows]


def _listing(row: ListingRow) -> Listing:
    return Listing(**{name: getattr(row, name) for name in _LISTED})


def first_seen(session: Session, paper_ids: Iterable[int]) -> dict[int, datetime]:
    """Return when each paper was first stored."""
    found: dict[int, datetime] = {}
    for part in chunks(sorted(paper_ids)):
        query = select(PaperRow.id, PaperRow.first_seen_at).where(col(PaperRow.id).in_(part))
        found |= {i: at for i, at in session.exec(query) if i is not None}
    return found


def latest_listings(session: Session, paper_id: int) -> tuple[Listing, ...]:
    """Return the listings of a paper's newest day."""
    listings = days_listed(session, paper_id)
    return tuple(n for n in listings if n.day == listings[-1].day)


def newest(session: Session, limit: int) -> list[Paper]:
    """Return the papers that were gathered last."""
    query = select(col(PaperRow.id)).order_by(col(PaperRow.id).desc()).limit(limit)
    return list(load(session, (i for i in session.exec(query) if i is not None)).values())


def titles_since(session: Session, day: date) -> list[tuple[int, str]]:
    """Return the ids and titles of the papers that were first listed on *day* or later, and of some before."""
    oldest = select(func.min(ListingRow.paper_id)).where(col(ListingRow.day) >= day).scalar_subquery()
    found = session.connection().execute(sql(col(PaperRow.id), col(PaperRow.title)).where(col(PaperRow.id) >= oldest))
    return [(paper_id, title) for paper_id, title in found if paper_id is not None]
