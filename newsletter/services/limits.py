"""How much may go out, and how fast: the route's limits, and those of single destinations.

What was accepted is counted in the ledger, so that a restart forgets nothing. Not here: pauses that a server asks
for (``route``).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.config.settings import DomainSettings, SmtpSettings
from newsletter.mail.message import ascii_domain
from newsletter.storage import claims
from newsletter.storage.claims import Claimed

_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)


def domain_of(address: str) -> str:
    """Return the destination of *address*, as limits know it."""
    return address.rpartition("@")[2].casefold()


class _Pace:
    """So many a second, evenly: each caller gets a turn."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._next = 0.0

    def turn(self) -> float:
        """Take the next turn, and return how many seconds away it is."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self._interval
        return turn - now


class Limits:
    """The limits of ``[smtp]`` and its domains, for one sender."""

    def __init__(self, smtp: SmtpSettings) -> None:
        self._windows = [w for w in ((_MINUTE, smtp.messages_per_minute), (_DAY, smtp.messages_per_day)) if w[1]]
        self._domains = {ascii_domain(name).casefold(): limits for name, limits in smtp.domains.items()}
        self._pace = _Pace(smtp.messages_per_second)
        self._paces = {name: _Pace(d.messages_per_second) for name, d in self._domains.items()}

    async def wait(self, domain: str, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait by *sleep* for the turn of a message to *domain*."""
        for pace in (self._paces.get(domain), self._pace):
            if pace and (seconds := pace.turn()):
                await sleep(seconds)

    def room(self, session: Session, now: datetime, at_work: int, wanted: int) -> tuple[int, datetime | None]:
        """Return how many of *wanted* messages may be begun beside those *at_work*.

        Where what was accepted before leaves no room, also when it does again.
        """
        allowed, when = wanted, None
        for window, limit in self._windows:
            accepted = claims.accepted_since(session, now - window)
            allowed = max(0, min(allowed, limit - accepted - at_work))
            if accepted >= limit:
                oldest = claims.oldest_accepted(session, now - window) or now
                when = max(when or now, oldest + window)
        return allowed, when

    def full(self, at_work: Counter[str]) -> list[str]:
        """Return the destinations that have as many messages at work as they bear."""
        return [name for name, d in self._domains.items() if 0 < d.connections <= at_work[name]]

    def split(self, claimed: Iterable[Claimed], at_work: Counter[str]) -> tuple[list[Claimed], list[int]]:
        """Return what may be begun, counted into *at_work*, and the ids of what must be given back."""
        taken: list[Claimed] = []
        too_many: list[int] = []
        for one in claimed:
            domain = domain_of(one.email)
            most = self._domains.get(domain, DomainSettings()).connections
            if most and at_work[domain] >= most:
                too_many.append(one.delivery.id)
            else:
                at_work[domain] += 1
                taken.append(one)
        return taken, too_many
