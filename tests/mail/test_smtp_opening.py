"""Opening a session: TLS that is verified and never given up, the login, and failures that say what to do."""

import asyncio
import time
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from certificates import Certificate
from scripted_server import DROP, SILENCE, ScriptedServer, scripted

from newsletter.domain.delivery import Verdict
from newsletter.errors import IncompleteError
from newsletter.mail.replies import Phase
from newsletter.mail.smtp import TIMEOUTS, Connection, Envelope, SmtpTrouble

QUICK = TIMEOUTS | dict.fromkeys(Phase, 0.3)
LOGIN = {"username": "ann", "password": "sésame"}
PLAIN = b64encode("\0ann\0sésame".encode()).decode()

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def connection_to(server: ScriptedServer | int, **settings: Any) -> Connection:
    """Return a connection, not open yet."""
    port = server if isinstance(server, int) else server.port
    return Connection(settings.pop("host", "localhost"), port, local_hostname="example.org", **settings)


async def trouble_of(connection: Connection) -> str:
    """Return what opening *connection* says, having checked what every such failure has in common."""
    with pytest.raises(SmtpTrouble) as caught:
        await connection.open()
    assert not connection.usable
    assert isinstance(caught.value, IncompleteError)
    outcome = caught.value.outcome
    assert (outcome.verdict, outcome.pauses_route, outcome.suppresses) == (Verdict.TROUBLE, True, False)
    assert outcome.server == connection.server
    assert "\n" not in str(caught.value)
    assert "sésame" not in str(caught.value) + outcome.reply
    return str(caught.value)


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_secured_session_logs_in(run: Run, certificate: Certificate, security: str):
    """With both ways of TLS the login is heard only after the handshake, and mail goes out."""
    contexts = {security: certificate.server()}

    async def story() -> list[str]:
        async with scripted(**contexts) as server:
            connection = connection_to(server, security=security, tls=certificate.client(), **LOGIN)
            await connection.open()
            assert (
                await connection.envelope(Envelope(sender="a@example.org", recipient="b@example.com", size=20)) is None
            )
            assert (await connection.data(b"Subject: x\r\n\r\nx\r\n")).verdict is Verdict.ACCEPTED
            await connection.close()
            return server.heard

    heard = run(story())
    opening = ["EHLO example.org", "STARTTLS"] if security == "starttls" else []
    assert heard[: len(opening) + 2] == [*opening, "EHLO example.org", f"AUTH PLAIN {PLAIN}"]


def test_starttls_that_is_not_offered_is_an_end(run: Run, certificate: Certificate):
    """Whoever strips STARTTLS from the offer gets neither password nor mail."""

    async def story() -> tuple[str, list[str]]:
        async with scripted({"EHLO": "250-scripted.example\n250 AUTH PLAIN"}) as server:
            connection = connection_to(server, security="starttls", tls=certificate.client(), **LOGIN)
            return await trouble_of(connection), server.heard

    said, heard = run(story())
    assert "offers no STARTTLS, and mail is not sent in clear instead" in said
    assert 'If it has neither: smtp.security = "none", without smtp.username, is for a server' in said
    assert heard == ["EHLO example.org"]


def test_starttls_that_is_refused_is_an_end(run: Run, certificate: Certificate):
    """Also when it was offered."""

    async def story() -> tuple[str, list[str]]:
        async with scripted({"STARTTLS": "454 4.7.0 TLS not available"}) as server:
            return await trouble_of(connection_to(server, security="starttls", tls=certificate.client())), server.heard

    said, heard = run(story())
    assert "puts us off (454 4.7.0 TLS not available)" in said
    assert heard == ["EHLO example.org", "STARTTLS"]


