"""Servers made for testing, each started with each of its faults: what one message to them comes to."""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.mail.smtp import TIMEOUTS, Connection, Envelope, SmtpTrouble

ACCEPTED = Verdict.ACCEPTED, False, False
LATER = Verdict.TEMPORARY, False, False
NEVER = Verdict.PERMANENT, False, False
NO_SUCH_ADDRESS = Verdict.PERMANENT, False, True
SITE = Verdict.TROUBLE, True, False
SESSION = Verdict.TROUBLE, False, False  # of a session that carried something
UNCERTAIN = Verdict.UNCERTAIN, False, False

Meaning = tuple[Verdict, bool, bool]

MESSAGE = b"Subject: Papers\r\n\r\n" + b"A line of text that goes on for a while.\r\n" * 10


def meaning(outcome: Outcome) -> Meaning:
    """Return what the table decided."""
    return outcome.verdict, outcome.pauses_route, outcome.suppresses


async def opened(port: int, patience: float) -> Connection:
    """Return a session, waiting for the server to start where it does not listen yet."""
    timeouts = dict.fromkeys(TIMEOUTS, patience)
    for _ in range(200):
        connection = Connection("127.0.0.1", port, local_hostname="papers.example.org", timeouts=timeouts)
        try:
            await connection.open()
        except SmtpTrouble as trouble:
            if "refused the connection" not in str(trouble):
                raise
            await asyncio.sleep(0.02)
        else:
            return connection
    raise AssertionError(f"nothing listens on port {port}")


async def sent(connection: Connection, recipient: str) -> Outcome:
    """Send one message, and return what became of it."""
    envelope = Envelope(sender="papers@example.org", recipient=recipient, size=len(MESSAGE))
    return await connection.envelope(envelope) or await connection.data(MESSAGE)


def attempt(port: int, *recipients: str, pause: float = 0, patience: float = 10) -> list[Meaning]:
    """Send a message to each of *recipients*, in one session as long as it lasts, and return what they came to.

    *pause* is in seconds before each, *patience* how many are waited for an answer.
    """

    async def attempts() -> list[Meaning]:
        found: list[Meaning] = []
        connection: Connection | None = None
        try:
            for recipient in recipients:
                if connection is None or not connection.usable:
                    connection = await opened(port, patience)
                await asyncio.sleep(pause)
                found.append(meaning(await sent(connection, recipient)))
        except SmtpTrouble as trouble:
            found.append(meaning(trouble.outcome))
        if connection:
            await connection.close()
        return found

    return asyncio.run(attempts())


# Postfix's smtp-sink

COMMANDS = ("CONNECT", "HELO", "EHLO", "LHLO", "MAIL", "RCPT", "VRFY", "DATA", ".", "RSET", "NOOP", "QUIT")
# What goes wrong with a command that the one message does not need changes nothing.
_HARD, _SOFT = {"CONNECT": SITE, "EHLO": ACCEPTED}, {"CONNECT": SITE, "EHLO": ACCEPTED}
_IN_TRANSACTION = ("MAIL", "RCPT", "DATA", ".")

