"""Prove that no kill loses a reader, and that each repeats at most one message per connection.

    scripts/dev bench killed [--readers 20000] [--kills 200] [--connections 8] [--slow 0]

A ``run`` sends; another waits with ``--wait``. The first is killed at a random moment (SIGKILL), so that the other
takes over, and so on; most kills fall while mail is sent, every fifth within a fraction of a second after the kill
before, while the follower still recovers and claims. At the end everything is sent, and the log of the receiving side
is compared with the ledger. ``--slow`` is in milliseconds before each 250, for small sizes.
"""

import argparse
import random
import subprocess
import time
from bisect import bisect
from collections import Counter
from typing import Any

from _proof import Proof, conclude, options, proof, tell


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Kill, finish and compare."""
    slow = (f"tarpit=1:{asked.slow / 1000}",) if asked.slow else ()
    with proof(asked.readers, *slow, connections=asked.connections) as room:
        killed_at = kill(room, asked.kills, random.Random(asked.seed))
        runs = room.finish()
        found = room.accounts()
        repeats = room.extras_by_connection()
        # A connection belongs to the run that the next kill ended.
        of_kill = Counter(bisect(killed_at, room.receiver.opened[n]) for n in repeats.elements())
    found |= {
        "kills": len(killed_at),
        "connections": asked.connections,
        "most_extra_per_kill": max(of_kill.values(), default=0),
        "most_extra_per_connection": max(repeats.values(), default=0),
        "runs_to_finish": runs,
    }
    bounded = found["most_extra_per_kill"] <= asked.connections and found["most_extra_per_connection"] <= 1
    clean = found["lost"] == found["foreign"] == 0 and found["integrity"] == "ok"
    return {"holds": bounded and clean and len(killed_at) == asked.kills, **found}


def kill(room: Proof, kills: int, chance: random.Random) -> list[float]:
    """Kill a run and let the next one take over, again and again. Return when."""
    killed_at: list[float] = []
    running = room.start("run", "--wait")
    while len(killed_at) < kills:
        following = room.start("run", "--wait")
        if not _reach_a_moment(room, running, kills - len(killed_at), chance):
            break
        running.kill()
        killed_at.append(time.time())
        running.communicate()
        running = following
        if len(killed_at) % 10 == 0:
            tell(f"{len(killed_at)} of {kills} kills, {room.receiver.look()} messages taken")
    running.communicate(timeout=300)
    return killed_at


def _reach_a_moment(room: Proof, running: subprocess.Popen[str], left: int, chance: random.Random) -> bool:
    """Wait for the next kill. False where the run ended first."""
    if chance.random() < 0.2:
        time.sleep(chance.random() * 0.8)
    else:
        step = max(0, len(room.addresses) - room.receiver.look()) // (left + 1)  # leaves something for all that follow
        room.receiver.wait(room.receiver.look() + 1 + chance.randrange(2 * step + 1), running)
        time.sleep(chance.random() * 0.01)
    return running.poll() is None


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=20_000, kills=200, connections=8, slow=0).parse_args())
