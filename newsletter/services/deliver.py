"""Delivering: sends what is due until nothing is, over several connections, and records what became of each.

*Offered* is durable before the final dot, and *accepted* means that a server said 250. One reader's failure is a
value; the site's trouble pauses everybody and costs no reader an attempt. Not here: who is due (``due``), what a
message says (``compose``), what a reply means (``mail/replies.py``), and what is said on a connection (``lane``).
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from sqlmodel import Session

from newsletter.domain.delivery import Outcome, Status, Verdict
from newsletter.services.claimant import Claimant
from newsletter.services.intake import Intake
from newsletter.services.lane import Lane
from newsletter.services.limits import domain_of
from newsletter.services.post import Item, Post, Progress
from newsletter.services.route import Route, Routes
from newsletter.storage import claims
from newsletter.storage.faults import StorageError
from newsletter.storage.moves import Taken

__all__ = ["Post", "Progress", "Sender"]

# Seconds. Who was served before is remembered, so that after a crash little is left to look at, and what was recorded
# before survives a power cut also where not every commit does.
_BEAT = 2.0
DRAIN = 6.0  # seconds for what is in flight when told to stop


class Sender:
    """One run. ``interrupt`` may be called at any time, also by a signal."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self.progress = Progress(waiting=post.waiting)
        self._routes = Routes(post.routes, post.patience)
        self._intake = Intake(self._routes)
        self._claimant = Claimant(post, self._routes, self._intake)
        self.is_done = False
        self._hurry = asyncio.Event()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def interrupt(self) -> None:
        """Claim nothing more, finish what is in flight, and end within ``DRAIN``: a person or the system says so."""
        self.progress.by_hand = True
        self._hurry.set()
        self._stop("stopped by a signal; the next run continues")

    def _stop(self, why: str) -> None:
        self._routes.stop(why)
        self._intake.end()

    async def run(self) -> Progress:
        """Send until nothing is due, or until ``progress.stopped`` says why not.

        Raises StorageError, and IncompleteError when another run took over.
        """
        lanes = [
            asyncio.create_task(self._lane(route).run())
            for route in self._post.routes
            for _ in range(route.connections)
        ]
        feeding = asyncio.create_task(self._claimant.run())
        beating = asyncio.create_task(self._beat())
        try:
            await self._until_done(feeding, beating, lanes)
            self.progress.stopped = self._routes.stopped
            self.progress.blocked = [route.name for route in self._post.routes if route.blocked]
            self.progress.ended = {route.name: route.trouble for route in self._post.routes if route.trouble}
        finally:
            self._stop("the run is over")
            await _end(feeding, beating, *lanes)
            await self._leave()
            self.is_done = True
            failed = self._failed.exception() if self._failed.done() else None
        if failed:  # of what was recorded while the run ended
            raise failed
        return self.progress

    async def _until_done(
        self, feeding: asyncio.Task[None], beating: asyncio.Task[None], lanes: list[asyncio.Task[None]]
    ) -> None:
        stopping = asyncio.create_task(self._routes.stopping.wait())
        try:
            while not (feeding.done() or stopping.done()):
                at_work = (lane for lane in lanes if not lane.done())
                watched: set[asyncio.Future[Any]] = {feeding, stopping, beating, self._failed, *at_work}
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                _raise(done)
                _raise(lane for lane in lanes if lane.done())
            self._intake.end()
            await self._until_answered(beating, lanes)
        finally:
            stopping.cancel()

    async def _until_answered(self, beating: asyncio.Task[None], lanes: list[asyncio.Task[None]]) -> None:
        """Wait for what is in flight: as long as servers may take, or ``DRAIN`` from when a person says so."""
        hurried = asyncio.create_task(self._hurry.wait())
        try:
            while at_work := [lane for lane in lanes if not lane.done()]:
                if self._hurry.is_set():
                    await asyncio.wait(at_work, timeout=DRAIN)
                    break
                watched: set[asyncio.Future[Any]] = {*at_work, beating, self._failed, hurried}
                done, _ = await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                _raise(one for one in done if one is not hurried)
            _raise(lane for lane in lanes if lane.done())
        finally:
            hurried.cancel()

    async def _leave(self) -> None:
        """Give back what was claimed; what was offered without an answer is uncertain, as after a crash."""
        now, owner = self._post.clock(), self._post.owner

        def leave(session: Session) -> None:
            claims.give_back(session, owner, now)
            why = "no answer before the sender was stopped"
            claims.recover(session, now, resend=self._post.resend, owner=owner, why=why)

        with suppress(StorageError):  # the next run finds out that this owner is gone, and does the same
            await self._post.ledger.write(leave, synced=True)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(min(_BEAT, self._post.lease.total_seconds() / 3))
            beat = partial(self._claimant.stay_alive, now=self._post.clock())
            await self._post.ledger.write(beat, synced=True)

    def _lane(self, route: Route) -> Lane:
        return Lane(route, self._routes, self._intake, self._offer, self._settle, self._claimant.claim_anew)

    def _offer(self, item: Item) -> "asyncio.Future[bool]":
        return self._post.ledger.offer(item.claimed.id)

    def _settle(self, item: Item, outcome: Outcome) -> None:
        """Record what was said about *item*. It is durable before the next offer on the same connection is."""
        assert item.route
        if outcome.verdict is Verdict.TROUBLE:
            self._intake.put_behind(item)
        if outcome.pauses_route:
            self._routes.pause(item.route, outcome)
            self.progress.trouble = outcome.reply
        if outcome.server:
            self._routes.count(item.route, outcome)
        self._intake.said(item, outcome.verdict)
        told = partial(self._recorded, item)
        if outcome.verdict is Verdict.ACCEPTED:
            self.progress.trouble = ""
            taken = Taken(item.claimed.id, item.route.name, outcome.server, outcome.reply)
            self._post.ledger.accept(taken, told)
        else:
            pause = self._routes.rest  # looked at here: the ledger may use its thread
            self._post.ledger.settle(partial(self._record, item, outcome, item.route.name, pause), told)

    def _record(self, item: Item, outcome: Outcome, route: str, pause: timedelta, session: Session) -> Status | None:
        now, claimed = self._post.clock(), item.claimed
        status = claims.settle(
            session,
            claimed.id,
            self._post.owner,
            outcome,
            now,
            resend=self._post.resend,
            pause=pause,
            route=route,
        )
        if outcome.suppresses and status is Status.FAILED:
            self._post.suppress(session, claimed.subscriber_id, outcome.reply, now)
        return status

    def _recorded(self, item: Item, recorded: bool | Status | Exception | None) -> None:
        if isinstance(recorded, Exception):
            self._fail(recorded)
            return
        try:
            if recorded:
                self._count(item, Status.ACCEPTED if recorded is True else recorded)
            self._intake.settled(item)
            self._post.told(self.progress)
        except Exception as error:  # noqa: BLE001 - raised by ``run``: the ledger has others to tell
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)

    def _count(self, item: Item, status: Status) -> None:
        progress = self.progress
        if status is Status.ACCEPTED:
            progress.accepted += 1
        elif status is Status.FAILED:
            progress.failed += 1
        elif status is Status.DEFERRED:
            progress.deferred += 1
            progress.deferred_by[domain_of(item.claimed.email)] += 1
        if status is not Status.READY:
            progress.waiting = max(0, progress.waiting - 1)


async def _end(*tasks: asyncio.Task[None]) -> None:
    """Cancel *tasks* until all have ended: a cancellation is lost where an answer comes at the same moment."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1)
    await asyncio.gather(*tasks, return_exceptions=True)


def _raise(done: Iterable["asyncio.Future[Any]"]) -> None:
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            raise error
