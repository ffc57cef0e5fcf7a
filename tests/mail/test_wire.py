"""The stream: replies however it is cut, what is no reply, and how long each is waited for."""

import asyncio
import contextlib
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest
from certificates import Certificate
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.mail.replies import MALFORMED, Phase
from newsletter.mail.smtp import Connection, Envelope
from newsletter.mail.wire import BLOCK, LONGEST_LINE, LONGEST_REPLY, Reply, ReplyReader

TEXT = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40).map(str.strip)
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=4)), max_size=6)


def written(replies: list[tuple[int, list[str]]], ending: str) -> bytes:
    """Return *replies* as a server sends them."""
    lines = [
        f"{code}{'-' if i < len(texts) - 1 else ' '}{text}{ending}"
        for code, texts in replies
        for i, text in enumerate(texts)
    ]
    return "".join(lines).encode()


def read(stream: bytes, cuts: list[int] | None = None) -> list[Reply]:
    """Return what a reader makes of *stream*, cut at *cuts*."""
    reader = ReplyReader()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts or []), len(stream)]
    return [reply for i, j in pairwise(edges) for reply in reader.feed(stream[i:j])]


@given(replies=REPLIES, ending=st.sampled_from(["\r\n", "\n"]), cuts=st.lists(st.integers(0, 10_000)))
def test_replies_come_out_as_they_were_said(replies: list[tuple[int, list[str]]], ending: str, cuts: list[int]):
    """Split or joined anywhere, on one line or several, whatever ends the lines."""
    expected = [Reply(code, "\n".join(texts)) for code, texts in replies]
    assert read(written(replies, ending), cuts) == expected


PIECES = st.sampled_from([b"250", b"250-", b"250 ", b"550 no\r\n", b"\r\n", b"\n", b"\r", b"-", b"\xff", b"ok", b"\0"])


@given(stream=st.lists(st.one_of(st.binary(max_size=8), PIECES)).map(b"".join), cuts=st.lists(st.integers(0, 10_000)))
@example(stream=b"250-a\r\n" * 6000, cuts=[5000])
@example(stream=b"250 " + b"a" * 9000 + b"\r\n250 b\r\n", cuts=[8190, 8193, 8197])
def test_no_stream_is_read_in_two_ways(stream: bytes, cuts: list[int]):
    """What a server sends means the same however it arrives, and what is malformed is the last that is read."""
    whole = read(stream)
    assert read(stream, cuts) == whole
    assert read(stream, list(range(len(stream))) if len(stream) < 500 else []) == whole
    assert all(reply.code != MALFORMED for reply in whole[:-1])
    assert all(200 <= reply.code <= 599 for reply in whole[:-1])


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"ok\r\n", "no SMTP reply: ok"),
        (b"25\r\n", "no SMTP reply: 25"),
        (b"2500 ok\r\n", "no SMTP reply: 2500 ok"),
        (b"250_ok\r\n", "no SMTP reply: 250_ok"),
        (b"150 ok\r\n", "no SMTP reply: 150 ok"),
        (b"650 ok\r\n", "no SMTP reply: 650 ok"),
        (b"+25 ok\r\n", "no SMTP reply: +25 ok"),
        ("٢٥٠ ok\r\n".encode(), "no SMTP reply: ٢٥٠ ok"),
        (b" 250 ok\r\n", "no SMTP reply:  250 ok"),
        (b"\r\n", "no SMTP reply: "),
        (b"250-ok\r\n550 no\r\n", "no SMTP reply: 550 no"),
        (b"250-ok\r\nand more\r\n", "no SMTP reply: and more"),
        (b"2" * (LONGEST_LINE + 1), "a line too long: " + "2" * 200),
        (b"250-" + b"a" * 60 + b"\r\n" + (b"250-b\r\n" * LONGEST_REPLY), "a reply too long: b"),
    ],
)
def test_what_is_no_reply(stream: bytes, text: str):
    """It is told as it was, cut, and nothing that follows is believed."""
    assert read(stream + b"\n250 ok\r\n250 ok\r\n") == [Reply(MALFORMED, text)]


