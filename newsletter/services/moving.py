"""Moving a subscription to another address of its owner, who confirms it there.

Whoever asks is answered alike, whether the address is on the list or not; what is done about it is done afterwards.
"""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NewsletterError
from newsletter.mail.addresses import Address, address_key
from newsletter.services import letters, subscribe
from newsletter.services.dispatch import Dispatch
from newsletter.services.throttle import Rule, Throttle
from newsletter.storage import address_changes, subscribers, suppressions
from newsletter.storage.database import Database

log = logging.getLogger(__name__)

_BY_READER = Rule("move", 5, timedelta(days=1))
_TO_ADDRESS = Rule("move to", 1, timedelta(days=1))
_MAY_MOVE_TO = {Status.PENDING, Status.UNSUBSCRIBED}


async def ask(dispatch: Dispatch, throttle: Throttle, reader: Subscriber, to: Address, now: datetime) -> None:
    """Ask the owner of *to* by mail, at most once a day, unless it cannot be. What fails is a line in the log."""
    try:
        if not await asyncio.to_thread(_is_free, dispatch.database, to):
            return
        if await asyncio.to_thread(throttle.admit, now, (_BY_READER, str(reader.id)), (_TO_ADDRESS, to.key)):
            return
        await letters.ask_to_move(dispatch, reader, to.email, now)
    except NewsletterError as error:
        log.warning("a new address could not be asked (%s)", type(error).__name__)


async def tell(dispatch: Dispatch, before: Subscriber, now: datetime) -> None:
    """Tell the address that was left behind. What fails is a line in the log."""
    try:
        await letters.tell_of_move(dispatch, before, now)
    except NewsletterError as error:
        log.warning("an old address could not be told (%s)", type(error).__name__)


def wanted(database: Database, reader_id: int, nonce: int) -> str:
    """Return the address that a link confirms, '' where it does not any more."""
    with database.read() as session:
        return address_changes.wanted(session, reader_id, nonce)


def move(database: Database, reader: Subscriber, nonce: int) -> Subscriber:
    """Let the subscription of *reader* be of the address that the link with *nonce* confirms, and return it.

    Raises IllegalMoveError where it cannot be any more.
    """
    with database.write() as session:
        email = address_changes.wanted(session, reader.id, nonce)
        if not email:
            raise IllegalMoveError("this link has been used, or there is a newer one")
        key = address_key(email)
        _make_room(session, key)
        suppressions.lift(session, key)
        subscribers.move_to(session, reader.id, email, key)
        address_changes.erase(session, reader.id)
        return subscribe.look_up(session, reader.id)


def _is_free(database: Database, to: Address) -> bool:
    with database.read() as session:
        held = subscribers.get(session, to.key)
        return (held is None or held.status in _MAY_MOVE_TO) and not _must_not_be_mailed(session, to.key)


def _must_not_be_mailed(session: Session, key: str) -> bool:
    return suppressions.reasons(session, [key]).get(key, "").startswith(Status.SUPPRESSED)


def _make_room(session: Session, key: str) -> None:
    """Erase who only waits, or has left, under the address: its owner has just said what they want."""
    held = subscribers.get(session, key)
    if (held and held.status not in _MAY_MOVE_TO) or _must_not_be_mailed(session, key):
        raise IllegalMoveError("the address is subscribed already, or must not be mailed")
    if held:
        subscribers.erase(session, held.id)
