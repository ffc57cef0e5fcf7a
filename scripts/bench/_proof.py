"""What the proofs share: a newsletter, the server that takes its mail, and the accounts of both compared.

Counts come from the log of the receiving side. What the sender's ledger says is read from its database by plain SQL,
so that no code under test counts its own work. Not here: the newsletter itself (``_room``), and the server (``sink``).
"""

import argparse
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Self

from _options import answer
from _room import Room

_REASONS = ("failed", "held", "expired", "withdrawn", "skipped")  # why a reader may have no mail
SINK = Path(__file__).with_name("sink.py")


@dataclass(frozen=True, slots=True)
class Taken:
    """A message that the receiving side took; ``fault`` is why the sender did not learn of it, if so."""

    time: float
    connection: int
    recipient: str
    message_id: str
    fault: str = ""


class Receiver:
    """The sink in a process of its own, and what its log says. Use as a context manager."""

    def __init__(self, folder: Path, *faults: str, pipelining: bool = True) -> None:
        self.taken: list[Taken] = []
        self.refused: list[tuple[str, str]] = []  # address and reply
        self.opened: dict[int, float] = {}  # when, by the connection's number
        self._log = folder / "sink.jsonl"
        self._log.touch()
        self._read, self._rest = self._log.open("rb"), b""
        self._command = [sys.executable, str(SINK), "--log", str(self._log)]
        self._command += [part for fault in faults for part in ("--fault", fault)]
        self._command += [] if pipelining else ["--no-pipelining"]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=10)
        self._read.close()

    def look(self) -> int:
        """Read what is new in the log, and return how many messages were taken in all."""
        whole, _, self._rest = (self._rest + self._read.read()).rpartition(b"\n")
        for line in whole.splitlines():
            self._learn(json.loads(line))
        return len(self.taken)

    def _learn(self, line: dict[str, Any]) -> None:
        if line["event"] == "accepted":
            known = {name: line[name] for name in ("time", "connection", "recipient", "message_id")}
            self.taken.append(Taken(**known, fault=line.get("fault", "")))
        elif line["event"] == "refused":
            self.refused.append((line["recipient"], line["reply"]))
        elif line["event"] == "opened":
            self.opened[line["connection"]] = line["time"]

    def wait(self, count: int, sender: subprocess.Popen[str] | None = None, seconds: float = 60) -> bool:
        """Wait until *count* messages were taken in all. False where the *sender* ended before, or time is over."""
        ends = time.monotonic() + seconds
        while self.look() < count:
            if (sender and sender.poll() is not None) or time.monotonic() > ends:
                return self.look() >= count
            time.sleep(0.001)
        return True


