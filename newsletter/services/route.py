"""The route, as one sender sees it: open, paused because the site refuses, or stopped for this run.

Pauses grow while nothing is accepted, and take no more than ``patience`` together: the next run continues what needs
longer. Not here: what a reply means (``mail/replies.py``), and limits of our own (``limits``).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta

from newsletter.domain.delivery import Outcome, Status
from newsletter.services.ledger import Clock

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=1)
WINDOW = 50  # addresses
_TOO_MANY = 10  # more than a fifth of the last ones failing for good: it is us that they refuse
_PAUSES = tuple(timedelta(seconds=s) for s in (2, 4, 8, 16, 30))


class Route:
    """``stopped`` says why nothing more is begun in this run, '' while it goes on. ``verdicts`` are what became of the
    last addresses that took a message or failed for good; ``blocked`` says that too many of them failed.
    """

    def __init__(self, clock: Clock, patience: timedelta, verdicts: Iterable[Status]) -> None:
        self.stopped = ""
        self.blocked = False
        self.stopping = asyncio.Event()
        self._clock = clock
        self._patience = patience
        self._last = deque(verdicts, maxlen=WINDOW)
        self._open = asyncio.Event()
        self._open.set()
        self._paused_until = clock()
        self._pauses = 0
        self._why = ""

    @property
    def is_open(self) -> bool:
        """Whether messages may be begun, or a stop is to be noticed."""
        return self._open.is_set()

    @property
    def rest(self) -> timedelta:
        """How long the pause lasts from now; nothing where there is none."""
        return max(self._paused_until - self._clock(), timedelta())

    def stop(self, why: str) -> None:
        """Begin nothing more in this run."""
        self.stopped = self.stopped or why
        self.stopping.set()
        self._open.set()

    def pause(self, outcome: Outcome) -> None:
        """Begin nothing for a while, since the site refuses; what is under way may say the same once more."""
        log.info("%s: %s", outcome.server, outcome.reply)
        self._why = outcome.reply
        if self._open.is_set() and not self.stopped:
            self._paused_until = self._clock() + _PAUSES[min(self._pauses, len(_PAUSES) - 1)]
            self._pauses += 1
            self._open.clear()

    def count(self, status: Status, reply: str) -> None:
        """Learn what became of a message, *status* being accepted or failed, and stop if too many failed."""
        self._last.append(status)
        if status is Status.ACCEPTED:
            self._pauses = 0
        elif self._last.count(Status.FAILED) > _TOO_MANY:
            self.blocked = True
            self.stop(f"{_TOO_MANY + 1} of the last {len(self._last)} addresses failed for good: {reply}")

    async def may_begin(self) -> bool:
        """Wait until a message may be begun. False when nothing more is."""
        await self._open.wait()
        return not self.stopped

    async def end_pause(self) -> None:
        """Wait for the end of the pause, if there is one, and open the route again."""
        if not self._open.is_set() and await self.wait(self.rest):
            self._open.set()

    def bears(self, wait: timedelta) -> bool:
        """Return whether there is patience left for *wait*."""
        return wait <= self._patience

    async def wait(self, wait: timedelta) -> bool:
        """Spend patience on *wait*. False where it was more than is left, and this run is over."""
        if not self.bears(wait):
            self.stop(f"the server will not take mail now ({self._why}); the next run continues")
            return False
        self._patience -= max(wait, timedelta())
        await self.sleep(wait.total_seconds())
        return True

    async def sleep(self, seconds: float) -> None:
        """Wait, but not once stopped."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), max(0.0, seconds))
