"""The ways out, as one sender sees them: open, paused because the site refuses, or stopped for this run.

Pauses grow while nothing is accepted, and take no more than ``patience`` together until something is: the next run
continues what needs longer. Not here: what a reply means (``mail/replies.py``), and limits of our own (``limits``).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from newsletter.config.sending import RouteSettings
from newsletter.domain.delivery import Outcome, Status, Verdict
from newsletter.mail.smtp import Connection
from newsletter.services.ledger import Clock
from newsletter.services.limits import Pace

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=1)
WINDOW = 50  # addresses
_TOO_MANY = 10  # more than a fifth of the last ones failing for good: it is us that they refuse
_NONE = timedelta()
_PAUSES = tuple(timedelta(seconds=s) for s in (2, 4, 8, 16, 30))
_STANDSTILL = 1.0  # seconds without a message begun
_MOST = 1000  # messages over one connection, where the server does not end it sooner


class Route:
    """One way out. ``stopped`` says why nothing more is begun on it in this run, '' while it goes on.

    ``room`` is how many messages its limits leave, ``at_work`` how many are begun and not settled. ``most`` is how
    many a connection carries. ``blocked`` says that too many of the last addresses failed for good.
    """

    def __init__(
        self, way: RouteSettings, connect: Callable[[], Connection], clock: Clock, verdicts: Iterable[Status] = ()
    ) -> None:
        self.way, self.connect = way, connect
        self.name, self.weight, self.connections = way.name, way.weight, way.connection_limit
        self.pace = Pace(way.messages_per_second)
        self.room = float("inf")
        self.at_work = 0
        self.begun = 0
        self.begun_at = 0.0  # when the last one was, in the event loop's seconds
        self.share_from = 0  # what was begun when shares were last counted anew
        self.most = _MOST
        self.stopped = ""
        self.is_proved = False  # a session was opened since the start, or the last pause
        self.refusal = ""  # the site's last words for not taking mail
        self.blocked = False
        self._clock = clock
        self._last = deque(verdicts, maxlen=WINDOW)
        self._paused_until: datetime | None = None
        self._pause = _NONE
        self._pauses = 0
        self._left_after = 0

    @property
    def trouble(self) -> str:
        """Return why nothing more is begun, or since when it was paused nothing was taken; '' while all is well."""
        return self.stopped or (self.refusal if self._pauses else "")

    @property
    def is_open(self) -> bool:
        """Whether messages may be begun."""
        return not self.stopped and not self.rest

    @property
    def rest(self) -> timedelta:
        """How long the pause lasts from now; nothing where there is none."""
        if self._paused_until is None:
            return _NONE
        rest = self._paused_until - self._clock()
        return rest if _NONE < rest <= self._pause else _NONE  # what is longer was begun by a clock since set back

    def wait(self, now: float) -> float:
        """Return how many seconds away the next message is at *now*, in the event loop's, by pause and pace."""
        return self.rest.total_seconds() or self.pace.wait(now)

    @property
    def share(self) -> float:
        """How much was begun, by weight, since shares were last counted anew."""
        return (self.begun - self.share_from) / self.weight

    def begin(self, now: float) -> None:
        """Take a turn at *now*, in the event loop's seconds."""
        self.pace.take(now)
        self.begun += 1
        self.begun_at = now
        self.at_work += 1
        self.room -= 1

    def pause(self) -> timedelta:
        """Begin nothing for a while. Return how long; nothing where the route is paused already."""
        if self.rest:  # what was under way may say the same once more
            return _NONE
        self.is_proved = False
        pause = _PAUSES[min(self._pauses, len(_PAUSES) - 1)]
        self._paused_until, self._pause = self._clock() + pause, pause
        self._pauses += 1
        return pause

    def count(self, outcome: Outcome) -> str:
        """Learn what the server said. Return why nothing more is to be begun, '' while all is well."""
        if outcome.verdict is Verdict.ACCEPTED:
            self._pauses = 0
            if not self.rest:  # what was under way when it was paused does not end that
                self._paused_until = None
            self._last.append(Status.ACCEPTED)
        elif outcome.verdict is Verdict.TEMPORARY:
            self._last.append(Status.DEFERRED)
        elif outcome.verdict is Verdict.PERMANENT:
            self._last.append(Status.FAILED)
            if self._last.count(Status.FAILED) > _TOO_MANY:
                self.blocked = True
                return f"{_TOO_MANY + 1} of the last {len(self._last)} addresses failed for good: {outcome.reply}"
        return ""

    def was_ended(self, carried: int) -> None:
        """Learn that the server ended a session that had *carried* so many: twice the same is its limit."""
        if carried and carried == self._left_after:
            self.most = min(self.most, carried)
        self._left_after = carried


