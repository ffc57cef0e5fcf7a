"""Papers as anyone may look through them: those of a day, a week or a month, what is talked about now, and each one.

Not here: issues (``archive``), and finding papers by words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.people import ours_first
from newsletter.domain.ranking import Candidate, newsletter_order
from newsletter.errors import NotFoundError
from newsletter.services.edit import Policy
from newsletter.storage import browsing, papers
from newsletter.storage.browsing import Appearance
from newsletter.storage.database import Database

PAGE = 50  # papers at once
_LISTINGS = 60  # of one paper
_APPEARANCES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page of the papers of some days, ``count`` in all; and the nearest days before and after that have any."""

    papers: Sequence[Candidate]
    count: int
    before: date | None
    after: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A paper with its newest listings and the newest issues that had it, both newest first."""

    paper: Paper
    listings: Sequence[Listing]
    appearances: Sequence[Appearance]


def newest_day(database: Database) -> date | None:
    """Return the newest day on which anything was listed."""
    with database.read() as session:
        return browsing.newest_day(session)


def of_day(database: Database, policy: Policy, day: date, page: int) -> Listed:
    """Return what was listed on *day*, in the newsletter's order."""
    return _in_order(database, policy, day, day, page)


def trending(database: Database, policy: Policy, today: date, page: int) -> Listed:
    """Return what an issue of *today* chooses from, in the newsletter's order."""
    return _in_order(database, policy, today - timedelta(days=policy.lookback_days - 1), today, page)


def _in_order(database: Database, policy: Policy, first: date, last: date, page: int) -> Listed:
    with database.read() as session:
        listed = [c for c in papers.listed(session, first, last) if not c.paper.withdrawn]
        before, after = browsing.around(session, first, last)
    ordered = ours_first(newsletter_order(listed, last, policy.shares, policy.topics), policy.people)
    shown = ordered[(page - 1) * PAGE : page * PAGE]
    return Listed(papers=shown, count=len(ordered), before=before, after=after)


def most_upvoted(database: Database, first: date, last: date, page: int) -> Listed:
    """Return what was listed from *first* to *last*, the most upvoted first."""
    with database.read() as session:
        ids = browsing.most_upvoted(session, first, last, limit=PAGE, offset=(page - 1) * PAGE)
        before, after = browsing.around(session, first, last)
        return Listed(
            papers=papers.listed_of(session, ids, first, last),
            count=browsing.count_listed(session, first, last),
            before=before,
            after=after,
        )


def paper(database: Database, named: str) -> Known:
    """Return the paper that *named* names (see ``papers.find``), also one that became another. Raises NotFoundError."""
    with database.read() as session:
        found = papers.find(session, named)
        if found is None:
            raise NotFoundError(f"there is no paper {named}")
        listings = papers.days_listed(session, found.id)[-_LISTINGS:]
        appearances = browsing.appearances(session, found.id, _APPEARANCES)
    return Known(paper=found, listings=listings[::-1], appearances=appearances)
