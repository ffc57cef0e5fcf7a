"""How summaries begin, worked out beforehand: searches show it of twenty papers at a time, and finding the telling
sentences of an abstract takes longer than all else that a result says.
"""

import asyncio
import logging

from newsletter.domain.paper import Paper
from newsletter.render import card
from newsletter.storage import openings
from newsletter.storage.database import Database
from newsletter.storage.openings import Opening

log = logging.getLogger(__name__)

_AT_ONCE = 200  # papers, between which other writers come in, and who is told to stop can
_AT_MOST = 5_000  # papers: what was there before is worked out in some gathers, and meanwhile when it is shown


async def open_summaries(database: Database, at_most: int = _AT_MOST) -> None:
    """Work out the openings of papers that have none, the newest first."""
    for _ in range(0, at_most, _AT_ONCE):
        if not await asyncio.to_thread(_open_some, database):
            return


def _open_some(database: Database) -> int:
    """Do so for some; return how many."""
    with database.read() as session:
        found = openings.missing(session, _AT_ONCE)
    if found:
        made = [Opening(_opening(paper), paper.id, version) for paper, version in found]
        with database.write() as session:
            openings.keep(session, made)
    return len(found)


def _opening(paper: Paper) -> str:
    try:
        return card.opening(paper)
    except Exception:
        # A fault of this program in one paper must not cost the day of the others.
        log.exception("the summary of paper %s failed in a way that is this program's fault", paper.id)
        return ""
