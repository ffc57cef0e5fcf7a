"""Signing up on the pages: whoever gives an address is answered at once, and alike; then one mail goes to its owner.

Which mail depends on who that is, and nobody else sees it: who is new or left is asked to confirm, who is subscribed
already is told so, with the link to their preferences, and who must not be mailed gets nothing. Each at most once a
day. Not here: what the pages say (``web``).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NewsletterError
from newsletter.mail.addresses import Address
from newsletter.services import joining, letters
from newsletter.services.confirm import request_confirmation
from newsletter.services.dispatch import Dispatch
from newsletter.services.throttle import ALL, Rule, Throttle
from newsletter.storage import consents
from newsletter.storage.consents import Consent, Step

log = logging.getLogger(__name__)

BY_NETWORK = Rule("sign-up", 30, timedelta(hours=1))
BY_ALL = Rule("sign-ups", 3000, timedelta(hours=1))
_OF_ADDRESS = Rule("sign-up of", 5, timedelta(days=1))
SOURCE = "the pages"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """Who is to be subscribed: preferences by name, and the words under which the button stood."""

    address: Address
    texts: Mapping[str, str]
    network: str
    agreed: str


async def begin(dispatch: Dispatch, throttle: Throttle, wanted: SignUp, now: datetime) -> None:
    """Do what *wanted* asks for. What cannot be done is a line in the log, without the address."""
    try:
        if await asyncio.to_thread(throttle.admit, now, (_OF_ADDRESS, wanted.address.key)):
            return
        held = await asyncio.to_thread(_enter, dispatch, wanted, now)
        match held.status if held else None:
            case Status.PENDING | Status.UNSUBSCRIBED if held:
                await request_confirmation(dispatch, held, now, may=lambda: _is_within_cap(dispatch, throttle, now))
            case Status.ACTIVE | Status.PAUSED if held:
                await letters.remind(dispatch, held, now)
    except NewsletterError as error:
        log.warning("a sign-up could not be worked (%s)", type(error).__name__)


def _is_within_cap(dispatch: Dispatch, throttle: Throttle, now: datetime) -> bool:
    cap = Rule("confirmation", dispatch.settings.web.confirmations_per_day, timedelta(days=1))
    return throttle.admit(now, (cap, ALL)) is None


def _enter(dispatch: Dispatch, wanted: SignUp, now: datetime) -> Subscriber | None:
    """Put who is new on the list, to be confirmed; return who it is, None for who must not be mailed."""
    newsletter = dispatch.settings.newsletter
    try:
        with dispatch.database.write() as session:
            held = joining.ask(session, newsletter, wanted.address, wanted.texts, now, SOURCE)
            if held.status in {Status.PENDING, Status.UNSUBSCRIBED}:
                agreed = Consent(step=Step.ASKED, at=now, network=wanted.network, text=wanted.agreed)
                consents.record(session, held.id, agreed)
            return held
    except IllegalMoveError:
        return None
