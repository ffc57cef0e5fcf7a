"""Delivering: sends what is due until nothing is, over several connections, and records what became of each.

*Offered* is durable before the final dot, and *accepted* means that a server said 250. One reader's failure is a
value; the site's trouble pauses everybody and costs no reader an attempt. Not here: who is due (``due``), what a
message says (``compose``), what a reply means (``mail/replies.py``), and when the route rests (``route``).
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from sqlmodel import Session

from newsletter.domain.delivery import Outcome, Status, Verdict
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.smtp import Connection, SmtpTrouble
from newsletter.services.compose import Composer
from newsletter.services.intake import Intake
from newsletter.services.limits import domain_of
from newsletter.services.post import Post, Progress
from newsletter.services.route import Route
from newsletter.storage import claims
from newsletter.storage.claims import Claimed
from newsletter.storage.database import StorageError

__all__ = ["Post", "Progress", "Sender"]

log = logging.getLogger(__name__)

DRAIN = 6.0  # seconds for what is in flight when told to stop


class Sender:
    """One run. ``interrupt`` may be called at any time, also by a signal."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.progress = Progress()
        self._route = Route(post.clock, post.patience, post.verdicts)
        self._intake = Intake(post, self._route)
        self._offered: set[int] = set()

    def interrupt(self) -> None:
        """Claim nothing more, finish what is in flight, and end within ``DRAIN``: a person or the system says so."""
        self.progress.by_hand = True
        self._route.stop("stopped by a signal; the next run continues")

    async def run(self) -> Progress:
        """Send until nothing is due, or until ``progress.stopped`` says why not.

        Raises StorageError, and IncompleteError when another run took over.
        """
        workers = [asyncio.create_task(self._work()) for _ in range(self._post.connections)]
        feeding = asyncio.create_task(self._intake.run())
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
                self._intake.queue.put_nowait(None)
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
            await self._post.ledger.write(lambda session: self._intake.stay_alive(session, self._post.clock()))

    async def _work(self) -> None:
        connection: Connection | None = None
        try:
            while item := await self._intake.queue.get():
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
        except NewsletterError as error:  # such as an address that no header can hold
            await self._settle(claimed, Outcome(verdict=Verdict.PERMANENT, reply=f"not sent: {error}"))
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
            self._intake.refused(claimed)
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
        self._intake.done(claimed)
        self._post.told(self.progress)


def _fault(error: Exception, *, offered: bool) -> Outcome:
    """Return what a failure of ours means: nobody knows whether what was offered arrived."""
    if offered:
        return Outcome(verdict=Verdict.UNCERTAIN, reply=f"no answer was read: {error!r}")
    return Outcome(verdict=Verdict.TEMPORARY, reply=f"not sent: {error!r}")


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
