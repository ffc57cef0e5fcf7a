"""The intake: claims in small batches what is due, so that the senders always have work and a stop loses little.

Others see a true ledger while it works. Not here: sending (``deliver``), and who is due (``due``).
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.errors import ConfigurationError, IncompleteError
from newsletter.services.compose import Composer
from newsletter.services.limits import domain_of
from newsletter.services.post import Post
from newsletter.services.route import Route
from newsletter.storage import claims, locks
from newsletter.storage.claims import Claimed

_BATCH = 8  # deliveries claimed per connection: a few seconds' work

Item = tuple[Claimed, Composer]


class Intake:
    """The queue between the ledger and the connections. ``queue`` ends with a None for each of them."""

    def __init__(self, post: Post, route: Route) -> None:
        self.queue: asyncio.Queue[Item | None] = asyncio.Queue()
        self._post, self._route = post, route
        self._at_work: Counter[str] = Counter()  # claimed and not settled, by destination
        self._settled = asyncio.Event()
        self._refused: set[int] = set()  # for the site's sake, as it said

    def refused(self, claimed: Claimed) -> None:
        """Put the delivery behind all others in this run: the site refused, or so it said."""
        self._refused.add(claimed.delivery.id)

    def done(self, claimed: Claimed) -> None:
        """Count the delivery as settled or given back."""
        self._at_work[domain_of(claimed.email)] -= 1
        self._settled.set()

    def stay_alive(self, session: Session, now: datetime) -> None:
        """Record that this sender is alive. Raises IncompleteError where others took it for dead."""
        if not locks.beat(session, self._post.owner, now):
            raise IncompleteError("silent for longer than smtp.lease, so that another run took over; that one goes on")

    async def run(self) -> None:
        """Fill the queue until nothing is due and nothing at work, or the route has stopped.

        Raises StorageError, and IncompleteError when another run took over.
        """
        while not self._route.stopped:
            await self._route.end_pause()
            claimed, more_at = await self._claim()
            if claimed:
                await self._until(lambda: self.queue.qsize() < self._post.connections)
            elif not more_at and not self._route.stopped and await self._post.ledger.write(self._more):
                continue
            elif self._at_work.total():
                await self._until(lambda: True)
            elif more_at:
                await self._wait_for_room(more_at)
            elif not await self._wait_for_trouble():
                return

    async def _claim(self) -> tuple[int, datetime | None]:
        """Claim some of what is due. Return how many, and where limits of ours leave no room, when they do again."""
        at_work, behind = self._at_work.copy(), frozenset(self._refused)  # the ledger has a thread of its own
        try:
            claimed, more_at = await self._post.ledger.write(lambda session: self._claimed(session, at_work, behind))
        except ConfigurationError as error:
            self._route.stop(str(error))
            return 0, None
        for item in claimed:
            self._at_work[domain_of(item[0].email)] += 1
            self.queue.put_nowait(item)
        return len(claimed), more_at

    def _claimed(
        self, session: Session, at_work: Counter[str], behind: frozenset[int]
    ) -> tuple[list[Item], datetime | None]:
        now = self._post.clock()
        self.stay_alive(session, now)
        wanted = max(0, _BATCH * self._post.connections - at_work.total())
        room, more_at = self._post.limits.room(session, now, at_work.total(), wanted)
        taken: list[Claimed] = []
        while len(taken) < room:
            fitting, too_many = self._fitting(session, now, room - len(taken), at_work, behind)
            taken += fitting
            if not too_many:
                break
        composers = self._post.composers(session, taken)
        return [(one, composers[one.delivery.issue_id]) for one in taken], more_at

    def _fitting(
        self, session: Session, now: datetime, limit: int, at_work: Counter[str], behind: frozenset[int]
    ) -> tuple[list[Claimed], list[int]]:
        """Claim up to *limit*, and give back what its destination does not bear now, which is then left out."""
        found = claims.claim(
            session,
            self._post.owner,
            now,
            limit,
            busy=self._post.limits.full(at_work),
            behind=behind,
            issue_id=self._post.issue_id,
        )
        taken, too_many = self._post.limits.split(found, at_work)
        claims.give_back(session, self._post.owner, now, too_many)
        return taken, too_many

    def _more(self, session: Session) -> bool:
        now = self._post.clock()
        claims.expire(session, now)
        claims.withdraw(session, now)
        return self._post.make_due(session, now)

    async def _until(self, enough: Callable[[], bool]) -> None:
        """Wait for something to be settled, until *enough*."""
        while self._at_work.total() and self._route.is_open and not self._route.stopped:
            await self._settled.wait()
            self._settled.clear()
            if enough():
                return

    async def _wait_for_trouble(self) -> bool:
        """Wait for what trouble put off by seconds; False when nothing was, or patience is over."""
        now = self._post.clock()
        due = await self._post.ledger.write(lambda session: claims.next_trouble(session, now, self._post.issue_id))
        return due is not None and self._route.bears(due - now) and await self._route.wait(due - now)

    async def _wait_for_room(self, more_at: datetime) -> None:
        wait = more_at - self._post.clock()
        if wait > timedelta(minutes=1):
            self._route.stop(f"the day's limit of messages is reached; goes on at {more_at:%Y-%m-%d %H:%M} UTC")
        else:
            await self._route.sleep(wait.total_seconds())
