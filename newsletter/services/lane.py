"""A lane: one connection at a time of one route, and the messages that go over it, one after the other.

The next envelope goes out with the current message's end, so that a message costs one round trip, and what the server
said to the one becomes durable together with the offer of the next. Not here: what goes where and when (``intake``,
``route``), and what is recorded (``deliver``).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.smtp import Connection, Envelope, SmtpTrouble
from newsletter.services.intake import Intake
from newsletter.services.post import Item
from newsletter.services.route import Route, Routes
from newsletter.storage.faults import StorageError

log = logging.getLogger(__name__)

_AHEAD = 16  # messages composed behind the one whose turn it is: what one of them needs is at hand for the next
_IDLE = 10.0  # seconds after which a connection that nothing is to be said over is closed
_OLDEST = 300.0  # seconds that a connection is used for


class Lane:
    """Sends over *route* what the intake gives. ``settle`` is told what became of each, ``offer`` asks for the dot.

    Where the ledger says no to that, ``claim_anew`` gives back what else may have been stopped.
    """

    def __init__(
        self,
        route: Route,
        routes: Routes,
        intake: Intake,
        offer: Callable[[Item], Awaitable[bool]],
        settle: Callable[[Item, Outcome], None],
        claim_anew: Callable[[], Awaitable[None]],
    ) -> None:
        self._route, self._routes, self._intake = route, routes, intake
        self._offer, self._settle, self._claim_anew = offer, settle, claim_anew
        self._connection: Connection | None = None
        self._opened_at = 0.0
        self._now = asyncio.get_running_loop().time  # to ask for the loop each time takes a call of the system
        self._behind: Item | None = None

    async def run(self) -> None:
        """Send until the intake has nothing more. Raises StorageError."""
        item: Item | None = None
        try:
            while item := item or await self._next():
                await self._carry(item)
                item = self._announced()
        finally:
            await self._close()

    def _announced(self) -> Item | None:
        """Return the item whose envelope went out behind the last message, if it is still to be sent over this lane."""
        item, self._behind = self._behind, None
        connected = self._connection is not None and self._connection.usable
        if item and (not connected or self._intake.is_over(self._route)):
            self._intake.put_back(item)
            return None
        return item

    async def _next(self) -> Item | None:
        """Wait for an item, composed. None when there is nothing more to begin."""
        while not self._intake.is_over(self._route):
            if not self._bears(1):
                await self._close()
            item, wait = self._following()
            if item:
                return item
            if not await self._intake.changed(min(wait, _IDLE)) and wait > _IDLE:
                await self._close()
        return None

    def _following(self) -> tuple[Item | None, float]:
        """Return the next item, composed, if there is one at once, or how long there will be none."""
        while True:
            item, wait = self._intake.take(self._route)
            if not item or self._composed(item):
                return item, wait

    def _composed(self, item: Item) -> bool:
        """Compose the message of *item*, and of some whose turn is next. False where it has none."""
        if item.message:
            return True
        try:
            _compose(item)
        except ConfigurationError as error:  # a broken template concerns every reader
            self._routes.stop(str(error))
        except NewsletterError as error:  # such as an address that no header can hold
            self._settle(item, Outcome(verdict=Verdict.PERMANENT, reply=f"not sent: {error}"))
        except Exception as error:  # noqa: BLE001 - logged, and the others go on
            self._fault(item, error)
        else:
            self._compose_ahead()
        return item.message is not None

    def _compose_ahead(self) -> None:
        with suppress(Exception):  # said when its turn comes
            for item in self._intake.next(_AHEAD):
                if not item.message:
                    _compose(item)

    async def _carry(self, item: Item) -> None:
        """Send one item."""
        try:
            await self._transact(await self._connected(), item)
        except SmtpTrouble as trouble:
            self._settle(item, trouble.outcome)
            if not trouble.waiting_helps:
                self._routes.end(self._route, str(trouble))
        except StorageError:
            raise
        except NewsletterError as error:  # such as a sender that is no address
            self._routes.stop(str(error))
        except Exception as error:  # noqa: BLE001 - logged, and the others go on
            if self._connection:
                self._connection.abort()
            self._fault(item, error)

    async def _connected(self) -> Connection:
        """Return a connection that bears another message, the one that there is or a new one."""
        if self._connection and not self._connection.usable:
            await self._close()
        if not self._connection:
            opening = self._route.connect()
            await opening.open()
            self._route.is_proved = True
            self._intake.opened()
            self._connection, self._opened_at = opening, self._now()
        return self._connection

    def _bears(self, messages: int) -> bool:
        """Return whether the connection bears so many messages more: not too many, and not for too long."""
        connection, now = self._connection, self._now()
        if connection is None:
            return True
        return connection.accepted + messages <= self._route.most and now < self._opened_at + _OLDEST

    async def _transact(self, connection: Connection, item: Item) -> None:
        assert item.message
        assert item.envelope
        if refused := await connection.envelope(item.envelope):
            self._said(connection, item, refused)
            return
        offering = self._offer(item)
        if self._bears(2):
            self._behind, _ = self._following()  # composed behind the offer, which shares the next commit
        if not await offering:
            await self._withdraw(item)
            return
        item.offered = True
        behind = self._behind.envelope if self._behind else None
        self._said(connection, item, await connection.data(item.message.content, behind))

    def _said(self, connection: Connection, item: Item, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.TROUBLE and not outcome.pauses_route:
            self._route.was_ended(connection.accepted)
        self._settle(item, outcome)

    async def _withdraw(self, item: Item) -> None:
        """End without the dot: a reader left, or the issue was stopped, or is not ours to send any more."""
        await self._close()
        self._announced()
        self._intake.put_back(item)
        await self._claim_anew()

    def _fault(self, item: Item, error: Exception) -> None:
        """Give up on one reader: a fault of this program must not keep the mail from the others.

        Nobody knows whether what was offered arrived.
        """
        failed = "delivery %x failed in a way that is this program's fault"
        log.error(failed, item.claimed.id, exc_info=error)
        verdict = Verdict.UNCERTAIN if item.offered else Verdict.TEMPORARY
        why = "no answer was read" if item.offered else "not sent"
        self._settle(item, Outcome(verdict=verdict, reply=f"{why}: {error!r}"))

    async def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            await connection.close()


def _compose(item: Item) -> None:
    item.message = message = item.composer.message(item.claimed)
    item.envelope = Envelope(message.sender, message.recipient, len(message.content), message.smtputf8)
