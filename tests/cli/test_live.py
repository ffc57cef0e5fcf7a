"""The live view of sending, in a real terminal: fits any width, tells what counts, and leaves nothing behind."""

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom

from newsletter.cli.live import Pace, live_view, status_line
from newsletter.services.post import Progress

DAY = "2026-07-15"
BUSY = [f"busy{n}@example.com" for n in range(9)]  # so many that some come before the end


class Screen:
    """What a terminal of so many columns shows, as far as the commands here ask for it."""

    def __init__(self, columns: int) -> None:
        self.lines = [""]
        self.drawn: list[str] = []  # each line as it stood when it was drawn over
        self.wrapped = False
        self._columns, self._at = columns, 0

    def feed(self, text: str) -> None:
        """Show *text*."""
        for sign in re.findall(r"\x1b\[K|.", text, re.DOTALL):
            match sign:
                case "\r":
                    self.drawn.append(self.lines[-1])
                    self._at = 0
                case "\n":
                    self.lines.append("")
                case "\x1b[K":
                    self.lines[-1] = self.lines[-1][: self._at]
                case _:
                    self._put(sign)

    def _put(self, sign: str) -> None:
        if self._at == self._columns:
            self.wrapped, self._at = True, 0
            self.lines.append("")
        line = self.lines[-1]
        self.lines[-1] = line[: self._at] + sign + line[self._at + 1 :]
        self._at += 1


@dataclass
class Window:
    """A command in a terminal of its own, which Ctrl-C reaches."""

    process: subprocess.Popen[bytes]
    keyboard: int
    seen: str = ""

    def press(self, keys: str) -> None:
        """Type *keys*."""
        os.write(self.keyboard, keys.encode())

    def read(self, until: str = "") -> None:
        """Read what is shown, until it has *until* or the command has ended."""
        ended = False
        while not (ended or (until and re.search(until, self.seen))):
            ended = self.process.poll() is not None
            while select.select([self.keyboard], [], [], 0 if ended else 0.05)[0]:
                self.seen += os.read(self.keyboard, 4096).decode()


# A session's leader gets the terminal that it opens first: then Ctrl-C becomes a signal.
_LEADER = "import os, sys; os.open(os.ttyname(2), os.O_RDWR); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"


@contextmanager
def window(
    newsroom: Newsroom, *command: str, columns: int, piped: bool = False, term: str = "xterm"
) -> Iterator[Window]:
    """Run a command with all its streams on a terminal, which it leaves as it was; *piped*: but standard output."""
    keyboard, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    before = termios.tcgetattr(terminal)
    program = ["-m", "newsletter", "--config", str(newsroom.config), *command]
    process = subprocess.Popen(
        [sys.executable, "-c", _LEADER, *program],
        stdin=terminal,
        stdout=subprocess.PIPE if piped else terminal,
        stderr=terminal,
        env={**os.environ, "TERM": term},
        start_new_session=True,
    )
    shown = Window(process, keyboard)
    try:
        yield shown
        shown.read()
        assert termios.tcgetattr(terminal) == before
    finally:
        process.kill()
        process.wait()
        os.close(keyboard)
        os.close(terminal)


