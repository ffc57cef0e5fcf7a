"""The intake: claims in small batches what is due, so that the senders always have work and a stop loses little.

Others see a true ledger while it works. Not here: sending (``lane``), and who is due (``due``).
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf

from sqlmodel import Session

from newsletter.domain.delivery import Verdict
from newsletter.errors import ConfigurationError, IncompleteError
from newsletter.services import limits
from newsletter.services.limits import Destinations
from newsletter.services.post import Item, Post
from newsletter.services.route import Route, Routes
from newsletter.storage import claims, locks, moves
from newsletter.storage.database import cursor
from newsletter.storage.moves import Claimed

_MOST = 256  # deliveries in one claim: for some thousandths of a second offers wait for it
_A_MINUTE = timedelta(seconds=62)  # of which limits count, by whole seconds
_PUT_OFF = timedelta(seconds=5)
_SOON, _LATE = 0.5, 4.0  # seconds that a claim's work should take


class Intake:
    """What was claimed and is not begun yet. Routes take from it; ``end`` sends those that wait away."""

    def __init__(self, post: Post, routes: Routes) -> None:
        self._post, self._routes = post, routes
        self._claimed: deque[Item] = deque()
        self._destinations = Destinations(post.domains)
        self._at_work = 0  # claimed and not settled
        self._fewest = self._batch = sum(route.connections for route in post.routes)
        self._waiting: list[asyncio.Future[None]] = []
        self._moved = asyncio.Event()
        self._enough: Callable[[], bool] = lambda: False
        self._behind: set[int] = set()
        self._ended = False
        self._put_off_until = self._tidy_at = post.clock()

    def take(self, route: Route) -> tuple[Item | None, float]:
        """Return what *route* may begin at once, or else for how many seconds there is nothing unless it changes."""
        if self.is_over(route) or route.room < 1 or not self._routes.shares(route):
            return None, inf
        now = asyncio.get_running_loop().time()
        soonest = inf
        if wait := route.rest.total_seconds() or route.pace.wait(now):
            return None, wait
        for place, item in enumerate(self._claimed):
            away = item.destination.wait(now)
            if not away:
                del self._claimed[place]
                self._begin(route, item, now)
                return item, 0
            soonest = min(soonest, away)
        return None, soonest

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

    @property
    def _is_open(self) -> bool:
        return any(route.is_open for route in self._post.routes)

    @property
    def _has_room(self) -> bool:
        return any(route.is_open and route.room >= 1 for route in self._post.routes)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

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
            took = asyncio.get_running_loop().time() - item.begun_at
            item.destination.end(answered=verdict is not Verdict.UNCERTAIN, took=took)

    def settled(self, item: Item) -> None:
        """Count the delivery as settled or given back."""
        if item.route:
            self._leave(item)
        self._at_work -= 1
        item.destination.claimed -= 1
        self._wake()

    def _leave(self, item: Item) -> None:
        assert item.route
        item.route.at_work -= 1
        item.route = None

    def put_behind(self, item: Item) -> None:
        """Put the delivery behind all others in this run: the site refused, or so it said."""
        self._behind.add(item.claimed.delivery.id)

    async def claim_anew(self) -> None:
        """Give back what is not begun: a reader left, or the issue was stopped."""
        given, self._claimed = self._claimed, deque()
        ids, owner, now = [item.claimed.delivery.id for item in given], self._post.owner, self._post.clock()
        if ids:
            await self._post.ledger.write(lambda session: claims.give_back(session, owner, now, ids))
        for item in given:
            self.settled(item)

    def stay_alive(self, session: Session, now: datetime) -> None:
        """Record that this sender is alive. Raises IncompleteError where others took it for dead."""
        if not locks.beat(session, self._post.owner, now):
            raise IncompleteError("silent for longer than smtp.lease, so that another run took over; that one goes on")

    def end(self) -> None:
        """Send away whoever waits for something to begin."""
        self._ended = True
        self._wake()

    async def run(self) -> None:  # noqa: C901 - what to wait for is decided in one place
        """Claim until nothing is due and nothing at work, or the run is to stop.

        Raises StorageError, and IncompleteError when another run took over.
        """
        while not self._routes.stopped:
            claimed, more_at = await self._claim()
            if claimed:
                await self._drained()
            elif self._has_room and await self._post.ledger.write(self._more):
                continue
            elif self._at_work and self._at_work == self._destinations.slow(self._now()):
                self._routes.stop("what is left goes to servers that answer slowly; the next run continues")
            elif self._at_work > len(self._claimed):
                await self._until(lambda: True)
            elif more_at:
                await self._wait_for_room(more_at)
            elif self._claimed:
                await self._until(lambda: True)
            elif self._put_off_until > self._post.clock():
                await self._routes.sleep((self._put_off_until - self._post.clock()).total_seconds())
            elif self._is_open and not self._has_room:
                continue  # what was at work when the limits were looked at has been settled meanwhile
            elif not await self._wait_for_trouble():
                return

    async def _claim(self) -> tuple[int, datetime | None]:
        """Claim some of what is due. Return how many, and where limits of ours leave no room, when they do again."""
        asked = _Asked(
            wanted=max(0, self._batch - len(self._claimed)),
            waiting=len(self._claimed),
            busy=self._destinations.full(),
            behind=frozenset(self._behind),
            at_work=[route.at_work for route in self._post.routes],
        )
        begun = [route.begun for route in self._post.routes]
        try:
            found, rooms, more_at = await self._post.ledger.write(lambda session: self._found(session, asked))
        except ConfigurationError as error:
            self._routes.stop(str(error))
            return 0, None
        for route, room, before in zip(self._post.routes, rooms, begun, strict=True):
            route.room = room - (route.begun - before)
        for item in found:
            item.destination.claimed += 1
        self._at_work += len(found)
        self._claimed.extend(found)
        self._wake()
        return len(found), more_at

    def _found(self, session: Session, asked: "_Asked") -> tuple[list[Item], list[float], datetime | None]:
        now, post = self._post.clock(), self._post
        rooms, more_at = self._rooms(session, now, asked)
        left = sum(rooms) - asked.waiting
        found: list[Claimed] = []
        if wanted := int(min(asked.wanted, max(0, left))):
            direct, of_issue = cursor(session), post.issue_id
            found = moves.claim(
                direct, post.owner, now, wanted, busy=asked.busy, behind=asked.behind, issue_id=of_issue
            )
            # Else each claim would look at all that waits for the busy, of whom there are more and more.
            if len(found) < wanted and asked.busy and moves.put_off(direct, asked.busy, now, now + _PUT_OFF, of_issue):
                self._put_off_until = now + _PUT_OFF
        composers = post.composers(session, found)
        of = self._destinations.of
        items = [Item(one, composers[one.delivery.issue_id], of(one.email)) for one in found]
        return items, rooms, more_at if sum(rooms) < 1 else None

    def _rooms(self, session: Session, now: datetime, asked: "_Asked") -> tuple[list[float], datetime | None]:
        """Return how many messages each route's limits leave, and where they leave none, when they do again."""
        rooms, times = [], []
        for route, at_work in zip(self._post.routes, asked.at_work, strict=True):
            room, more_at = (0, None) if route.stopped else limits.room(session, route.way, now, at_work)
            rooms.append(room)
            times += [more_at] if more_at else []
        return rooms, min(times, default=None)

    def _more(self, session: Session) -> bool:
        now = self._post.clock()
        if now >= self._tidy_at:
            claims.expire(session, now)
            claims.withdraw(session, now)
            self._tidy_at = now + _A_MINUTE
        return self._post.make_due(session, now)

    async def _drained(self) -> None:
        """Wait until half of what was claimed is begun, and fit the next claim to how long that took."""
        loop = asyncio.get_running_loop()
        began, enough = loop.time(), self._batch // 2
        await self._until(lambda: len(self._claimed) <= enough)
        took = loop.time() - began
        if took < _SOON:
            self._batch = min(self._batch * 2, _MOST)
        elif took > _LATE:
            self._batch = max(self._batch // 2, self._fewest)

    async def _until(self, enough: Callable[[], bool]) -> None:
        """Wait for something to be begun or settled, until *enough*; after a while look again anyway."""
        if self._at_work and not self._routes.stopped:
            self._moved.clear()
            self._enough = enough
            with suppress(TimeoutError):
                await asyncio.wait_for(self._moved.wait(), _LATE + 1)

    async def _wait_for_trouble(self) -> bool:
        """Wait for what trouble put off by seconds; False when nothing was, or patience is over."""
        now = self._post.clock()
        due = await self._post.ledger.write(lambda session: claims.next_trouble(session, now, self._post.issue_id))
        wait = due - now if due else None
        if wait is None or not (wait <= self._routes.rest or self._routes.spend(wait - self._routes.rest)):
            return False
        await self._routes.sleep(wait.total_seconds())
        return True

    async def _wait_for_room(self, more_at: datetime) -> None:
        await self.claim_anew()
        wait = more_at - self._post.clock()
        if wait > _A_MINUTE:
            self._routes.stop(f"the day's limit of messages is reached; goes on at {more_at:%Y-%m-%d %H:%M} UTC")
        else:
            await self._routes.sleep(wait.total_seconds())

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


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a claim is to know, as it is when asked for: the ledger has a thread of its own."""

    wanted: int
    waiting: int  # claimed and not begun
    busy: list[str]
    behind: frozenset[int]
    at_work: list[int]  # begun and not settled, by route
