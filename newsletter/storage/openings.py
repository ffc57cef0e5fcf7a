"""How papers' summaries begin, as results of searches show it: worked out when papers are gathered, not whenever found.

A trigger takes away what no longer holds; who changes how openings are chosen takes all away, by a migration. Not here:
how they are chosen (``render.card``).
"""

import json
from collections.abc import Iterable
from typing import NamedTuple

from sqlmodel import Session

from newsletter.domain.paper import Paper
from newsletter.storage import papers
from newsletter.storage.database import cursor

_MISSING = "SELECT paper_id, version FROM search_order WHERE opening IS NULL ORDER BY paper_id DESC LIMIT ?"
_KEEP = "UPDATE search_order SET opening = ? WHERE paper_id = ? AND version = ?"
_KEPT = """
SELECT paper_id, opening FROM search_order
WHERE paper_id IN (SELECT value FROM json_each(?)) AND opening IS NOT NULL
"""


class Opening(NamedTuple):
    """The opening of a paper whose words are in this state."""

    text: str
    paper_id: int
    version: int


def missing(session: Session, limit: int) -> list[tuple[Paper, int]]:
    """Return the newest papers without an opening, each with the state of its words."""
    versions = dict(cursor(session).execute(_MISSING, (limit,)).fetchall())
    return [(paper, versions[paper.id]) for paper in papers.load_these(session, versions)]


def keep(session: Session, made: Iterable[Opening]) -> None:
    """Keep what was *made* of papers that are as they were."""
    cursor(session).executemany(_KEEP, made)


def kept(session: Session, paper_ids: Iterable[int]) -> dict[int, str]:
    """Return the openings of those of these papers that have one."""
    return dict(cursor(session).execute(_KEPT, (json.dumps(list(paper_ids)),)).fetchall())
