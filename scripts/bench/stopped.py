"""Prove that a sender told to stop (SIGTERM) loses nobody, repeats nothing, and has ended within ten seconds.

    scripts/dev bench stopped [--readers 10000] [--stops 50] [--connections 8] [--slow 0]

A ``run`` sends; at a random moment while it does it is told to stop, and the next one goes on, as cron's would. At the
end everything is sent, and the log of the receiving side is compared with the ledger. ``--slow`` is in milliseconds
before each 250, for small sizes.
"""

import argparse
import random
import time
from collections import Counter
from typing import Any

from _proof import Proof, conclude, options, proof, tell

_WITHIN = 10  # seconds


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Stop, go on, finish and compare."""
    slow = (f"tarpit=1:{asked.slow / 1000}",) if asked.slow else ()
    with proof(asked.readers, *slow, connections=asked.connections) as room:
        stops = stop(room, asked.stops, random.Random(asked.seed))
        runs = room.finish()
        found = room.accounts()
    longest = max((seconds for seconds, _ in stops), default=0)
    found |= {
        "stops": len(stops),
        "connections": asked.connections,
        "exit_statuses": dict(Counter(status for _, status in stops)),
        "longest_seconds_to_exit": round(longest, 3),
        "runs_to_finish": runs,
    }
    clean = found["lost"] == found["extra"] == found["foreign"] == 0 and found["integrity"] == "ok"
    return {"holds": clean and longest <= _WITHIN and len(stops) == asked.stops, **found}


def stop(room: Proof, stops: int, chance: random.Random) -> list[tuple[float, int]]:
    """Start a run and stop it, again and again. Return how long each took to end, and with what status."""
    ended: list[tuple[float, int]] = []
    while len(ended) < stops:
        running = room.start("run")
        step = max(0, len(room.addresses) - room.receiver.look()) // (stops - len(ended) + 1)
        room.receiver.wait(room.receiver.look() + 1 + chance.randrange(2 * step + 1), running)
        time.sleep(chance.random() * 0.01)
        if running.poll() is not None:
            break
        told_at = time.monotonic()
        running.terminate()
        running.communicate(timeout=60)
        ended.append((time.monotonic() - told_at, running.returncode))
        if len(ended) % 10 == 0:
            tell(f"{len(ended)} of {stops} stops, {room.receiver.look()} messages taken")
    return ended


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=10_000, stops=50, connections=8, slow=0).parse_args())
