"""Transactions in one write (RFC 2920): whatever is refused, no message goes to another than its reader."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificate
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import DROP, SILENCE, Script, ScriptedServer, scripted

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.errors import UsageError
from newsletter.mail.replies import Phase
from newsletter.mail.smtp import Connection, Envelope

SENDER = "papers@example.org"
READERS = ["ann@example.com", "bob@example.com", "cem@example.com", "dan@example.com"]
QUICK = dict.fromkeys(Phase, 0.3) | dict.fromkeys((Phase.CONNECT, Phase.GREETING), 10.0)

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def message_to(reader: str, lines: int = 3) -> bytes:
    """Return a message that names its reader."""
    return f"To: {reader}\r\n\r\n".encode() + b"a line among others\r\n" * lines


def envelope_to(reader: str, **other: Any) -> Envelope:
    """Return an envelope."""
    return Envelope(**({"sender": SENDER, "recipient": reader, "size": 100} | other))


@contextlib.asynccontextmanager
async def connected(port: int, **settings: Any) -> AsyncIterator[Connection]:
    """Open a connection, and close it in the end."""
    host = settings.pop("host", "127.0.0.1")
    connection = Connection(host, port, local_hostname="example.org", **settings)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


async def send_all(connection: Connection, readers: list[str], lines: int = 3) -> list[Outcome]:
    """Send each of *readers* a message, the next envelope always with the one before, up to what ends the session."""
    outcomes = []
    for reader, following in zip(readers, [*readers[1:], None], strict=True):
        outcome = await connection.envelope(envelope_to(reader))
        if outcome is None:
            outcome = await connection.data(message_to(reader, lines), envelope_to(following) if following else None)
        outcomes.append(outcome)
        if not connection.usable and outcome.verdict is not Verdict.ACCEPTED:
            break
    return outcomes


def assert_right(server: ScriptedServer) -> None:
    """Check that each message went to its reader, whole, and nothing went anywhere else."""
    assert server.messages == [
        message_to(reader, message.count(b"\na line")) + b".\r\n"
        for reader, message in zip(server.readers, server.messages, strict=True)
    ]
    assert b"To:" not in b"".join(server.cut_off)


@pytest.mark.parametrize("drips", [False, True], ids=["joined", "byte by byte"])
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_message_costs_one_round_trip(run: Run, certificate: Certificate, security: str, drips: bool):
    """Nothing is answered until the whole group is there, and the dot not until the next group is."""
    contexts = {} if security == "none" else {security: certificate.server()}
    settings = {"host": "localhost", "security": security, "tls": certificate.client()}

    async def story() -> ScriptedServer:
        async with scripted(pipelining=True, holds={"MAIL", "RCPT", "."}, drips=drips, **contexts) as server:
            async with connected(server.port, **settings) as connection:
                assert await connection.envelope(envelope_to(READERS[0])) is None
                for reader, following in pairwise(READERS):
                    outcome = await connection.data(message_to(reader), envelope_to(following))
                    assert outcome.verdict is Verdict.ACCEPTED
                    assert await connection.envelope(envelope_to(following)) is None
                server.holds.discard(".")
                assert (await connection.data(message_to(READERS[-1]))).verdict is Verdict.ACCEPTED
                assert connection.accepted == len(READERS)
            return server

    server = run(story())
    assert server.readers == READERS
    assert_right(server)
    assert server.heard[-1] == "QUIT"


def test_a_long_message_over_tls(run: Run, certificate: Certificate):
    """More than any buffer holds, several times."""

    async def story() -> ScriptedServer:
        async with scripted(pipelining=True, tls=certificate.server()) as server:
            settings = {"host": "localhost", "security": "tls", "tls": certificate.client()}
            async with connected(server.port, **settings) as connection:
                outcomes = await send_all(connection, READERS, lines=100_000)
            assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * len(READERS)
            return server

    server = run(story())
    assert server.readers == READERS
    assert_right(server)


REFUSALS = ["450 4.2.1 later", "550 5.1.1 unknown", "552 5.3.4 too big", "554 5.7.1 spam"]
ENDS = ["421 4.3.2 bye", "huh?", DROP]
ODD = ["250 ok", "503 5.5.1 sequence", "250 ok\r\n250 ok"]


@pytest.mark.parametrize("then", ["354 go on", "503 5.5.1 no recipient", "421 4.3.2 bye", DROP])
@pytest.mark.parametrize("answer", REFUSALS + ENDS)
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("pipelined_behind", [False, True], ids=["alone", "behind a message"])
def test_a_refused_command_of_a_group(verb: str, answer: str, then: str, pipelined_behind: bool):
    """It means what it means when said step by step, and a server that waits for data all the same gets none."""

    def script() -> Script:
        before = ["354 go on"] if pipelined_behind else []
        well: Script = {"MAIL": ["250 ok"], "RCPT": ["250 ok"], "DATA": [*before, then]}
        answers: Script = well | {verb: ["250 ok", answer] if pipelined_behind else [answer]}
        if verb == "DATA":
            answers["DATA"] = [*before, answer]
        return answers

    async def story(pipelining: bool) -> tuple[Outcome, bool, ScriptedServer]:
        readers = READERS[:2] if pipelined_behind else READERS[:1]
        async with (
            scripted(script(), pipelining=pipelining) as server,
            connected(server.port, timeouts=QUICK) as connection,
        ):
            outcomes = await send_all(connection, readers)
            assert len(outcomes) == len(readers)
            usable = connection.usable
            if usable:
                server.script.clear()
                assert [o.verdict for o in await send_all(connection, READERS[2:])] == [Verdict.ACCEPTED] * 2
            await connection.close()
            await asyncio.sleep(0.02)
            return outcomes[-1], usable, server

    refused, usable, server = asyncio.run(story(True))
    alone, usable_alone, server_alone = asyncio.run(story(False))
    for each in (server, server_alone):
        assert_right(each)
        assert b"".join(each.cut_off) == b""
    assert (refused.verdict, refused.suppresses, refused.pauses_route) == (
        alone.verdict,
        alone.suppresses,
        alone.pauses_route,
    )
    assert refused.reply == alone.reply
    assert usable is (usable_alone and (verb == "DATA" or then.startswith("503")))
    assert server.readers == READERS[: int(pipelined_behind)] + (READERS[2:] if usable else [])


@pytest.mark.parametrize("answer", ["450 4.2.1 later", "550 5.1.1 unknown after all", "552 5.3.4 too big"])
def test_a_refused_message_does_not_stop_the_next(answer: str):
    """Whose envelope is on its way."""

    async def story() -> None:
        async with scripted({".": [answer, "250 ok"]}, pipelining=True) as server, connected(server.port) as connection:
            refused, accepted = await send_all(connection, READERS[:2])
            assert refused.verdict in {Verdict.TEMPORARY, Verdict.PERMANENT}
            assert accepted.verdict is Verdict.ACCEPTED
            assert connection.accepted == 1
            assert_right(server)
            assert not any(line == "RSET" for line in server.heard)

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("554 5.7.1 spam", Verdict.TROUBLE),
        ("421 4.3.2 bye", Verdict.TROUBLE),
        ("354 go on", Verdict.UNCERTAIN),
        ("huh?", Verdict.UNCERTAIN),
        ("250-ok\n251 or not", Verdict.UNCERTAIN),
        (DROP, Verdict.UNCERTAIN),
        (SILENCE, Verdict.UNCERTAIN),
    ],
)
@pytest.mark.parametrize("polite", [True, False])
def test_a_message_that_ends_the_session_ends_it_for_the_next(answer: str, verdict: Verdict, polite: bool):
    """Its envelope is at the server, which may wait for its data: nothing more is said, QUIT least of all."""

    async def story() -> None:
        async with (
            scripted({".": answer}, pipelining=True) as server,
            connected(server.port, timeouts=QUICK) as connection,
        ):
            outcomes = await send_all(connection, READERS[:2])
            assert [outcome.verdict for outcome in outcomes] == [verdict]
            assert not connection.usable
            await connection.close() if polite else connection.abort()
            await asyncio.sleep(0.02)
            assert server.readers == READERS[:1]
            assert_right(server)
            assert b"".join(server.cut_off) == b""
            assert "QUIT" not in server.heard

    asyncio.run(story())


@pytest.mark.parametrize("polite", [True, False])
def test_leaving_with_an_envelope_on_its_way(polite: bool):
    """A drain closes between two messages; the second was never offered, and nothing of it arrives."""

    async def story() -> None:
        async with scripted(pipelining=True) as server, connected(server.port) as connection:
            assert await connection.envelope(envelope_to(READERS[0])) is None
            outcome = await connection.data(message_to(READERS[0]), envelope_to(READERS[1]))
            assert outcome.verdict is Verdict.ACCEPTED
            await connection.close() if polite else connection.abort()
            await asyncio.sleep(0.02)
            assert server.readers == READERS[:1]
            assert_right(server)
            assert b"".join(server.cut_off) == b""
            assert "QUIT" not in server.heard

    asyncio.run(story())


def test_a_server_that_takes_one_message_per_connection():
    """Its 421 behind the 250 is the answer to the next envelope, and hurts nobody."""

    async def story() -> None:
        script: Script = {".": "250 ok\r\n421 4.7.0 too many messages on this connection"}
        async with scripted(script, pipelining=True) as server, connected(server.port) as connection:
            assert await connection.envelope(envelope_to(READERS[0])) is None
            outcome = await connection.data(message_to(READERS[0]), envelope_to(READERS[1]))
            assert outcome.verdict is Verdict.ACCEPTED
            ended = await connection.envelope(envelope_to(READERS[1]))
            assert ended
            assert (ended.verdict, ended.pauses_route) == (Verdict.TROUBLE, False)
            assert not connection.usable
            assert_right(server)

    asyncio.run(story())


def test_a_next_envelope_that_our_side_cannot_send():
    """It is refused when its turn comes, without a word to the server, and the one after it goes on."""

    async def story() -> list[str]:
        async with scripted(pipelining=True) as server, connected(server.port) as connection:
            broken, wrong = envelope_to("ann@@example.com"), envelope_to(READERS[1], sender="papers")
            assert await connection.envelope(envelope_to(READERS[0])) is None
            assert (await connection.data(message_to(READERS[0]), broken)).verdict is Verdict.ACCEPTED
            refused = await connection.envelope(broken)
            assert refused
            assert refused.verdict is Verdict.PERMANENT
            assert await connection.envelope(envelope_to(READERS[0])) is None
            assert (await connection.data(message_to(READERS[0]), wrong)).verdict is Verdict.ACCEPTED
            with pytest.raises(UsageError):
                await connection.envelope(wrong)
            assert [o.verdict for o in await send_all(connection, READERS[2:])] == [Verdict.ACCEPTED] * 2
            assert_right(server)
            return server.readers

    assert asyncio.run(story()) == [READERS[0], READERS[0], *READERS[2:]]


def test_without_pipelining_each_command_waits_for_its_answer():
    """A server that does not offer it may lose what comes too early."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 old.example\r\n")
        with contextlib.suppress(ConnectionError):
            while heard := await reader.read(100_000):
                early.append(heard.count(b"\r\n") > 1 and not heard.startswith(b"To:"))
                answers = {b"DATA": b"354 go on\r\n", b"RCPT": next(rcpt, b"250 ok\r\n")}
                writer.write(answers.get(heard[:4], b"250 ok\r\n"))
        writer.close()

    early: list[bool] = []
    rcpt = iter([b"250 ok\r\n"] * 4 + [b"550 5.1.1 unknown\r\n"])

    async def story() -> list[Outcome]:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with connected(listening.sockets[0].getsockname()[1]) as connection:
            outcomes = await send_all(connection, READERS)
        listening.close()
        return outcomes

    assert len(asyncio.run(story())) == len(READERS)
    assert early
    assert not any(early)


