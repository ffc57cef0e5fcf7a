"""Papers, and what sources say of them.

Storing a sighting finds the paper by any of its keys, joins papers that turn out to be one, merges again, and
lists it. Gathering twice updates and never duplicates.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from sqlalchemy import func, tuple_
from sqlmodel import Session, col, delete, select, update

from newsletter.domain.paper import Listing, Paper, Sighting, freshness, key_of, merge
from newsletter.domain.ranking import Candidate
from newsletter.storage.database import upsert
from newsletter.storage.tables import (
    IssuePaperRow,
    ListingRow,
    PaperKeyRow,
    PaperRedirectRow,
    PaperRow,
    SightingRow,
)

_T = TypeVar("_T")
_CHUNK = 500  # keys or ids in one statement: SQLite takes at most 32,766 parameters


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing came to: listings seen, and papers that were never stored before."""

    papers: int
    new: int


def store(session: Session, sightings: Sequence[Sighting]) -> Stored:
    """Keep *sightings*: new papers, newer words on known ones, and their listings."""
    known = _papers_by_key(session, {key for s in sightings for key in s.paper.keys})
    new, touched = 0, defaultdict[int, list[Sighting]](list)
    for sighting in sightings:
        ids = sorted({known[key] for key in sighting.paper.keys if key in known})
        for other in ids[1:]:
            _join(session, ids[0], other)
            known = {key: ids[0] if i == other else i for key, i in known.items()}
            touched[ids[0]] += touched.pop(other, [])
        if not ids:
            ids, new = [_new_paper(session, sighting)], new + 1
        _name(session, ids[0], [key for key in sighting.paper.keys if key not in known])
        known |= dict.fromkeys(sighting.paper.keys, ids[0])
        touched[ids[0]].append(sighting)
    _keep_sightings(session, touched)
    _keep_listings(session, touched)
    return Stored(papers=sum(1 for s in sightings if s.listing), new=new)


def _papers_by_key(session: Session, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in _chunks(sorted(keys)):
        rows = session.exec(select(PaperKeyRow.key, PaperKeyRow.paper_id).where(col(PaperKeyRow.key).in_(part)))
        found |= dict(rows)
    return found


def _new_paper(session: Session, sighting: Sighting) -> int:
    row = PaperRow(title=sighting.paper.title, first_seen_at=sighting.seen_at)
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def _name(session: Session, paper_id: int, keys: Iterable[str]) -> None:
    session.add_all(PaperKeyRow(key=key, paper_id=paper_id) for key in keys)


def _join(session: Session, kept: int, other: int) -> None:
    """Make *other* the paper *kept*. What was said, listed and sealed of it moves; hands and picks follow redirects."""
    session.flush()
    _drop_staler(session, kept, other)
    for table, same in ((ListingRow, ("source", "day")), (IssuePaperRow, ("issue_id",))):
        columns = [getattr(table, name) for name in same]
        mine = select(*columns).where(table.paper_id == kept)
        session.exec(delete(table).where(col(table.paper_id) == other, tuple_(*columns).in_(mine)))
    for moved in (SightingRow, ListingRow, IssuePaperRow, PaperKeyRow, PaperRedirectRow):
        session.exec(update(moved).where(col(moved.paper_id) == other).values(paper_id=kept))
    session.exec(delete(PaperRow).where(col(PaperRow.id) == other))
    session.add(PaperRedirectRow(old_id=other, paper_id=kept))
    session.expire_all()


def _drop_staler(session: Session, kept: int, other: int) -> None:
    """Of two words by one source keep the fresher."""
    said = _sightings(session, (kept, other))
    for source in said[kept].keys() & said[other].keys():
        staler = other if freshness(said[kept][source]) >= freshness(said[other][source]) else kept
        session.exec(delete(SightingRow).where(col(SightingRow.paper_id) == staler, col(SightingRow.source) == source))


def _keep_sightings(session: Session, touched: Mapping[int, list[Sighting]]) -> None:
    """Replace each source's word by a fresher one, and merge the papers concerned again."""
    said = _sightings(session, touched)
    for paper_id, sightings in touched.items():
        for sighting in sightings:
            before = said[paper_id].get(sighting.source)
            if before is None or freshness(sighting) >= freshness(before):
                said[paper_id][sighting.source] = sighting
    rows = [_sighting_values(paper_id, s) for paper_id in touched for s in said[paper_id].values()]
    _upsert(session, SightingRow, rows, ("paper_id", "source"))
    papers = {paper_id: merge(said[paper_id].values()) for paper_id in touched}
    values = [{"id": i, "title": p.title, "facts": _facts(p), "withdrawn": p.withdrawn} for i, p in papers.items()]
    if values:
        session.execute(update(PaperRow), values)


def _keep_listings(session: Session, touched: Mapping[int, list[Sighting]]) -> None:
    listed = _listed_before(session, touched)
    rows: dict[tuple[str, date, int], dict[str, Any]] = {}
    for paper_id, sightings in touched.items():
        for listing in (s.listing for s in sightings if s.listing):
            if not listing.first_seen or (paper_id, listing.source) not in listed:
                rows[listing.source, listing.day, paper_id] = {**asdict(listing), "paper_id": paper_id}
    _upsert(session, ListingRow, list(rows.values()), ("source", "day", "paper_id"))


def _listed_before(session: Session, paper_ids: Iterable[int]) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for part in _chunks(sorted(paper_ids)):
        found |= set(
            session.exec(select(ListingRow.paper_id, ListingRow.source).where(col(ListingRow.paper_id).in_(part)))
        )
    return found


def _sightings(session: Session, paper_ids: Iterable[int]) -> dict[int, dict[str, Sighting]]:
    found: dict[int, dict[str, Sighting]] = defaultdict(dict)
    for part in _chunks(sorted(paper_ids)):
        for row in session.exec(select(SightingRow).where(col(SightingRow.paper_id).in_(part))):
            found[row.paper_id][row.source] = _sighting(row)
    return found


def _upsert(session: Session, table: Any, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    if rows:
        statement = upsert(table.__table__)
        others = {name: statement.excluded[name] for name in rows[0] if name not in key}
        session.connection().execute(statement.on_conflict_do_update(index_elements=key, set_=others), rows)


def _sighting(row: SightingRow) -> Sighting:
    return Sighting(source=row.source, kind=row.kind, seen_at=row.seen_at, paper=_paper(row.paper_id, row.facts))


def _sighting_values(paper_id: int, said: Sighting) -> dict[str, Any]:
    facts = _facts(said.paper)
    return {"paper_id": paper_id, "source": said.source, "kind": said.kind, "seen_at": said.seen_at, "facts": facts}


def _facts(paper: Paper) -> dict[str, Any]:
    """Return what JSON keeps of *paper*: the fields that are not empty."""
    facts = {name: value for name, value in asdict(paper).items() if name != "id" and value not in ("", (), None)}
    return {n: v.isoformat() if isinstance(v, datetime) else v for n, v in facts.items()}


def _paper(paper_id: int, facts: Mapping[str, Any]) -> Paper:
    values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in facts.items()}
    values |= {n: datetime.fromisoformat(values[n]) for n in ("published", "updated") if n in values}
    return Paper(**values, id=paper_id)


def _chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[n : n + _CHUNK] for n in range(0, len(items), _CHUNK))