MODES: dict[str, Meaning] = {
    # A plain 500, whatever status follows, is about the command: the site does not speak our language.
    **{f"-f {c}": {**_HARD, **dict.fromkeys(_IN_TRANSACTION, SITE)}.get(c, ACCEPTED) for c in COMMANDS},
    **{f"-r {c}": {**_SOFT, **dict.fromkeys(_IN_TRANSACTION, LATER)}.get(c, ACCEPTED) for c in COMMANDS},
    **{f"-Q {c}": SITE if c in {"CONNECT", "EHLO", *_IN_TRANSACTION} else ACCEPTED for c in COMMANDS},
    **{f"-q {c}": SITE if c in {"CONNECT", "EHLO", *_IN_TRANSACTION} else ACCEPTED for c in COMMANDS},
    "-q .": UNCERTAIN,
    # Replies of the caller's choosing.
    "-r RCPT -b '450 4.7.1 greylisted'": LATER,
    "-r RCPT -b '421 4.3.2 shutting down'": SITE,
    "-r MAIL -b '450 4.7.1 Error: too much mail from 192.0.2.1'": SITE,
    "-r . -b '452 4.3.1 Insufficient system storage'": SITE,
    "-r RCPT,RSET -b '452 4.2.2 mailbox full'": LATER,
    "-f RCPT -B '550 5.1.1 no such user'": NO_SUCH_ADDRESS,
    "-f RCPT -B '550 no such user'": NO_SUCH_ADDRESS,
    "-f RCPT -B '550 5.7.1 blocked'": SITE,
    "-f MAIL -B '550 5.1.8 sender rejected'": SITE,
    "-f DATA -B '554 5.5.1 no valid recipients'": NEVER,
    "-f . -B '554 5.7.1 rejected as spam'": SITE,
    "-f . -B '550 5.1.1 unknown after all'": NO_SUCH_ADDRESS,
    "-f . -B '554 5.6.0 bad content'": NEVER,
    # A 550 amid the data is for this message.
    "-A 1": NEVER,
    # Slow, and too slow.
    "-W .:1": UNCERTAIN,
    "-p -W RCPT:1": LATER,
    "-W RCPT:1": SITE,  # it keeps back the answer to MAIL as well, so that nobody knows what takes so long
    "-W MAIL:1": SITE,
    "-W DATA:1": SITE,
    "-W CONNECT:1": SITE,
    "-W EHLO:1": SITE,
    "-W QUIT:1": ACCEPTED,
    "-w 1": ACCEPTED,
    "-H 1": ACCEPTED,
    # Ends early: after the first message before the answer, after the first session.
    "-M 1": UNCERTAIN,
    "-n 1": ACCEPTED,
    "-m 1": ACCEPTED,
    # Another protocol.
    "-L": SITE,
    # Offers less, looks different, or keeps what it took.
    **dict.fromkeys(("-8", "-a", "-C", "-e", "-E", "-F", "-N", "-p", "-P", "-c", "-v", "-s DATA"), ACCEPTED),
    **dict.fromkeys(("-h other.example", "-T 2000", "-d {folder}/d", "-D {folder}/D", "-S x -D {folder}/S"), ACCEPTED),
}
LISTENS = set("46uR")  # how it listens, and as whom


@pytest.fixture
def smtp_sink(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Return what starts smtp-sink with options, and gives its port."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    tmp_path.chmod(0o777)
    started: list[subprocess.Popen[bytes]] = []

    def start(options: str) -> int:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        command = [program, *user, *shlex.split(options.format(folder="."))]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path}
        started.append(subprocess.Popen([*command, f"127.0.0.1:{port}", "10"], **quiet))  # type: ignore[call-overload]
        return port

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.system("smtp-sink")
@pytest.mark.parametrize(("options", "expected"), MODES.items(), ids=MODES)
def test_smtp_sink(smtp_sink: Callable[[str], int], options: str, expected: Meaning) -> None:
    """Each mode of it is read as what it plays."""
    patience = 0.5 if "-W" in options else 10
    assert attempt(smtp_sink(options), "ann@example.net", patience=patience) == [expected]


@pytest.mark.system("smtp-sink")
def test_smtp_sink_that_hangs_up_on_the_data_hurts_nobody(smtp_sink: Callable[[str], int]) -> None:
    """-A 0: its 550 comes before anything was sent, amid the data, or is lost with the connection."""
    assert set(attempt(smtp_sink("-A 0"), "ann@example.net")) <= {SITE, NEVER, UNCERTAIN}


@pytest.mark.system("smtp-sink")
def test_smtp_sink_that_grows_tired_of_waiting_is_left_for_a_new_session(smtp_sink: Callable[[str], int]) -> None:
    """-t 1: what came to the idle session concerns nobody, and the next one carries the message."""
    port = smtp_sink("-t 1")
    assert attempt(port, "ann@example.net", pause=1.5) == [SITE]
    assert attempt(port, "ann@example.net") == [ACCEPTED]