def test_what_a_refused_recipient_left_is_dropped_on_the_way():
    """RSET heads the next group, at the price of no round trip; and nothing is reset that was not begun."""

    async def story() -> list[str]:
        script: Script = {"RCPT": ["550 5.1.1 unknown", "250 ok"]}
        async with scripted(script, pipelining=True, holds={"RSET", "MAIL", "RCPT"}) as server:
            async with connected(server.port) as connection:
                refused, *rest = await send_all(connection, READERS[:3])
            assert refused.suppresses
            assert [outcome.verdict for outcome in rest] == [Verdict.ACCEPTED] * 2
            assert_right(server)
            return [line.split(":")[0] for line in server.heard]

    group = ["MAIL FROM", "RCPT TO", "DATA"]
    assert asyncio.run(story()) == ["EHLO example.org", *group, "RSET", *group, *group, "QUIT"]


@pytest.mark.parametrize("pipelining", [True, False])
@pytest.mark.parametrize("answer", ["500 what?", "550 5.1.1 unknown", "450 4.2.1 later", "421 4.3.2 bye", "huh?", DROP])
def test_a_server_that_will_not_reset(answer: str, pipelining: bool):
    """It is out of step, which is not the reader's fault whose turn it was; its message is not sent."""

    async def story() -> None:
        script: Script = {"RCPT": ["450 4.2.1 later", "250 ok"], "RSET": answer, "DATA": "354 go on"}
        if pipelining:
            script["DATA"] = ["503 5.5.1 no recipient", "354 go on"]
        async with scripted(script, pipelining=pipelining) as server, connected(server.port) as connection:
            refused, ended = await send_all(connection, READERS[:2])
            assert (refused.verdict, ended.verdict) == (Verdict.TEMPORARY, Verdict.TROUBLE)
            assert not ended.suppresses
            assert not connection.usable
            await connection.close()
            await asyncio.sleep(0.02)
            assert server.messages == []
            assert_right(server)

    asyncio.run(story())