def resolve(session: Session, paper_ids: Iterable[int]) -> dict[int, int]:
    """Return today's id of each of *paper_ids*, which may have been joined to others since."""
    wanted = set(paper_ids)
    found = {i: i for i in wanted}
    for part in _chunks(sorted(wanted)):
        rows = session.exec(select(PaperRedirectRow).where(col(PaperRedirectRow.old_id).in_(part)))
        found |= {row.old_id: row.paper_id for row in rows}
    return found


def find(session: Session, named: str) -> Paper | None:
    """Return the paper that *named* (an id of ours as ``#12``, an arXiv id, a DOI or a link) names, or None."""
    if named.startswith("#") and named[1:].isdigit():
        paper_id: int | None = int(named[1:])
    else:
        row = session.get(PaperKeyRow, key_of(named))
        paper_id = row.paper_id if row else None
    return load(session, [paper_id]).get(paper_id) if paper_id is not None else None


def load(session: Session, paper_ids: Iterable[int]) -> dict[int, Paper]:
    """Return the papers with these ids; an id that was joined to another gives that one, under the old id too."""
    today = resolve(session, paper_ids)
    found: dict[int, Paper] = {}
    for part in _chunks(sorted(set(today.values()))):
        for row in session.exec(select(PaperRow).where(col(PaperRow.id).in_(part))):
            assert row.id is not None
            found[row.id] = _paper(row.id, row.facts)
    return found | {old: found[new] for old, new in today.items() if new in found}


def listed(session: Session, first: date, last: date) -> list[Candidate]:
    """Return the papers that any source listed on the days *first* to *last*, with those listings."""
    rows = session.exec(select(ListingRow).where(col(ListingRow.day) >= first, col(ListingRow.day) <= last)).all()
    listings: dict[int, list[Listing]] = defaultdict(list)
    for row in rows:
        listings[row.paper_id].append(Listing(**row.model_dump(exclude={"paper_id"})))
    return candidates(session, listings)


def candidates(session: Session, listings: Mapping[int, Sequence[Listing]]) -> list[Candidate]:
    """Return the papers with these *listings* by id, each with its first day ever."""
    papers = load(session, listings)
    first: dict[int, date] = {}
    for part in _chunks(sorted(listings)):
        query = select(ListingRow.paper_id, func.min(ListingRow.day)).where(col(ListingRow.paper_id).in_(part))
        first |= dict(session.exec(query.group_by(col(ListingRow.paper_id))))
    return [
        Candidate(paper=papers[i], listings=tuple(said), first_listed=first.get(i, date.max))
        for i, said in listings.items()
    ]


def days_listed(session: Session, paper_id: int) -> list[Listing]:
    """Return every listing of a paper, oldest first."""
    rows = session.exec(select(ListingRow).where(ListingRow.paper_id == paper_id).order_by(col(ListingRow.day)))
    return [Listing(**row.model_dump(exclude={"paper_id"})) for row in rows]


def first_seen(session: Session, paper_ids: Iterable[int]) -> dict[int, datetime]:
    """Return when each paper was first stored."""
    found: dict[int, datetime] = {}
    for part in _chunks(sorted(paper_ids)):
        query = select(PaperRow.id, PaperRow.first_seen_at).where(col(PaperRow.id).in_(part))
        found |= {i: at for i, at in session.exec(query) if i is not None}
    return found
