"""The listener to which a mail server hands what comes back, by LMTP (RFC 2033), in a thread of its own.

A mail is taken only when it was acted on: on trouble the server is told to try again. Only mail to the address of
``[bounces]`` is taken, with or without something behind its plus.
"""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.errors import ConfigurationError
from newsletter.services.dispatch import Dispatch
from newsletter.services.ledger import Clock
from newsletter.services.listen import hear
from newsletter.services.mailboxes import LARGEST

log = logging.getLogger(__name__)


class _Handler:
    def __init__(self, dispatch: Dispatch, clock: Clock) -> None:
        self._dispatch, self._clock = dispatch, clock

    async def handle_RCPT(  # noqa: N802 - named by aiosmtpd, as all of these
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if not self._dispatch.mail.is_for_what_comes_back(address):
            return "550 5.1.1 only what comes back is taken here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        try:
            raw = f"Return-Path: <{envelope.mail_from or ''}>\r\n".encode() + envelope.content
            heard = await hear(self._dispatch, raw, self._clock(), envelope.rcpt_tos)
        except Exception:
            log.exception("a mail that came back could not be taken in; the server will try again")
            answer = "451 4.3.0 not taken in, try again"
        else:
            answer = f"250 2.0.0 {heard.report.kind}"
        return "\r\n".join([answer] * len(envelope.rcpt_tos))  # LMTP answers for each recipient


class _Listener(LMTP):
    line_length_limit = 100_000  # reports quote mails whose lines are longer than any standard lets them be


@contextmanager
def listening(dispatch: Dispatch, place: str, clock: Clock) -> Iterator[str]:
    """Listen at *place* (host:port) while inside, and give where that is. Raises ConfigurationError."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="lmtp", daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_listen(loop, dispatch, place, clock), loop).result()
        shown = server.sockets[0].getsockname()
        try:
            yield f"{shown[0]}:{shown[1]}"
        finally:
            loop.call_soon_threadsafe(server.close)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(loop: asyncio.AbstractEventLoop, dispatch: Dispatch, place: str, clock: Clock) -> asyncio.Server:
    host, _, port = place.rpartition(":")
    handler, name = _Handler(dispatch, clock), dispatch.mail.domain

    def session() -> LMTP:
        return _Listener(handler, hostname=name, data_size_limit=LARGEST, enable_SMTPUTF8=True, loop=loop)

    try:
        return await loop.create_server(session, host.strip("[]"), int(port))
    except (OSError, OverflowError) as error:
        raise ConfigurationError(f"bounces.lmtp = {place!r}: cannot listen there ({error})") from error