@pytest.mark.parametrize(
    ("stream", "reply"),
    [
        (b"250\r\n", Reply(250, "")),
        (b"250 \r\n", Reply(250, "")),
        (b"250-\r\n250\r\n", Reply(250, "\n")),
        (b"354 \xe9\n", Reply(354, "�")),
        (b"220 " + b"a" * (LONGEST_LINE - 5) + b"\r\n", Reply(220, "a" * (LONGEST_LINE - 5))),
    ],
)
def test_what_is_a_reply_all_the_same(stream: bytes, reply: Reply):
    """Texts may be missing, long, or in another encoding."""
    assert read(stream) == [reply]


def test_a_server_that_never_ends_a_line_costs_no_memory():
    """A reader that has given up keeps nothing."""
    reader = ReplyReader()
    found = [reply for _ in range(1000) for reply in reader.feed(b"2" * 10_000)]
    assert len(found) == 1
    assert reader._rest == b""


Run = Callable[[Coroutine[Any, Any, Any]], Any]
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@contextlib.asynccontextmanager
async def waiting_for_data(
    answer: Answer, timeouts: dict[str, float], certificate: Certificate | None = None
) -> AsyncIterator[Connection]:
    """Give a connection, in clear or by TLS, to a server that took an envelope and goes on as *answer* does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 s\r\n")
            await reader.readline()
            writer.write(b"250-s\r\n250 PIPELINING\r\n")
            await reader.readuntil(b"DATA\r\n")
            writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
            await answer(reader, writer)
        writer.transport.abort()

    tls = certificate.server() if certificate else None
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, limit=2**16, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    secured: dict[str, Any] = {"security": "tls", "tls": certificate.client()} if certificate else {}
    connection = Connection("localhost", port, local_hostname="example.org", timeouts=timeouts, **secured)
    await connection.open()
    try:
        assert await connection.envelope(ENVELOPE) is None
        yield connection
    finally:
        connection.abort()
        listening.close()
        await asyncio.sleep(0.01)


ENVELOPE = Envelope(sender="papers@example.org", recipient="ann@example.com", size=10)
HUGE = b"a line\r\n" * 4_000_000  # more than the kernel takes before somebody reads


def test_a_peer_that_takes_no_more_of_a_message():
    """It cannot have the message, whose end never left: nothing is uncertain, and no reply is waited for."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(2)

    async def story() -> Outcome:
        async with waiting_for_data(answer, {BLOCK: 0.2, Phase.DOT: 60}) as connection:
            outcome = await connection.data(HUGE, ENVELOPE)
            assert not connection.usable
            return outcome

    outcome = asyncio.run(story())
    assert outcome.verdict is Verdict.TROUBLE
    assert "nothing more was taken within 0.2 s" in outcome.reply


