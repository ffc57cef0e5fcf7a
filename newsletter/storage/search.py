"""Finding papers by words: SQLite's full-text index over everything ever gathered.

The indexes (``search_words``, ``search_titles`` of titles alone, ``search_upvoted`` of papers with upvotes; all without
texts of their own) and what a search needs beside them (``search_order``) are kept by triggers on papers, listings and
summaries, so that whoever writes those cannot forget them: two papers that are joined, a paper that is merged anew, a
listing that grows. Nothing that somebody typed is ever syntax: it stands in quotes. Not here: which of the results come
first (``orders``).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sqlmodel import Session

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.search import Search, Sort, Wanted
from newsletter.storage import orders, papers
from newsletter.storage.database import Database, cursor
from newsletter.storage.orders import Asked

COUNTED = 500  # results; of more, it is only said that there are more: counting takes longer than finding
FARTHEST = 10_000  # results that one can go through
_COLUMNS = {"author": "people", "org": "org", "cat": "cat", "year": "year"}
_ORDERS = {Sort.RELEVANCE: orders.by_relevance, Sort.DATE: orders.by_date, Sort.UPVOTES: orders.by_upvotes}
_EDITION = "SELECT number FROM editions"
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM search_words WHERE search_words MATCH :match LIMIT :enough)"
_TOLD = """
SELECT paper_id, upvotes, version FROM search_order WHERE paper_id IN (SELECT value FROM json_each(:ids))
"""


class Place(NamedTuple):
    """One result: a paper with its day and its most upvotes. Two that are alike show the same."""

    paper_id: int
    day: date
    upvotes: int
    version: int  # of what is told of the paper


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
    asked = Asked(cursor(session), _expression(wanted.terms), *_of_titles(wanted.terms))
    enough = max(COUNTED, min(offset + limit, FARTHEST)) + 1
    total: int = asked.cursor.execute(_COUNT, {"match": asked.match, "enough": enough}).fetchone()[0]
    if offset >= total:
        return Places(total=total)
    found = _ORDERS[sort](asked, total, limit, offset)
    return Places(tuple(_told(asked, found)), total, more=offset + limit < min(total, FARTHEST))


def _told(asked: Asked, found: Iterable[int]) -> Iterable[Place]:
    days = {orders.paper_at(place): orders.day_of(place) for place in found}
    told = {row[0]: row[1:] for row in asked.cursor.execute(_TOLD, {"ids": json.dumps(list(days))})}
    return (Place(paper_id, day, *told[paper_id]) for paper_id, day in days.items())


def load(session: Session, places: Iterable[Place]) -> dict[int, Candidate]:
    """Return the papers at *places*, by their ids."""
    by_id = {place.paper_id: place for place in places}
    found = papers.load_these(session, by_id) if by_id else ()
    return {paper.id: _candidate(paper, by_id[paper.id]) for paper in found}


def _candidate(paper: Paper, place: Place) -> Candidate:
    listing = Listing(source="", day=place.day, upvotes=place.upvotes)
    return Candidate(paper=paper, listings=(listing,), first_listed=place.day)


def _expression(terms: Iterable[Wanted]) -> str:
    """Return *terms* as FTS5 takes them: those that must hold, without those that must not."""
    wanted = " AND ".join(f"({_condition(term)})" for term in terms if not term.excludes)
    unwanted = " OR ".join(f"({_condition(term)})" for term in terms if term.excludes)
    return f"({wanted}) NOT ({unwanted})" if unwanted else wanted


def _of_titles(terms: Sequence[Wanted]) -> tuple[tuple[str, ...], bool]:
    """Return which of *terms* a title alone may hold, and whether they say more."""
    held = tuple(f"({_condition(term)})" for term in terms if term.field == "" and not term.excludes)
    return held, len(held) < len(terms)


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