@pytest.mark.parametrize(
    "script",
    [
        {"MAIL": "250 ok\r\n550 5.1.1 unknown"},
        {"RCPT": "250 ok\r\n250 ok"},
        {"MAIL": "250 ok\r\n250 ok"},
        {"DATA": "354 go on\r\n250 ok"},
        {"DATA": "354 go on\r\n550 5.1.1 unknown"},
        {"EHLO": "250-scripted.example\n250 PIPELINING\r\n550 5.1.1 unknown"},
    ],
    ids=str,
)
def test_an_answer_nobody_asked_for(script: Script):
    """Nobody is suppressed by it, no message goes to anybody else, and the session is not used again."""

    async def story() -> None:
        async with scripted({**script}, pipelining=True) as server, connected(server.port) as connection:
            outcomes = await send_all(connection, READERS[:2])
            await connection.close()
            await asyncio.sleep(0.02)
            assert not any(outcome.suppresses for outcome in outcomes)
            if "EHLO" not in script:
                assert not connection.usable
                assert [outcome.verdict for outcome in outcomes] == [Verdict.TROUBLE]
            accepted = sum(outcome.verdict is Verdict.ACCEPTED for outcome in outcomes)
            assert len(server.messages) == accepted
            assert_right(server)

    asyncio.run(story())


