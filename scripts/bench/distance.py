"""Measure sending to a server far away, beside aiosmtplib, and print it as JSON.

    scripts/dev bench distance [--readers 2000] [--connections 10] [--pairs 3] [--delay 0.025]

A proxy on loopback before Postfix's smtp-sink holds back what goes through by ``--delay`` seconds each way, in order
and without a limit on how much. ``newsletter deliver`` and aiosmtplib's ``sendmail``, which has composed messages in
memory, send the same number over the same number of connections, in turns. The ratio is messages a second of ours to
theirs from the first connection to the last message, the median over the pairs.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import _senders
from _options import answer, parser, work_folder
from _postfix import sink
from _proxy import distant
from _runs import delivered, listed, ready
from _sample import sample
from _watch import Sent, say, watch

WANTED = 3.5


def measure(folder: Path, asked: argparse.Namespace, command: Callable[[int], list[str]]) -> Sent:
    """Return what it took to send everything over the distance, to a server of its own."""
    with sink(folder) as server, distant(server.port, asked.delay) as port:
        sent = watch(command(port), server, asked.readers, timeout=asked.timeout)
        return sent.require_all()


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=2000)
    options.add_argument("--connections", type=int, default=10)
    options.add_argument("--pairs", type=int, default=3, help="times that each sends (%(default)s)")
    options.add_argument("--delay", type=float, default=0.025, help="seconds each way (%(default)s)")
    asked = options.parse_args()
    pairs = []
    with work_folder(asked) as folder:
        found = sample(folder, asked, min(asked.readers, 1000))
        _senders.write(folder / "messages", found.mails)
        load = ["--count", str(asked.readers), "--connections", str(asked.connections)]
        theirs = [sys.executable, _senders.__file__, "aiosmtplib", str(folder / "messages"), *load, "--port"]
        room = listed(folder, asked, asked.readers)
        for n in range(asked.pairs):
            ours = delivered(measure(folder, asked, lambda port: ready(room, port)))
            other = measure(folder, asked, lambda port: [*theirs, str(port)])
            say(f"pair {n + 1}: {ours.per_second:.0f} a second, aiosmtplib {other.per_second:.0f}")
            pairs.append((ours, other))
    ratio = statistics.median(other.sending / ours.sending for ours, other in pairs)
    answer(
        {
            "readers": asked.readers,
            "connections": asked.connections,
            "delay_seconds": asked.delay,
            "settings": asked.set,
            "messages": found.document(),
            "pairs": [{"newsletter": ours.document(), "aiosmtplib": other.document()} for ours, other in pairs],
            "ratio": round(ratio, 2),
            "wanted": WANTED,
            "holds": ratio >= WANTED,
        }
    )


if __name__ == "__main__":
    main()
