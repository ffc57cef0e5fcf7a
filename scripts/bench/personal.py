"""Measure what it costs delivering that everybody's digest is personal, and print it as JSON.

    scripts/dev bench personal [--readers 50000] [--connections 10] [--pairs 3]

``newsletter deliver`` sends two lists in turns to Postfix's smtp-sink on loopback, and makes the readers due while it
sends. In ``alike`` all wish for the same; in ``personal`` each has two to four topics, most of two words that a paper
must have both, so that hardly two wish for the same. All digests have five papers. ``different_choices`` are those of a
sample, by the papers in their order; reasons and what stands under "Also today" differ more often. The ratio is of the
messages a second, the median over the pairs.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from _postfix import sink
from _room import Room, alike, personal
from _runs import deliver, listed
from _sample import sample
from _watch import Sent, say

KEEPS = 0.7  # of the speed with digests that are alike
WISHES = (alike, personal)
PAPERS = 70  # of the issue, so that there is much to choose from


def pair(folder: Path, rooms: dict[str, Room], turn: int, asked: argparse.Namespace) -> dict[str, Sent]:
    """Deliver to both lists, in an order that changes from turn to turn."""
    found = {}
    for name in list(rooms)[:: -1 if turn % 2 else 1]:
        with sink(folder) as server:
            found[name] = deliver(rooms[name], server, asked.readers, timeout=asked.timeout)
        say(f"pair {turn + 1}, {name}: {found[name].per_second:.0f} a second")
    return found


def measured(folder: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of both."""
    few = min(asked.sample, asked.readers)
    messages = {wishes.__name__: sample(folder, asked, few, wishes, PAPERS).document() for wishes in WISHES}
    rooms = {wishes.__name__: listed(folder, asked, asked.readers, wishes, PAPERS) for wishes in WISHES}
    pairs = [pair(folder, rooms, turn, asked) for turn in range(asked.pairs)]
    each = [one["personal"].per_second / one["alike"].per_second for one in pairs]
    return {
        "readers": asked.readers,
        "connections": asked.connections,
        "settings": asked.set,
        "messages": messages,
        "pairs": [{name: sent.document() for name, sent in one.items()} for one in pairs],
        "ratio_each": [round(ratio, 2) for ratio in each],
        "ratio": round(statistics.median(each), 2),
        "wanted": KEEPS,
        "holds": statistics.median(each) >= KEEPS,
    }


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=50_000)
    options.add_argument("--connections", type=int, default=10)
    options.add_argument("--pairs", type=int, default=3, help="rounds in which both lists are sent (%(default)s)")
    options.add_argument("--sample", type=int, default=1000, help="messages looked at (%(default)s)")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        answer(measured(folder, asked))


if __name__ == "__main__":
    main()