@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "DATA"])
def test_a_cancelled_wait_for_an_envelope_on_its_way(run: Run, verb: str):
    """The connection is not used again, and the message whose fate was known keeps it."""

    async def story() -> None:
        before = "354 go on" if verb == "DATA" else "250 ok"
        async with scripted({verb: [before, SILENCE]}, pipelining=True) as server, connected(server.port) as connection:
            assert await connection.envelope(envelope_to(READERS[0])) is None
            outcome = await connection.data(message_to(READERS[0]), envelope_to(READERS[1]))
            assert outcome.verdict is Verdict.ACCEPTED
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connection.envelope(envelope_to(READERS[1]))
            assert not connection.usable
            await asyncio.sleep(0.02)
            assert_right(server)

    run(story())


def test_a_cancellation_does_not_lose_an_answer_that_is_there(run: Run):
    """A message that was accepted is not sent again because we were told to stop at that moment."""

    async def story() -> None:
        async with scripted(pipelining=True) as server, connected(server.port) as connection:
            assert await connection.envelope(envelope_to(READERS[0])) is None
            sending = asyncio.create_task(connection.data(message_to(READERS[0])))
            while not connection._wire._replies:
                await asyncio.sleep(0)
            if not sending.done():
                sending.cancel()
            assert (await sending).verdict is Verdict.ACCEPTED
            assert connection.accepted == len(server.messages) == 1

    run(story())


