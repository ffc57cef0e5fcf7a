"""Measure how long ``newsletter deliver`` takes to its first message with a long list due, and print it as JSON.

    scripts/dev bench starting [--readers 1000000] [--times 3]

From the start of the process to the first message that Postfix's smtp-sink took; then the process is asked to end.
``due``: nobody's row is made yet, as on a morning. ``made``: every row is, as after a crash at the worst moment.
``stopping`` is from that message to the end of the process, ``cpu`` its processor time in all.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from _postfix import sink
from _room import Room
from _runs import listed, made, ready
from _watch import say, watch

WANTED = 3.0
STOPPED = 3  # the exit status of a run that was stopped by SIGTERM


def start(folder: Path, asked: argparse.Namespace, room: Room, kept: str) -> dict[str, float]:
    """Return the seconds from a start to the first message, from there to the end, and of processor time in all."""
    with sink(folder) as server:
        sent = watch(ready(room, server.port, kept), server, asked.readers, timeout=asked.timeout, until_first=True)
    if sent.first is None or sent.connected is None or sent.status not in {0, STOPPED}:
        raise SystemExit(f"{sent.taken} messages were taken; the sender ended with {sent.status}: {sent.output}")
    return {
        "connected": sent.connected,
        "first_message": sent.first,
        "stopping": sent.ended - sent.first,
        "cpu": sent.cpu_seconds,
    }


def starts(folder: Path, asked: argparse.Namespace, room: Room, kept: str) -> dict[str, Any]:
    """Start so often as asked, and return the times: each, in the median, and the longest."""
    found = []
    for _ in range(asked.times):
        found.append(start(folder, asked, room, kept))
        say(f"{kept}: {found[-1]['first_message']:.2f} s to the first message")
    firsts = [one["first_message"] for one in found]
    return {
        "each": [{name: round(seconds, 3) for name, seconds in one.items()} for one in found],
        "median": round(statistics.median(firsts), 3),
        "longest": round(max(firsts), 3),
    }


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=1_000_000)
    options.add_argument("--connections", type=int, default=10)
    options.add_argument("--times", type=int, default=3, help="starts of each kind (%(default)s)")
    options.add_argument("--kinds", nargs="+", choices=("due", "made"), default=["due", "made"])
    asked = options.parse_args()
    with work_folder(asked) as folder:
        room = listed(folder, asked, asked.readers)
        if "made" in asked.kinds:
            made(room)
        found = {kind: starts(folder, asked, room, kind) for kind in asked.kinds}
    answer(
        {
            "readers": asked.readers,
            "connections": asked.connections,
            "settings": asked.set,
            "starts": found,
            "wanted_seconds": WANTED,
            "holds": all(kind["longest"] <= WANTED for kind in found.values()),
        }
    )


if __name__ == "__main__":
    main()