class Routes:
    """All ways out of one sender, and the end of its run. ``stopping`` is set when nothing more is begun."""

    def __init__(self, routes: Sequence[Route], patience: timedelta) -> None:
        self.routes = routes
        self.stopping = asyncio.Event()
        self._patience = self._left = patience
        self._why = ""
        self._sharing: tuple[Route, ...] = ()

    @property
    def stopped(self) -> str:
        """Return why nothing more is begun in this run, '' while it goes on."""
        return self._why

    @property
    def rest(self) -> timedelta:
        """How long until a route may be used."""
        return min((route.rest for route in self.routes if not route.stopped), default=timedelta())

    def stop(self, why: str) -> None:
        """Begin nothing more in this run."""
        self._why = self._why or why
        self.stopping.set()

    def end(self, route: Route, why: str) -> None:
        """Begin nothing more on *route* in this run; without another one, nothing at all."""
        route.stopped = route.stopped or why
        log.info("route %s: %s", route.name, route.stopped)
        if all(one.stopped for one in self.routes):
            self.stop(self._summary())

    def _summary(self) -> str:
        if len(self.routes) == 1:
            return self.routes[0].stopped
        return "; ".join(f"{route.name}: {route.stopped}" for route in self.routes)

    def count(self, route: Route, outcome: Outcome) -> None:
        """Learn what a server said about a message, and end *route* where too many addresses failed for good."""
        if outcome.verdict is Verdict.ACCEPTED:
            self._left = self._patience  # a server that takes mail again deserves all of it
        if why := route.count(outcome):
            self.end(route, why)

    def pause(self, route: Route, outcome: Outcome) -> None:
        """Begin nothing on *route* for a while, since the site refuses; end all if none is open and that takes long."""
        log.info("%s: %s", outcome.server, outcome.reply)
        route.refusal = outcome.reply
        begun = route.pause()
        if begun and not any(one.is_open for one in self.routes) and not self.spend(self.rest):
            for one in self.routes:
                self.end(one, f"the server will not take mail now ({one.refusal}); the next run continues")

    def spend(self, wait: timedelta) -> bool:
        """Spend patience on *wait*. False where it is more than is left."""
        if wait > self._left:
            return False
        self._left -= max(wait, timedelta())
        return True

    def shares(self, route: Route) -> bool:
        """Return whether *route* may begin a message now, by the weights of the routes that could.

        A route may lag behind by what its connections carry; one that is paused, at its limit or pace, or at a
        standstill has no share.
        """
        if len(self.routes) == 1:
            return True
        now = asyncio.get_running_loop().time()
        moving = (one for one in self.routes if one.begun_at > now - _STANDSTILL and not one.pace.wait(now))
        sharing = tuple(one for one in moving if one.is_open and one.room >= 1)
        if sharing != self._sharing:
            self._sharing = sharing
            for one in sharing:
                one.share_from = one.begun
        return route not in sharing or all(route.share <= one.share + one.connections / one.weight for one in sharing)

    async def sleep(self, seconds: float) -> None:
        """Wait, but not once stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), max(0.0, seconds))
