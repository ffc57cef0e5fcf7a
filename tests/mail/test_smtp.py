"""One connection: what servers of every kind answer, and that no message's fate is guessed."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP as AiosmtpdServer  # noqa: N811 - our own words say Connection
from scripted_server import DROP, SILENCE, Script, ScriptedServer, scripted

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.errors import UsageError
from newsletter.mail.replies import Phase
from newsletter.mail.smtp import Connection, Envelope, SmtpTrouble

SENDER, READER = "papers@example.org", "ann@example.com"
MESSAGE = b"Message-ID: <1@example.org>\r\n\r\n" + b"A line of some length, again and again.\r\n" * 50
QUICK = dict.fromkeys(Phase, 0.3)


def connection_to(port: int, **settings: Any) -> Connection:
    """Return a connection, not open yet, that waits as long as a test may."""
    return Connection(settings.pop("host", "127.0.0.1"), port, local_hostname="example.org", **settings)


@contextlib.asynccontextmanager
async def connected(port: int, **settings: Any) -> AsyncIterator[Connection]:
    """Open a connection, and close it in the end."""
    connection = connection_to(port, **settings)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


def envelope_for(recipient: str = READER, **other: Any) -> Envelope:
    """Return an envelope for a message of MESSAGE's size."""
    return Envelope(**({"sender": SENDER, "recipient": recipient, "size": len(MESSAGE)} | other))


async def send(connection: Connection, recipient: str = READER, message: bytes = MESSAGE) -> Outcome:
    """Send *message* to *recipient*, and return what became of it."""
    refused = await connection.envelope(envelope_for(recipient, size=len(message)))
    return refused or await connection.data(message)


both = pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "step by step"])


class Received:
    """A handler of aiosmtpd that keeps what it was given."""

    def __init__(self) -> None:
        self.envelopes: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server, session, envelope):  # noqa: D102, N802 - named by aiosmtpd
        self.envelopes.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 2.0.0 kept"


@contextlib.asynccontextmanager
async def inbox(**settings: Any) -> AsyncIterator[tuple[Received, int]]:
    """Run aiosmtpd on loopback."""
    received = Received()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: AiosmtpdServer(received, loop=loop, **settings), "127.0.0.1", 0)
    try:
        yield received, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0.01)


def test_messages_arrive_as_they_were_sent():
    """Two messages over one connection, each to its own reader."""
    other = b"Subject: another\r\n\r\nalso. with dots.\r\n"

    async def story() -> None:
        async with inbox() as (received, port), connected(port) as connection:
            first, second = await send(connection), await send(connection, "bob@example.com", other)
            assert [first.verdict, second.verdict] == [Verdict.ACCEPTED, Verdict.ACCEPTED]
            assert second.reply == "250 2.0.0 kept"
            assert second.server == connection.server
            assert connection.server.startswith(f"127.0.0.1:{port} (")
            assert connection.accepted == 2
        assert received.envelopes == [(SENDER, [READER], MESSAGE), (SENDER, ["bob@example.com"], other)]

    asyncio.run(story())


@both
def test_the_envelope_says_what_the_server_wants_to_know(pipelining: bool):
    """EHLO with the sender's domain, the size where it is offered, SMTPUTF8 where it is needed; then QUIT."""

    async def story() -> list[str]:
        async with scripted(pipelining=pipelining) as server:
            async with connected(server.port) as connection:
                await send(connection)
                await send(connection, "用户@例子.example")
                await connection.envelope(envelope_for(sender="", size=7, smtputf8=True))
                await connection.data(b"a: b\r\n")
            assert not connection.usable
        return server.heard

    heard = asyncio.run(story())
    assert heard == [
        "EHLO example.org",
        f"MAIL FROM:<{SENDER}> SIZE={len(MESSAGE)}",
        f"RCPT TO:<{READER}>",
        "DATA",
        f"MAIL FROM:<{SENDER}> SIZE={len(MESSAGE)} SMTPUTF8",
        "RCPT TO:<用户@xn--fsqu00a.example>",
        "DATA",
        "MAIL FROM:<> SIZE=7 SMTPUTF8",
        f"RCPT TO:<{READER}>",
        "DATA",
        "QUIT",
    ]


