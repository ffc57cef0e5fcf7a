"""Works that come back under another key, when the paper by which readers had them has left the pool.

Keys that are one paper's are known to the ledger anyway. What is left are a preprint and its published version, or two
uploads, that share no key: told by titles and authors (``domain.works``), for as long as what was sent is remembered.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from sqlmodel import Session

from newsletter.domain.pool import Pool
from newsletter.domain.works import Titles, same_work
from newsletter.storage import papers

REMEMBERED = timedelta(days=200)  # what was sent longer ago may come again under another key


class Earlier:
    """Of an issue's pools, which papers of before are the same work as one of theirs: looked for once for each."""

    def __init__(self, issued: date) -> None:
        self._since = issued - REMEMBERED
        self._titles: list[tuple[int, str]] | None = None
        self._found: dict[int, Mapping[int, frozenset[int]]] = {}  # by the identity of a pool

    def works(self, session: Session, pools: Iterable[Pool]) -> dict[int, frozenset[int]]:
        """Return by the id of each such paper the ids of those in the *pools* that are the same work."""
        found: dict[int, frozenset[int]] = {}
        for pool in pools:
            if id(pool) not in self._found:
                self._found[id(pool)] = self._look(session, pool)
            for paper_id, same in self._found[id(pool)].items():
                found[paper_id] = found.get(paper_id, frozenset()) | same
        return found

    def _look(self, session: Session, pool: Pool) -> dict[int, frozenset[int]]:
        if self._titles is None:
            self._titles = papers.titles_since(session, self._since)
        titled = Titles(candidate.paper for candidate in pool.order)
        may = {i: like for i, title in self._titles if i not in pool.by_id and (like := titled.like(title))}
        known, found = papers.load(session, may), defaultdict[int, set[int]](set)
        for paper_id, like in may.items():
            found[paper_id] |= {paper.id for paper in like if same_work(known[paper_id], paper)}
        return {paper_id: frozenset(same) for paper_id, same in found.items() if same}