def test_a_peer_that_takes_a_message_slowly():
    """As long as it goes on it is waited for; and for the reply longer than for each piece."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        end = b""
        while not end.endswith(b"\r\n.\r\n"):
            end = end[-5:] + await reader.read(2**19)
            await asyncio.sleep(0.01)
        await asyncio.sleep(1.5)
        writer.write(b"250 ok\r\n")

    async def story() -> None:
        async with waiting_for_data(answer, {BLOCK: 1, Phase.DOT: 15}) as connection:
            began = time.monotonic()
            assert (await connection.data(HUGE)).verdict is Verdict.ACCEPTED
            assert time.monotonic() - began > 1.5
            assert connection.usable

    asyncio.run(story())


async def take(reader: asyncio.StreamReader) -> None:
    """Take a message whole."""
    end = b""
    while b"\r\n.\r\n" not in end:
        end = end[-5:] + await reader.read(2**19)


@pytest.mark.parametrize("behind", [None, ENVELOPE], ids=["alone", "with the next envelope behind it"])
def test_a_peer_that_resets_in_the_middle_of_a_message(run: Run, behind: Envelope | None):
    """Over a connection that took an earlier one slowly the end is said once all before it was taken: not to it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take(reader)
        writer.write(b"250 ok\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await reader.readexactly(2**20)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    async def story() -> Outcome:
        async with waiting_for_data(answer, {BLOCK: 20, Phase.DOT: 20}) as connection:
            assert (await connection.data(HUGE)).verdict is Verdict.ACCEPTED
            assert await connection.envelope(ENVELOPE) is None
            return await connection.data(HUGE, behind)

    outcome = run(story())
    assert outcome.verdict is Verdict.TROUBLE
    assert outcome.reply.startswith("the server closed the connection")


@pytest.mark.parametrize("behind", [None, ENVELOPE], ids=["alone", "with the next envelope behind it"])
def test_a_peer_that_refuses_in_the_middle_of_a_message_and_reads_on(run: Run, behind: Envelope | None):
    """The message is ended before anything else is said, which would be text of it otherwise."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await take(reader)
        writer.write(b"250 ok\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await reader.readexactly(2**20)
        writer.write(b"552 5.3.4 too large\r\n")
        read = b""
        while not read.endswith(b"DATA\r\n"):
            read = read[-100:] + await reader.read(2**19)
        ends.append(read[-100:])
        writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")
        await take(reader)
        writer.write(b"250 ok\r\n")

    ends: list[bytes] = []

    async def story() -> list[Verdict]:
        async with waiting_for_data(answer, {BLOCK: 20, Phase.DOT: 20}) as connection:
            said = [await connection.data(HUGE)]
            assert await connection.envelope(ENVELOPE) is None
            said.append(await connection.data(HUGE, behind))
            assert await connection.envelope(ENVELOPE) is None
            said.append(await connection.data(b"a: b\r\n"))
            return [one.verdict for one in said]

    assert run(story()) == [Verdict.ACCEPTED, Verdict.PERMANENT, Verdict.ACCEPTED]
    assert b"\r\n.\r\nMAIL FROM" in ends[0]


def test_who_is_stopped_in_the_middle_of_a_message_knows_that_it_was_not_sent(run: Run):
    """Nothing is uncertain of what the kernel was not even given to the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2**20)
        sending.cancel()
        received.append(await reader.read())

    received: list[bytes] = []
    sending: asyncio.Task[Outcome]

    async def story() -> Outcome:
        nonlocal sending
        async with waiting_for_data(answer, {BLOCK: 20, Phase.DOT: 20}) as connection:
            sending = asyncio.create_task(connection.data(HUGE))
            return await sending

    assert run(story()).verdict is Verdict.TROUBLE


def test_an_answer_over_tls_is_waited_for_as_long_as_one_in_clear(run: Run, certificate: Certificate):
    """All was taken: what is waited for is the answer, not that the peer takes more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            await reader.readuntil(b"\r\n.\r\n")
            await asyncio.sleep(0.4)
            writer.write(b"250 ok\r\n")
            await reader.readuntil(b"DATA\r\n")
            writer.write(b"250 ok\r\n250 ok\r\n354 go on\r\n")

    async def story() -> list[Outcome]:
        said = []
        async with waiting_for_data(answer, {BLOCK: 0.2}, certificate) as connection:
            for _ in range(3):
                said.append(await connection.data(b"a: b\r\n", ENVELOPE))
                assert await connection.envelope(ENVELOPE) is None
        return said

    assert {said.verdict for said in run(story())} == {Verdict.ACCEPTED}


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (b"250 ok\r\n", Verdict.TROUBLE),  # before the message, so it is not about it
        (b"250 half", Verdict.TROUBLE),
        (b"421 4.3.2 bye\r\n", Verdict.TROUBLE),
        (b"", Verdict.TROUBLE),
    ],
)
def test_what_comes_between_the_answer_to_data_and_the_message(said: bytes, verdict: Verdict):
    """A server that talks out of turn, or goes, gets no message: it cannot be told what it would say to it."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        writer.close()
        received.append(await reader.read())

    received: list[bytes] = []

    async def story() -> None:
        async with waiting_for_data(answer, {}) as connection:
            await asyncio.sleep(0.05)
            assert not connection.usable
            assert (await connection.data(b"a: b\r\n")).verdict is verdict

    asyncio.run(story())
    assert b"".join(received) == b""