def test_a_server_of_old_times_is_greeted_with_helo():
    """Without EHLO there is no SIZE and no SMTPUTF8, and a reader who needs it fails without being suppressed."""

    async def story() -> tuple[list[str], Outcome]:
        async with scripted({"EHLO": "500 what?"}) as server, connected(server.port) as connection:
            assert (await send(connection)).verdict is Verdict.ACCEPTED
            refused = await connection.envelope(envelope_for("用户@example.com"))
            assert refused
            assert connection.usable
            return server.heard, refused

    heard, refused = asyncio.run(story())
    assert heard[:3] == ["EHLO example.org", "HELO example.org", f"MAIL FROM:<{SENDER}>"]
    assert (refused.verdict, refused.suppresses) == (Verdict.PERMANENT, False)
    assert "UTF-8" in refused.reply


def test_an_address_that_is_none_is_a_value_and_a_sender_that_is_none_an_error():
    """A broken row stops its own mail; a broken configuration stops the sender. Nothing is said to the server."""

    async def story() -> Outcome | None:
        async with scripted() as server, connected(server.port) as connection:
            with pytest.raises(UsageError):
                await connection.envelope(envelope_for(sender="papers"))
            outcome = await connection.envelope(envelope_for("ann@example.com>\r\nDATA"))
            assert server.heard == ["EHLO example.org"]
            assert connection.usable
            return outcome

    outcome = asyncio.run(story())
    assert outcome
    assert (outcome.verdict, outcome.suppresses) == (Verdict.PERMANENT, False)


@pytest.mark.parametrize(
    ("script", "verdict", "suppresses", "usable"),
    [
        ({"MAIL": "550 5.1.0 sender rejected"}, Verdict.TROUBLE, False, False),
        ({"MAIL": "451 4.3.0 later"}, Verdict.TEMPORARY, False, True),
        ({"MAIL": "552 5.3.4 too big"}, Verdict.PERMANENT, False, True),
        ({"RCPT": "550 5.1.1 unknown"}, Verdict.PERMANENT, True, True),
        ({"RCPT": "450-4.7.1 grey\n450 4.7.1 listed"}, Verdict.TEMPORARY, False, True),
        ({"RCPT": "421 4.3.2 bye"}, Verdict.TROUBLE, False, False),
        ({"DATA": "451 4.3.0 later"}, Verdict.TEMPORARY, False, True),
        ({"DATA": "554 5.7.1 policy"}, Verdict.TROUBLE, False, False),
        ({"DATA": "250 what?"}, Verdict.TROUBLE, False, False),
        ({"DATA": DROP}, Verdict.TROUBLE, False, False),
        ({".": "450 4.2.1 later"}, Verdict.TEMPORARY, False, True),
        ({".": "550 5.1.1 unknown after all"}, Verdict.PERMANENT, True, True),
        ({".": "554 5.7.1 spam"}, Verdict.TROUBLE, False, False),
        ({".": "421 4.3.2 bye"}, Verdict.TROUBLE, False, False),
        ({".": "250-first\n250 last"}, Verdict.ACCEPTED, False, True),
        ({".": "354 go on"}, Verdict.UNCERTAIN, False, False),
        ({".": "done"}, Verdict.UNCERTAIN, False, False),
        ({".": DROP}, Verdict.UNCERTAIN, False, False),
        ({".": SILENCE}, Verdict.UNCERTAIN, False, False),
        ({"DATA": SILENCE}, Verdict.TROUBLE, False, False),
        ({"MAIL": "what?"}, Verdict.TROUBLE, False, False),
        ({"RCPT": SILENCE}, Verdict.TEMPORARY, False, False),
    ],
    ids=str,
)
@both
def test_an_answer_leaves_a_verdict_and_a_connection(
    script: Script, verdict: Verdict, suppresses: bool, usable: bool, pipelining: bool
):
    """A refusal leaves the session in step; whatever leaves it in doubt is its last answer."""
    script = {**script}

    async def story() -> None:
        async with (
            scripted(script, pipelining=pipelining) as server,
            connected(server.port, timeouts=QUICK) as connection,
        ):
            outcome = await send(connection)
            assert (outcome.verdict, outcome.suppresses) == (verdict, suppresses)
            assert connection.usable is usable
            if usable:
                script.clear()
                assert (await send(connection)).verdict is Verdict.ACCEPTED

    asyncio.run(story())


