"""Results of searches as HTML: each is made once, until something changes that pages show.

The same papers are found by many words, the newest and the most upvoted above all. Not here: whole pages (``shelf``).
"""

from collections.abc import Sequence
from datetime import date

from markupsafe import Markup
from sqlmodel import Session

from newsletter.storage import search
from newsletter.storage.search import Place
from newsletter.web.pages import Pages
from newsletter.web.shown import shown_card

_MOST = 10_000  # that are kept, of less than a KB each


class Results:
    """Keeps what was made of one state of the database on one day."""

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, date], dict[tuple[str, int], Markup]] = (0, date.min), {}

    def of(self, session: Session, places: Sequence[Place], today: date, pages: Pages) -> list[Markup]:
        """Return how the papers at *places* look."""
        kept, tag = self._those_of(search.edition_of(session), today), pages.language.tag
        shown = {one.paper_id: kept.get((tag, one.paper_id)) for one in places}
        new = search.load(session, (one for one in places if shown[one.paper_id] is None))
        made = {i: pages.part("result.html", card=shown_card(paper, "", today, pages)) for i, paper in new.items()}
        kept.update({(tag, i): html for i, html in made.items()})
        return [shown[one.paper_id] or made[one.paper_id] for one in places]

    def _those_of(self, edition: int, today: date) -> dict[tuple[str, int], Markup]:
        of, kept = self._kept
        if of != (edition, today) or len(kept) >= _MOST:
            self._kept = (edition, today), (kept := {})
        return kept
