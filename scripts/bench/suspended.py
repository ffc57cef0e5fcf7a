"""Prove that a sender that falls silent for longer than its lease, and wakes, repeats at most one per connection.

    scripts/dev bench suspended [--readers 20000] [--times 5] [--connections 8] [--slow 0]

A ``run`` sends and is suspended (SIGSTOP). With a lease of two seconds the next ``run`` takes over although the first
one lives. When that has sent for a while the first is woken (SIGCONT): it must find out that it was replaced, and
end. At the end everything is sent, and the log of the receiving side is compared with the ledger.
"""

import argparse
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from _proof import Proof, conclude, options, proof, tell


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Suspend and wake, finish and compare."""
    slow = (f"tarpit=1:{asked.slow / 1000}",) if asked.slow else ()
    chance = random.Random(asked.seed)
    with proof(asked.readers, *slow, connections=asked.connections, lease="2s") as room:
        ends = [suspend(room, asked.times - n, chance) for n in range(asked.times)]
        runs = room.finish()
        found = room.accounts()
        repeats = room.extras_by_connection()
    found |= {
        "times": asked.times,
        "connections": asked.connections,
        "exit_statuses_of_the_woken": dict(Counter(str(status) for status, _ in ends)),
        "told_that_they_were_replaced": sum("another run took over" in said for _, said in ends),
        "most_extra_per_connection": max(repeats.values(), default=0),
        "runs_to_finish": runs,
    }
    bounded = found["most_extra_per_connection"] <= 1 and found["extra"] <= asked.times * asked.connections
    clean = found["lost"] == found["foreign"] == 0 and found["integrity"] == "ok"
    return {"holds": bounded and clean and found["told_that_they_were_replaced"] == asked.times, **found}


def suspend(room: Proof, left: int, chance: random.Random) -> tuple[int, str]:
    """Let one run be replaced by another while it sleeps. Return how the woken one ended, and what it said."""
    step = max(0, len(room.addresses) - room.receiver.look()) // (2 * left + 1)
    silent = room.start("run")
    room.receiver.wait(room.receiver.look() + 1 + chance.randrange(step + 1), silent)
    _fall_silent(silent, room.room.database)
    following = room.start("run", "--wait")
    room.receiver.wait(room.receiver.look() + 1 + chance.randrange(step + 1), following)
    silent.send_signal(signal.SIGCONT)
    said = silent.communicate(timeout=60)[1]
    following.terminate()
    following.communicate(timeout=60)
    tell(f"woken after {room.receiver.look()} messages, and ended with {silent.returncode}: {said}")
    return silent.returncode, said


def _fall_silent(process: subprocess.Popen[str], database: Path) -> None:
    """Suspend *process* between two commits: one that sleeps with the database locked keeps everybody waiting."""
    ends = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < ends:
        process.send_signal(signal.SIGSTOP)
        if _is_free(database):
            return
        process.send_signal(signal.SIGCONT)
        time.sleep(0.001)


def _is_free(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0.1, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
    return True


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=20000, times=5, connections=8, slow=0).parse_args())
