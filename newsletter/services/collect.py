"""Collecting what waits in the mailboxes of ``[bounces]``, at each tick."""

import asyncio
import logging
import time
from collections.abc import Iterator

from newsletter.errors import NewsletterError
from newsletter.services import imap, mailboxes
from newsletter.services.dispatch import Dispatch
from newsletter.services.ledger import Clock
from newsletter.services.listen import hear
from newsletter.services.mailboxes import Letter

log = logging.getLogger(__name__)

BUDGET = 60.0  # seconds for each mailbox at one tick: what we send waits meanwhile, whoever fills it


async def collect(dispatch: Dispatch, clock: Clock, *, budget: float = BUDGET) -> str:
    """Act on what waits, for about *budget* seconds; the next tick goes on.

    Return what the operator should be told of what is in the way, or ''.
    """
    settings = dispatch.settings.bounces
    troubles = []
    if settings.maildir:
        troubles.append(await _read(dispatch, mailboxes.letters(settings.maildir), clock, budget))
    if settings.imap.host:
        troubles.append(await _read(dispatch, imap.letters(settings.imap, _password(dispatch)), clock, budget))
    return "; ".join(filter(None, troubles))


async def _read(dispatch: Dispatch, waiting: Iterator[Letter], clock: Clock, budget: float) -> str:
    ends = time.monotonic() + budget
    try:
        while letter := await asyncio.to_thread(next, waiting, None):
            heard = await hear(dispatch, letter.raw, clock())
            await asyncio.to_thread(letter.done)
            for line in heard.lines:
                log.info("came back: %s", line)
            if time.monotonic() > ends:
                break
    except NewsletterError as error:
        return str(error)
    return ""


def _password(dispatch: Dispatch) -> str:
    return dispatch.settings.bounce_secrets["imap"]
