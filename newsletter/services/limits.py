"""How much may go out, and how fast: paces, destinations, and what the limits of a route leave.

What routes took is counted in the ledger, so that a restart forgets nothing. Not here: pauses that a server asks for
(``route``).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import inf

from sqlmodel import Session

from newsletter.config.sending import DomainSettings, RouteSettings
from newsletter.mail.message import ascii_domain
from newsletter.storage import traffic

_BURST = 0.1  # seconds' worth of turns that may be made up for, or timers would cost messages
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


class Pace:
    """So many a second, evenly (0: as many as there are). Instants are the event loop's, in seconds."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return how many seconds away the next turn is, 0 when it is there."""
        return max(0.0, self._next - now) if self._interval else 0.0

    def take(self, now: float) -> None:
        """Take the turn that is there."""
        if self._interval:
            self._next = max(self._next, now - min(_BURST, self._interval * 10)) + self._interval


class Destination:
    """A domain that readers are at. ``claimed`` counts what is at work for it, ``active`` what is being said to it.

    It begins with one message at a time, and gets one more for each answer that comes soon: a domain that takes its
    time keeps one connection waiting and no more (Postfix calls the beginning slow start).
    """

    def __init__(self, limits: DomainSettings) -> None:
        self.claimed = self.active = 0
        self._pace = Pace(limits.messages_per_second)
        self._most = limits.connections or 1_000
        self._window = 1  # how many messages may be said to it at a time

    @property
    def full(self) -> bool:
        """Whether as much is claimed for it as it bears: a few messages for each one at a time."""
        return self.claimed >= self._window * 8

    def wait(self, now: float) -> float:
        """Return how many seconds away its next turn is: 0 when it is there, infinitely many until something ends."""
        return self._pace.wait(now) if self.active < self._window else inf

    def begin(self, now: float) -> None:
        """Take its turn."""
        self._pace.take(now)
        self.active += 1

    def leave(self) -> None:
        """Give the turn back."""
        self.active -= 1

    def end(self, *, answered: bool, slow: bool) -> None:
        """Learn that a message ended, whether by an answer about that message, and whether much later than others."""
        self.active -= 1
        if slow:
            self._window = 1
        else:
            self._window = min(self._window + 1, self._most) if answered else max(1, self._window // 2)


class Destinations:
    """Every destination that this sender has met."""

    def __init__(self, limits: Mapping[str, DomainSettings]) -> None:
        self._limits = {ascii_domain(name).casefold(): domain for name, domain in limits.items()}
        self._known: dict[str, Destination] = {}

    def of(self, address: str) -> Destination:
        """Return the destination of *address*."""
        domain = domain_of(address)
        known = self._known.get(domain)
        if known is None:
            known = self._known[domain] = Destination(self._limits.get(domain, _UNLIMITED))
        return known

    def full(self) -> list[str]:
        """Return the domains for which nothing more is to be claimed now, and forget those that are at rest."""
        if len(self._known) > _MANY:
            self._known = {name: d for name, d in self._known.items() if d.claimed or name in self._limits}
        return [name for name, destination in self._known.items() if destination.full]


_UNLIMITED = DomainSettings()
_MANY = 10_000  # domains


def domain_of(address: str) -> str:
    """Return the domain of *address*, as limits know it."""
    return address.rpartition("@")[2].casefold()


def room(session: Session, way: RouteSettings, now: datetime, at_work: int) -> tuple[float, datetime | None]:
    """Return how many messages may be begun on *way* beside those *at_work*: infinitely many without limits.

    Where what was accepted before leaves no room, also when it does again.
    """
    allowed, more_at = inf, None
    for window, limit in ((_MINUTE, way.messages_per_minute), (_DAY, way.messages_per_day)):
        if not limit:
            continue
        accepted = traffic.accepted_since(session, way.name, now - window)
        allowed = max(0, min(allowed, limit - accepted - at_work))
        if accepted >= limit:
            leaves = traffic.leaves_at(session, way.name, now - window, window) or now
            more_at = max(more_at or now, leaves)
    return allowed, more_at
