"""Delivering: sends what is due until nothing is, over several connections, and records what became of each.

*Offered* is durable before the final dot, and *accepted* means that a server said 250. One reader's failure is a
value; the site's trouble pauses everybody and costs no reader an attempt. Not here: who is due (``due``), what a
message says (``compose``), what a reply means (``mail/replies.py``).
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from newsletter.domain.delivery import Outcome, Status, Verdict
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.smtp import Connection, SmtpTrouble
from newsletter.services.compose import Composer
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.limits import Limits, domain_of
from newsletter.storage import claims, locks
from newsletter.storage.claims import Claimed
from newsletter.storage.database import StorageError

log = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=1)  # for pauses in all; the next run continues what takes longer
DRAIN = 7.0  # seconds for what is in flight when told to stop
_PAUSES = tuple(timedelta(seconds=s) for s in (2, 4, 8, 16, 30))
_BATCH = 8  # deliveries claimed per connection: a few seconds' work
_WINDOW, _TOO_MANY = 50, 10  # more than a fifth of the last fifty failing for good: it is us that they refuse


@dataclass(kw_only=True)
class Progress:
    """How far the sender is. ``stopped`` says why it ended before nothing was due, '' where it did not."""

    accepted: int = 0
    failed: int = 0
    deferred: int = 0
    stopped: str = ""
    by_hand: bool = False  # stopped by whoever runs it
    blocked: bool = False  # too many addresses in a row failed for good


@dataclass(frozen=True, kw_only=True)
class Post:
    """What the sender needs: how to reach the route, how fast, and how to make what it sends."""

    ledger: Ledger
    clock: Clock
    owner: str
    connect: Callable[[], Connection]
    composers: Callable[[Session, list[Claimed]], dict[int, Composer]]  # by issue id
    make_due: Callable[[Session, datetime], bool]  # makes a chunk of due rows; False when there are none left
    suppress: Callable[[Session, int, str, datetime], None]
    limits: Limits
    connections: int
    lease: timedelta
    resend: bool
    issue_id: int | None = None  # only this issue's
    told: Callable[[Progress], None] = field(default=lambda _: None)


_Item = tuple[Claimed, Composer]


class Sender:
    """One run. ``stop`` may be called at any time, also by a signal."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.progress = Progress()
        self._queue: asyncio.Queue[_Item | None] = asyncio.Queue()
        self._at_work: Counter[str] = Counter()  # claimed and not settled, by destination
        self._settled = asyncio.Event()
        self._stopping = asyncio.Event()
        self._open = asyncio.Event()  # the route is not paused
        self._open.set()
        self._paused_until = post.clock()
        self._pauses = 0
        self._patience = PATIENCE
        self._why = ""  # the route is paused
        self._offered: set[int] = set()
        self._last: deque[Status] = deque(maxlen=_WINDOW)

    def interrupt(self) -> None:
        """Stop because a person or the system says so."""
        self.progress.by_hand = True
        self.stop("stopped by a signal; the next run continues")

    def stop(self, why: str) -> None:
        """Claim nothing more, finish what is in flight, and end within ``DRAIN``."""
        self.progress.stopped = self.progress.stopped or why
        self._stopping.set()
        self._open.set()

    async def run(self) -> Progress:
        """Send until nothing is due, or until ``progress.stopped`` says why not. Raises StorageError."""
        workers = [asyncio.create_task(self._work()) for _ in range(self._post.connections)]
        feeding = asyncio.create_task(self._feed())
        beating = asyncio.create_task(self._beat())
        try:
            await self._until_done(feeding, workers)
        finally:
            for task in (feeding, beating, *workers):
                task.cancel()
            await asyncio.gather(feeding, beating, *workers, return_exceptions=True)
            await self._leave()
        return self.progress

    async def _until_done(self, feeding: asyncio.Task[None], workers: list[asyncio.Task[None]]) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({feeding, stopping, *workers}, return_when=asyncio.FIRST_COMPLETED)
            while feeding not in done and stopping not in done:
                _raise(done)  # a worker ends early only by a failure
                done, _ = await asyncio.wait({feeding, stopping, *workers}, return_when=asyncio.FIRST_COMPLETED)
            _raise(done - {stopping})
            for _ in workers:
                self._queue.put_nowait(None)
            done, _ = await asyncio.wait(workers, timeout=DRAIN if self._stopping.is_set() else None)
            _raise(done)
        finally:
            stopping.cancel()

    async def _leave(self) -> None:
        """Give back what was claimed; what was offered without an answer is uncertain, as after a crash."""
        now, owner = self._post.clock(), self._post.owner

        def leave(session: Session) -> None:
            claims.give_back(session, owner, now)
            claims.recover(session, [owner], now, resend=self._post.resend)

        with suppress(StorageError):  # the next run finds out that this owner is gone, and does the same
            await self._post.ledger.write(leave)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._post.lease.total_seconds() / 3)
            now = self._post.clock()
            await self._post.ledger.write(lambda session, now=now: locks.beat(session, self._post.owner, now))  # type: ignore[misc]

    # Feeding: claims in small batches, so that others see a true ledger and a stop loses little.

    async def _feed(self) -> None:
        while not self._stopping.is_set():
            await self._wait_for_pause()
            claimed, more_at = await self._post.ledger.write(self._claim)
            for item in claimed:
                self._queue.put_nowait(item)
            if claimed:
                await self._until(lambda: self._queue.qsize() < self._post.connections)
            elif more_at:
                await self._wait_for_room(more_at)
            elif not await self._post.ledger.write(self._more):
                if not self._at_work.total() and not await self._wait_for_trouble():
                    return
                await self._until(lambda: True)

    def _claim(self, session: Session) -> tuple[list[_Item], datetime | None]:
        now, at_work = self._post.clock(), self._at_work.total()
        wanted = max(0, _BATCH * self._post.connections - at_work)
        room, more_at = self._post.limits.room(session, now, at_work, wanted)
        if not room:
            return [], more_at
        claims.expire(session, now)
        busy = self._post.limits.full(self._at_work)
        found = claims.claim(session, self._post.owner, now, room, busy=busy, issue_id=self._post.issue_id)
        taken, too_many = self._post.limits.split(found, self._at_work)
        claims.give_back(session, self._post.owner, now, too_many)
        composers = self._post.composers(session, taken)
        return [(one, composers[one.delivery.issue_id]) for one in taken], None

    def _more(self, session: Session) -> bool:
        return self._post.make_due(session, self._post.clock())

    async def _until(self, enough: Callable[[], bool]) -> None:
        """Wait for something to be settled, until *enough*."""
        while not self._stopping.is_set() and self._open.is_set():
            if not self._at_work.total():
                return
            await self._settled.wait()
            self._settled.clear()
            if enough():
                return

    async def _wait_for_pause(self) -> None:
        if not self._open.is_set():
            await self._wait(self._paused_until - self._post.clock())
            self._open.set()

    async def _wait_for_trouble(self) -> bool:
        """Wait for what a site's trouble put off by seconds; False when nothing was, or patience is over."""
        due = await self._post.ledger.write(claims.next_trouble)
        if due is None or due - self._post.clock() > self._patience:
            return False
        await self._wait(due - self._post.clock())
        return True

    async def _wait_for_room(self, more_at: datetime) -> None:
        wait = more_at - self._post.clock()
        if wait > timedelta(minutes=1):
            self.stop(f"the day's limit of messages is reached; goes on at {more_at:%Y-%m-%d %H:%M} UTC")
        else:
            await self._sleep(wait)

    async def _wait(self, wait: timedelta) -> None:
        """Spend patience on a pause, or stop when there is not enough left."""
        if wait > self._patience:
            self.stop(f"the server will not take mail now ({self._why}); the next run continues")
            return
        self._patience -= max(wait, timedelta())
        await self._sleep(wait)

    async def _sleep(self, wait: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(0.0, wait.total_seconds()))

    # Sending: each worker has one connection, and one message at a time.

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while item := await self._queue.get():
                await self._open.wait()
                if not self._stopping.is_set():
                    connection = await self._send(*item, connection)
        finally:
            if connection:
                await connection.close()

    async def _send(self, claimed: Claimed, composer: Composer, connection: Connection | None) -> Connection | None:
        """Send one delivery, and return the connection that the next one may use."""
        try:
            await self._post.limits.wait(domain_of(claimed.email))
            if connection is None or not connection.usable:
                connection = self._post.connect()
                await connection.open()
            await self._transact(claimed, composer, connection)
        except SmtpTrouble as trouble:
            await self._settle(claimed, trouble.outcome)
            if not trouble.waiting_helps:
                self.stop(str(trouble))
        except StorageError:
            raise
        except ConfigurationError as error:  # a broken template concerns every reader
            self.stop(str(error))
        except Exception as error:
            # A fault of this program over one reader must not keep the mail from the others.
            log.exception("delivery %x failed in a way that is this program's fault", claimed.delivery.id)
            if connection:
                connection.abort()
            await self._settle(claimed, _fault(error, offered=claimed.delivery.id in self._offered))
        return connection

    async def _transact(self, claimed: Claimed, composer: Composer, connection: Connection) -> None:
        message = composer.message(claimed)
        outcome = await connection.envelope(
            message.sender, message.recipient, size=len(message.content), smtputf8=message.smtputf8
        )
        if outcome is None:
            if not await self._post.ledger.write(lambda session: self._offer(session, claimed)):
                await connection.close()
                self._done(claimed)
                return
            self._offered.add(claimed.delivery.id)
            outcome = await connection.data(message.content)
        await self._settle(claimed, outcome)

    def _offer(self, session: Session, claimed: Claimed) -> bool:
        now, ours = self._post.clock(), claimed.delivery.id
        offered = claims.offer(session, ours, self._post.owner, now)
        if not offered:
            claims.give_back(session, self._post.owner, now, [ours])
        return offered

    async def _settle(self, claimed: Claimed, outcome: Outcome) -> None:
        if outcome.pauses_route:
            self._pause(outcome)
        status = await self._post.ledger.write(lambda session: self._record(session, claimed, outcome))
        self._count(status, outcome)
        self._done(claimed)

    def _record(self, session: Session, claimed: Claimed, outcome: Outcome) -> Status | None:
        now = self._post.clock()
        pause = max(self._paused_until - now, timedelta())
        status = claims.settle(
            session, claimed.delivery, self._post.owner, outcome, now, resend=self._post.resend, pause=pause
        )
        if outcome.suppresses and status is Status.FAILED:
            self._post.suppress(session, claimed.delivery.subscriber_id, outcome.reply, now)
        return status

    def _pause(self, outcome: Outcome) -> None:
        if self._open.is_set():
            self._paused_until = self._post.clock() + _PAUSES[min(self._pauses, len(_PAUSES) - 1)]
            self._pauses += 1
            self._open.clear()
        log.warning("%s: %s", outcome.server, outcome.reply)
        self._why = outcome.reply

    def _count(self, status: Status | None, outcome: Outcome) -> None:
        self.progress.accepted += status is Status.ACCEPTED
        self.progress.failed += status is Status.FAILED
        self.progress.deferred += status is Status.DEFERRED
        if status is Status.ACCEPTED:
            self._pauses = 0
        if status in {Status.ACCEPTED, Status.FAILED}:
            self._last.append(status)
        if self._last.count(Status.FAILED) > _TOO_MANY:
            self.progress.blocked = True
            self.stop(f"{_TOO_MANY + 1} of the last {len(self._last)} addresses failed for good: {outcome.reply}")

    def _done(self, claimed: Claimed) -> None:
        self._offered.discard(claimed.delivery.id)
        self._at_work[domain_of(claimed.email)] -= 1
        self._settled.set()
        self._post.told(self.progress)


def _fault(error: Exception, *, offered: bool) -> Outcome:
    """Return what a failure of ours means: nobody knows whether what was offered arrived."""
    if offered:
        return Outcome(verdict=Verdict.UNCERTAIN, reply=f"no answer was read: {error!r}")
    known = isinstance(error, NewsletterError)  # such as an address that no header can hold
    return Outcome(verdict=Verdict.PERMANENT if known else Verdict.TEMPORARY, reply=f"not sent: {error}")


def _raise(done: Iterable[asyncio.Task[Any]]) -> None:
    for task in done:
        if error := task.exception():
            raise error
