"""Doing what readers ask for by mail, and answering.

Who may is whom the signed address of the mail names: it is in the Reply-To of what we sent, so that only its reader has
it, and the answer goes to that reader, whatever the mail says of its sender. Without it nothing is done, and whoever is
on the list is asked to write once more, to an address of theirs. Mail of programs is never answered (RFC 3834), and a
reader no more than a few times a day. Not here: what a line means (``domain/command``).
"""

import logging
from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from email.utils import parseaddr
from typing import Any

from newsletter.domain.command import Command, Verb, commands
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import IllegalMoveError, NewsletterError, NotFoundError, UsageError
from newsletter.mail.addresses import address_key, parse_address
from newsletter.mail.bounce_parts import take_apart
from newsletter.mail.bounce_report import Report
from newsletter.mail.replying import is_automatic
from newsletter.mail.tokens import Claims, Purpose
from newsletter.render import notices
from newsletter.services import bounces, subscribe
from newsletter.services.commanded import Doer, known
from newsletter.services.confirm import invite
from newsletter.services.dispatch import Dispatch
from newsletter.services.notify import send_one
from newsletter.services.throttle import ALL, Rule, Throttle
from newsletter.storage import returns, subscribers
from newsletter.storage.returns import Return

log = logging.getLogger(__name__)

ANSWERS = Rule("answer", 5, timedelta(days=1))  # to one address
_ALL = Rule("answers", 500, timedelta(days=1))  # to all together
_ASKED = Rule("asked by mail", 500, timedelta(days=1))  # whoever seems to have written; not at the cost of answers
_PASSED_ON = 4000  # characters of what a reader writes to people


async def obey(dispatch: Dispatch, report: Report, raw: bytes, now: datetime) -> Return | None:
    """Do what a mail asks for, and answer it. Return what is kept of it, None where it asks for nothing of ours.

    Raises StorageError.
    """
    parts = take_apart(raw)
    if is_automatic(parts) or _was_obeyed(dispatch, report):
        return None
    claims = bounces.signed(dispatch.mail, Purpose.REPLY, report.returned_to, now)
    asked = commands(parts.text, report.subject)
    if claims is None:
        return await _of_a_stranger(dispatch, report, asked, now) if asked else None
    if not asked:
        return await _to_people(dispatch, report, claims, parts.text, now)
    return await _of_a_reader(dispatch, report, claims, asked, now)


async def _of_a_reader(
    dispatch: Dispatch, report: Report, claims: Claims, asked: Sequence[Command], now: datetime
) -> Return | None:
    try:
        doer = Doer(dispatch, subscribe.find(dispatch.database, claims.subscriber), claims.delivery, now)
    except NotFoundError:  # who was removed gets nothing anyway
        return None
    done = [doer.do(one) for one in asked if one.verb is not Verb.HELP]
    kept = _keep(dispatch, report, now, ", ".join(dict.fromkeys(one.verb for one in asked)), claims)
    wants_help = any(one.verb is Verb.HELP for one in asked) or not doer.understood
    await _answer(dispatch, doer.reader, claims.delivery, done, now, help_too=wants_help)
    return kept


async def _of_a_stranger(dispatch: Dispatch, report: Report, asked: Sequence[Command], now: datetime) -> Return | None:
    """Ask by mail whoever seems to have written, and do nothing yet: a sender can be forged."""
    try:
        address = parse_address(parseaddr(report.sender)[1])
    except UsageError:
        return None
    with dispatch.database.read() as session:
        held = subscribers.get(session, address.key)
    verb = asked[0].verb
    kept = _keep(dispatch, report, now, f"asked to confirm: {verb}", None)
    if verb is Verb.SUBSCRIBE and dispatch.settings.newsletter.base_url:
        await _invite(dispatch, address.email, now)
    elif held and held.status is not Status.SUPPRESSED:
        gettext = dispatch.look(held.preferences.language)[0].language.gettext
        line = gettext(
            "Somebody, perhaps you, wrote “%(command)s” to us. If it was you, answer this mail with that line alone.",
            command=asked[0].said[:100],
        )
        await _answer(dispatch, held, 0, [line], now, help_too=verb is Verb.HELP)
    return kept


async def _to_people(dispatch: Dispatch, report: Report, claims: Claims, text: str, now: datetime) -> Return | None:
    """Pass on what a reader writes to the editors, whose address it would have gone to without ours."""
    editors = dispatch.settings.newsletter.reply_to
    if not editors or not text.strip():
        return None
    try:
        sender = parse_address(parseaddr(report.sender)[1]).email
    except UsageError:  # mail comes from some; the text says whose it is
        sender = ""
    details = [f"From {report.sender}:", *filter(None, (line.strip() for line in text[:_PASSED_ON].splitlines()))]
    templates = dispatch.languages.templates(None)
    rendered = notices.operator_notice(
        templates, dispatch.mail.imprint, title=report.subject or "A reply", details=details
    )
    if not await _sent(send_one(dispatch, editors, rendered, now, reply_to=sender)):
        return None  # so that it is kept whole
    return _keep(dispatch, report, now, "passed on", claims)


def _was_obeyed(dispatch: Dispatch, report: Report) -> bool:
    with dispatch.database.read() as session:
        return returns.is_known(session, bounces.fingerprint(report))


def _keep(dispatch: Dispatch, report: Report, now: datetime, effect: str, claims: Claims | None) -> Return | None:
    """Remember that a mail was acted on: a crash before that does it once more, which changes nothing."""
    one = Return(
        came_at=now,
        kind="command",
        effect=effect,
        subscriber_id=claims.subscriber if claims else None,
        delivery_id=(claims.delivery or None) if claims else None,
        subject=report.subject,
    )
    with dispatch.database.write() as session:
        return returns.keep(session, bounces.fingerprint(report), one)


async def _invite(dispatch: Dispatch, email: str, now: datetime) -> None:
    if _throttle(dispatch).admit(now, (_ASKED, ALL)):
        log.warning("too many ask by mail to be subscribed; nobody else is asked to confirm until tomorrow")
        return
    try:
        for problem in (await invite(dispatch, [email], {}, now, source="asked by mail")).problems:
            log.warning("%s", problem)
    except IllegalMoveError:  # who is suppressed is not mailed, not even to be asked
        log.info("somebody who is suppressed asked by mail to be subscribed")
    except NewsletterError as error:
        log.warning("who asked by mail to be subscribed could not be asked: %s", error)


def _throttle(dispatch: Dispatch) -> Throttle:
    return Throttle(dispatch.database, dispatch.settings.secrets[0])


async def _answer(
    dispatch: Dispatch, reader: Subscriber, delivery: int, done: Sequence[str], now: datetime, *, help_too: bool
) -> None:
    if _throttle(dispatch).admit(now, (ANSWERS, address_key(reader.email)), (_ALL, ALL)):
        return
    templates, imprint = dispatch.look(reader.preferences.language)
    told = known(templates.language) if help_too else ()
    rendered = notices.answer(templates, imprint, done=done, commands=told)
    back = dispatch.mail.reply_address(reader.id, delivery, now)
    sending = send_one(
        dispatch, reader.email, rendered, now, reader=reader.id, reply_to=back, auto_submitted="auto-replied"
    )
    await _sent(sending)


async def _sent(sending: Coroutine[Any, Any, str]) -> bool:
    try:
        await sending
    except NewsletterError as error:
        log.warning("an answer could not be sent: %s", error)
        return False
    return True
