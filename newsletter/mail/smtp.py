"""One SMTP connection and the transactions on it, pipelined (RFC 2920) where the server offers that.

Promises that every answer becomes an Outcome, that nobody takes a message for refused whose fate is unknown, that
no message reaches the server under another's envelope, and that a connection on which an answer is missing, malformed
or out of turn, or on which a step was cancelled, is not used again. What an answer means is decided in ``replies.py``,
what belongs to which command in ``wire.py``, and what to do about it by whoever keeps the ledger.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.errors import UsageError
from newsletter.mail.message import wire_address
from newsletter.mail.opening import Opening, Security, SmtpTrouble
from newsletter.mail.replies import MALFORMED, SILENT, Phase, classify
from newsletter.mail.wire import BLOCK, Reply, Wire

__all__ = ["TIMEOUTS", "Connection", "Envelope", "Security", "SmtpTrouble"]

_RESET, _QUIT = "reset", "quit"

# Seconds. RFC 5321 section 4.5.3.2 sets GREETING and those from MAIL to DOT; RSET is a command like any other. For TLS
# and a login no server has to think for long.
TIMEOUTS: Mapping[str, float] = {
    Phase.CONNECT: 20,
    Phase.GREETING: 300,
    Phase.TLS: 60,
    Phase.LOGIN: 60,
    Phase.MAIL: 300,
    Phase.RCPT: 300,
    Phase.DATA: 120,
    BLOCK: 180,  # for the peer to take more of the message
    Phase.DOT: 600,
    _RESET: 300,
    _QUIT: 2,
}

_ENVELOPE = (Phase.MAIL, Phase.RCPT, Phase.DATA)
_TAKEN = [250, 250, 354]  # what nearly all envelopes are answered


class Envelope(NamedTuple):
    """Whom a message of ``size`` octets is from, '' for nobody, and whom it is for.

    ``smtputf8`` says that its headers need SMTPUTF8 (RFC 6531); an address that does is seen without.
    """

    sender: str
    recipient: str
    size: int
    smtputf8: bool = False


class Connection:
    """One session with one server: ``open``, then for each message ``envelope`` and ``data``, then ``close``."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        local_hostname: str,
        security: Security = "none",
        username: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        timeouts: Mapping[str, float] = TIMEOUTS,
    ):
        """Take *local_hostname* for EHLO, and *tls* in place of the system's certificates (share one: it is slow)."""
        self._timeouts = {**TIMEOUTS, **timeouts}
        self._opening = Opening(
            host,
            port,
            local_hostname=local_hostname,
            security=security,
            username=username,
            password=password,
            tls=tls,
            timeouts=self._timeouts,
        )
        self._wire: Wire | None = None
        self._over = False  # nothing more is to be said but QUIT
        self._pipelining = self._offers_size = self._offers_smtputf8 = False
        self._begun: Envelope | None = None  # its commands went out with the message before
        self._reset_due = False  # the server may hold the envelope of which it refused a part
        self._waited_for = False  # the server takes whatever is said for the message
        self.accepted = 0

    @property
    def server(self) -> str:
        """The server's host and port, and the name that it gives itself."""
        return self._opening.server

    @property
    def usable(self) -> bool:
        """Whether the next message can go over this connection."""
        return self._wire is not None and self._wire.alive and not self._over

    async def open(self) -> None:
        """Connect, secure the connection, and log in. Raises SmtpTrouble, and leaves nothing open then."""
        self._wire = Wire(await self._opening.open(), self._timeouts)
        self._pipelining, self._offers_size, self._offers_smtputf8 = map(
            self._opening.offers, ("pipelining", "size", "smtputf8")
        )

    async def envelope(self, envelope: Envelope) -> Outcome | None:
        """Offer *envelope*. Returns None when the server waits for the message, else what was refused.

        Where ``data`` sent it already, its answers are all there is to wait for. Raises UsageError for a sender that
        is no address.
        """
        assert self._begun is None or envelope == self._begun
        if self._begun is None:
            commands = self._commands(envelope)
            if isinstance(commands, Outcome):
                return commands
            phases = (_RESET, *_ENVELOPE) if self._reset_due else _ENVELOPE
            self._reset_due = False
            replies = await self._say(commands, phases)
        else:
            self._begun, phases = None, _ENVELOPE
            replies = await self._answers(len(phases))
        if [reply.code for reply in replies] != _TAKEN:
            for phase, reply in zip(phases, replies, strict=False):
                if reply.code != 354 if phase is Phase.DATA else reply.code // 100 != 2:
                    return self._refused(phase, reply, last=replies[-1], complete=len(replies) == len(phases))
        self._waited_for = True
        return None

    async def data(self, content: bytes, then: Envelope | None = None) -> Outcome:
        """Send *content* under the envelope that was taken, and return what became of it.

        Its lines end in CRLF, no CR or LF stands alone in it, and no line begins with a dot: whoever made it promises
        that (``message_bytes`` does), since servers disagree on where a message with others ends, and looking for
        dots to stuff (RFC 5321 section 4.5.2) would cost as much as all else that is done here. Where the server
        offers PIPELINING the envelope of *then* is sent along, and ``envelope`` has only to be asked for its answers.
        Nothing is waited for once the reply to the final dot is there, so that no cancellation can lose it.
        """
        assert self._waited_for
        assert content.endswith(b"\r\n")  # a line left open hides the dot
        self._waited_for = False
        wire, behind = self._open_wire(), self._behind(then)
        tail = b".\r\n" + behind
        if not wire.say(content, Phase.DOT, *(_ENVELOPE if behind else ()), behind=tail):
            return self._outcome(Phase.DATA, *wire.taken(1))
        try:
            [reply] = await wire.answers(1)
        except asyncio.CancelledError:
            if not wire.answered:
                wire.abort()
                if wire.unsent < len(tail):
                    raise
            [reply] = wire.taken(1)
        # Where the dot never left us the server cannot have the message. What the kernel took, it may have sent.
        outcome = self._outcome(Phase.DATA if wire.unsent >= len(tail) else Phase.DOT, reply)
        self.accepted += outcome.verdict is Verdict.ACCEPTED
        self._begun = then if behind else None
        return outcome

    async def close(self) -> None:
        """Leave politely where that is possible, within two seconds."""
        try:
            # A server that waits for a message, or will when it comes to what we said, would take QUIT for it.
            if self._wire and self._wire.alive and self._wire.silent and not self._waited_for:
                self._over = True
                self._wire.say(b"QUIT\r\n", _QUIT)
                await self._wire.answers(1)
        finally:
            self.abort()
        await asyncio.sleep(0)  # for the loop to close the socket, also where this is its last work

    def abort(self) -> None:
        """Close at once. What was not sent yet, such as a final dot, is not sent."""
        if self._wire:
            self._wire.abort()

    def _commands(self, envelope: Envelope) -> bytes | Outcome:
        """Return the commands for *envelope*, or what our side refuses without a word to the server."""
        sender = _sender_address(envelope.sender)
        try:
            recipient = wire_address(envelope.recipient)
        except UsageError as error:
            return classify(Phase.RCPT, 501, str(error))  # no server said so
        options = f" SIZE={envelope.size}" if self._offers_size else ""
        if envelope.smtputf8 or not (recipient.isascii() and sender.isascii()):
            if not self._offers_smtputf8:
                return classify(Phase.RCPT, 553, "5.6.7 the server takes no addresses in UTF-8")
            options += " SMTPUTF8"
        reset = "RSET\r\n" if self._reset_due else ""
        return f"{reset}MAIL FROM:<{sender}>{options}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()

    def _behind(self, then: Envelope | None) -> bytes:
        """Return the commands for *then* that go out with the message before; what is wrong with it is told later."""
        if then is None or not self._pipelining:
            return b""
        try:
            commands = self._commands(then)
        except UsageError:
            return b""
        return b"" if isinstance(commands, Outcome) else commands

    async def _say(self, commands: bytes, phases: tuple[str, ...]) -> list[Reply]:
        """Return the replies to *commands*, one in each of *phases*, as far as they were said."""
        if self._pipelining:
            self._open_wire().say(commands, *phases)
            return await self._answers(len(phases))
        replies = []
        for phase, command in zip(phases, commands.splitlines(keepends=True), strict=True):
            self._open_wire().say(command, phase)
            replies += await self._answers(1)
            if replies[-1].code // 100 != 2:
                break
        return replies

    async def _answers(self, count: int) -> list[Reply]:
        """Return what ``Wire.answers`` does. Cancelled, the session is over."""
        wire = self._open_wire()
        try:
            return await wire.answers(count)
        except asyncio.CancelledError:
            wire.abort()
            raise

    def _refused(self, phase: str, reply: Reply, *, last: Reply, complete: bool) -> Outcome:
        """Return what the first refusal of an envelope means, *last* being the last reply to its commands."""
        self._reset_due = True
        if phase == _RESET:
            if reply.code > SILENT and reply.code != 421:
                # RSET cannot be refused: who does so is out of step, and does not mean the reader.
                reply = Reply(MALFORMED, f"{reply.code} to RSET: {reply.text}")
            outcome = self._outcome(Phase.MAIL, reply)
        elif complete and 200 <= last.code < 300:
            # No server says that to DATA: there was a reply too many, and each of ours is another command's.
            outcome = self._outcome(Phase.DATA, last)
        else:
            outcome = self._outcome(Phase(phase), reply)
        if complete and last.code < 400:
            # The server waits for a message that must not come. RFC 2920 section 3.1 has a lone dot sent, and
            # a server may deliver that as an empty mail; closing cannot deliver anything.
            self.abort()
        return outcome

    def _outcome(self, phase: Phase, reply: Reply) -> Outcome:
        """Return what *reply* means. After trouble the session is over: nobody is served by going on with it."""
        outcome = classify(phase, reply.code, reply.text, carried=self.accepted, server=self.server)
        if outcome.verdict is Verdict.TROUBLE or outcome.verdict is Verdict.UNCERTAIN:
            self._over = True
        return outcome

    def _open_wire(self) -> Wire:
        assert self._wire, "the connection was never opened"
        return self._wire


@lru_cache(maxsize=256)  # the newsletter's own address, the same for every reader
def _sender_address(sender: str) -> str:
    return wire_address(sender) if sender else ""
