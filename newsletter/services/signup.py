"""Signing up on the pages: whoever gives an address is answered at once, and alike; then one mail goes to its owner.

What is asked is on the disk before it is answered, by the same transaction whoever's address it is (``take``). It is
done afterwards (``do``), so that the answer's time tells nothing either; what a process that died left undone, and what
no server took, is done by the next runs (``catch_up``), for two days. After a crash the mail may come twice.

Which mail depends on who that is, and nobody else sees it: who is new or left is asked to confirm, who is subscribed
already is told so, with the link to their preferences, and who must not be mailed gets nothing. Each at most once a
day. Not here: what the pages say (``web``).
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.domain.delivery import Verdict
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NewsletterError
from newsletter.mail.addresses import Address, parse_address
from newsletter.mail.smtp import SmtpTrouble
from newsletter.services import joining, letters
from newsletter.services.confirm import request_confirmation
from newsletter.services.dispatch import Dispatch
from newsletter.services.ledger import Clock
from newsletter.services.notify import may_have_gone
from newsletter.services.throttle import ALL, Rule, Throttle
from newsletter.storage import consents, sign_ups, singles, subscribers
from newsletter.storage.consents import Consent, Step
from newsletter.storage.sign_ups import Asked
from newsletter.storage.singles import Single

log = logging.getLogger(__name__)

_BY_NETWORK = Rule("sign-up", 30, timedelta(hours=1))
_BY_ALL = Rule("sign-ups", 3000, timedelta(hours=1))
_OF_ADDRESS = Rule("sign-up of", 5, timedelta(days=1))
_MOST = 10_000  # that wait: only where no server takes mail for hours
_LATER = timedelta(minutes=10)
_LASTS = timedelta(days=2)  # longer than the day that all those mails are counted in
_BUDGET = timedelta(seconds=20)  # of a run, for what was left undone
_SETTLED = {Verdict.PERMANENT, Verdict.UNCERTAIN}  # who may have had the mail can ask for it again
SOURCE = "the pages"
_MAILS = {
    Status.PENDING: Single.CONFIRMATION,
    Status.UNSUBSCRIBED: Single.CONFIRMATION,
    Status.ACTIVE: Single.REMINDER,
    Status.PAUSED: Single.REMINDER,
}


class _TooManyError(NewsletterError):
    """Nobody more is asked to confirm for a while."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__("as many were asked to confirm within a day as web.confirmations_per_day says")
        self.wait = wait


@dataclass(frozen=True, slots=True, kw_only=True)
class SignUp:
    """Who is to be subscribed: preferences by name, and the words under which the button stood."""

    address: Address
    texts: Mapping[str, str]
    network: str
    agreed: str


def take(throttle: Throttle, wanted: SignUp, now: datetime) -> int | timedelta:
    """Keep what is *wanted*, and return its number; where too much is asked, how long to wait."""
    with throttle.database.write() as session:
        if wait := throttle.admit_in(session, now, (_BY_NETWORK, wanted.network), (_BY_ALL, ALL)):
            return wait
        if sign_ups.waiting(session, _MOST) >= _MOST:
            return _LATER
        return sign_ups.keep(
            session, wanted.address.email, wanted.texts, network=wanted.network, agreed=wanted.agreed, now=now
        )


async def do(dispatch: Dispatch, throttle: Throttle, number: int, now: datetime) -> bool:
    """Do what a sign-up asks for, unless somebody is at it or did it. Return False where mail is not taken.

    What cannot be done is a line in the log, without the address, and tried again.
    """
    try:
        taken = await asyncio.to_thread(_take, dispatch, number, now)
        asked = taken and await asyncio.to_thread(_enter, dispatch, throttle, taken, now)
        if asked:
            await _mail(dispatch, throttle, asked, now)
            await asyncio.to_thread(_end, dispatch, number)
    except _TooManyError as error:
        log.warning("%s: sign-ups wait", error)
        await asyncio.to_thread(_put_off, dispatch, number, now + error.wait)
    except NewsletterError as error:
        log.warning("a sign-up could not be worked (%s)", type(error).__name__)
        return not (isinstance(error, SmtpTrouble) and error.outcome.verdict is Verdict.TROUBLE)
    return True


