"""How far back a digest reaches, and the pools of issues and days that it chooses from.

Most readers choose from the issue's own pool; who missed issues, from all that was listed since.
"""

from collections.abc import Collection, Sequence
from datetime import date, timedelta

from sqlmodel import Session

from newsletter.domain.people import by_ours, ours_first
from newsletter.domain.pool import Pool
from newsletter.domain.ranking import Candidate, newsletter_order
from newsletter.domain.subscriber import WEEKDAYS
from newsletter.services.edit import Policy, Shown
from newsletter.storage import issues, papers

WINDOW = timedelta(days=14)  # how far back a digest reaches at most
_DAY = timedelta(days=1)


class Windows:
    """The windows of the issue *shown*. ``sealed`` is its own pool."""

    def __init__(self, session: Session, days: Collection[str], policy: Policy, shown: Shown) -> None:
        self._day, self._days, self._policy = shown.issue.date, days, policy
        self._dropped = shown.hand.dropped
        front = [c.paper.id for c in shown.arranged.front]
        self.sealed = self._pool_of(shown.arranged.pool, front, shown.hand.chosen)
        self._wider: dict[date, Pool] = {}
        self._closed = issues.closed_days(session, self._day - WINDOW, self._day)

    @property
    def is_empty(self) -> bool:
        """Whether the issue has no papers: then a digest holds only what its reader missed, if anything."""
        return not self.sealed.front

    @property
    def pools(self) -> list[Pool]:
        """Return the pools that there are."""
        return [self.sealed, *self._wider.values()]

    def first_missed(self, weekly: bool, last_accepted_on: date | None) -> date | None:
        """Return the first date on which the reader missed an issue, or might have, since their last digest."""
        last = last_accepted_on
        if weekly:  # an alert or a changed day may have come since: the week's best are those of a week
            last = min(last or date.max, self._day - 7 * _DAY)
        if last is None:
            return None
        first = max(last + _DAY, self._day - WINDOW + _DAY)
        between = (first + n * _DAY for n in range((self._day - first).days))
        return next((d for d in between if WEEKDAYS[d.weekday()] in self._days and d not in self._closed), None)

    def make(self, session: Session, since: date | None) -> Pool:
        """Return the pool of a digest that reaches back to *since*, made where it is not there yet."""
        if since is not None and self._is_wider(since) and since not in self._wider:
            self._wider[since] = self._widened(session, since)
        return self.of(since)

    def of(self, since: date | None) -> Pool:
        """Return the pool of a digest that reaches back to *since*, which was made."""
        return self._wider[since] if since is not None and self._is_wider(since) else self.sealed

    def _is_wider(self, since: date) -> bool:
        return since < self._day - (self._policy.lookback_days - 1) * _DAY or self.is_empty

    def _widened(self, session: Session, since: date) -> Pool:
        policy = self._policy
        by_id = {c.paper.id: c for c in papers.listed(session, since, self._day) if not c.paper.withdrawn}
        kept = [c for i, c in by_id.items() if i not in self._dropped]
        kept += [c for c in self.sealed.order if c.paper.id not in by_id]
        order = newsletter_order(kept, self._day, policy.shares, policy.topics)
        return self._pool_of(ours_first(order, policy.people), self.sealed.front, self.sealed.editors)

    def _pool_of(self, order: Sequence[Candidate], front: Sequence[int], editors: Collection[int]) -> Pool:
        return Pool(order, front, editors, by_ours(order, self._policy.people))
