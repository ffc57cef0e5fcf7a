"""The demo's inbox: a real SMTP server on loopback that delivers into a Maildir, and reading what lies there.

What it reads may come from anybody who can reach the port, so nothing in a mail can make reading it fail. Not here:
showing mails (``inbox_page``).
"""

import asyncio
import contextlib
import logging
import mailbox
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Thread
from typing import Any, Self

from newsletter.domain.text import plain
from newsletter.errors import ExtraError

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One mail as it lies in the inbox. ``to`` is the recipient of the envelope; '' and None are what it lacks."""

    key: str  # the Maildir's
    source: bytes  # lines end with a line feed
    to: str
    sender: str
    subject: str
    date: datetime | None
    headers: tuple[tuple[str, str], ...]  # as they stand, but unfolded
    text: str | None
    html: str | None


class Inbox:
    """An SMTP server for as long as the context lasts, on a free ``port``. It says nothing to anybody's log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._smtp = smtp_protocol()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="inbox", daemon=True)

    def __enter__(self) -> Self:
        self._box = mailbox.Maildir(self.folder, create=True)
        self._server = self._loop.run_until_complete(self._loop.create_server(self._connection, _HOST, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.run_until_complete(_end_all(self._loop))
        self._loop.close()

    def _connection(self) -> asyncio.Protocol:
        # A host name of its own, or the library asks the network for this machine's.
        protocol: asyncio.Protocol = self._smtp(self, hostname="localhost", enable_SMTPUTF8=True, loop=self._loop)
        return protocol

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """Put a mail into the Maildir, once for each recipient, with the envelope above it as servers do."""
        content = bytes(envelope.content).replace(b"\r\n", b"\n")
        for recipient in envelope.rcpt_tos:
            above = f"Return-Path: <{envelope.mail_from or ''}>\nDelivered-To: {recipient}\n"
            self._box.add(above.encode("utf-8", "replace") + content)
        return "250 2.0.0 In the inbox"


def smtp_protocol() -> Any:
    """Return the class that talks SMTP. Raises ExtraError where the demo's extra is not installed."""
    try:
        from aiosmtpd.smtp import SMTP  # noqa: PLC0415 - it comes with an extra, and only the demo needs it
    except ModuleNotFoundError as error:
        raise ExtraError("the demo's inbox", "demo") from error
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    return SMTP


async def _end_all(loop: asyncio.AbstractEventLoop) -> None:
    """End the conversations that are still open."""
    others = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def keys(folder: Path) -> list[str]:
    """Return the keys of the mails in the Maildir at *folder*, in the order in which they arrived."""
    box = mailbox.Maildir(folder, create=False)
    return sorted(box.keys(), key=_arrival)


def _arrival(key: str) -> tuple[int, ...]:
    # "seconds.MmicrosecondsPprocessQcount.host", in which only the count tells two of one microsecond apart.
    seconds, _, rest = key.partition(".")
    micros, _, rest = rest.removeprefix("M").partition("P")
    count = rest.partition("Q")[2].partition(".")[0]
    return tuple(int(part) if part.isdecimal() else 0 for part in (seconds, micros, count))


def read(folder: Path, key: str) -> Mail | None:
    """Return the mail with this key, None where there is none."""
    box = mailbox.Maildir(folder, create=False)
    if key not in box:
        return None
    source = box.get_bytes(key)
    message: Message[str, str] = message_from_bytes(source, policy=policy.compat32)
    headers = tuple((name, _legible(value)) for name, value in message.raw_items())
    first = {name.lower(): value for name, value in reversed(headers)}
    return Mail(
        key=key,
        source=source,
        to=first.get("delivered-to", ""),
        sender=_decoded(first.get("from", "")),
        subject=_decoded(first.get("subject", "")),
        date=_date(first.get("date", "")),
        headers=headers,
        text=next(_parts(message, "text/plain"), None),
        html=next(_parts(message, "text/html"), None),
    )


def mails(folder: Path) -> list[Mail]:
    """Return all mails in the order in which they arrived."""
    return [mail for key in keys(folder) if (mail := read(folder, key))]


def _legible(raw: object) -> str:
    """Return a header's value on one line, bytes that are no UTF-8 replaced."""
    return plain(str(raw).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _decoded(value: str) -> str:
    """Return *value* with its encoded-words (RFC 2047) read; as it stands where one is broken."""
    with contextlib.suppress(HeaderParseError, LookupError, ValueError):
        parts = decode_header(value)
        return plain("".join(p if isinstance(p, str) else p.decode(c or "ascii", "replace") for p, c in parts))
    return value


def _date(value: str) -> datetime | None:
    with contextlib.suppress(ValueError, TypeError, OverflowError, IndexError):
        found = parsedate_to_datetime(value)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None


def _parts(message: "Message[str, str]", kind: str) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_type() == kind:
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)  # a text part has no parts of its own
            try:
                yield content.decode(part.get_content_charset("utf-8"), "replace")
            except (LookupError, ValueError):  # no such charset, or one that is no encoding of text
                yield content.decode("utf-8", "replace")
