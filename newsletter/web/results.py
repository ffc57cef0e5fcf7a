"""Results of searches as HTML: each is made once, until something changes that it says.

The same papers are found by many words, the newest and the most upvoted above all. Not here: whole pages (``shelf``).
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from markupsafe import Markup
from sqlmodel import Session

from newsletter.render.card import Brief
from newsletter.storage import openings, search
from newsletter.storage.search import Place
from newsletter.web.pages import Pages
from newsletter.web.shown import shown_brief

_MOST = 20_000  # that are kept, of less than a KB each


class Result(NamedTuple):
    """What is said of one paper, in the direction of its title."""

    html: Markup
    direction: str


class Results:
    """Keeps what was made, by all that it says: what is told of the paper, in a language, and dates beside a year."""

    def __init__(self, *, keeps: bool) -> None:
        """Keep nothing where templates may change at any time, as an operator's own do."""
        self._keeps = keeps
        self._kept: dict[tuple[str, int, Place], Result] = {}

    def of(self, session: Session, places: Sequence[Place], today: date, pages: Pages) -> list[Result]:
        """Return how the papers at *places* look."""
        beside = pages.language.tag, today.year
        shown = {place: self._kept.get((*beside, place)) for place in places}
        new = search.load(session, (place for place, result in shown.items() if result is None))
        begins = openings.kept(session, new) if new else {}
        made = {
            place: _made(shown_brief(new[i], begins.get(i), today, pages), pages)
            for place in places
            if (i := place.paper_id) in new
        }
        if len(self._kept) + len(made) > _MOST:
            self._kept = {}
        if self._keeps:
            self._kept.update({(*beside, place): result for place, result in made.items()})
        return [shown[place] or made[place] for place in places]


def _made(brief: Brief, pages: Pages) -> Result:
    return Result(pages.part("shown_paper.html", card=brief, words=brief.opening), brief.direction)
