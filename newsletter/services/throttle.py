"""How often anything may be done on the pages: by one network, for one address, by all together.

What is done is counted in the database, in one transaction with the decision, so that several processes count
together. Reading is counted in memory, and told to the database once a second for those who read much: a page that is
read costs no write. Keys are hashed with a secret: who reads the table learns neither addresses nor networks.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

from sqlmodel import Session

from newsletter.storage import throttle
from newsletter.storage.database import Database

ALL = "all"


@dataclass(frozen=True, slots=True)
class Rule:
    """So often within a while, which begins with the first time. ``most`` 0 is no limit."""

    name: str
    most: int
    within: timedelta


@dataclass(frozen=True)
class Throttle:
    """Decides, and counts."""

    database: Database
    secret: str

    def admit(self, now: datetime, *uses: tuple[Rule, str]) -> timedelta | None:
        """Count one more of *uses*, each a rule and whom it counts (``ALL`` together); None where all allow it.

        Else nothing is counted, and how long it takes until they do is returned. Who is '' is not known, and not
        counted.
        """
        with self.database.write() as session:
            return self.admit_in(session, now, *uses)

    def admit_in(self, session: Session, now: datetime, *uses: tuple[Rule, str]) -> timedelta | None:
        """Do the same in the transaction of what is to be admitted."""
        rules = {self.key(rule, who): rule for rule, who in uses if rule.most and who}
        throttle.forget(session, now)
        held = throttle.used(session, rules.keys(), now)
        full = [ends_at for key, (used, ends_at) in held.items() if used >= rules[key].most]
        if full:
            return max(full) - now
        throttle.count(session, [(key, 1, now + rule.within) for key, rule in rules.items()], now)
        return None

    def give_back(self, now: datetime, rule: Rule, who: str) -> None:
        """Count one use less: what was admitted was not done."""
        with self.database.write() as session:
            throttle.count(session, [(self.key(rule, who), -1, now + rule.within)], now)

    def key(self, rule: Rule, who: str) -> str:
        """Return under what the uses of *rule* by *who* are counted."""
        return hmac.digest(self.secret.encode(), f"limit:{rule.name}:{who}".encode(), "sha256").hex()[:32]


_SHARED = 1.0  # seconds between two times that what is counted in memory is shared
_MUCH = 0.1  # of what a rule allows, from which on its uses are shared
_MOST = 10_000  # networks that are counted one by one


@dataclass(slots=True)
class _Count:
    ends_at: datetime
    used: int = 0  # by all processes, as far as is known
    unshared: int = 0


@dataclass
class Meter:
    """Counts by one rule what is too frequent to be written each time."""

    throttle: Throttle
    rule: Rule
    clock: Callable[[], float] = time.monotonic
    _counts: dict[str, _Count] = field(default_factory=dict)
    _shared_at: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def admit(self, who: str, now: datetime) -> timedelta | None:
        """Count one more of *who*; None where the rule allows it, else how long it takes until it does."""
        if not self.rule.most:
            return None
        with self._lock:
            counted = self._counts.get(who)
            if counted is None or counted.ends_at <= now:
                self._make_room(now)
                counted = self._counts[who] = _Count(now + self.rule.within)
            if counted.used >= self.rule.most:
                return counted.ends_at - now
            counted.used += 1
            counted.unshared += 1
        return None

    def _make_room(self, now: datetime) -> None:
        if len(self._counts) >= _MOST:
            self._counts = {who: one for who, one in self._counts.items() if one.ends_at > now}
        if len(self._counts) >= _MOST:
            self._counts.clear()  # so many networks at once are no single one's doing

    @property
    def is_due(self) -> bool:
        """Return whether it is time to ``share``; True once for each time."""
        if self.clock() < self._shared_at + _SHARED:
            return False
        self._shared_at = self.clock()
        return True

    def share(self, now: datetime) -> None:
        """Tell the database what was counted, and learn what other processes did, of those who do much."""
        with self._lock:
            much = {
                who: one
                for who, one in self._counts.items()
                if one.ends_at > now and one.unshared and one.used >= self.rule.most * _MUCH
            }
            told = {self.throttle.key(self.rule, who): (one, one.unshared) for who, one in much.items()}
        if told:
            self._tell(told, now)

    def _tell(self, told: dict[str, tuple[_Count, int]], now: datetime) -> None:
        with self.throttle.database.write() as session:
            throttle.forget(session, now)
            throttle.count(session, [(key, times, one.ends_at) for key, (one, times) in told.items()], now)
            known = throttle.used(session, told.keys(), now)
        with self._lock:
            for key, (one, times) in told.items():
                one.unshared -= times
                used, ends_at = known.get(key, (0, one.ends_at))
                one.used, one.ends_at = used + one.unshared, ends_at
