"""One SMTP connection: opened, verified and logged in by aiosmtplib, its transactions step by step our own.

Promises that every answer becomes an Outcome, that nobody takes a message for refused whose fate is unknown, that
TLS is verified and never given up, and that a connection on which an answer is missing or malformed, or on which a
step was cancelled, is not used again: the next message would get the previous one's reply. What an answer means is
decided in ``replies.py``, and what to do about it by whoever keeps the ledger.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import replace
from typing import Literal, cast

import aiosmtplib
from aiosmtplib import SMTPResponse

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.domain.text import plain
from newsletter.errors import IncompleteError, UsageError
from newsletter.mail.advice import advice
from newsletter.mail.message import ascii_domain, needs_smtputf8, wire_address
from newsletter.mail.replies import DROPPED, MALFORMED, SILENT, Phase, classify

# Seconds. RFC 5321 section 4.5.3.2 sets those from GREETING on; TLS and LOGIN are commands like any other.
TIMEOUTS: Mapping[Phase, float] = {
    Phase.CONNECT: 20,
    Phase.GREETING: 300,
    Phase.TLS: 300,
    Phase.LOGIN: 300,
    Phase.MAIL: 300,
    Phase.RCPT: 300,
    Phase.DATA: 120,
    Phase.DOT: 600,
}
QUIT_TIMEOUT = 2
_PROBE_TIMEOUT = 5

Security = Literal["none", "starttls", "tls"]


class SmtpTrouble(IncompleteError):  # noqa: N818 - named after the verdict that it carries
    """A session could not be opened: says why and what to do. ``outcome`` is what that means for a delivery.

    ``waiting_helps`` is false where a person must mend something first: a password, a certificate, a setting.
    """

    def __init__(self, message: str, outcome: Outcome, *, waiting_helps: bool = False):
        super().__init__(message)
        self.outcome = outcome
        self.waiting_helps = waiting_helps


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
        timeouts: Mapping[Phase, float] = TIMEOUTS,
    ):
        """Take *local_hostname* for EHLO, and *tls* in place of the system's certificates (share one: it is slow)."""
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._timeouts = timeouts
        self._tls = tls or (None if security == "none" else ssl.create_default_context())
        self._smtp = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            local_hostname=ascii_domain(local_hostname),
            use_tls=security == "tls",
            start_tls=False,  # the default would go on in clear where STARTTLS is not offered
            tls_context=self._tls,
        )
        self._in_step = False  # the next answer will be that to the next command
        self._over = False  # nothing more is to be said but QUIT
        self.server = f"{host}:{port}"
        self.accepted = 0

    @property
    def usable(self) -> bool:
        """Whether the next message can go over this connection."""
        return self._in_step and not self._over and self._smtp.is_connected

    async def open(self) -> None:
        """Connect, secure the connection, and log in. Raises SmtpTrouble, and leaves nothing open then."""
        phase = Phase.CONNECT
        try:
            greeting = await self._connect()
            self.server += f" ({plain(greeting.message).partition(' ')[0][:100]})"
            phase = Phase.GREETING
            await self._hello()
            if self._security == "starttls":
                phase = Phase.TLS
                await self._start_tls()
            if self._username:
                phase = Phase.LOGIN
                await self._login()
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            raise self._trouble(phase, error) from error
        else:
            self._in_step = True
        finally:
            if not self._in_step:
                self.abort()

    async def envelope(self, sender: str, recipient: str, *, size: int, smtputf8: bool = False) -> Outcome | None:
        """Offer an envelope for a message of *size* octets. Returns None when it was taken, else what was refused.

        *smtputf8* says that the message's headers need SMTPUTF8 (RFC 6531); an address that does is seen here.
        Raises UsageError for a *sender* that is no address.
        """
        sender = wire_address(sender) if sender else ""
        try:
            recipient = wire_address(recipient)
        except UsageError as error:
            return self._outcome(Phase.RCPT, SMTPResponse(501, str(error)))
        options = [f"SIZE={size}"] if self._smtp.supports_extension("size") else []
        if smtputf8 or needs_smtputf8(recipient) or needs_smtputf8(sender):
            if not self._smtp.supports_extension("smtputf8"):
                return self._outcome(Phase.RCPT, SMTPResponse(553, "5.6.7 the server takes no addresses in UTF-8"))
            options.append("SMTPUTF8")
        return await self._offer(Phase.MAIL, f"MAIL FROM:<{sender}>", *options) or await self._offer(
            Phase.RCPT, f"RCPT TO:<{recipient}>"
        )

    async def data(self, message: bytes) -> Outcome:
        """Send *message*, its lines ending in CRLF, under the accepted envelope, and return what became of it.

        Nothing is waited for once the reply to the final dot is there, so that no cancellation can lose it.
        """
        # A bare CR or LF is where servers disagree on the end of a message, and a line left open hides the dot.
        assert message.endswith(b"\r\n")
        assert message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r")
        answer = await self._command(Phase.DATA, "DATA")
        if answer.code != 354:
            return await self._refused(Phase.DATA, answer)
        outcome = self._outcome(Phase.DOT, await self._answer(Phase.DOT, self._send(message)))
        self.accepted += outcome.verdict is Verdict.ACCEPTED
        return outcome

    async def close(self) -> None:
        """Leave politely where that is possible, within QUIT_TIMEOUT."""
        try:
            if self._in_step:
                self._in_step = False
                with contextlib.suppress(aiosmtplib.SMTPException):
                    await self._smtp.quit(timeout=QUIT_TIMEOUT)
        finally:
            self.abort()
        await asyncio.sleep(0)  # for the loop to close the socket, also where this is its last work

    def abort(self) -> None:
        """Close at once. What was not sent yet, such as a final dot, is not sent."""
        self._in_step = False
        if self._smtp.transport is not None:
            cast("asyncio.WriteTransport", self._smtp.transport).abort()
        self._smtp.close()

    async def _offer(self, phase: Phase, *words: str) -> Outcome | None:
        answer = await self._command(phase, *words)
        return None if answer.code // 100 == 2 else await self._refused(phase, answer)

    async def _refused(self, phase: Phase, answer: SMTPResponse) -> Outcome:
        """Return what the refusal means, the server's envelope being empty again or the session over."""
        outcome = self._outcome(phase, answer)
        if self.usable and (await self._command(phase, "RSET")).code != 250:
            self._over = True
        return outcome

    def _outcome(self, phase: Phase, answer: SMTPResponse) -> Outcome:
        """Return what *answer* means. After trouble the session is over: nobody is served by going on with it."""
        outcome = classify(phase, answer.code, answer.message, carried=self.accepted)
        self._over |= outcome.verdict in {Verdict.TROUBLE, Verdict.UNCERTAIN}
        return replace(outcome, server=self.server)

    def _trouble(self, phase: Phase, error: Exception) -> SmtpTrouble:
        why = advice(phase, error, host=self._host, security=self._security, username=self._username)
        message = f"{self.server}: {why}"
        answer = SMTPResponse(DROPPED, message)
        if isinstance(error, aiosmtplib.SMTPResponseException):
            answer = SMTPResponse(error.code, error.message)
        passing = phase in {Phase.CONNECT, Phase.GREETING} and not isinstance(error, ssl.SSLError)
        return SmtpTrouble(message, self._outcome(phase, answer), waiting_helps=passing)

    async def _command(self, phase: Phase, *words: str) -> SMTPResponse:
        command = self._smtp.execute_command(*(word.encode() for word in words), timeout=self._timeouts[phase])
        return await self._answer(phase, command)

    async def _answer(self, phase: Phase, asked: Awaitable[SMTPResponse]) -> SMTPResponse:
        """Return the answer. The connection is out of step until one came, also when the wait is cancelled."""
        self._in_step = False
        try:
            answer = await asked
        except aiosmtplib.SMTPTimeoutError:
            answer = SMTPResponse(SILENT, f"no answer within {self._timeouts[phase]:g} s")
        except aiosmtplib.SMTPServerDisconnected:
            answer = SMTPResponse(DROPPED, "the server closed the connection")
        except aiosmtplib.SMTPResponseException as error:
            answer = SMTPResponse(MALFORMED, error.message)
        else:
            self._in_step = 200 <= answer.code <= 599 and answer.code != 421
        finally:
            if not self._in_step:
                self.abort()
        return answer

    async def _send(self, message: bytes) -> SMTPResponse:
        """Send message and final dot (RFC 5321 section 4.5.2). aiosmtplib's way hides whether DATA was taken."""
        protocol = self._smtp.protocol
        if protocol is None:
            raise aiosmtplib.SMTPServerDisconnected("Server not connected")
        protocol.write((b"\r\n" + message).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        return await protocol.read_response(timeout=self._timeouts[Phase.DOT])

    async def _connect(self) -> SMTPResponse:
        connecting = asyncio.create_task(self._smtp.connect(timeout=self._timeouts[Phase.GREETING]))
        try:
            await asyncio.wait({connecting}, timeout=self._timeouts[Phase.CONNECT])
            if not connecting.done():
                await self._ask_silence()
            return await connecting
        finally:
            connecting.cancel()

    async def _ask_silence(self) -> None:
        """Find out why no greeting came: RFC 5321 lets a server think for long, but a port may be shut or want TLS."""
        if self._smtp.transport is None:
            raise TimeoutError
        if self._security != "tls" and await _speaks_tls(self._host, self._port):
            raise ssl.SSLError("the port speaks TLS from the start")

    async def _hello(self) -> None:
        try:
            await self._smtp.ehlo(timeout=self._timeouts[Phase.GREETING])
        except aiosmtplib.SMTPHeloError:
            if self._security == "starttls" or self._username or not self._smtp.is_connected:
                raise
            await self._smtp.helo(timeout=self._timeouts[Phase.GREETING])

    async def _start_tls(self) -> None:
        await self._smtp.starttls(timeout=self._timeouts[Phase.TLS])
        await self._hello()

    async def _login(self) -> None:
        """Log in by the first way that both sides know, once: providers lock accounts after a few failures."""
        ways = {"plain": self._smtp.auth_plain, "login": self._smtp.auth_login, "cram-md5": self._smtp.auth_crammd5}
        way = next((ways[name] for name in ways if name in self._smtp.server_auth_methods), None)
        if way is None or self._security == "none":
            raise aiosmtplib.SMTPNotSupported("AUTH")
        await way(self._username, self._password, timeout=self._timeouts[Phase.LOGIN])


async def _speaks_tls(host: str, port: int) -> bool:
    """Return whether *port* shakes hands. Nothing is said over this connection, so the certificate does not matter."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except OSError:
        return False
    writer.transport.abort()
    return True
