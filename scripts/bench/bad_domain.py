"""Prove that one destination that hardly answers does not hold up the others.

    scripts/dev bench bad_domain [--readers 10000] [--pairs 5] [--connections 10] [--stall 60]

The readers are spread over 20 domains. One of them answers each RCPT after 60 seconds; in the run beside it nobody of
that domain is on the list. Measured is the time from the first message that the receiving side took to the last one
for another domain; then the run is told to end. ``ratio`` is the median of all pairs.
"""

import argparse
import sqlite3
from contextlib import closing
from statistics import median
from typing import Any

from _proof import Proof, conclude, options, proof, tell

_DOMAINS = 20
_BAD = "@university-3."
_MOST = 1.2
_PATIENCE = 120.0  # seconds for the others beside the bad one


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Send with and without the bad domain, in turns."""
    pairs = [measure_pair(asked) for _ in range(asked.pairs)]
    ratios = [pair["ratio"] for pair in pairs if pair["ratio"]]
    complete = len(ratios) == asked.pairs and not any(pair["extra"] for pair in pairs)
    ratio = median(ratios) if ratios else None
    return {"holds": complete and ratio is not None and ratio <= _MOST, "ratio": ratio, "pairs": pairs}


def measure_pair(asked: argparse.Namespace) -> dict[str, Any]:
    """Return how long the others take, with and without the bad domain."""
    (with_it, extra), (without, _) = send(asked, stalls=True), send(asked, stalls=False)
    ratio = round(with_it / without, 3) if with_it and without else None
    tell(f"the others took {with_it} s beside the bad domain, {without} s without it: {ratio}")
    return {"seconds_with": with_it, "seconds_without": without, "ratio": ratio, "extra": extra}


def send(asked: argparse.Namespace, *, stalls: bool) -> tuple[float | None, int]:
    """Return how many seconds the others took, None where they took too long, and how many messages were repeated."""
    faults = (f"stall={_BAD}:{asked.stall}",) if stalls else ()
    with proof(asked.readers, *faults, domains=_DOMAINS, connections=asked.connections) as room:
        if not stalls:
            _remove(room)
        others = sum(_BAD not in address for address in room.addresses)
        running = room.start("run")
        complete = room.receiver.wait(others, running, seconds=_PATIENCE)
        running.terminate()
        running.communicate(timeout=60)
        times = [taken.time for taken in room.receiver.taken if _BAD not in taken.recipient]
        extra = room.accounts()["extra"]
    return (round(max(times) - min(times), 3) if complete else None), extra


def _remove(room: Proof) -> None:
    with closing(sqlite3.connect(room.room.database, timeout=30)) as connection, connection:
        connection.execute("UPDATE subscribers SET status = 'unsubscribed' WHERE email LIKE ?", (f"%{_BAD}%",))


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=10_000, pairs=5, connections=10, stall=60).parse_args())