@both
def test_an_answer_too_many_is_found_out_in_time(pipelining: bool):
    """Everything after it would be one answer late: the next message is not offered, and the session ends."""

    async def story() -> None:
        script: Script = {".": ["250 first\r\n250 too many", "554 5.7.1 spam"]}
        async with scripted(script, pipelining=pipelining) as server:
            async with connected(server.port) as connection:
                assert (await send(connection)).verdict is Verdict.ACCEPTED
                assert (await send(connection)).verdict is Verdict.TROUBLE
                assert not connection.usable
            assert len(server.messages) == 1

    asyncio.run(story())


def test_a_known_fate_is_told_at_once():
    """After the reply to the dot there is no farewell that a drain could interrupt; QUIT is said on closing."""

    async def story() -> list[str]:
        async with scripted({".": "554 5.7.1 spam", "QUIT": SILENCE}) as server:
            connection = connection_to(server.port)
            await connection.open()
            async with asyncio.timeout(1):
                outcome = await send(connection)
            assert (outcome.verdict, connection.usable) == (Verdict.TROUBLE, False)
            await connection.close()
            return server.heard

    assert asyncio.run(story())[-1] == "QUIT"


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA", "."])
@both
def test_a_cancelled_step_is_the_last(verb: str, pipelining: bool):
    """A late answer to a cancelled command would be taken for that to the next."""

    async def story() -> None:
        async with scripted({verb: SILENCE}, pipelining=pipelining) as server, connected(server.port) as connection:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await send(connection)
            assert not connection.usable
            assert (await send(connection)).verdict is Verdict.TROUBLE

    asyncio.run(story())


def test_closing_waits_no_longer_than_two_seconds():
    """A server that does not answer QUIT, and one that drops, are left all the same."""

    async def story(answer: str) -> float:
        async with scripted({"QUIT": answer}) as server:
            async with connected(server.port):
                began = time.monotonic()
            return time.monotonic() - began

    assert 1.9 < asyncio.run(story(SILENCE)) < 4
    assert asyncio.run(story(DROP)) < 1


@pytest.mark.parametrize("polite", [True, False])
@both
def test_leaving_before_the_message_sends_nothing_of_it(polite: bool, pipelining: bool):
    """An envelope that is not to be used is dropped: a server that waits for data would take QUIT for it."""

    async def story() -> ScriptedServer:
        async with scripted(pipelining=pipelining) as server, connected(server.port) as connection:
            assert await connection.envelope(envelope_for()) is None
            await connection.close() if polite else connection.abort()
            assert not connection.usable
            await asyncio.sleep(0.05)
            return server

    server = asyncio.run(story())
    assert server.heard[-1] == "DATA"
    assert server.messages == []
    assert b"".join(server.cut_off) == b""


SinkStarter = Callable[..., tuple[int, Callable[[], list[dict[str, Any]]]]]


@pytest.fixture
def sink(shared: Path, tmp_path: Path) -> Iterator[SinkStarter]:
    """Return what starts a sink with faults, and gives its port and what reads its log."""
    started = []

    def start(*faults: str, options: Sequence[str] = ()) -> tuple[int, Callable[[], list[dict[str, Any]]]]:
        log = tmp_path / "accepted.jsonl"
        command = [sys.executable, str(shared / "tools/smtp_sink.py"), "--port", "0", "--log", str(log), *options]
        command += [part for fault in faults for part in ("--fault", fault)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        port = int(process.stdout.readline().rpartition(":")[2])
        return port, lambda: [json.loads(line) for line in log.read_text().splitlines()]

    yield start
    for process in started:
        process.kill()
        process.wait(timeout=30)
        process.stdout.close()


LOGGED_ONCE, LOGGED_NEVER = 1, 0


@pytest.mark.parametrize(
    ("fault", "verdict", "pauses", "suppresses", "logged"),
    [
        ("greylist=60", Verdict.TEMPORARY, False, False, LOGGED_NEVER),
        ("rcpt4=1", Verdict.TEMPORARY, False, False, LOGGED_NEVER),
        ("rcpt5=1", Verdict.PERMANENT, False, True, LOGGED_NEVER),
        ("hard=ann", Verdict.PERMANENT, False, True, LOGGED_NEVER),
        ("stall=ann", Verdict.TEMPORARY, False, False, LOGGED_NEVER),
        ("soft=ann", Verdict.TEMPORARY, False, False, LOGGED_NEVER),
        ("spam=1", Verdict.TROUBLE, True, False, LOGGED_NEVER),
        ("middata=1", Verdict.UNCERTAIN, False, False, LOGGED_NEVER),
        ("afterdot=1", Verdict.UNCERTAIN, False, False, LOGGED_ONCE),
        ("badreply=1", Verdict.UNCERTAIN, False, False, LOGGED_ONCE),
        ("tarpit=2", Verdict.UNCERTAIN, False, False, LOGGED_ONCE),
        ("tarpit=0.1", Verdict.ACCEPTED, False, False, LOGGED_ONCE),
        ("delay=0.1", Verdict.ACCEPTED, False, False, LOGGED_ONCE),
        ("auth=ann:secret", Verdict.TROUBLE, True, False, LOGGED_NEVER),
    ],
)
def test_every_fault_of_the_sink_is_understood(
    sink: SinkStarter, fault: str, verdict: Verdict, pauses: bool, suppresses: bool, logged: int
):
    """The verdict fits what the sink's log says became of the message, and the site is told from the address."""
    port, log = sink(fault)

    async def story() -> Outcome:
        async with connected(port, timeouts={Phase.RCPT: 1, Phase.DOT: 1}) as connection:
            return await send(connection)

    outcome = asyncio.run(story())
    assert (outcome.verdict, outcome.pauses_route, outcome.suppresses) == (verdict, pauses, suppresses)
    assert [entry["recipient"] for entry in log()] == [READER] * logged


def test_a_server_that_takes_two_messages_per_connection(sink: SinkStarter):
    """Its 421 ends the session, hurts nobody and does not pause the route; the next session takes two more."""
    port, log = sink("close_after=2")

    async def session() -> list[Outcome]:
        async with connected(port) as connection:
            return [await send(connection) for _ in range(3)]

    for _ in range(2):
        first, second, third = asyncio.run(session())
        assert [first.verdict, second.verdict, third.verdict] == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.TROUBLE]
        assert not third.pauses_route
    assert len(log()) == 4


