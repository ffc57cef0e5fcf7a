"""Prove that two senders at once send nothing twice: two runs started together, and a daemon beside cron's runs.

    scripts/dev bench together [--readers 500] [--times 20] [--connections 8]

Each time everybody is due again. Two ``run`` start at the same moment: one sends, the other one ends with 4, or with 0
where it came after. Then, a quarter as often, ``serve`` starts together with a ``run``, and more of them follow
until everybody has the mail, and a few more.
"""

import argparse
import time
from collections import Counter
from typing import Any

from _proof import Proof, conclude, options, proof, tell


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Let them meet, and compare each time."""
    with proof(asked.readers, connections=asked.connections) as room:
        room.room.keep()
        runs = [meet(room, daemon=False) for _ in range(asked.times)]
        daemons = [meet(room, daemon=True) for _ in range(max(1, asked.times // 4))]
    found = {"two runs": _sum(runs), "a daemon beside cron": _sum(daemons)}
    return {"holds": all(case["holds"] for case in found.values()), **found}


def meet(room: Proof, *, daemon: bool) -> dict[str, Any]:
    """Make everybody due, let two senders start together, and compare at the end."""
    room.room.restore()
    room.receiver.look()
    room.receiver.taken.clear()
    statuses = _daemon_and_runs(room) if daemon else _two_runs(room)
    found = room.accounts()
    tell(f"{'daemon and runs' if daemon else 'two runs'}: ended with {statuses}, {found['taken']} messages taken")
    return found | {"statuses": statuses}


def _two_runs(room: Proof) -> list[int]:
    both = [room.start("run"), room.start("run")]
    for process in both:
        process.communicate(timeout=300)
    return [process.returncode for process in both]


def _daemon_and_runs(room: Proof) -> list[int]:
    daemon, statuses, ends = room.start("serve", "--no-web"), [], time.monotonic() + 120
    after = 2  # runs once everybody has the mail
    while after and time.monotonic() < ends:
        after -= room.receiver.look() >= len(room.addresses)
        process = room.start("run")
        process.communicate(timeout=300)
        statuses.append(process.returncode)
    daemon.terminate()
    daemon.communicate(timeout=60)
    return [*statuses, daemon.returncode]


def _sum(times: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the sums of all times, and whether nothing was wrong."""
    sums = {name: sum(found[name] for found in times) for name in ("taken", "lost", "extra", "foreign")}
    statuses = Counter(str(status) for found in times for status in found["statuses"])
    sound = all(found["integrity"] == "ok" for found in times) and set(statuses) <= {"0", "4"}
    holds = sound and sums["lost"] == sums["extra"] == sums["foreign"] == 0
    return {"holds": holds, "times": len(times), **sums, "exit_statuses": dict(statuses)}


if __name__ == "__main__":
    conclude(prove, options(__doc__, readers=500, times=20, connections=8).parse_args())
