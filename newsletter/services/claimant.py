"""The claimant: claims in small batches what is due, so that the senders always have work and a stop loses little.

Others see a true ledger while it works. Not here: what the routes take of it (``intake``), sending (``lane``), whose
turn it is (``storage/turns.py``), and who is due (``due``).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.errors import ConfigurationError, IncompleteError
from newsletter.services import limits
from newsletter.services.intake import Intake
from newsletter.services.limits import Destinations
from newsletter.services.post import Item, Post
from newsletter.services.route import Routes
from newsletter.storage import claims, locks, turns
from newsletter.storage.database import cursor
from newsletter.storage.making import Taker
from newsletter.storage.turns import Claimed, Place

_MOST = 512  # deliveries that are claimed and not begun: half of them at a time, for which offers wait a moment
_AT_ONCE = _MOST // 2
_A_MINUTE = timedelta(seconds=62)  # of which limits count, by whole seconds
_ANEW = 30.0  # seconds after which a claim begins with whoever waited longest, whatever was passed
_SHORTLY = 0.1  # seconds
_SELDOM = 0.5  # seconds between two claims while more is made due: what is made is taken up without one
TAKEN_OVER = "silent for longer than smtp.lease, so that another run took over; that one goes on"
_SOON, _LATE = 0.5, 4.0  # seconds that a claim's work should take


class Claimant:
    """Keeps the *intake* supplied with what is due, within what the routes' limits leave."""

    def __init__(self, post: Post, routes: Routes, intake: Intake) -> None:
        self._post, self._routes, self._intake = post, routes, intake
        self._destinations = Destinations(post.domains)
        self._fewest = self._batch = sum(route.connections for route in post.routes)
        self._tidy_at = post.clock()  # not before the first message: all that waits is looked at
        self._after: Place | None = None  # what stands before it waits for destinations that have enough at work
        self._hiding: set[str] = set()
        self._looks_anew_at = self._claims_at = 0.0  # in the event loop's seconds
        self._now = asyncio.get_running_loop().time

    async def run(self) -> None:
        """Claim until nothing is due and nothing at work, or the run is to stop.

        Raises StorageError, and IncompleteError when another run took over.
        """
        while not self._routes.stopped:
            found = await self._next()
            if found.items:
                await self._drained()
            elif found.passed or found.makes_more:
                continue
            elif self._intake.at_work > len(self._intake):
                await self._intake.until(lambda: True)
            elif found.more_at:
                await self._wait_for_room(found.more_at)
            elif self._is_open and not self._has_room:
                # What was at work when the limits were looked at is settled, or who has room is paused.
                await self._routes.sleep(_SHORTLY)
            elif len(self._intake):
                await self._intake.until(lambda: True)
            elif not await self._wait_for_trouble():
                return

    async def claim_anew(self) -> None:
        """Give back what is not begun: a reader left, or the issue was stopped."""
        given, self._after, self._claims_at = self._intake.take_out(), None, 0.0
        ids, owner, now = [item.claimed.id for item in given], self._post.owner, self._post.clock()
        if ids:
            await self._post.ledger.write(lambda session: claims.give_back(session, owner, now, ids))
        for item in given:
            self._intake.settled(item)

    def stay_alive(self, session: Session, now: datetime) -> None:
        """Record that this sender is alive. Raises IncompleteError where others took it for dead."""
        if not locks.beat(session, self._post.owner, now):
            raise IncompleteError(TAKEN_OVER)

    @property
    def _is_open(self) -> bool:
        return any(route.is_open for route in self._post.routes)

    @property
    def _has_room(self) -> bool:
        return any(route.is_open and route.room >= 1 for route in self._post.routes)

    async def _next(self) -> "_Found":
        """Claim what is due, and where that is nothing, make more due.

        As long as that is taken up whole, nothing but what waits from before could be claimed: looked for now and then.
        """
        room = sum(route.room for route in self._post.routes if route.is_open)
        wanted = int(min(self._lacks, max(0, room - len(self._intake))))
        is_making = wanted > 0 and self._now() < self._claims_at
        found = _Found(wanted=wanted) if is_making else await self._claim()
        if not found.wanted or found.items or found.passed:
            return found
        made = await self._make_due(found)
        if made.leaves or not (made.items and made.makes_more):
            self._claims_at = 0.0
        elif not is_making:
            self._claims_at = self._now() + _SELDOM
        return replace(made, makes_more=True) if is_making else made  # nothing is over without a claim

    @property
    def _lacks(self) -> int:
        """Return how many deliveries more are to be claimed and not begun."""
        return min(_AT_ONCE, max(0, self._batch - len(self._intake)))

    async def _make_due(self, room: "_Found") -> "_Found":
        """Make more due, and take up as much of it as a claim that found nothing had *room* for."""
        if self._post.clock() >= self._tidy_at:
            await self._post.tidy()
            self._tidy_at = self._post.clock() + _A_MINUTE
        taker = Taker(self._post.owner, room.wanted, frozenset(self._destinations.full()))
        made = await self._written(lambda session: self._made(session, taker))
        if made.makes_more:
            self._after = None  # they may have waited longer than those that a claim has passed
        self._intake.take_up(made.items)
        return replace(made, more_at=room.more_at, wanted=room.wanted)

    def _made(self, session: Session, taker: Taker) -> "_Found":
        self._require_alive(session)
        more = self._post.make_due(session, self._post.clock(), taker)
        return _Found(items=self._items(session, taker.taken), makes_more=more, leaves=taker.leaves)

    async def _written(self, work: Callable[[Session], "_Found"]) -> "_Found":
        try:
            return await self._post.ledger.write(work)
        except ConfigurationError as error:
            self._routes.stop(str(error))
            return _Found()

    async def _claim(self) -> "_Found":
        """Claim some of what is due, which the routes may take from now on."""
        busy, now = self._destinations.full(), self._now()
        # Who had too much at work bears more again, or what was put back or released stands before the place.
        if not self._hiding <= set(busy) or now > self._looks_anew_at:
            self._after, self._looks_anew_at = None, now + _ANEW
        asked = _Asked(
            wanted=self._lacks,
            waiting=len(self._intake),
            busy=busy,
            after=self._after,
            behind=frozenset(self._intake.behind),
            at_work=[route.at_work for route in self._post.routes],
        )
        begun = [route.begun for route in self._post.routes]
        found = await self._written(lambda session: self._found(session, asked))
        for route, room, before in zip(self._post.routes, found.rooms, begun, strict=False):  # none where it failed
            route.room = room - (route.begun - before)
        if found.passed:
            self._after, self._hiding = found.passed, set(busy)
        self._intake.take_up(found.items)
        return found

    def _found(self, session: Session, asked: "_Asked") -> "_Found":
        self._require_alive(session)
        now, post, direct = self._post.clock(), self._post, cursor(session)
        rooms, more_at = self._rooms(session, now, asked)
        wanted = int(min(asked.wanted, max(0, sum(rooms) - asked.waiting)))
        claimed = turns.claim(
            direct,
            post.owner,
            now,
            wanted,
            busy=asked.busy,
            behind=asked.behind,
            issue_id=post.issue_id,
            after=asked.after,
        )
        # What waits for the busy grows: looked at again by each claim it would take longer and longer.
        hides = asked.busy and len(claimed) < wanted
        return _Found(
            items=self._items(session, claimed),
            rooms=rooms,
            more_at=more_at,
            wanted=wanted,
            passed=turns.passed(direct, now, asked.after, post.issue_id) if hides else None,
        )

    def _require_alive(self, session: Session) -> None:
        if not locks.is_known(cursor(session), self._post.owner):
            raise IncompleteError(TAKEN_OVER)

    def _items(self, session: Session, claimed: list[Claimed]) -> list[Item]:
        composers, of = self._post.composers(session, claimed), self._destinations.of
        return [Item(one, composers[one.issue_id], of(one.email)) for one in claimed]

    def _rooms(self, session: Session, now: datetime, asked: "_Asked") -> tuple[list[float], datetime | None]:
        """Return how many messages each route's limits leave, and where none takes more, when one does again.

        Not where a route only waits for answers: it takes more if these are refusals, and what was accepted while this
        was asked counts twice.
        """
        rooms: list[float] = []
        full: list[datetime] = []
        going = 0
        for route, at_work in zip(self._post.routes, asked.at_work, strict=True):
            room, more_at = (0, None) if route.stopped else limits.room(session, route.way, now, at_work)
            rooms.append(room)
            going += not route.stopped
            full += [more_at] if more_at else []
        return rooms, min(full, default=None) if len(full) == going else None

    async def _drained(self) -> None:
        """Wait until half of what was claimed is begun, and fit the next claim to how long that took."""
        began, enough = self._now(), self._batch // 2
        await self._intake.until(lambda: len(self._intake) <= enough)
        took = self._now() - began
        if took < _SOON:
            self._batch = min(self._batch * 2, _MOST)
        elif took > _LATE:
            self._batch = max(self._batch // 2, self._fewest)

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


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a claim is to know, as it is when asked for: it is made later, and by a thread where it has to wait."""

    wanted: int
    waiting: int  # claimed and not begun
    busy: list[str]
    after: Place | None
    behind: frozenset[int]
    at_work: list[int]  # begun and not settled, by route


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a claim came to: ``wanted`` says how many it might have taken, ``more_at`` when limits leave room again."""

    items: list[Item] = field(default_factory=list)
    rooms: list[float] = field(default_factory=list)
    more_at: datetime | None = None
    wanted: int = 0
    passed: Place | None = None
    makes_more: bool = False  # where it made due: there may be more to make
    leaves: bool = False  # some of what was made, for claims
