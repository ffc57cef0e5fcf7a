"""Delivering: sends what is due until nothing is, over several connections, and records what became of each.

*Offered* is durable before the final dot, and *accepted* means that a server said 250. One reader's failure is a
value; the site's trouble pauses everybody and costs no reader an attempt. Not here: who is due (``due``), what a
message says (``compose``), what a reply means (``mail/replies.py``), and when the route rests (``route``).
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from newsletter.domain.delivery import Outcome, Status, Verdict
from newsletter.errors import ConfigurationError, IncompleteError, NewsletterError
from newsletter.mail.smtp import Connection, SmtpTrouble
from newsletter.services.compose import Composer
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.limits import Limits, domain_of
from newsletter.services.route import PATIENCE, Route
from newsletter.storage import claims, locks
from newsletter.storage.claims import Claimed
from newsletter.storage.database import StorageError

log = logging.getLogger(__name__)

DRAIN = 6.0  # seconds for what is in flight when told to stop
_BATCH = 8  # deliveries claimed per connection: a few seconds' work


@dataclass(kw_only=True)
class Progress:
    """How far the sender is. ``stopped`` says why it ended before nothing was due, '' where it did not."""

    accepted: int = 0
    failed: int = 0
    deferred: int = 0
    stopped: str = ""
    by_hand: bool = False  # stopped by whoever runs it
    blocked: bool = False  # too many addresses failed for good


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
    last: list[Status] = field(default_factory=list)  # of the addresses served before this run
    patience: timedelta = PATIENCE  # for pauses in all
    issue_id: int | None = None  # only this issue's
    told: Callable[[Progress], None] = field(default=lambda _: None)


_Item = tuple[Claimed, Composer]


class Sender:
    """One run. ``interrupt`` may be called at any time, also by a signal."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.progress = Progress()
        self._route = Route(post.clock, post.patience, post.last)
        self._queue: asyncio.Queue[_Item | None] = asyncio.Queue()
        self._at_work: Counter[str] = Counter()  # claimed and not settled, by destination
        self._settled = asyncio.Event()
        self._offered: set[int] = set()
        self._refused: set[int] = set()  # for the site's sake, as it said

    def interrupt(self) -> None:
        """Claim nothing more, finish what is in flight, and end within ``DRAIN``: a person or the system says so."""
        self.progress.by_hand = True
        self._route.stop("stopped by a signal; the next run continues")

    async def run(self) -> Progress:
        """Send until nothing is due, or until ``progress.stopped`` says why not.

        Raises StorageError, and IncompleteError when another run took over.
        """
        workers = [asyncio.create_task(self._work()) for _ in range(self._post.connections)]
        feeding = asyncio.create_task(self._feed())
        beating = asyncio.create_task(self._beat())
        try:
            await self._until_done(feeding, beating, workers)
            self.progress.stopped, self.progress.blocked = self._route.stopped, self._route.blocked
        finally:
            self._route.stop("the run is over")
            await _end(feeding, beating, *workers)
            await self._leave()
        return self.progress

    async def _until_done(
        self, feeding: asyncio.Task[None], beating: asyncio.Task[None], workers: list[asyncio.Task[None]]
    ) -> None:
        stopping = asyncio.create_task(self._route.stopping.wait())
        try:
            while not (feeding.done() or stopping.done()):
                watched = {feeding, stopping, beating, *workers}
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                _raise(done)  # the heartbeat and the workers end early only by a failure
            for _ in workers:
                self._queue.put_nowait(None)
            done, _ = await asyncio.wait(workers, timeout=DRAIN if self._route.stopped else None)
            _raise(done)
        finally:
            stopping.cancel()

    async def _leave(self) -> None:
        """Give back what was claimed; what was offered without an answer is uncertain, as after a crash."""
        now, owner = self._post.clock(), self._post.owner

        def leave(session: Session) -> None:
            claims.give_back(session, owner, now)
            claims.recover(session, now, resend=self._post.resend, owner=owner)

        with suppress(StorageError):  # the next run finds out that this owner is gone, and does the same
            await self._post.ledger.write(leave)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._post.lease.total_seconds() / 3)
            await self._post.ledger.write(lambda session: self._is_alive(session, self._post.clock()))

    def _is_alive(self, session: Session, now: datetime) -> None:
        if not locks.beat(session, self._post.owner, now):
            raise IncompleteError("silent for longer than smtp.lease, so that another run took over; that one goes on")

    # Feeding: claims in small batches, so that others see a true ledger and a stop loses little.

    async def _feed(self) -> None:
        while not self._route.stopped:
            await self._route.end_pause()
            claimed, more_at = await self._claim()
            if claimed:
                await self._until(lambda: self._queue.qsize() < self._post.connections)
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
        at_work = self._at_work.copy()  # the ledger has a thread of its own
        try:
            claimed, more_at = await self._post.ledger.write(lambda session: self._claimed(session, at_work))
        except ConfigurationError as error:
            self._route.stop(str(error))
            return 0, None
        for item in claimed:
            self._at_work[domain_of(item[0].email)] += 1
            self._queue.put_nowait(item)
        return len(claimed), more_at

    def _claimed(self, session: Session, at_work: Counter[str]) -> tuple[list[_Item], datetime | None]:
        now = self._post.clock()
        self._is_alive(session, now)
        wanted = max(0, _BATCH * self._post.connections - at_work.total())
        room, more_at = self._post.limits.room(session, now, at_work.total(), wanted)
        taken: list[Claimed] = []
        while len(taken) < room:
            found = self._fitting(session, now, room - len(taken), at_work)
            taken += found[0]
            if not found[1]:
                break
        composers = self._post.composers(session, taken)
        return [(one, composers[one.delivery.issue_id]) for one in taken], more_at

    def _fitting(
        self, session: Session, now: datetime, limit: int, at_work: Counter[str]
    ) -> tuple[list[Claimed], list[int]]:
        """Claim up to *limit*, and give back what its destination does not bear now, which is then left out."""
        found = claims.claim(
            session,
            self._post.owner,
            now,
            limit,
            busy=self._post.limits.full(at_work),
            last=self._refused,
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

    # Sending: each worker has one connection, and one message at a time.

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while item := await self._queue.get():
                await self._post.limits.wait(domain_of(item[0].email), self._route.sleep)
                if await self._route.may_begin():
                    connection = await self._send(*item, connection)
        finally:
            if connection:
                await connection.close()

    async def _send(self, claimed: Claimed, composer: Composer, connection: Connection | None) -> Connection | None:
        """Send one delivery, and return the connection that the next one may use."""
        try:
            if connection is None or not connection.usable:
                connection = self._post.connect()
                await connection.open()
            await self._transact(claimed, composer, connection)
        except SmtpTrouble as trouble:
            await self._settle(claimed, trouble.outcome)
            if not trouble.waiting_helps:
                self._route.stop(str(trouble))
        except StorageError:
            raise
        except ConfigurationError as error:  # a broken template concerns every reader
            self._route.stop(str(error))
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
        if outcome.verdict is Verdict.TROUBLE:
            self._refused.add(claimed.delivery.id)
        if outcome.pauses_route:
            self._route.pause(outcome)
        status = await self._post.ledger.write(lambda session: self._record(session, claimed, outcome))
        self._count(status, outcome)
        self._done(claimed)

    def _record(self, session: Session, claimed: Claimed, outcome: Outcome) -> Status | None:
        now = self._post.clock()
        status = claims.settle(
            session, claimed.delivery, self._post.owner, outcome, now, resend=self._post.resend, pause=self._route.rest
        )
        if outcome.suppresses and status is Status.FAILED:
            self._post.suppress(session, claimed.delivery.subscriber_id, outcome.reply, now)
        return status

    def _count(self, status: Status | None, outcome: Outcome) -> None:
        self.progress.accepted += status is Status.ACCEPTED
        self.progress.failed += status is Status.FAILED
        self.progress.deferred += status is Status.DEFERRED
        if status in {Status.ACCEPTED, Status.FAILED}:
            self._route.count(status, outcome.reply)

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


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel *tasks* until all have ended: a cancellation is lost where an answer comes at the same moment."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)


def _raise(done: Iterable[asyncio.Task[Any]]) -> None:
    for task in done:
        if error := task.exception():
            raise error
