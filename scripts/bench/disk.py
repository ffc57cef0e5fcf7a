"""Prove that a failing disk stops the sender before it sends what it cannot record, and loses nobody.

    scripts/dev bench disk [--readers 4000] [--times 10] [--connections 8] [--only full|limited|failing] [--slow 0]

``full``: the database is on a small disk of its own (a tmpfs, which needs root), filled to the last byte while mail is
sent, and freed again. ``limited``: SQLite's ``max_page_count`` lets the database grow by a few pages at a time; needs
no root. ``failing``: libfiu makes some of the program's writes and syncs fail (Debian: fiu-utils). A way
that this machine does not offer is left out, and named. Each time the run must end by itself with one clear line;
whatever the receiving side took is then in the ledger as offered, and the database is sound. At the end everything is
sent and compared.
"""

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from _proof import Proof, conclude, options, proof, tell

_SMALL = "96m"
# Runs a module with a limit to the pages of every database that it opens.
_LIMITED = """
import runpy, sqlite3, sys
pages, connect = int(sys.argv[1]), sqlite3.connect
def limited(*arguments, **named):
    connection = connect(*arguments, **named)
    connection.execute(f"PRAGMA max_page_count = {pages}")
    return connection
sqlite3.connect = sqlite3.dbapi2.connect = limited
sys.argv = sys.argv[4:]
runpy.run_module("newsletter", run_name="__main__", alter_sys=True)
"""
_FAILURES = ("posix/io/rw/pwrite", "posix/io/sync/fsync", "posix/io/sync/fdatasync")
_IS_FULL, _FAILS = "free some room, and do again what did not get done; the next run does so by itself", "the next run"

Attempt = Callable[[Proof, int, random.Random], subprocess.Popen[str]]


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Let the disk fail in each way that is to be had here."""
    found = {name: way(asked) for name, way in _WAYS.items() if asked.only in {None, name}}
    missing = [name for name, figures in found.items() if figures is None]
    shown = {name: figures for name, figures in found.items() if figures is not None}
    return {"holds": bool(shown) and all(way["holds"] for way in shown.values()), "left_out": missing, "ways": shown}


def full(asked: argparse.Namespace) -> dict[str, Any] | None:
    """Fill the disk while mail is sent."""
    with small_disk() as disk:
        return bear(asked, _fill_while_sending, _IS_FULL, within=disk) if disk else None


def limited(asked: argparse.Namespace) -> dict[str, Any]:
    """Let the database grow by a few pages at a time."""
    return bear(asked, _send_within_pages, _IS_FULL)


def failing(asked: argparse.Namespace) -> dict[str, Any] | None:
    """Let writes and syncs fail."""
    return bear(asked, _send_with_failures, _FAILS) if shutil.which("fiu-run") else None


_WAYS = {"full": full, "limited": limited, "failing": failing}


def bear(asked: argparse.Namespace, attempt: Attempt, line: str, within: Path | None = None) -> dict[str, Any]:
    """Let the disk fail again and again, each time with this *line*, then let it be well, finish and compare."""
    chance, statuses, unclear, unrecorded, while_sending = random.Random(asked.seed), Counter[str](), 0, 0, 0
    slow = (f"tarpit=1:{asked.slow / 1000}",) if asked.slow else ()
    with proof(asked.readers, *slow, within=within, connections=asked.connections) as room:
        room.room.make_due()  # so that what grows, grows by being sent
        room.ask("VACUUM")  # and not into pages that upgrades left free
        for n in range(asked.times):
            before = room.receiver.look()
            process = attempt(room, asked.times - n, chance)
            said = process.communicate(timeout=120)[1]
            statuses[str(process.returncode)] += 1
            failed = process.returncode == 1
            unclear += "Traceback" in said or (failed and line not in said)
            while_sending += failed and room.receiver.look() > before
            unrecorded += _unrecorded(room)
            tell(f"ended with {process.returncode}, {room.receiver.look()} messages taken. {said}")
        runs = room.finish()
        found = room.accounts() | {"exit_statuses": dict(statuses), "unclear": unclear, "unrecorded": unrecorded}
    found |= {
        "failures": statuses["1"],
        "while_sending": while_sending,
        "connections": asked.connections,
        "runs_to_finish": runs,
    }
    clean = found["lost"] == found["foreign"] == unclear == unrecorded == 0 and found["integrity"] == "ok"
    bounded = found["extra"] <= found["failures"] * asked.connections
    return {"holds": clean and bounded and while_sending > 0 and set(statuses) <= {"0", "1", "3"}, **found}


def _unrecorded(room: Proof) -> int:
    """Return how many messages the receiving side took that the ledger does not know as offered."""
    room.receiver.look()
    offered = {email for email, (_, _, offered_at) in room.ledger().items() if offered_at}
    return sum(taken.recipient not in offered for taken in room.receiver.taken)


def _fill_while_sending(room: Proof, left: int, chance: random.Random) -> subprocess.Popen[str]:
    running, filler = room.start("run"), room.room.folder / "filler"
    step = max(0, len(room.addresses) - room.receiver.look()) // (left + 1)
    room.receiver.wait(room.receiver.look() + 1 + chance.randrange(step + 1), running)
    _fill(filler)
    try:
        running.wait(timeout=120)
    finally:
        filler.unlink()
    return running


def _fill(file: Path) -> None:
    """Take all the room that is left, down to the last byte."""
    with file.open("wb", buffering=0) as out:
        for size in (65536, 4096, 1):
            try:
                while True:
                    out.write(b"\0" * size)
            except OSError:
                continue


def _send_within_pages(room: Proof, left: int, chance: random.Random) -> subprocess.Popen[str]:
    pages = room.ask("PRAGMA page_count")[0][0] + 1 + chance.randrange(10)
    return room.start("run", command=[sys.executable, "-c", _LIMITED, str(pages)])


def _send_with_failures(room: Proof, left: int, chance: random.Random) -> subprocess.Popen[str]:
    probability = chance.choice((1.2, 4, 12)) / len(room.addresses)  # for a list of any length some way into it
    wanted = [f"enable_random name={name},probability={probability},failinfo=5" for name in _FAILURES]
    return room.start("run", command=["fiu-run", "-x", "-f", "", *(part for one in wanted for part in ("-c", one))])


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """Give a folder on a disk of its own, None where none can be mounted."""
    with tempfile.TemporaryDirectory(prefix="newsletter-disk-") as name:
        command: Sequence[str] = ("mount", "-t", "tmpfs", "-o", f"size={_SMALL}", "none", name)
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
        try:
            yield Path(name) if mounted else None
        finally:
            if mounted:
                subprocess.run(["umount", "-l", name], check=True)
                time.sleep(0.1)


if __name__ == "__main__":
    arguments = options(__doc__, readers=4000, times=10, connections=8, slow=0)
    arguments.add_argument("--only", choices=_WAYS, help="one of them")
    conclude(prove, arguments.parse_args())
