"""Finding papers by words: SQLite's full-text index over everything ever gathered.

The index (``search_words``, without texts of its own) and what results are sorted by (``search_order``) are kept by
triggers on papers and listings, so that whoever writes those cannot forget them: two papers that are joined, a paper
that is merged anew, a listing that grows. Nothing that somebody typed is ever syntax: it stands in quotes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.search import Search, Sort, Wanted
from newsletter.storage import papers
from newsletter.storage.database import Database

COUNTED = 1_000  # results; of more, it is only said that there are more
FARTHEST = 10_000  # results that one can go through
# Of more than these the newest are ranked: what nearly every paper says tells none of them from another, and ranking
# all of them is what would take long.
_RANKED_AT_MOST = 2_000
_COLUMNS = {"author": "people", "org": "org", "cat": "cat", "year": "year"}
# Weights of title, body, people, org, cat, name and year.
_RELEVANCE = "bm25(search_words, 8, 1, 4, 3, 0, 8, 0)"
_EVERY = "SELECT rowid AS paper FROM search_words WHERE search_words MATCH :match"
_SORTED = f"SELECT paper FROM ({_EVERY}) JOIN search_order ON paper_id = paper"  # noqa: S608 - constants
_RANKED = f"""
SELECT paper, distance FROM (
    SELECT rowid AS paper, {_RELEVANCE} AS distance FROM search_words WHERE search_words MATCH :match
    ORDER BY rowid DESC LIMIT {_RANKED_AT_MOST}
)
"""  # noqa: S608 - constants


def _page(found: str, by: str) -> Any:
    """Return the statement that gives the places of one page of what is *found*."""
    return text(
        f"""
        WITH found AS ({found} ORDER BY {by} LIMIT :limit OFFSET :offset)
        SELECT paper, o.day, o.upvotes FROM found JOIN search_order o ON o.paper_id = paper ORDER BY {by}
        """  # noqa: S608 - constants
    )


_PAGES = {
    Sort.RELEVANCE: _page(_RANKED, "distance, paper DESC"),
    Sort.DATE: _page(_SORTED, "day DESC, paper DESC"),
    Sort.UPVOTES: _page(_SORTED, "upvotes DESC, day DESC, paper DESC"),
}
_EDITION = "SELECT number FROM editions"
_COUNT = text(f"SELECT count(*) FROM ({_EVERY} LIMIT :enough)")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Place:
    """One result: a paper, with its day and its most upvotes."""

    paper_id: int
    day: str
    upvotes: int


@dataclass(frozen=True, slots=True)
class Places:
    """Some of the results, in order, and how many there are: exact up to ``COUNTED``."""

    results: tuple[Place, ...] = ()
    total: int = 0
    more: bool = False  # whether others can be asked for behind these


@dataclass(frozen=True, slots=True)
class Found:
    """The same with the papers."""

    papers: tuple[Candidate, ...]
    total: int
    more: bool


def edition(database: Database) -> int:
    """Return a number that grows whenever something changes that a page for everyone shows."""
    number: int = database.glance(_EDITION)
    return number


def edition_of(session: Session) -> int:
    """Return the same as it is in *session*, which all that is read there agrees with."""
    number: int = session.connection().exec_driver_sql(_EDITION).scalar_one()
    return number


def find(session: Session, wanted: Search, sort: Sort = Sort.RELEVANCE, *, limit: int, offset: int = 0) -> Found:
    """Return the papers that have all that is *wanted*, from the one after *offset* on."""
    places = find_places(session, wanted, sort, limit=limit, offset=offset)
    papers_there = load(session, places.results)
    return Found(tuple(papers_there[one.paper_id] for one in places.results), places.total, places.more)


def find_places(
    session: Session, wanted: Search, sort: Sort = Sort.RELEVANCE, *, limit: int, offset: int = 0
) -> Places:
    """Return which papers these are."""
    if wanted.is_empty:
        return Places()
    match = {"match": _expression(wanted.terms)}
    enough = max(COUNTED, min(offset + limit, FARTHEST)) + 1
    total = session.connection().execute(_COUNT, match | {"enough": enough}).scalar_one()
    if offset >= total:
        return Places(total=total)
    rows = session.connection().execute(_PAGES[sort], match | {"limit": limit, "offset": offset})
    last = _RANKED_AT_MOST if sort is Sort.RELEVANCE else FARTHEST
    return Places(tuple(Place(*row) for row in rows), total, more=offset + limit < min(total, last))


def load(session: Session, places: Iterable[Place]) -> dict[int, Candidate]:
    """Return the papers at *places*, by their ids."""
    by_id = {place.paper_id: place for place in places}
    found = papers.load_these(session, by_id) if by_id else ()
    return {paper.id: _candidate(paper, by_id[paper.id]) for paper in found}


def _candidate(paper: Paper, place: Place) -> Candidate:
    said = date.fromisoformat(place.day)
    listing = Listing(source="", day=said, upvotes=place.upvotes)
    return Candidate(paper=paper, listings=(listing,), first_listed=said)


def _expression(terms: Iterable[Wanted]) -> str:
    """Return *terms* as FTS5 takes them: those that must hold, without those that must not."""
    wanted = " AND ".join(f"({_condition(term)})" for term in terms if not term.excludes)
    unwanted = " OR ".join(f"({_condition(term)})" for term in terms if term.excludes)
    return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


def _condition(term: Wanted) -> str:
    match term.field:
        case "":
            return _quoted(term.text) + " *" * term.prefix
        case "author" if not term.phrase and len(term.text.split()) > 1:
            words = " ".join(_quoted(word) for word in term.text.split() if any(map(str.isalnum, word)))
            return f"people : NEAR({words}, 2)"  # in any order, of one name: between two stand three marks
        case "year":
            return f"year : ({' OR '.join(map(_quoted, term.text.split()))})"
    return f"{_COLUMNS[term.field]} : {_quoted(term.text)}"


def _quoted(said: str) -> str:
    return '"' + said.replace('"', '""') + '"'
