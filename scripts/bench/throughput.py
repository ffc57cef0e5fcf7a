"""Measure how fast digests go out, beside the fastest load generator on the same machine, and print it as JSON.

    scripts/dev bench throughput [--readers 50000] [--connections 10] [--pairs 5] [--rivals smtp-source ...]

Every reader's digest is different. Postfix's smtp-sink takes them on loopback and counts; in each round every
contestant sends the same number over the same number of connections to a fresh one, in turns:

newsletter      ``newsletter deliver``, a process of its own, which makes the readers due while it sends
made-before     the same, with the rows of those who are due made before
smtp-source     Postfix's generator, one message again and again, as long as ours are in the mean
aiosmtplib      its ``sendmail``, composed messages (some thousands of ours, again and again) in memory
smtplib         Python's, the same over one connection

``sending`` is from the first connection to the last message that the server took; ``process`` the whole process from
start to exit. Ratios are messages a second of ours to theirs, the median over the rounds.
"""

import argparse
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _senders
from _options import answer, parser, work_folder
from _postfix import sink, source
from _runs import delivered, listed, made, ready
from _sample import sample, text_size
from _watch import Sent, say, watch

HOLDS = {"smtp-source": 1.0, "aiosmtplib": 2.0, "smtplib": 1.0}  # what the ratio of the sending times is to be
OURS = ("newsletter", "made-before")
Contest = Callable[[int], list[str]]  # makes ready, and returns the command that sends to a port


class Contests:
    """Who sends, and how each is made ready. Ours are two."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self._asked = asked
        found = sample(folder, asked, min(asked.sample, asked.readers))
        self.sampled = found.document()
        self._messages = folder / "messages"
        _senders.write(self._messages, found.mails)
        self._text = text_size(folder, found.mean_bytes)
        self._room = listed(folder, asked, asked.readers)
        self.by_name: dict[str, Contest] = {"newsletter": lambda port: ready(self._room, port)}
        if not asked.not_made_before:
            made(self._room)
            self.by_name["made-before"] = lambda port: ready(self._room, port, "made")
        self.by_name |= {name: self._rival(name) for name in asked.rivals}

    def _rival(self, name: str) -> Contest:
        count, connections = self._asked.readers, self._asked.connections
        if name == "smtp-source":
            return lambda port: source(port, count=count, connections=connections, size=self._text)
        options = [name, str(self._messages), "--count", str(count), "--connections", str(connections)]
        return lambda port: [sys.executable, _senders.__file__, *options, "--port", str(port)]


def measure(folder: Path, contest: Contest, asked: argparse.Namespace) -> Sent:
    """Let one contestant send everything, once, to a server of its own."""
    with sink(folder) as server:
        return watch(contest(server.port), server, asked.readers, timeout=asked.timeout).require_all()


def rounds(folder: Path, contests: Contests, asked: argparse.Namespace) -> list[dict[str, Sent]]:
    """Return what each contestant came to in each round; who begins changes from round to round."""
    names = list(contests.by_name)
    found: list[dict[str, Sent]] = []
    for n in range(asked.pairs):
        found.append({})
        for name in names[n % len(names) :] + names[: n % len(names)]:
            sent = measure(folder, contests.by_name[name], asked)
            if name in OURS:
                delivered(sent)
            found[-1][name] = sent
            say(f"round {n + 1}, {name}: {sent.per_second:.0f} a second, the process {sent.ended:.2f} s")
    return found


def ratios(found: list[dict[str, Sent]], ours: str, rival: str) -> dict[str, Any]:
    """Return how many times as fast as *rival* *ours* was, round by round and in the median."""
    sending = [one[rival].sending / one[ours].sending for one in found]
    process = [one[rival].ended / one[ours].ended for one in found]
    return {
        "sending": round(statistics.median(sending), 2),
        "process": round(statistics.median(process), 2),
        "sending_each": [round(ratio, 2) for ratio in sending],
        "wanted": HOLDS[rival],
        "holds": statistics.median(sending) >= HOLDS[rival],
    }


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=50_000)
    options.add_argument("--connections", type=int, default=10)
    options.add_argument("--pairs", type=int, default=5, help="rounds in which each sends once (%(default)s)")
    options.add_argument("--sample", type=int, default=2000, help="messages looked at, and for rivals (%(default)s)")
    options.add_argument("--rivals", nargs="*", choices=HOLDS, default=list(HOLDS), metavar="NAME")
    options.add_argument("--not-made-before", action="store_true", help="leave that contestant out")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        contests = Contests(folder, asked)
        found = rounds(folder, contests, asked)
    answer(
        {
            "readers": asked.readers,
            "connections": asked.connections,
            "settings": asked.set,
            "messages": contests.sampled,
            "rounds": [{name: sent.document() for name, sent in one.items()} for one in found],
            "ratios": {
                ours: {rival: ratios(found, ours, rival) for rival in asked.rivals}
                for ours in OURS
                if ours in contests.by_name
            },
        }
    )


if __name__ == "__main__":
    main()
