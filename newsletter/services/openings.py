"""How summaries begin, worked out beforehand: searches show it of twenty papers at a time, and finding the telling
sentences of an abstract takes longer than all else that a result says.
"""

from newsletter.render import card
from newsletter.storage import openings
from newsletter.storage.database import Database
from newsletter.storage.openings import Opening

_AT_ONCE = 200  # papers, between which other writers come in
_AT_MOST = 5_000  # papers: what was there before is worked out in some gathers, and meanwhile when it is shown


def open_summaries(database: Database, at_most: int = _AT_MOST) -> None:
    """Work out the openings of papers that have none, the newest first."""
    for _ in range(0, at_most, _AT_ONCE):
        with database.read() as session:
            found = openings.missing(session, _AT_ONCE)
        if not found:
            return
        made = [Opening(card.opening(paper), paper.id, version) for paper, version in found]
        with database.write() as session:
            openings.keep(session, made)
