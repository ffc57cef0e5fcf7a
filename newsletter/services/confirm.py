"""Asking by mail whether the owner of an address wants the newsletter (double opt-in).

The subscription waits until they answer on the pages (``joining.confirm``). At most one such mail goes to an address
in a day, whoever asks for it and however often.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from newsletter.domain.subscriber import Subscriber
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.tokens import Purpose
from newsletter.render.notices import confirmation
from newsletter.render.typesetting import Rendered
from newsletter.services.dispatch import Dispatch
from newsletter.services.joining import Added, Outcome, add
from newsletter.services.notify import may_have_gone, send_one
from newsletter.storage import singles
from newsletter.storage.singles import Single

VALID_FOR = timedelta(days=7)
PACE = timedelta(days=1)  # of each mail that is no digest, to one address


@dataclass(frozen=True, slots=True)
class Invited:
    """What became of each address, and a line for each mail that could not be sent."""

    added: list[Added] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def invite(
    dispatch: Dispatch, addresses: Sequence[str], texts: Mapping[str, str], now: datetime, *, source: str = ""
) -> Invited:
    """Put *addresses* on the list as ``joining.add`` does, pending, and ask each by mail.

    Who could not be asked stays pending. Raises ConfigurationError, nothing being stored, without pages to answer on,
    and whatever ``add`` raises.
    """
    if not dispatch.settings.newsletter.base_url:
        raise ConfigurationError(
            "newsletter.base_url is not set: the confirmation mail links to the pages there; "
            "set it to where readers reach 'newsletter web'"
        )
    with dispatch.database.write() as session:
        dispatch.check_secret(session)
    invited = Invited()
    newsletter = dispatch.settings.newsletter
    for each in add(dispatch.database, newsletter, addresses, texts, now, source=source, pending=True):
        outcome = each.outcome
        try:
            if outcome is Outcome.ASKED and not await request_confirmation(dispatch, each.subscriber, now):
                outcome = Outcome.WAITING
        except NewsletterError as error:
            # One line each: the others are asked all the same.
            invited.problems.append(
                f"{each.subscriber.email}: is {each.subscriber.status}, but could not be asked: {error}; "
                "mend that, and give the same command again"
            )
        invited.added.append(replace(each, outcome=outcome))
    return invited


async def request_confirmation(
    dispatch: Dispatch, subscriber: Subscriber, now: datetime, *, admit: Callable[[], None] = lambda: None
) -> bool:
    """Ask *subscriber* by mail. Return False, nothing being sent, where they were asked less than a day ago.

    Raises SmtpTrouble when the mail is not taken, and whatever *admit* raises, which is called once it is known that
    a mail would go out. Then it does not count, unless the mail may have gone.
    """
    if not await asyncio.to_thread(claim, dispatch, Single.CONFIRMATION, subscriber, now):
        return False
    async with counted_if_gone(dispatch, Single.CONFIRMATION, subscriber, now):
        await asyncio.to_thread(admit)
        rendered = await asyncio.to_thread(_rendered, dispatch, subscriber, now)
        await send_one(dispatch, subscriber.email, rendered, now, reader=subscriber.id)
    return True


def _rendered(dispatch: Dispatch, subscriber: Subscriber, now: datetime) -> Rendered:
    token = dispatch.mail.signer.token(Purpose.CONFIRM, subscriber=subscriber.id, expires=now + VALID_FOR)
    templates, imprint = dispatch.look(subscriber.preferences.language)
    return confirmation(templates, imprint, link=dispatch.mail.confirm_url(token), valid_for=VALID_FOR)


def claim(dispatch: Dispatch, mail: Single, to: Subscriber, now: datetime, pace: timedelta = PACE) -> bool:
    """Return whether such a mail may go *to* them now, none having gone for as long as *pace*; then it counts."""
    with dispatch.database.write() as session:
        return singles.claim(session, mail, to.id, now, now - pace)


@asynccontextmanager
async def counted_if_gone(dispatch: Dispatch, mail: Single, to: Subscriber, now: datetime) -> AsyncIterator[None]:
    """Let what was claimed at *now* not count where sending it fails, unless it may have gone all the same."""
    try:
        yield
    except NewsletterError as error:
        if not may_have_gone(error):
            await asyncio.to_thread(_give_back, dispatch, mail, to, now)
        raise


def _give_back(dispatch: Dispatch, mail: Single, to: Subscriber, now: datetime) -> None:
    with dispatch.database.write() as session:
        singles.not_sent(session, mail, to.id, now)
