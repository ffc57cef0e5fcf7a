"""Greeting by mail who confirmed, and bidding farewell to who left: one mail each, at most one of a kind in a day.

Neither is worth a failure: the pages have said the same. Not here: the moves of a subscription (``subscribe``), and
asking for it (``confirm``).
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta

from newsletter.domain.calendar import Rhythm, local_date, next_due
from newsletter.domain.subscriber import Subscriber
from newsletter.errors import NewsletterError
from newsletter.mail.tokens import Purpose
from newsletter.render import notices
from newsletter.render.foot import Reader
from newsletter.render.language import Language
from newsletter.render.typesetting import Rendered
from newsletter.services import subscribe
from newsletter.services.coming import coming
from newsletter.services.confirm import claim, counted_if_gone
from newsletter.services.dispatch import Dispatch
from newsletter.services.notify import send_one
from newsletter.storage import issues
from newsletter.storage.singles import Single

log = logging.getLogger(__name__)

COMES_BACK = timedelta(days=30)  # how long the link of a goodbye leads back


async def welcome(dispatch: Dispatch, subscriber: Subscriber, now: datetime) -> bool:
    """Greet who has just confirmed. Return whether a mail was taken; where it was not, the log says so."""
    leave = unsubscribe_url(dispatch, subscriber)
    return await _send(dispatch, Single.WELCOME, subscriber, lambda: welcoming(dispatch, subscriber, now), leave, now)


async def goodbye(dispatch: Dispatch, subscriber: Subscriber, now: datetime) -> bool:
    """Bid farewell to who has just left, where the operator wants that. Return whether a mail was taken."""
    if not dispatch.settings.newsletter.goodbye:
        return False
    return await _send(dispatch, Single.GOODBYE, subscriber, lambda: parting(dispatch, subscriber, now), "", now)


async def _send(
    dispatch: Dispatch, mail: Single, to: Subscriber, make: Callable[[], Rendered], leave: str, now: datetime
) -> bool:
    try:
        if not await asyncio.to_thread(claim, dispatch, mail, to, now):
            return False
        async with counted_if_gone(dispatch, mail, to, now):
            made = await asyncio.to_thread(make)
            await send_one(dispatch, to.email, made, now, reader=to.id, unsubscribe_url=leave)
    except NewsletterError as error:
        # Not its text: a server's reply names the address, which no log of the pages has.
        log.warning("the %s could not be sent (%s)", mail.name.lower(), type(error).__name__)
        return False
    return True


def welcoming(dispatch: Dispatch, subscriber: Subscriber, now: datetime) -> Rendered:
    """Return the mail that greets *subscriber*. Raises ConfigurationError for a template that does not work."""
    newsletter, mail = dispatch.settings.newsletter, dispatch.mail
    chosen = subscriber.preferences
    templates, imprint = dispatch.look(chosen.language)
    rhythm = subscribe.rhythm_of(chosen, newsletter)
    at_once = subscriber.next_due_at is not None and subscriber.next_due_at <= now
    first = _first(dispatch, subscriber, rhythm, now, at_once=at_once)
    subscription = notices.Subscription(
        frequency=rhythm.frequency,
        first=first.astimezone(rhythm.zone),
        max_papers=chosen.max_papers or newsletter.max_papers,
        at_once=at_once,
        topics=chosen.topics,
        only_topics=bool(chosen.only_topics),
        newest=_newest(dispatch, imprint.archive_url),
    )
    on = local_date(subscriber.confirmed_at or now, rhythm.zone)
    reader = Reader(
        why_mail=why_welcome(templates.language, newsletter.name, on),
        unsubscribe_url=unsubscribe_url(dispatch, subscriber),
        reply_to=mail.reply_to,
        preferences_url=mail.page_url("preferences", mail.preferences_token(subscriber.id, now)),
    )
    return notices.welcome(templates, imprint, subscription, reader)


def _first(dispatch: Dispatch, subscriber: Subscriber, rhythm: Rhythm, now: datetime, *, at_once: bool) -> datetime:
    """Return when the first digest comes, or the first that follows the one that comes *at_once*."""
    if not subscriber.next_due_at:
        return next_due(rhythm.of_alerts, now, None).at
    with dispatch.database.read() as session:
        known = coming(session, dispatch.settings.newsletter, now)
    if at_once:
        return known.digest_at(next_due(rhythm, now, local_date(now, rhythm.zone)).at, rhythm, known.newest)
    return known.digest_at(subscriber.next_due_at, rhythm, None)


def why_welcome(language: Language, newsletter: str, day: date) -> str:
    """Return why who confirmed on *day* gets a mail."""
    return language.gettext(
        "You get this mail once, because you subscribed to %(newsletter)s on %(day)s.",
        newsletter=newsletter,
        day=language.dated(day),
    )


def parting(dispatch: Dispatch, subscriber: Subscriber, now: datetime) -> Rendered:
    """Return the mail that bids farewell. Raises ConfigurationError for a template that does not work."""
    token = dispatch.mail.signer.token(Purpose.CONFIRM, subscriber=subscriber.id, expires=now + COMES_BACK)
    link = dispatch.mail.confirm_url(token)
    templates, imprint = dispatch.look(subscriber.preferences.language)
    return notices.goodbye(templates, imprint, link=link, valid_for=COMES_BACK)


def unsubscribe_url(dispatch: Dispatch, subscriber: Subscriber) -> str:
    """Return the link by which *subscriber* leaves."""
    return dispatch.mail.unsubscribe_url(dispatch.mail.signer.token(Purpose.UNSUBSCRIBE, subscriber=subscriber.id))


def _newest(dispatch: Dispatch, archive_url: str) -> str:
    with dispatch.database.read() as session:
        found = issues.published(session, before=None, limit=1)
    return f"{archive_url}/{found[0].date}" if found and archive_url else ""
