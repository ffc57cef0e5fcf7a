"""What sources say of papers: stored, told apart by keys, joined where two turn out to be one, merged and listed.

Gathering twice updates and never duplicates, and the order in which sightings come does not matter. Not here:
reading papers (``papers``), and which source is believed (``domain/paper.py``).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any

import sqlalchemy
from sqlalchemy import tuple_
from sqlmodel import Session, col, delete, insert, select, update

from newsletter.domain.paper import Listing, Sighting, freshness, merge
from newsletter.storage.database import upsert
from newsletter.storage.papers import chunks, facts_of, paper_of
from newsletter.storage.tables import (
    IssuePaperRow,
    ListingRow,
    PaperKeyRow,
    PaperRedirectRow,
    PaperRow,
    SightingRow,
    SummaryRow,
)

_Said = dict[int, dict[str, Sighting]]  # by paper, by source


@dataclass(frozen=True, slots=True)
class Stored:
    """What storing came to: listings seen, and papers that were never stored before."""

    papers: int
    new: int


def store(session: Session, sightings: Sequence[Sighting]) -> Stored:
    """Keep *sightings*: new papers, newer words on known ones, and their listings."""
    stored = _papers_by_key(session, {key for s in sightings for key in s.paper.keys})
    known, made = dict(stored), set[int]()
    touched = defaultdict[int, list[Sighting]](list)
    for sighting in sightings:
        ids = sorted({known[key] for key in sighting.paper.keys if key in known})
        for other in ids[1:]:
            _join(session, ids[0], other)
            made.discard(other)
            known = {key: ids[0] if i == other else i for key, i in known.items()}
            touched[ids[0]] += touched.pop(other, [])
        if not ids:
            ids = [_new_paper(session, sighting)]
            made.add(ids[0])
        known |= dict.fromkeys(sighting.paper.keys, ids[0])
        touched[ids[0]].append(sighting)
    _insert(session, PaperKeyRow, [{"key": k, "paper_id": i} for k, i in known.items() if k not in stored])
    _keep_sightings(session, touched)
    _keep_listings(session, touched)
    return Stored(papers=sum(1 for s in sightings if s.listing), new=len(made))


def _papers_by_key(session: Session, keys: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in chunks(sorted(keys)):
        rows = session.exec(select(PaperKeyRow.key, PaperKeyRow.paper_id).where(col(PaperKeyRow.key).in_(part)))
        found |= dict(rows.all())
    return found


def _new_paper(session: Session, sighting: Sighting) -> int:
    values = {"title": "", "facts": {}, "withdrawn": False, "first_seen_at": sighting.seen_at}
    made = session.connection().execute(_table(PaperRow).insert(), values).inserted_primary_key
    assert made is not None
    return int(made[0])


def _join(session: Session, kept: int, other: int) -> None:
    """Make *other* the paper *kept*. What was said, listed and sealed of it moves; hands and picks follow redirects."""
    _drop_staler(session, kept, other)
    _join_in_issues(session, kept, other)
    _keep_a_summary(session, kept, other)
    mine = select(col(ListingRow.source), col(ListingRow.day)).where(ListingRow.paper_id == kept)
    twice = tuple_(col(ListingRow.source), col(ListingRow.day)).in_(mine)
    session.exec(delete(ListingRow).where(col(ListingRow.paper_id) == other, twice))
    for moved in (SightingRow, ListingRow, IssuePaperRow, PaperKeyRow, PaperRedirectRow, SummaryRow):
        session.exec(update(moved).where(col(moved.paper_id) == other).values(paper_id=kept))
    session.exec(delete(PaperRow).where(col(PaperRow.id) == other))
    session.exec(insert(PaperRedirectRow).values(old_id=other, paper_id=kept))
    session.expire_all()


def _drop_staler(session: Session, kept: int, other: int) -> None:
    """Of two words by one source keep the fresher."""
    said = _said(session, (kept, other))
    for source in said[kept].keys() & said[other].keys():
        staler = min((kept, other), key=lambda paper_id: freshness(said[paper_id][source]))
        session.exec(delete(SightingRow).where(col(SightingRow.paper_id) == staler, col(SightingRow.source) == source))


def _join_in_issues(session: Session, kept: int, other: int) -> None:
    """Where both are in the pool of one issue, *kept* takes the better places."""
    rows = session.exec(select(IssuePaperRow).where(col(IssuePaperRow.paper_id).in_((kept, other)))).all()
    mine = {row.issue_id: row for row in rows if row.paper_id == kept}
    for row in (row for row in rows if row.paper_id == other and row.issue_id in mine):
        own = mine[row.issue_id]
        ranks = [r.front_rank for r in (own, row) if r.front_rank is not None]
        own.front_rank, own.pool_rank = min(ranks, default=None), min(own.pool_rank, row.pool_rank)
        own.editors = own.editors or row.editors
        session.delete(row)
    session.flush()


def _keep_a_summary(session: Session, kept: int, other: int) -> None:
    """Of what a model said of both keep one."""
    rows = session.exec(select(SummaryRow).where(col(SummaryRow.paper_id).in_((kept, other)))).all()
    for row in sorted(rows, key=lambda row: (row.text != "", row.paper_id == kept))[:-1]:
        session.delete(row)
    session.flush()


def _keep_sightings(session: Session, touched: Mapping[int, Sequence[Sighting]]) -> None:
    """Replace each source's word by a fresher one, and merge the papers concerned again."""
    said = _said(session, touched)
    for paper_id, sightings in touched.items():
        words = said[paper_id]
        for sighting in sightings:
            words[sighting.source] = max(words.get(sighting.source, sighting), sighting, key=freshness)
    rows = [_sighting_values(paper_id, s) for paper_id in touched for s in said[paper_id].values()]
    _upsert(session, SightingRow, rows, ("paper_id", "source"))
    papers = {paper_id: merge(said[paper_id].values()) for paper_id in touched}
    values = [{"id": i, "title": p.title, "facts": facts_of(p), "withdrawn": p.withdrawn} for i, p in papers.items()]
    if values:
        session.execute(update(PaperRow), values)
        session.expire_all()