@pytest.mark.system("smtp-sink")
def test_no_mode_of_smtp_sink_is_left_out() -> None:
    """What the program says that it can do is in the list."""
    program = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
    usage = subprocess.run([program, "-?"], capture_output=True, text=True, check=False).stderr
    offered = set("".join(re.findall(r"\[-(\w+)", usage)))
    listed = {option for options in (*MODES, "-A 0", "-t 1") for option in re.findall(r"(?:^| )-(\w)", options)}
    assert offered
    assert offered - LISTENS <= listed


# The shared sink

# By fault: the recipients of messages sent one after another, what they came to, and how many of them arrived.
FAULTS: dict[str, tuple[str, list[Meaning], int]] = {
    "greylist=60": ("ann", [LATER], 0),
    "rcpt4=1": ("ann", [LATER], 0),
    "rcpt5=1": ("ann", [NO_SUCH_ADDRESS], 0),
    "hard=dead": ("dead ann", [NO_SUCH_ADDRESS, ACCEPTED], 1),
    "stall=slow": ("slow ann", [LATER, ACCEPTED], 1),
    "soft=full": ("full ann", [LATER, ACCEPTED], 1),
    "spam=1": ("ann", [SITE], 0),
    "middata=1": ("ann", [UNCERTAIN], 0),
    "afterdot=1": ("ann", [UNCERTAIN], 1),
    "badreply=1": ("ann", [UNCERTAIN], 1),
    "close_after=2": ("ann bob cy", [ACCEPTED, ACCEPTED, SESSION], 2),
    "shutdown=1": ("ann bob cy", [ACCEPTED, SESSION, SITE], 1),
    "delay=0.05": ("ann", [ACCEPTED], 1),
    "tarpit=0.1": ("ann", [ACCEPTED], 1),
    "tarpit=5": ("ann", [UNCERTAIN], 1),
    "auth=ann:secret": ("ann", [SITE], 0),
}


@pytest.fixture
def shared_sink(shared: Path, tmp_path: Path) -> Callable[[str], AbstractContextManager[tuple[int, Path]]]:
    """Return what runs the shared sink with a fault, and gives its port and its log."""

    @contextlib.contextmanager
    def run(fault: str) -> Iterator[tuple[int, Path]]:
        log = tmp_path / "log"
        command = [sys.executable, str(shared / "tools/smtp_sink.py"), "--port", "0", "--log", str(log)]
        with subprocess.Popen([*command, "--fault", fault], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            try:
                yield int(process.stdout.readline().rpartition(":")[2]), log
            finally:
                process.kill()

    return run


@pytest.mark.parametrize("fault", FAULTS)
def test_the_shared_sink(shared_sink: Callable[[str], AbstractContextManager[tuple[int, Path]]], fault: str) -> None:
    """Each fault of it is read as what it plays, and only what is uncertain may have arrived without our knowing."""
    readers, expected, arrived = FAULTS[fault]
    with shared_sink(fault) as (port, log):
        patience = 0.5 if fault in {"stall=slow", "tarpit=5"} else 10
        found = attempt(port, *(f"{name}@example.net" for name in readers.split()), patience=patience)
    if fault == "close_after=2" and found[-1] == ACCEPTED:  # by a session anew, the end of the other being seen in time
        expected, arrived = [ACCEPTED] * 3, 3
    assert found == expected
    assert len(log.read_text().splitlines()) == arrived


def test_no_fault_of_the_shared_sink_is_left_out(shared: Path) -> None:
    """What its description names is in the list."""
    described = (shared / "tools/smtp_sink.py").read_text().split('"""')[1]
    names = set(re.findall(r"(\w+)=(?:P|S|N|TEXT|USER:PASS)\b", described))
    assert names
    assert names - {"KIND"} == {fault.partition("=")[0] for fault in FAULTS}
