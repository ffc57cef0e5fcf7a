"""Short mails with one link, each to the owner of an address who asked for it on the pages: at most one in a while.

Not here: what they say (``render/letters``), and asking whether somebody wants the newsletter at all (``confirm``).
"""

import asyncio
import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from newsletter.domain.subscriber import Subscriber
from newsletter.errors import NewsletterError
from newsletter.mail.addresses import Address
from newsletter.mail.tokens import Purpose
from newsletter.render import letters
from newsletter.render.language import Language
from newsletter.render.letters import Letter
from newsletter.services.confirm import PACE, claim, counted_if_gone
from newsletter.services.dispatch import Dispatch
from newsletter.services.notify import send_one
from newsletter.storage import address_changes, subscribers
from newsletter.storage.singles import Single

log = logging.getLogger(__name__)

DATA = timedelta(hours=1)
MOVE = timedelta(days=7)
_AGAIN = timedelta(minutes=15)  # until the link to one's data is sent once more


def preferences_url(dispatch: Dispatch, reader: Subscriber, now: datetime) -> str:
    """Return the link by which *reader* chooses."""
    return dispatch.mail.page_url("preferences", dispatch.mail.preferences_token(reader.id, now))


async def remind(dispatch: Dispatch, reader: Subscriber, now: datetime) -> bool:
    """Tell *reader* that they are subscribed. Return False, nothing being sent, where they were told within a day.

    This and what follows raise SmtpTrouble when the mail is not taken; then it does not count.
    """
    link = preferences_url(dispatch, reader, now)
    return await _send(
        dispatch, Single.REMINDER, reader, PACE, lambda language, name: letters.reminder(language, name, link), now
    )


async def send_data_link(dispatch: Dispatch, reader: Subscriber, now: datetime) -> bool:
    """Send *reader* the link to what is known of them. Return False where one was sent a quarter of an hour ago."""
    token = dispatch.mail.signer.token(Purpose.DATA, subscriber=reader.id, expires=now + DATA)
    link = dispatch.mail.page_url("data", token)
    return await _send(
        dispatch, Single.LINK, reader, _AGAIN, lambda language, name: letters.data_link(language, name, link, DATA), now
    )


async def try_data_link(dispatch: Dispatch, reader: Subscriber, now: datetime) -> None:
    """Do the same; what fails is a line in the log."""
    try:
        await send_data_link(dispatch, reader, now)
    except NewsletterError as error:
        log.warning("the link to somebody's data could not be sent (%s)", type(error).__name__)


async def try_leaving_link(dispatch: Dispatch, address: Address, now: datetime) -> None:
    """Send who has *address*, where they are subscribed, a fresh link to leave; what fails is a line in the log."""
    try:
        reader = await asyncio.to_thread(_who, dispatch, address)
        if reader:
            token = dispatch.mail.signer.token(Purpose.UNSUBSCRIBE, subscriber=reader.id)
            link = dispatch.mail.unsubscribe_url(token)
            await _send(
                dispatch, Single.LINK, reader, _AGAIN, lambda language, name: letters.leaving(language, name, link), now
            )
    except NewsletterError as error:
        log.warning("the link by which somebody leaves could not be sent (%s)", type(error).__name__)


def _who(dispatch: Dispatch, address: Address) -> Subscriber | None:
    with dispatch.database.read() as session:
        return subscribers.get(session, address.key)


async def ask_to_move(dispatch: Dispatch, reader: Subscriber, email: str, now: datetime) -> None:
    """Ask the owner of *email* whether the subscription of *reader* is to move there."""
    nonce = secrets.randbits(62)
    token = dispatch.mail.signer.token(Purpose.MOVE, subscriber=reader.id, delivery=nonce, expires=now + MOVE)
    link = dispatch.mail.page_url("move", token)
    with dispatch.database.write() as session:
        address_changes.ask(session, reader.id, nonce, email, now)
    await _mail(dispatch, email, reader, lambda language, name: letters.move(language, name, link, MOVE), now)


async def tell_of_move(dispatch: Dispatch, before: Subscriber, now: datetime) -> None:
    """Tell the address that a subscription had *before* that it has moved."""
    contact = dispatch.mail.reply_to
    await _mail(dispatch, before.email, before, lambda language, name: letters.moved(language, name, contact), now)


async def _send(
    dispatch: Dispatch,
    mail: Single,
    to: Subscriber,
    pace: timedelta,
    make: Callable[[Language, str], Letter],
    now: datetime,
) -> bool:
    if not await asyncio.to_thread(claim, dispatch, mail, to, now, pace):
        return False
    async with counted_if_gone(dispatch, mail, to, now):
        await _mail(dispatch, to.email, to, make, now, bounces_to=to.id)
    return True


async def _mail(
    dispatch: Dispatch,
    email: str,
    reader: Subscriber,
    make: Callable[[Language, str], Letter],
    now: datetime,
    *,
    bounces_to: int = 0,
) -> None:
    """Send *email* what *make* says; a report that it did not arrive is about the reader *bounces_to*, 0 for nobody."""
    templates, imprint = dispatch.look(reader.preferences.language)
    said = make(templates.language, imprint.name)
    made = await asyncio.to_thread(letters.letter, templates, imprint, said)
    await send_one(dispatch, email, made, now, reader=bounces_to)