def _keep_listings(session: Session, touched: Mapping[int, Sequence[Sighting]]) -> None:
    listed = _listed_before(session, touched)
    rows: dict[tuple[str, date, int], dict[str, Any]] = {}
    for paper_id, sightings in touched.items():
        for listing in (s.listing for s in sightings if s.listing):
            if not listing.first_seen or (paper_id, listing.source) not in listed:
                rows[listing.source, listing.day, paper_id] = {**_listing_values(listing), "paper_id": paper_id}
    _upsert(session, ListingRow, list(rows.values()), ("source", "day", "paper_id"))


def _listed_before(session: Session, paper_ids: Iterable[int]) -> set[tuple[int, str]]:
    found: set[tuple[int, str]] = set()
    for part in chunks(sorted(paper_ids)):
        query = select(ListingRow.paper_id, ListingRow.source).where(col(ListingRow.paper_id).in_(part))
        found |= set(session.exec(query).all())
    return found


def _said(session: Session, paper_ids: Iterable[int]) -> _Said:
    found: _Said = defaultdict(dict)
    columns = [_table(SightingRow).c[name] for name in ("paper_id", "source", "kind", "seen_at", "facts")]
    for part in chunks(sorted(paper_ids)):
        query = sqlalchemy.select(*columns).where(col(SightingRow.paper_id).in_(part))
        for paper_id, source, kind, seen_at, facts in session.connection().execute(query):
            # Without our id: two words that say the same are the same, whatever paper they were filed under.
            said = Sighting(source=source, kind=kind, seen_at=seen_at, paper=paper_of(0, facts))
            found[paper_id][source] = said
    return found


def _sighting_values(paper_id: int, said: Sighting) -> dict[str, Any]:
    facts = facts_of(said.paper)
    return {"paper_id": paper_id, "source": said.source, "kind": said.kind, "seen_at": said.seen_at, "facts": facts}


def _listing_values(listing: Listing) -> dict[str, Any]:
    return {f.name: getattr(listing, f.name) for f in fields(listing)}


def _insert(session: Session, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.connection().execute(_table(table).insert(), rows)


def _upsert(session: Session, table: Any, rows: list[dict[str, Any]], key: tuple[str, ...]) -> None:
    if rows:
        statement = upsert(_table(table))
        others = {name: statement.excluded[name] for name in rows[0] if name not in key}
        session.connection().execute(statement.on_conflict_do_update(index_elements=key, set_=others), rows)


def _table(row: Any) -> Any:
    return row.__table__
