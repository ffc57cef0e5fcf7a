"""The intake: what was claimed and is not begun, from which the routes take.

Not here: claiming it (``claimant``), and sending it (``lane``).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from math import inf

from newsletter.domain.delivery import Verdict
from newsletter.services.post import Item
from newsletter.services.route import Route, Routes

_SLOW = 5.0  # seconds for one message
_LOOKS = 5.0  # seconds after which it is looked at anyway whether enough was begun


class Intake:
    """What was claimed and is not begun yet. Routes take from it; ``end`` sends those that wait away."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._claimed: deque[Item] = deque()
        self.at_work = 0  # claimed and not settled
        self.behind: set[int] = set()
        self._waiting: list[asyncio.Future[None]] = []
        self._moved = asyncio.Event()
        self._enough: Callable[[], bool] = lambda: False
        self._ended = False
        self._now = asyncio.get_running_loop().time
        self._usual = 0.0  # seconds that a message takes

    def __len__(self) -> int:
        """Return how many are claimed and not begun."""
        return len(self._claimed)

    def take_up(self, items: Iterable[Item]) -> None:
        """Let the routes take these from now on."""
        for item in items:
            item.destination.claimed += 1
            self.at_work += 1
            self._claimed.append(item)
        self._wake()

    def take_out(self) -> list[Item]:
        """Return what is not begun, which nobody takes any more; each is to be ``settled``."""
        given = list(self._claimed)
        self._claimed.clear()
        return given

    def take(self, route: Route) -> tuple[Item | None, float]:
        """Return what *route* may begin at once, or else for how many seconds there is nothing unless it changes."""
        if self.is_over(route) or route.room < 1 or not self._routes.shares(route):
            return None, inf
        if route.at_work and not route.is_proved:  # not all at once where the password may be wrong
            return None, inf
        now = self._now()
        soonest = inf
        if wait := route.wait(now):
            return None, wait
        for place, item in enumerate(self._claimed):
            away = item.destination.wait(now)
            if not away:
                del self._claimed[place]
                self._begin(route, item, now)
                return item, 0
            soonest = min(soonest, away)
        return None, soonest

    def next(self, count: int) -> Iterator[Item]:
        """Give so many of those that may be taken now, the first of them first. Nothing is to be taken meanwhile."""
        now = self._now()
        return islice((item for item in self._claimed if not item.destination.wait(now)), count)

    def is_over(self, route: Route) -> bool:
        """Return whether *route* begins nothing more in this run."""
        return self._ended or bool(route.stopped or self._routes.stopped)

    async def changed(self, seconds: float) -> bool:
        """Wait until something changed, for so many seconds at most. False when nothing did."""
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        await asyncio.wait((change,), timeout=seconds)
        if change.done():
            return True
        self._waiting.remove(change)
        return False

    def _begin(self, route: Route, item: Item, now: float) -> None:
        route.begin(now)
        item.route, item.begun_at = route, now
        item.destination.begin(now)
        self._notice()

    def put_back(self, item: Item) -> None:
        """Take back what was not begun after all."""
        self._leave(item)
        item.destination.leave()
        self._claimed.appendleft(item)
        self._wake()

    def said(self, item: Item, verdict: Verdict) -> None:
        """Learn that nothing more is said about *item*: its destination may be told the next."""
        if verdict is Verdict.TROUBLE:  # the site's, not the destination's
            item.destination.leave()
        else:
            took = self._now() - item.begun_at
            item.destination.end(answered=verdict is not Verdict.UNCERTAIN, slow=self._is_slow(took))
            self.behind.discard(item.claimed.id)

    def _is_slow(self, took: float) -> bool:
        """Return whether a message took much longer than the others do."""
        self._usual = self._usual or took
        slow = took > _SLOW and took > 4 * self._usual
        self._usual += (took - self._usual) / 20
        return slow

    def settled(self, item: Item) -> None:
        """Count the delivery as settled or given back."""
        if item.route:
            self._leave(item)
        self.at_work -= 1
        item.destination.claimed -= 1
        if self._claimed:
            self._wake()
        else:
            self._notice()

    def _leave(self, item: Item) -> None:
        assert item.route
        item.route.at_work -= 1
        item.route = None

    def opened(self) -> None:
        """Learn that a session was opened: the route's others may begin."""
        self._wake()

    def put_behind(self, item: Item) -> None:
        """Put the delivery behind all others in this run: the site refused, or so it said."""
        self.behind.add(item.claimed.id)

    def end(self) -> None:
        """Send away whoever waits for something to begin."""
        self._ended = True
        self._wake()

    async def until(self, enough: Callable[[], bool]) -> None:
        """Wait for something to be begun or settled, until *enough*; after a while look again anyway."""
        if self.at_work and not self._routes.stopped:
            self._moved.clear()
            self._enough = enough
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), _LOOKS)

    def _notice(self) -> None:
        if self._enough():
            self._enough = lambda: False
            self._moved.set()

    def _wake(self) -> None:
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                if not one.done():
                    one.set_result(None)
        self._notice()