def test_a_password_never_travels_in_clear(run: Run):
    """Even when somebody asks for it."""

    async def story() -> tuple[str, list[str]]:
        async with scripted() as server:
            return await trouble_of(connection_to(server, **LOGIN)), server.heard

    said, heard = run(story())
    assert "correct smtp.security, or clear smtp.username" in said
    assert heard == ["EHLO example.org"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_for_another_name(run: Run, certificate: Certificate, security: str):
    """The message names the host that was asked for."""

    async def story() -> str:
        async with scripted(**{security: certificate.server()}) as server:
            connection = connection_to(server, host="127.0.0.1", security=security, tls=certificate.client(), **LOGIN)
            return await trouble_of(connection)

    assert "its certificate is not for '127.0.0.1': set smtp.host to the name" in run(story())


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_that_nobody_signed(run: Run, certificate: Certificate, security: str):
    """With the system's own authorities a self-signed certificate is refused, and nothing is said after it."""

    async def story() -> tuple[str, list[str]]:
        async with scripted(**{security: certificate.server()}) as server:
            return await trouble_of(connection_to(server, security=security, **LOGIN)), server.heard

    said, heard = run(story())
    assert "its certificate cannot be trusted (self-signed certificate)" in said
    assert not any(line.startswith("AUTH") for line in heard)


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_a_port_that_speaks_tls_already(run: Run, certificate: Certificate, security: str):
    """It waits for our handshake in silence; a second look finds out why, long before a greeting is overdue."""

    async def story() -> str:
        async with scripted(tls=certificate.server()) as server:
            waits = TIMEOUTS | {Phase.CONNECT: 0.2}
            return await trouble_of(connection_to(server, security=security, timeouts=waits))

    assert run(story()).endswith('speaks TLS from the start on this port: set smtp.security = "tls"')


def test_a_port_that_does_not_speak_tls(run: Run):
    """The greeting is no handshake."""

    async def story() -> str:
        async with scripted() as server:
            return await trouble_of(connection_to(server, security="tls"))

    said = run(story())
    assert "does not speak TLS from the start on this port" in said
    assert 'smtp.security = "starttls" where this one offers that' in said
    assert 'If it has neither: smtp.security = "none" is for a server on this machine' in said


def test_a_slow_greeting_is_waited_for(run: Run):
    """Five minutes, as RFC 5321 says, on the first connection; looking why it is slow costs a second one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.6)
        writer.write(b"220 slow.example\r\n")
        if (await reader.readline()).startswith(b"EHLO"):
            writer.write(b"250 slow.example\r\n")
            await reader.read()
        writer.close()

    async def story() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        connection = connection_to(port, timeouts=TIMEOUTS | {Phase.CONNECT: 0.2})
        began = time.monotonic()
        await connection.open()
        assert connection.server == f"localhost:{port} (slow.example)"
        assert time.monotonic() - began < 5
        connection.abort()
        listening.close()
        await asyncio.sleep(0.01)

    run(story())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("535 5.7.8 wrong", "refused the login as 'ann' (535 5.7.8 wrong): correct smtp.username or the password"),
        ("454 4.7.0 busy", "puts us off (454 4.7.0 busy): nothing is lost, the next run tries again"),
        (DROP, "closed the connection in the login phase"),
        (SILENCE, "fell silent in the login phase"),
    ],
)
def test_a_login_that_fails(run: Run, certificate: Certificate, answer: str, said: str):
    """It is tried once, not once for each way: providers lock accounts."""

    async def story() -> tuple[str, list[str]]:
        async with scripted({"AUTH": answer}, tls=certificate.server()) as server:
            waits = TIMEOUTS | {Phase.LOGIN: 0.3}
            connection = connection_to(server, security="tls", tls=certificate.client(), timeouts=waits, **LOGIN)
            return await trouble_of(connection), server.heard

    told, heard = run(story())
    assert said in told
    assert [line.split()[0] for line in heard] == ["EHLO", "AUTH"]


@pytest.mark.parametrize("phase", ["GREETING", "EHLO", "AUTH"])
def test_who_is_silent_is_left_to_the_next_run(run: Run, certificate: Certificate, phase: str):
    """Waiting again for as long would keep every other run out."""

    async def story() -> SmtpTrouble:
        async with scripted({phase: SILENCE}, tls=certificate.server()) as server:
            waits = QUICK | {Phase.LOGIN: 0.3}
            connection = connection_to(server, security="tls", tls=certificate.client(), timeouts=waits, **LOGIN)
            with pytest.raises(SmtpTrouble) as trouble:
                await connection.open()
            return trouble.value

    trouble = run(story())
    assert not trouble.waiting_helps
    assert trouble.outcome.reply == str(trouble)  # what to do about it is kept with the delivery


def test_a_login_that_we_do_not_know(run: Run, certificate: Certificate):
    """A provider that only takes tokens is named as such, and the password is not tried."""

    async def story() -> str:
        script = {"EHLO": "250-scripted.example\n250 AUTH XOAUTH2"}
        async with scripted(script, tls=certificate.server()) as server:
            return await trouble_of(connection_to(server, security="tls", tls=certificate.client(), **LOGIN))

    assert "offers no login that we know" in run(story())


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ({"GREETING": "421 4.3.2 busy"}, "puts us off (421 4.3.2 busy)"),
        ({"GREETING": "554 5.7.1 blocked"}, "turned us away (554 5.7.1 blocked): ask its operator"),
        ({"GREETING": "SSH-2.0-OpenSSH"}, "does not speak SMTP"),
        ({"GREETING": DROP}, "closed the connection in the connect phase"),
        ({"GREETING": SILENCE}, "does not answer: check smtp.host and smtp.port"),
        ({"EHLO": DROP}, "closed the connection in the greeting phase"),
        ({"EHLO": SILENCE}, "fell silent in the greeting phase"),
        ({"EHLO": "550 no", "HELO": "550 no"}, "turned us away (550 no)"),
    ],
    ids=str,
)
def test_a_server_that_will_not_talk(run: Run, script: dict[str, str], said: str):
    """Each way of not being a mail server for us is told from the others."""

    async def story() -> str:
        async with scripted(script) as server:
            return await trouble_of(connection_to(server, timeouts=QUICK))

    assert said in run(story())


def test_nobody_there(run: Run):
    """A port on which nothing listens, by name (two addresses) and by number; and a host that does not exist."""

    async def story() -> None:
        async with scripted() as server:
            port = server.port
        for host in ("localhost", "127.0.0.1"):
            said = await trouble_of(connection_to(port, host=host))
            assert said.startswith(f"{host}:{port}: refused the connection: start the mail server there")
        for host in ("mail.invalid", "a..b", "x" * 70):
            assert "cannot be found: correct it" in await trouble_of(connection_to(port, host=host))

    run(story())


def test_an_opening_that_is_cancelled_leaves_nothing_open(run: Run):
    """A drain does not wait for a slow server."""

    async def story() -> None:
        gone = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            gone.set()

        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        connection = connection_to(listening.sockets[0].getsockname()[1])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await connection.open()
        assert not connection.usable
        async with asyncio.timeout(2):
            await gone.wait()
        listening.close()

    run(story())


def test_the_system_decides_whom_to_trust(run: Run, certificate: Certificate, monkeypatch: pytest.MonkeyPatch):
    """SSL_CERT_FILE names another authority, as the error message says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))

    async def story() -> None:
        async with scripted(tls=certificate.server()) as server:
            connection = connection_to(server, security="tls")
            await connection.open()
            assert connection.usable
            await connection.close()

    run(story())
