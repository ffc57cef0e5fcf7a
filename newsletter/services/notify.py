"""Telling the operator: one mail per problem and day, one when it is solved, and a ping after each good run.

Where no mail can be sent, a line on standard error is what cron mails. Not here: what counts as a problem (``run``).
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from datetime import datetime, time
from email.utils import parseaddr

import httpx2

from newsletter.domain.calendar import instant, local_date
from newsletter.domain.delivery import Outcome, Verdict
from newsletter.errors import ConfigurationError, NewsletterError
from newsletter.mail.message import Head, message_bytes, message_id, needs_smtputf8
from newsletter.mail.smtp import Connection, Envelope, SmtpTrouble
from newsletter.render.environment import environment
from newsletter.render.language import ENGLISH
from newsletter.render.notices import operator_notice
from newsletter.render.typesetting import Rendered
from newsletter.services.dispatch import Dispatch
from newsletter.storage import problems, traffic
from newsletter.storage.database import cursor
from newsletter.storage.faults import StorageError
from newsletter.storage.problems import Problem

log = logging.getLogger(__name__)


async def tell(dispatch: Dispatch, found: Mapping[str, str], now: datetime) -> list[str]:
    """Tell the operator of the problems *found*, by name. Return the lines that a person should see now."""
    newsletter = dispatch.settings.newsletter
    midnight = instant(local_date(now, newsletter.zone), time(), newsletter.zone)
    with dispatch.database.write() as session:
        fresh = problems.compare(session, found, midnight, now)
    lines = []
    for problem in fresh:
        if dispatch.settings.operator.email:
            await _mail(dispatch, problem, now)
        with dispatch.database.write() as session:
            problems.mark_told(session, problem.name, now)
        lines.append(f"solved: {_told(problem)}" if problem.solved else problem.text)
    return lines


async def _mail(dispatch: Dispatch, problem: Problem, now: datetime) -> None:
    state = "Solved" if problem.solved else "Needs you"
    title = f"{state}: {problem.name}"
    details = [_told(problem), f"Since {problem.since:%Y-%m-%d %H:%M} UTC."]
    try:
        rendered = operator_notice(
            dispatch.languages.templates_in(ENGLISH), dispatch.mail.imprint, title=title, details=details
        )
    except ConfigurationError:  # what is to be told may be that this very template is broken
        rendered = operator_notice(environment(None), dispatch.mail.imprint, title=title, details=details)
    try:
        await send_one(dispatch, dispatch.settings.operator.email, rendered, now)
    except NewsletterError as error:
        log.warning("the operator could not be told by mail: %s", error)


def _told(problem: Problem) -> str:
    """Return what is told of it: what is to be done about it only as long as it is not solved."""
    return problem.text.partition("; ")[0] if problem.solved else problem.text


async def send_one(
    dispatch: Dispatch,
    to: str,
    rendered: Rendered,
    now: datetime,
    *,
    reader: int = 0,
    unsubscribe_url: str = "",
    reply_to: str = "",
    auto_submitted: str = "auto-generated",
) -> str:
    """Send one mail that belongs to no issue, over a connection of its own, and return its Message-ID.

    Where it goes to a *reader* (an id), a report that it did not arrive names them. Answers go to *reply_to*, by
    default where the newsletter's go.

    Raises SmtpTrouble when it is not taken.
    """
    address = parseaddr(to)[1]
    smtputf8 = needs_smtputf8(address)
    number = secrets.randbits(62)
    content = single_message(
        dispatch,
        address,
        rendered,
        now,
        number,
        unsubscribe_url=unsubscribe_url,
        reply_to=reply_to,
        auto_submitted=auto_submitted,
    )
    own = dispatch.settings.newsletter.sender_address
    sender = dispatch.mail.return_path(reader, 0) if reader else own
    await _taken(
        dispatch, Envelope(sender=sender, recipient=address, size=len(content), smtputf8=smtputf8), content, now
    )
    return message_id(number, dispatch.mail.domain)


def may_have_gone(error: NewsletterError) -> bool:
    """Return whether a mail for which ``send_one`` raised *error* may have reached its reader all the same."""
    return isinstance(error, SmtpTrouble) and error.outcome.verdict is Verdict.UNCERTAIN


async def _taken(dispatch: Dispatch, envelope: Envelope, content: bytes, now: datetime) -> None:
    """Have a mail taken by the first route that is well. Raises SmtpTrouble for the first that was not.

    It counts against the route's limits, and waits for none of them: digests leave it the room.
    """
    first: SmtpTrouble | None = None
    for way in dispatch.settings.smtp.ways:
        try:
            outcome = await _said(dispatch.connect(way), envelope, content)
            trouble = SmtpTrouble(f"{envelope.recipient}: not taken: {outcome.reply}", outcome)
        except SmtpTrouble as error:
            outcome, trouble = error.outcome, error
        if outcome.verdict in {Verdict.ACCEPTED, Verdict.UNCERTAIN}:  # a server that took it counts it
            await asyncio.to_thread(_count, dispatch, way.name, now)
        if outcome.verdict is Verdict.ACCEPTED:
            return
        if outcome.verdict is not Verdict.TROUBLE:  # it is the address that is refused, or the mail may have gone
            raise trouble
        first = first or trouble
    assert first is not None  # there is a way
    raise first


def _count(dispatch: Dispatch, route: str, now: datetime) -> None:
    try:
        with dispatch.database.write() as session:
            traffic.count(cursor(session), route, now, 1)
    except StorageError as error:  # the mail has gone: who sent it must not send it again
        log.warning("a mail that was taken could not be counted: %s", error)


def single_message(
    dispatch: Dispatch,
    address: str,
    rendered: Rendered,
    now: datetime,
    number: int,
    *,
    unsubscribe_url: str = "",
    reply_to: str = "",
    auto_submitted: str = "auto-generated",
) -> bytes:
    """Return a mail that belongs to no issue, as it leaves; its Message-ID is made of *number*.

    Raises UsageError for an address that none can go to.
    """
    head = Head(
        sender=dispatch.mail.sender,
        to=address,
        subject=rendered.subject,
        message_id=message_id(number, dispatch.mail.domain),
        date=now,
        reply_to=reply_to or dispatch.settings.newsletter.reply_to,
        auto_submitted=auto_submitted,
        unsubscribe_url=unsubscribe_url,
    )
    html, smtputf8 = rendered.html or None, needs_smtputf8(address)
    return dispatch.mail.signed(message_bytes(head, text=rendered.text, html=html, smtputf8=smtputf8), now)


async def _said(connection: Connection, envelope: Envelope, content: bytes) -> Outcome:
    """Return what became of one message over a connection of its own. Raises SmtpTrouble where none can be opened."""
    await connection.open()
    try:
        return await connection.envelope(envelope) or await connection.data(content)
    finally:
        await connection.close()


async def ping(url: str, user_agent: str) -> None:
    """Fetch *url* to say that a run went well. A failure is logged and nothing more: who waits for it will notice."""
    try:
        async with httpx2.AsyncClient(headers={"User-Agent": user_agent}, timeout=10) as client:
            (await client.get(url)).raise_for_status()
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        # Its path is often the secret that tells one newsletter's pings from another's.
        log.warning("operator.ping_url could not be fetched (%s)", type(error).__name__)