class Proof:
    """A newsletter with readers that are due, and a server that takes its mail. All is gone when it ends."""

    def __init__(self, folder: Path, receiver: Receiver, room: Room, addresses: Sequence[str]) -> None:
        self.folder, self.receiver, self.room, self.addresses = folder, receiver, room, addresses
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: str, command: Sequence[str] = (), **environment: str) -> subprocess.Popen[str]:
        """Start ``newsletter --json ARGUMENTS``, under another *command* where one is given."""
        process = subprocess.Popen(
            [*command, *self.room.command("--json", *arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        """End what was started and still runs."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
            if process.stderr and not process.stderr.closed:
                process.communicate()

    def finish(self, rounds: int = 60) -> int:
        """Run until nothing waits, letting time pass for what is deferred, and return how many runs that took.

        Where a run sends nothing, because the route is paused for an hour, the next one is told to end the pause.
        """
        arguments: tuple[str, ...] = ("deliver",)
        for n in range(1, rounds + 1):
            heard = self.heard()
            process = self.start(*arguments)
            said = process.communicate(timeout=300)[1]
            arguments = ("deliver", "--retry-failed") if heard == self.heard() else ("deliver",)
            tell(f"finishing: run {n} ended with {process.returncode}, {len(self.receiver.taken)} taken. {said}")
            if process.returncode == 0:
                return n
            self.let_time_pass()
        return rounds

    def heard(self) -> int:
        """Return how many messages and refused recipients the receiving side has heard of."""
        return self.receiver.look() + len(self.receiver.refused)

    def let_time_pass(self) -> None:
        """Make what waits for its next attempt due now, as hours would."""
        now = f"{datetime.now(UTC).replace(tzinfo=None):%Y-%m-%d %H:%M:%S.%f}"
        with closing(sqlite3.connect(self.room.database, timeout=30)) as connection, connection:
            change = "UPDATE deliveries SET next_attempt_at = ? WHERE status IN ('ready', 'deferred')"
            connection.execute(change, (now,))

    def ledger(self) -> dict[str, tuple[str, str, str | None]]:
        """Return status, Message-ID and the time of the last offer of each reader's delivery, by address."""
        return {
            email: (status, message_id, offered_at)
            for email, status, message_id, offered_at in self.ask(
                "SELECT email, d.status, message_id, offered_at"
                " FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id"
            )
        }

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows that *query* finds in the newsletter's database."""
        with closing(sqlite3.connect(self.room.database, timeout=30)) as connection:
            return connection.execute(query).fetchall()

    def accounts(self) -> dict[str, Any]:
        """Compare what the receiving side took with what the ledger says.

        ``lost``: readers recorded as accepted without a message, or with neither a message nor a reason; leaving the
        list is one. ``extra``:
        copies beyond the first. ``foreign``: messages whose Message-ID is not that of the reader's delivery.
        """
        self.receiver.look()
        ledger, copies = self.ledger(), Counter(taken.recipient for taken in self.receiver.taken)
        without = [address for address in self.addresses if not copies[address]]
        left = {email for (email,) in self.ask("SELECT email FROM subscribers WHERE status = 'unsubscribed'")}
        excused = [one for one in without if one in left or (one in ledger and ledger[one][0] in _REASONS)]
        known = {(email, message_id) for email, (_, message_id, _) in ledger.items()}
        return {
            "readers": len(self.addresses),
            "taken": len(self.receiver.taken),
            "lost": len(without) - len(excused),
            "extra": len(self.receiver.taken) - len(copies),
            "foreign": sum((taken.recipient, taken.message_id) not in known for taken in self.receiver.taken),
            "states": dict(Counter(status for status, *_ in ledger.values())),
            "integrity": self.ask("PRAGMA integrity_check")[0][0],
        }

    def extras_by_connection(self) -> Counter[int]:
        """Return how many messages were repeated, by the older connection of the two that carried them."""
        last: dict[str, int] = {}
        repeated: Counter[int] = Counter()
        for taken in self.receiver.taken:
            if taken.recipient in last:
                repeated[min(last[taken.recipient], taken.connection)] += 1
            last[taken.recipient] = taken.connection
        return repeated


@contextmanager
def proof(
    readers: int, *faults: str, domains: int = 1000, within: Path | None = None, pipelining: bool = True, **smtp: Any
) -> Iterator[Proof]:
    """Give a newsletter with so many *readers* and a server with these *faults*; ``[smtp]`` as given.

    The newsletter's folder is *within* another where one is named; the server's log never is.
    """
    with tempfile.TemporaryDirectory(prefix="newsletter-proof-") as name:
        folder = Path(name)
        home = within or folder / "newsletter"
        home.mkdir(exist_ok=True)
        with Receiver(folder, *faults, pipelining=pipelining) as receiver:
            room = Room(home, papers=20, smtp={"port": receiver.port, "give_up_after": "3d", **smtp})
            made = Proof(folder, receiver, room, room.add_readers(readers, domains=domains))
            try:
                yield made
            finally:
                made.close()


def options(description: str | None, **defaults: int) -> argparse.ArgumentParser:
    """Return a parser with an option for each whole number of *defaults*, and with the limit of time."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in {**defaults, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default: {default}")
    parser.add_argument("--limit", type=int, default=3600, help="seconds for all of it; default: 3600")
    return parser


def conclude(prove: Callable[[argparse.Namespace], dict[str, Any]], asked: argparse.Namespace) -> None:
    """Prove within the limit of time, print the figures as JSON, and end with 0 where the proof holds, else with 1."""
    signal.signal(signal.SIGALRM, _too_late)
    signal.signal(signal.SIGTERM, _too_late)  # so that what was started ends, too
    signal.alarm(asked.limit)
    figures = prove(asked)
    signal.alarm(0)
    answer(figures)
    raise SystemExit(not figures["holds"])


def tell(line: str) -> None:
    """Say how far a proof is."""
    print(line.strip(), file=sys.stderr, flush=True)


def _too_late(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(f"ended by {signal.Signals(number).name} before the proof was complete")
