"""Opening a session, by aiosmtplib: connect, greet, secure the connection, log in.

Promises that TLS is verified and never given up, that a password is never said in clear, and that what fails says what
to do about it. What is said on the open session is ``smtp.py``'s.
"""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Literal, cast

import aiosmtplib
from aiosmtplib import SMTPResponse

from newsletter.domain.delivery import Outcome
from newsletter.domain.text import plain
from newsletter.errors import IncompleteError
from newsletter.mail.advice import advice
from newsletter.mail.message import ascii_domain
from newsletter.mail.replies import DROPPED, Phase, classify

_PROBE_TIMEOUT = 5

Security = Literal["none", "starttls", "tls"]


class SmtpTrouble(IncompleteError):  # noqa: N818 - named after the verdict that it carries
    """A session could not be opened: says why and what to do. ``outcome`` is what that means for a delivery.

    ``waiting_helps`` is false where a person must mend something first (a password, a certificate, a setting), and
    where the server was silent for as long as one waits.
    """

    def __init__(self, message: str, outcome: Outcome, *, waiting_helps: bool = False):
        super().__init__(message)
        self.outcome = outcome
        self.waiting_helps = waiting_helps


class Opening:
    """Opens one session. ``server`` names it, with its own name once it said that."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        local_hostname: str,
        security: Security,
        username: str,
        password: str,
        tls: ssl.SSLContext | None,
        timeouts: Mapping[str, float],
    ):
        self._host, self._port, self._security = host, port, security
        self._username, self._password = username, password
        self._timeouts = timeouts
        self._smtp = aiosmtplib.SMTP(
            hostname=host,
            port=port,
            local_hostname=ascii_domain(local_hostname),
            use_tls=security == "tls",
            start_tls=False,  # the default would go on in clear where STARTTLS is not offered
            tls_context=tls or (None if security == "none" else ssl.create_default_context()),
        )
        self.server = f"{host}:{port}"

    async def open(self) -> asyncio.Transport:
        """Return the transport of the session, which is the caller's from now on.

        Raises SmtpTrouble, and leaves nothing open then.
        """
        phase, transport = Phase.CONNECT, None
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
            if not self._smtp.is_connected:
                raise aiosmtplib.SMTPServerDisconnected("Connection lost")
            transport = cast("asyncio.Transport", self._smtp.transport)
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            raise self._trouble(phase, error) from error
        finally:
            if transport is None:
                self._abort()
        return transport

    def offers(self, extension: str) -> bool:
        """Return whether the server offers the SMTP *extension* on the session that was opened."""
        return self._smtp.supports_extension(extension)

    def _abort(self) -> None:
        if self._smtp.transport is not None:
            cast("asyncio.WriteTransport", self._smtp.transport).abort()
        self._smtp.close()

    def _trouble(self, phase: Phase, error: Exception) -> SmtpTrouble:
        why = advice(phase, error, host=self._host, security=self._security, username=self._username)
        message = f"{self.server}: {why}"
        answer = SMTPResponse(DROPPED, message)
        if isinstance(error, aiosmtplib.SMTPResponseException):
            answer = SMTPResponse(error.code, error.message)
        outcome = classify(phase, answer.code, answer.message, server=self.server)._replace(reply=message)
        # What a server says for now, or a session that broke, may be better the next time; a password may not. Who was
        # silent for a whole timeout would be so again, and nobody else sends as long as a run waits for it.
        broke = isinstance(error, aiosmtplib.SMTPServerDisconnected)
        passing = phase in {Phase.CONNECT, Phase.GREETING} or broke or 400 <= answer.code < 500
        passing = passing and not isinstance(error, ssl.SSLError | aiosmtplib.SMTPTimeoutError)
        return SmtpTrouble(message, outcome, waiting_helps=passing)

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