@pytest.mark.parametrize("piece", [b"2", b"250-wait\r\n"])
def test_a_server_that_drips_is_not_waited_for_longer(piece: bytes):
    """What has no end is no answer: the wait goes on from its beginning."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.05)

    async def story() -> None:
        async with waiting_for_data(answer, {Phase.DOT: 0.3}) as connection:
            sending = asyncio.create_task(connection.data(b"a: b\r\n"))
            async with asyncio.timeout(2):
                assert (await sending).verdict in {Verdict.UNCERTAIN, Verdict.TROUBLE}

    asyncio.run(story())


def test_each_answer_of_a_group_has_its_own_time():
    """A slow answer to MAIL takes nothing from the time for RCPT; and a session that rests is not out of time."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 s\r\n")
        await reader.readline()
        writer.write(b"250-s\r\n250 PIPELINING\r\n")
        for _ in range(2):
            await reader.readuntil(b"DATA\r\n")
            for line in (b"250 ok\r\n", b"250 ok\r\n", b"354 go on\r\n"):
                await asyncio.sleep(0.2)
                writer.write(line)
            await reader.readuntil(b"\r\n.\r\n")
            writer.write(b"250 ok\r\n")
        await reader.read()
        writer.close()

    async def story() -> None:
        listening = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        waits = {Phase.MAIL: 0.35, Phase.RCPT: 0.35, Phase.DATA: 0.35, Phase.DOT: 0.35}
        connection = Connection("127.0.0.1", port, local_hostname="example.org", timeouts=waits)
        await connection.open()
        for _ in range(2):
            assert await connection.envelope(ENVELOPE) is None
            await asyncio.sleep(0.5)
            assert (await connection.data(b"a: b\r\n")).verdict is Verdict.ACCEPTED
            await asyncio.sleep(0.5)
            assert connection.usable
        connection.abort()
        listening.close()
        await asyncio.sleep(0.01)

    asyncio.run(story())


CLIENT = """
import asyncio, sys, uvloop
from newsletter.mail.smtp import Connection, Envelope

async def story():
    connection = Connection("127.0.0.1", int(sys.argv[1]), local_hostname="example.org", timeouts={"dot": 1})
    await connection.open()
    await connection.envelope(Envelope(sender="papers@example.org", recipient="ann@example.com", size=6))
    print((await connection.data(b"a: b\\r\\n")).verdict)

asyncio.Runner(loop_factory=uvloop.new_event_loop if sys.argv[2] == "uvloop" else None).run(story())
"""


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_answer_that_came_while_we_were_stopped(loop: str):
    """A process that was stopped for longer than the wait reads what is there before it gives up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, "-c", CLIENT, str(listening.getsockname()[1]), loop]
        client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        server, _ = listening.accept()
        with server, server.makefile("rb") as lines:
            server.sendall(b"220 s\r\n")
            for verb, answer in [(b"EHLO", b"250 s"), (b"MAIL", b"250 ok"), (b"RCPT", b"250 ok"), (b"DATA", b"354 ok")]:
                assert lines.readline().startswith(verb)
                server.sendall(answer + b"\r\n")
            while lines.readline() != b".\r\n":
                pass
            time.sleep(0.1)
            client.send_signal(signal.SIGSTOP)
            server.sendall(b"250 ok\r\n")
            time.sleep(2.5)
            client.send_signal(signal.SIGCONT)
            assert client.communicate(timeout=20)[0] == "accepted\n"