async def catch_up(dispatch: Dispatch, throttle: Throttle, clock: Clock) -> None:
    """Do what was left undone, until mail is not taken or it takes long, and give up what is two days old."""
    now = clock()
    with dispatch.database.read() as session:
        waits = sign_ups.waiting(session, 1)
    if not waits:
        return
    with dispatch.database.write() as session:
        if given_up := sign_ups.drop(session, now - _LASTS):
            log.warning("%d sign-ups of two days ago were given up: no server took their mail", given_up)
        left = sign_ups.left(session, now)
    for number in left:
        if clock() - now > _BUDGET:
            break
        try:
            if not await do(dispatch, throttle, number, clock()):
                break
        except Exception:  # a run has more to do than what one stranger typed
            log.exception("a sign-up failed in a way that is this program's fault")


def _take(dispatch: Dispatch, number: int, now: datetime) -> Asked | None:
    """Take up a sign-up: in a transaction of its own, so that one that fails holds up no other."""
    with dispatch.database.write() as session:
        return sign_ups.take(session, number, now)


def _enter(dispatch: Dispatch, throttle: Throttle, asked: Asked, now: datetime) -> Asked | None:
    """Put who is new on the list, to be confirmed. Return the sign-up, None where nobody is mailed."""
    with dispatch.database.write() as session:
        if not sign_ups.is_held(session, asked.id, now):
            return None
        if asked.subscriber_id is not None:
            # Who took it up before did not end it: the mail that they claimed did not go out, as far as anybody knows.
            singles.not_sent(session, Single(asked.mail), asked.subscriber_id, asked.taken_at or now)
            return asked
        held = _held(session, dispatch, throttle, asked, now)
        if held is None or held.status not in _MAILS:
            sign_ups.end(session, asked.id)
            return None
        mail = _MAILS[held.status]
        sign_ups.enter(session, asked, held.id, mail)
        return replace(asked, subscriber_id=held.id, mail=mail)


def _held(session: Session, dispatch: Dispatch, throttle: Throttle, asked: Asked, now: datetime) -> Subscriber | None:
    """Return whom a sign-up is about, on the list now.

    None for who must not be mailed, was asked too often, or has asked again since: the newest wishes hold.
    """
    address = parse_address(asked.email)
    known = subscribers.get(session, address.key)
    if known and any(said.step is Step.ASKED and said.at > asked.asked_at for said in consents.of(session, known.id)):
        return None
    if throttle.admit_in(session, now, (_OF_ADDRESS, address.key)):
        return None
    newsletter = dispatch.settings.newsletter
    try:
        held = joining.ask(session, newsletter, address, asked.texts, asked.asked_at, SOURCE)
    except IllegalMoveError:  # which is found out before anything is written
        return None
    if _MAILS.get(held.status) is Single.CONFIRMATION:
        agreed = Consent(step=Step.ASKED, at=asked.asked_at, network=asked.network, text=asked.agreed)
        consents.record(session, held.id, agreed)
    return held


async def _mail(dispatch: Dispatch, throttle: Throttle, asked: Asked, now: datetime) -> None:
    """Send the mail that a sign-up leads to. Raises NewsletterError where it may be taken later."""
    reader = await asyncio.to_thread(_reader, dispatch, asked)
    if reader is None:
        return
    try:
        if asked.mail == Single.CONFIRMATION:
            await _confirmation(dispatch, throttle, reader, now)
        else:
            await letters.remind(dispatch, reader, now)
    except SmtpTrouble as error:
        if error.outcome.verdict not in _SETTLED:
            raise


async def _confirmation(dispatch: Dispatch, throttle: Throttle, reader: Subscriber, now: datetime) -> None:
    """Ask *reader* to confirm, as far as the day's mails to strangers go. Those that nobody took do not count."""
    cap = Rule("confirmation", dispatch.settings.web.confirmations_per_day, timedelta(days=1))

    def admit() -> None:
        if wait := throttle.admit(now, (cap, ALL)):
            raise _TooManyError(wait)

    try:
        await request_confirmation(dispatch, reader, now, admit=admit)
    except SmtpTrouble as error:
        if not may_have_gone(error):
            await asyncio.to_thread(throttle.give_back, now, cap, ALL)
        raise


def _reader(dispatch: Dispatch, asked: Asked) -> Subscriber | None:
    with dispatch.database.read() as session:
        return subscribers.by_id(session, asked.subscriber_id) if asked.subscriber_id is not None else None


def _put_off(dispatch: Dispatch, number: int, until: datetime) -> None:
    with dispatch.database.write() as session:
        sign_ups.put_off(session, number, until)


def _end(dispatch: Dispatch, number: int) -> None:
    with dispatch.database.write() as session:
        sign_ups.end(session, number)