@pytest.fixture
def slow(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with readers due, one of whose servers is busy, and an inbox that takes its time."""
    newsroom.configure(smtp={"connections": 1})
    newsroom.subscribe(*BUSY, *(f"r{n}@example.net" for n in range(40)))
    newsroom.publish(DAY, "Alpha", "Beta")
    newsroom.sink.refusals = dict.fromkeys(BUSY, "450 4.2.1 mailbox busy")
    newsroom.sink.delay = 0.03
    return newsroom


@pytest.mark.parametrize("columns", [40, 120])
def test_it_shows_how_far_sending_is(slow: Newsroom, columns: int) -> None:
    """One line, drawn again and again within the width, and gone at the end, where the report stands."""
    with window(slow, "run", "--date", DAY, "--now", columns=columns) as shown:
        pass
    screen = Screen(columns)
    screen.feed(shown.seen)
    lines = [line for line in screen.drawn if line.startswith("sent ")]
    assert shown.process.returncode == 3  # some are deferred
    assert len(lines) > 2
    assert max(map(len, lines)) < columns
    sent = [int(line.split()[1]) for line in lines]
    assert sent == sorted(sent)
    assert any(re.match(r"sent \d+  \d+/s .* \d+ s left", line) for line in lines), lines
    if columns == 120:
        assert any(re.search(r"waiting \d+  .*deferred \d  \(example.com \d\)", line) for line in lines), lines
    assert not any(line.startswith("sent ") for line in screen.lines)
    assert screen.lines[0].startswith(f"{DAY}: incomplete"[:columns])
    assert len(slow.sink.mails) == 40


def test_ctrl_c_ends_it_politely(slow: Newsroom) -> None:
    """What is in flight finishes, the line goes away, and the terminal is as it was."""
    with window(slow, "run", "--date", DAY, "--now", columns=80) as shown:
        shown.read(until=r"sent \d")
        shown.press("\x03")
    screen = Screen(80)
    screen.feed(shown.seen)
    assert shown.process.returncode == 3
    assert 0 < len(slow.sink.mails) < 40
    assert not any("sent " in line and "/s" in line for line in screen.lines), screen.lines
    assert any("stopped by a signal; the next run continues" in line for line in screen.lines), screen.lines
    assert "\x1b[?" not in shown.seen  # no mode was set that would have to be set back


def test_with_json_standard_output_is_one_document(slow: Newsroom) -> None:
    """The view is on the terminal alone, and the document ends with the totals."""
    with window(slow, "run", "--date", DAY, "--now", "--json", columns=100, piped=True) as shown:
        pass
    assert shown.process.stdout
    document = json.loads(shown.process.stdout.read())
    assert list(document)[-1] == "deliveries"
    assert (document["deliveries"]["accepted"], document["deliveries"]["deferred"]) == (40, len(BUSY))
    assert re.search(r"sent \d+", shown.seen)
    screen = Screen(100)
    screen.feed(shown.seen)
    assert screen.lines == [""]


@pytest.mark.parametrize("options", [["-q"], []], ids=["quiet", "dumb"])
def test_it_is_not_drawn_where_nobody_wants_it(slow: Newsroom, options: list[str]) -> None:
    """With -q nothing is shown, and a terminal that cannot draw is sent no commands."""
    term = "xterm" if options else "dumb"
    with window(slow, "run", "--date", DAY, "--now", *options, columns=80, term=term) as shown:
        pass
    assert "\x1b" not in shown.seen
    assert "\r" not in shown.seen.replace("\r\n", "")
    assert len(slow.sink.mails) == 40


@pytest.mark.parametrize(("options", "said"), [((), ""), (("--now",), f"{DAY}: incomplete: 9 digests wait, and the ")])
def test_on_a_pipe_there_is_nothing(slow: Newsroom, options: tuple[str, ...], said: str) -> None:
    """Cron mails what is printed: so nothing is. Who asked for it at once is told in a line what is left."""
    process = slow.start("run", "--date", DAY, *options)
    out, err = process.communicate(timeout=60)
    assert (out, err[: len(said)], err.count("\n")) == ("", said, len(options))
    assert len(slow.sink.mails) == 40


def test_why_nothing_is_sent_is_told_at_once(slow: Newsroom) -> None:
    """Not when patience with a dead server is over, half a minute later."""
    slow.sink.shut()
    with window(slow, "run", "--date", DAY, "--now", columns=80) as shown:
        shown.read(until="refused the connection")
        shown.press("\x03")
    told = re.search(r"\rsent 0  waiting 49  127\.0\.0\.1:\d+: refused the connection.*?…\x1b\[K", shown.seen)
    assert told, shown.seen
    assert len(told[0]) == len("\r\x1b[K") + 79


@pytest.mark.slow
def test_a_terminal_that_cannot_draw_gets_a_line_now_and_then(slow: Newsroom) -> None:
    """Every ten seconds, as plain text."""
    slow.sink.delay = 0.3
    with window(slow, "run", "--date", DAY, "--now", columns=80, term="dumb") as shown:
        pass
    assert re.search(r"^sent \d+  \d+/s  waiting \d+.*\r\n", shown.seen, re.MULTILINE), shown.seen
    assert "\x1b" not in shown.seen


# The line


def test_the_line_says_what_counts() -> None:
    """Everything where there is room, and where there is not, first what was sent, how fast, and for how long still."""
    progress = Progress(accepted=12_345, failed=7, deferred=42, waiting=87_655)
    progress.deferred_by.update({"a.example": 30, "b.example": 9, "c.example": 2, "d.example": 1})
    said = "sent 12,345  5,120/s  waiting 87,655  17 s left  failed 7  deferred 42"
    full = f"{said}  (a.example 30, b.example 9, c.example 2 and 1 more)"
    fewer = f"{said}  (a.example 30, b.example 9 and 2 more)"
    expected = [full, fewer, said, "sent 12,345  5,120/s  17 s left", "sent 12,345", "sent 12"]
    assert [status_line(progress, 5120, 5150, columns) for columns in (129, 119, 79, 39, 15, 7)] == expected
    progress.by_hand = True
    assert status_line(progress, 0, 0, 39) == "stopping  sent 12,345  0/s"


def test_the_line_says_why_nothing_goes() -> None:
    """Behind the counts, as far as there is room."""
    progress = Progress(waiting=3, trouble="127.0.0.1:25: refused the connection: start the mail server there")
    whole = f"sent 0  waiting 3  {progress.trouble}"
    expected = [whole, f"{whole[:49]}…", "sent 0  waiting 3"]
    assert [status_line(progress, 0, 0, columns) for columns in (90, 50, 30)] == expected


@given(
    st.builds(
        Progress,
        accepted=st.integers(0, 10**9),
        failed=st.integers(0, 10**9),
        deferred=st.integers(0, 10**9),
        waiting=st.integers(0, 10**9),
        by_hand=st.booleans(),
        trouble=st.sampled_from(["", "421 try later", "例え.example:25: refused the connection", "x" * 500]),
    ),
    st.floats(0, 10**5),
    st.integers(1, 300),
)
def test_the_line_never_wraps(progress: Progress, rate: float, columns: int) -> None:
    """However narrow the terminal and long the numbers."""
    progress.deferred_by.update({"例え.example": 5, "very.long.name.of.a.destination.example": 4})
    line = status_line(progress, rate, rate, columns)
    assert "\n" not in line
    assert len(line) + line.count("例え") * 2 <= columns


def test_the_rate_is_that_of_the_last_seconds() -> None:
    """A pause shows, and what was fast an hour ago does not."""
    pace, progress = Pace(), Progress()
    assert pace.rates(0, progress) == (0, 0)
    progress.accepted, progress.failed = 100, 20
    assert pace.rates(2, progress) == (50, 60)
    assert pace.rates(6.5, progress) == (0, 0)
    progress.accepted = 190
    assert pace.rates(7, progress) == (18, 18)


def test_telling_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is called for each message, thousands a second: no look at the terminal, none at the clock."""
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with live_view(quiet=False) as told:
            calls: list[object] = []
            sys.setprofile(lambda _frame, what, _argument: calls.append(what))
            told(Progress.__new__(Progress))
            sys.setprofile(None)
    os.close(keyboard)
    assert calls.count("call") == 1  # told itself, and nothing below it