def test_a_server_that_shuts_down(sink: SinkStarter):
    """The session ends without harm, and the greeting of the next one pauses the route."""
    port, log = sink("shutdown=1")

    async def story() -> tuple[Outcome, SmtpTrouble]:
        async with connected(port) as connection:
            assert (await send(connection)).verdict is Verdict.ACCEPTED
            ended = await send(connection)
            assert not connection.usable
        with pytest.raises(SmtpTrouble, match=r"puts us off \(421 4\.3\.2 shutting down\)") as caught:
            await connection_to(port).open()
        return ended, caught.value

    ended, trouble = asyncio.run(story())
    assert (ended.verdict, ended.pauses_route) == (Verdict.TROUBLE, False)
    assert (trouble.outcome.verdict, trouble.outcome.pauses_route) == (Verdict.TROUBLE, True)
    assert "(421 4.3.2 shutting down)" in trouble.outcome.reply
    assert len(log()) == 1


@pytest.mark.parametrize("pipelining", [[], ["--no-pipelining"]], ids=["pipelined", "step by step"])
def test_a_server_with_every_fault_at_once(sink: SinkStarter, pipelining: list[str]):
    """What its log has was accepted or is uncertain, and nobody has a message of another's or two in one attempt."""
    faults = ["rcpt4=0.1", "rcpt5=0.1", "spam=0.05", "middata=0.05", "afterdot=0.05", "badreply=0.05", "close_after=9"]
    port, log = sink(*faults, options=pipelining)
    readers = [f"reader{i}@example.com" for i in range(200)]
    verdicts: dict[str, Verdict] = {}

    async def session(waiting: list[str]) -> None:
        async with connected(port) as connection:
            while waiting and connection.usable:
                reader, then = waiting.pop(0), envelope_for(waiting[0]) if waiting else None
                outcome = await connection.envelope(envelope_for(reader))
                message = f"Message-ID: <{reader}>\r\n\r\n".encode()
                verdicts[reader] = (outcome or await connection.data(message, then)).verdict

    async def story() -> None:
        while readers:
            await session(readers)

    asyncio.run(story())
    logged = [entry["recipient"] for entry in log()]
    assert len(verdicts) == 200
    assert set(verdicts.values()) == set(Verdict)
    assert len(set(logged)) == len(logged)
    assert all(entry["message_id"] == f"<{entry['recipient']}>" for entry in log())
    assert {r for r, v in verdicts.items() if v is Verdict.ACCEPTED} <= set(logged)
    assert set(logged) <= {r for r, v in verdicts.items() if v in {Verdict.ACCEPTED, Verdict.UNCERTAIN}}
