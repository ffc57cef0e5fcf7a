"""Finding papers by words: SQLite's full-text index over everything ever gathered.

The index (``search_words``, without texts of its own) and what results are sorted by (``search_order``) are kept by
triggers on papers and listings, so that whoever writes those cannot forget them: two papers that are joined, a paper
that is merged anew, a listing that grows. Nothing that somebody typed is ever syntax: it stands in quotes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import text
from sqlmodel import Session, select

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.search import Search, Sort, Wanted
from newsletter.storage import papers
from newsletter.storage.tables import EditionRow

COUNTED = 10_000  # results; of more, it is only said that there are more
# Of more than these the newest are ranked: what nearly every paper says tells none of them from another, and ranking
# all of them is what would take long.
_RANKED_AT_MOST = 2_000
_COLUMNS = {"author": "people", "org": "org", "cat": "cat", "year": "year"}
# Weights of title, body, people, org, cat, name and year.
_RELEVANCE = "bm25(search_words, 8, 1, 4, 3, 0, 8, 0)"
_SORTED = """
SELECT o.paper_id, o.day, o.upvotes FROM search_words w JOIN search_order o ON o.paper_id = w.rowid
WHERE search_words MATCH :match ORDER BY {by} o.day DESC, o.paper_id DESC LIMIT :limit OFFSET :offset
"""
_RANKED = f"""
SELECT o.paper_id, o.day, o.upvotes FROM (
    SELECT id, distance FROM (
        SELECT rowid AS id, {_RELEVANCE} AS distance FROM search_words WHERE search_words MATCH :match
        ORDER BY rowid DESC LIMIT {_RANKED_AT_MOST}
    ) ORDER BY distance, id DESC LIMIT :limit OFFSET :offset
) JOIN search_order o ON o.paper_id = id ORDER BY distance, id DESC
"""  # noqa: S608 - constants
_STATEMENTS = {
    Sort.RELEVANCE: text(_RANKED),
    Sort.DATE: text(_SORTED.format(by="")),
    Sort.UPVOTES: text(_SORTED.format(by="o.upvotes DESC,")),
}
_COUNT = text(
    f"SELECT count(*) FROM (SELECT 1 FROM search_words WHERE search_words MATCH :match LIMIT {COUNTED + 1})"  # noqa: S608
)


@dataclass(frozen=True, slots=True)
class Found:
    """Some of the results, in order, and how many there are: at most one more than ``COUNTED``."""

    papers: tuple[Candidate, ...] = ()
    total: int = 0


def edition(session: Session) -> int:
    """Return a number that grows whenever something changes that a page for everyone shows."""
    return session.exec(select(EditionRow.number)).one()


def find(session: Session, wanted: Search, sort: Sort = Sort.RELEVANCE, *, limit: int, offset: int = 0) -> Found:
    """Return the papers that have all that is *wanted*, from the one after *offset* on."""
    if wanted.is_empty:
        return Found()
    match = {"match": _expression(wanted.terms)}
    total = session.execute(_COUNT, match).scalar_one()
    if offset >= total:
        return Found(total=total)
    rows = session.execute(_STATEMENTS[sort], match | {"limit": limit, "offset": offset}).all()
    known = papers.load(session, (row.paper_id for row in rows))
    return Found(tuple(_candidate(known[i], day, upvotes) for i, day, upvotes in rows if i in known), total)


def _candidate(paper: Paper, day: str, upvotes: int) -> Candidate:
    said = date.fromisoformat(day)
    return Candidate(paper=paper, listings=(Listing(source="", day=said, upvotes=upvotes),), first_listed=said)


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