ANSWERS = st.sampled_from([*["well"] * 4, *REFUSALS, *ENDS, *ODD])
# One reply too many and a 354 to RCPT make just what a server says that does well: nobody can tell these apart.
OF_DATA = ANSWERS | st.just("354 go on")
SCRIPTS = st.fixed_dictionaries(
    {verb: st.lists(ANSWERS, max_size=6) for verb in ("MAIL", "RCPT", "RSET")}
    | {verb: st.lists(OF_DATA, max_size=6) for verb in ("DATA", ".")}
)


class Whimsical(ScriptedServer):
    """Answers as scripted, where the script does not say *well*."""

    def answer(self, verb: str, *, sender: bool, recipient: str) -> str:
        """Return what to say to *verb*."""
        scripted = self.script.get(verb) or ["well"]
        assert isinstance(scripted, list)
        answer = scripted.pop(0)
        well = ScriptedServer({}, pipelining=self.pipelining).answer(verb, sender=sender, recipient=recipient)
        return well if answer == "well" else answer


@settings(max_examples=300)
@given(
    script=st.fixed_dictionaries(
        {verb: st.lists(ANSWERS, max_size=6) for verb in ("MAIL", "RCPT", "DATA", ".", "RSET")}
    ),
    pipelining=st.booleans(),
    holds=st.sets(st.sampled_from(["RSET", "MAIL", "RCPT"])),
)
def test_whatever_a_server_says_each_message_goes_to_its_reader(script: Script, pipelining: bool, holds: set[str]):
    """Whole, once, and counted as accepted only where the server has it."""

    async def story() -> None:
        server = Whimsical({verb: list(answers) for verb, answers in script.items()}, pipelining=pipelining)
        server.holds = holds if pipelining else set()
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        waiting = [f"reader{i}@example.com" for i in range(6)]
        accepted: list[str] = []
        while waiting:
            async with connected(listening.sockets[0].getsockname()[1], timeouts=QUICK) as connection:
                outcomes = await send_all(connection, waiting)
            accepted += [r for r, o in zip(waiting, outcomes, strict=False) if o.verdict is Verdict.ACCEPTED]
            waiting = waiting[len(outcomes) :]
        listening.close()
        assert_right(server)
        assert set(accepted) <= set(server.readers)
        assert len(set(server.readers)) == len(server.readers)

    asyncio.run(story())


@pytest.fixture
def postfix_sink() -> Iterator[tuple[int, Path]]:
    """Run Postfix's smtp-sink; return its port, and the folder where it puts each message into a file of its own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)  # it runs as nobody when we are root
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    path = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")
    for port in range(26025, 26125):
        process = subprocess.Popen(
            [path, *user, "-d", f"{folder}/%H%M%S.", f"127.0.0.1:{port}", "64"], stderr=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)
            continue  # the port is taken
        break
    yield port, folder
    process.kill()
    process.wait(timeout=30)
    shutil.rmtree(folder)


@pytest.mark.system("smtp-sink")
def test_postfix_takes_it(run: Run, postfix_sink: tuple[int, Path]):
    """400 messages over four connections at once, each whole and to its own reader."""
    port, folder = postfix_sink
    readers = [f"reader{i}@example.com" for i in range(400)]

    async def story() -> list[list[Outcome]]:
        async def session(part: list[str]) -> list[Outcome]:
            async with connected(port) as connection:
                return await send_all(connection, part, lines=400)

        return await asyncio.gather(*(session(readers[i::4]) for i in range(4)))

    outcomes = [outcome for part in run(story()) for outcome in part]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * len(readers)
    taken = [file.read_text() for file in folder.iterdir()]
    assert sorted(text.partition("X-Rcpt-Args: <")[2].partition(">")[0] for text in taken) == sorted(readers)
    for text in taken:
        reader = text.partition("X-Rcpt-Args: <")[2].partition(">")[0]
        assert text.rstrip("\n").endswith(message_to(reader, 400).decode().replace("\r\n", "\n").rstrip("\n"))
