"""Measure what an operator waits for on the path from sources to due readers, and print it as JSON.

    scripts/dev bench path [--readers 100000] [--entries 405]

Each figure stands beside a public yardstick measured in the same run; ratios are what to compare, since machines are
noisy. ``gather``: parsing, merging and storing a day of arXiv entries, against feedparser's parsing alone of the same
answer. ``import``: addresses into the list, against email-validator checking them alone. ``help``: ``newsletter
--help`` as a process, against a Python process that imports click.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import feedparser
from email_validator import validate_email

from newsletter.domain.paper import Listing, Sighting
from newsletter.sources.arxiv import read_feed
from newsletter.sources.response import Response
from newsletter.storage import sightings
from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
ENTRY = """<entry><id>http://arxiv.org/abs/2607.{n:05}v1</id><title>On the {n}th example</title>
<published>2026-07-14T17:00:00Z</published><updated>2026-07-14T17:00:00Z</updated>
<summary>{abstract}</summary><author><name>A. Uthor{n}</name></author><author><name>B. Writer</name></author>
<category term="cs.CL"/><category term="cs.LG"/></entry>"""
FEED = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">
<opensearch:totalResults>{count}</opensearch:totalResults>{entries}</feed>"""


def seconds(work: Callable[[], object]) -> float:
    """Return how long *work* takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def gather(folder: Path, entries: int) -> dict[str, float]:
    """Measure a day of arXiv, from the answer to the commit."""
    said = "".join(ENTRY.format(n=n, abstract="word " * 250) for n in range(entries))
    body = FEED.format(count=entries, entries=said).encode()
    response = Response(url="http://127.0.0.1/", status=200, headers={}, body=body)
    upgrade(folder / "gather.db", NOW)
    database = Database(folder / "gather.db")

    def ours() -> None:
        listed = Listing(source="arxiv", day=NOW.date(), first_seen=True)
        seen = [
            Sighting(source="arxiv", kind="arxiv", seen_at=NOW, paper=paper, listing=listed)
            for paper in read_feed(response).papers
        ]
        with database.write() as session:
            sightings.store(session, seen)

    return figures(seconds(ours), seconds(lambda: feedparser.parse(body)))


def list_import(folder: Path, readers: int) -> dict[str, float]:
    """Measure the command that imports addresses, a process of its own."""
    addresses = [f"reader{n}@university-{n % 997}.example.org" for n in range(readers)]
    (folder / "readers.txt").write_text("\n".join(addresses))
    run = [sys.executable, "-m", "newsletter"]
    subprocess.run([*run, "init", str(folder / "news")], check=True, capture_output=True)
    command = [
        *run,
        "--config",
        str(folder / "news/newsletter.toml"),
        "subscribers",
        "import",
        str(folder / "readers.txt"),
    ]
    ours = seconds(lambda: subprocess.run(command, check=True, capture_output=True))
    return figures(ours, seconds(lambda: [validate_email(a, check_deliverability=False) for a in addresses]))


def help_text() -> dict[str, float]:
    """Measure ``--help``, the best of several, since starting a process is noisy."""

    def best(*command: str) -> float:
        def once() -> None:
            subprocess.run([sys.executable, *command], check=True, capture_output=True)

        return min(seconds(once) for _ in range(7))

    return figures(best("-m", "newsletter", "subscribers", "add", "--help"), best("-c", "import click"))


def figures(ours: float, yardstick: float) -> dict[str, float]:
    """Return both, and how many times the yardstick ours takes."""
    return {"seconds": round(ours, 3), "yardstick_seconds": round(yardstick, 3), "ratio": round(ours / yardstick, 2)}


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--entries", type=int, default=405)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "gather": {"entries": asked.entries} | gather(folder, asked.entries),
            "import": {"readers": asked.readers} | list_import(folder, asked.readers),
            "help": help_text(),
        }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
