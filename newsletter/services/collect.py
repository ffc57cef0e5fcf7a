"""Collecting what waits in the mailboxes of ``[bounces]``, at each tick."""

import asyncio
import logging
from collections.abc import Iterator

from newsletter.errors import NewsletterError
from newsletter.services import imap, mailboxes
from newsletter.services.dispatch import Dispatch
from newsletter.services.ledger import Clock
from newsletter.services.listen import hear
from newsletter.services.mailboxes import Letter

log = logging.getLogger(__name__)


async def collect(dispatch: Dispatch, clock: Clock) -> str:
    """Act on all that waits. Return what the operator should be told of what is in the way, or ''."""
    settings = dispatch.settings.bounces
    troubles = []
    if settings.maildir:
        troubles.append(await _read(dispatch, mailboxes.letters(settings.maildir), clock))
    if settings.imap.host:
        troubles.append(await _read(dispatch, imap.letters(settings.imap, _password(dispatch)), clock))
    return "; ".join(filter(None, troubles))


async def _read(dispatch: Dispatch, waiting: Iterator[Letter], clock: Clock) -> str:
    try:
        while letter := await asyncio.to_thread(next, waiting, None):
            heard = await hear(dispatch, letter.raw, clock())
            await asyncio.to_thread(letter.done)
            for line in heard.lines:
                log.info("came back: %s", line)
    except NewsletterError as error:
        return str(error)
    return ""


def _password(dispatch: Dispatch) -> str:
    return dispatch.settings.bounce_secrets["imap"]
