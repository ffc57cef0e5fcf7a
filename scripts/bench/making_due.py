"""Measure what it costs to make readers due, and print it as JSON.

    scripts/dev bench making_due [--readers 100000] [--papers 400] [--days 7]

The list has readers with none to three topics each, out of forty of which some are more popular than others; the pool
has papers of seven days. ``new`` readers had nothing so far; those ``with_history`` had a digest on each of the days
before. Figures are CPU time of this process per reader, commits included, and the longest time for which one chunk
kept the write lock. ``yardstick`` writes the same rows with plain sqlite3 into a copy of the same database, in chunks
of the same size, without choosing anything: its own ``executemany`` for deliveries and for subscribers, no more.
"""

import argparse
import random
import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from sqlalchemy import text

from newsletter.config.settings import Settings
from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.domain.subscriber import Preferences, Status, Subscriber
from newsletter.services import edit
from newsletter.services.due import CHUNK
from newsletter.services.edit import Policy
from newsletter.services.plan import Plan
from newsletter.storage import hands, issues, sightings, subscribers
from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade

LAST = date(2026, 7, 17)
POLICY = Policy(shares={"lists": 1}, topics=[], max_papers=10, lookback_days=7)
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TABLES: dict[str, Any] = {
    "file": "/nowhere/newsletter.toml",
    "newsletter": {"sender": "Daily Papers <papers@example.org>", "reply_to": "ed@example.org", "days": WEEKDAYS},
    "sources": [{"kind": "huggingface", "name": "lists"}],
}
TOPICS = [f"field{n}" for n in range(40)]
POPULARITY = list(accumulate(1 / (n + 1) ** 0.5 for n in range(len(TOPICS))))
FILLING = "a model of modest size reads long documents with less memory than was thought to be needed"
INSERTED = 20_000  # readers in one statement of the setup


def at(day: date) -> datetime:
    """Return when readers are due on *day*."""
    return datetime(day.year, day.month, day.day, 8, tzinfo=UTC)


def papers(count: int, days: int) -> Iterator[Sighting]:
    """Yield so many papers spread over the last days, each of two or three topics, some with many votes."""
    chance = random.Random(1)
    for n in range(count):
        day = LAST - timedelta(days=n % days)
        words = [*chance.choices(TOPICS, cum_weights=POPULARITY, k=3), *chance.choices(FILLING.split(), k=180)]
        paper = Paper(title=f"On {words[0]} {n}", abstract=" ".join(words), arxiv_id=f"2607.{n:05}")
        listing = Listing(source="lists", day=day, upvotes=int(chance.paretovariate(1)), position=n)
        yield Sighting(source="lists", kind="huggingface", seen_at=at(day), paper=paper, listing=listing)


def readers(count: int, due_at: datetime) -> Iterator[tuple[str, Subscriber]]:
    """Yield readers who are due at *due_at*."""
    chance = random.Random(2)
    for n, subscriber_id in enumerate(sorted(chance.sample(range(1 << 62), count))):
        topics = dict.fromkeys(chance.choices(TOPICS, cum_weights=POPULARITY, k=chance.randrange(4)))
        email = f"reader{n}@university-{n % 997}.example.org"
        yield (
            email,
            Subscriber(
                id=subscriber_id,
                email=email,
                status=Status.ACTIVE,
                preferences=Preferences(topics=tuple(topics)),
                created_at=due_at,
                next_due_at=due_at,
            ),
        )


def seal(database: Database, day: date) -> None:
    """Seal the issue of *day*."""
    with database.write() as session:
        draft = issues.draft(session, day)
        arranged = edit.arranged_now(session, POLICY, day, hands.of(session, draft.id))
        issues.seal(session, draft, arranged, (), at(day))


def make(database: Database, day: date) -> dict[str, Any]:
    """Make everybody due who is, and return what it took."""
    plan = Plan(Settings.model_validate(TABLES), POLICY)
    cpu, longest, times, more = time.process_time(), 0.0, list[float](), True
    while more:
        with database.write() as session:
            began = time.perf_counter()
            more = plan.make_due(session, at(day))
        times.append(time.perf_counter() - began)
        longest = max(times)
    return {"cpu": time.process_time() - cpu, "longest": longest, "first": times[0]}


def accept(database: Database, day: date) -> None:
    """Record what was made as accepted."""
    with database.write() as session:
        session.execute(text("UPDATE deliveries SET status = 'accepted' WHERE status = 'ready'"))
        session.execute(text("UPDATE subscribers SET last_accepted_on = last_issue_on"))


def measure(folder: Path, asked: argparse.Namespace, history: int) -> dict[str, Any]:
    """Measure one day after *history* days on which everybody had a digest."""
    path = folder / f"{history}.db"
    upgrade(path, at(LAST))
    database = Database(path)
    days = [LAST - timedelta(days=n) for n in range(history, -1, -1)]
    with database.write() as session:
        sightings.store(session, list(papers(asked.papers, asked.days)))
    someone = readers(asked.readers, at(days[0]))
    for _ in range(0, asked.readers, INSERTED):
        with database.write() as session:
            subscribers.add(session, [one for one, _ in zip(someone, range(INSERTED), strict=False)], at(days[0]))
    for day in days[:-1]:
        seal(database, day)
        make(database, day)
        accept(database, day)
    seal(database, LAST)
    database.close()
    before = Path(shutil.copy(path, folder / "before.db"))
    database = Database(path)
    took = make(database, LAST)
    database.close()
    yardstick = plainly(path, before, at(LAST))
    before.unlink()
    return {
        "cpu_us_per_reader": round(took["cpu"] / asked.readers * 1e6, 2),
        "yardstick_us_per_reader": round(yardstick / asked.readers * 1e6, 2),
        "ratio": round(took["cpu"] / yardstick, 2),
        "first_chunk_ms": round(took["first"] * 1e3, 1),
        "longest_chunk_ms": round(took["longest"] * 1e3, 1),
    }


def plainly(path: Path, before: Path, now: datetime) -> float:
    """Write what was made at *now* into the database as it was before, and return the CPU seconds that it takes."""
    made = sqlite3.connect(path)
    written = f"{now:%Y-%m-%d %H:%M:%S}.000000"
    rows = made.execute("SELECT * FROM deliveries WHERE made_at = ? ORDER BY id", (written,)).fetchall()
    facts = "last_digest_on, last_issue_on, next_due_at"
    changed = {i: rest for i, *rest in made.execute(f"SELECT id, {facts} FROM subscribers")}
    made.close()
    target = sqlite3.connect(before, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -65536"):
        target.execute(f"PRAGMA {pragma}")
    insert = f"INSERT INTO deliveries VALUES ({', '.join('?' * len(rows[0]))})"
    change = "UPDATE subscribers SET last_digest_on = ?, last_issue_on = ?, next_due_at = ? WHERE id = ?"
    began = time.process_time()
    for first in range(0, len(rows), CHUNK):
        some = rows[first : first + CHUNK]
        target.execute("BEGIN IMMEDIATE")
        target.executemany(insert, some)
        target.executemany(change, [(*changed[row[1]], row[1]) for row in some])
        target.execute("COMMIT")
    took = time.process_time() - began
    target.close()
    return took


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=100_000)
    options.add_argument("--papers", type=int, default=400)
    options.add_argument("--days", type=int, default=7)
    asked = options.parse_args()
    with work_folder(asked) as folder:
        answer(
            {
                "readers": asked.readers,
                "papers": asked.papers,
                "chunk": CHUNK,
                "new": measure(folder, asked, 0),
                "with_history": measure(folder, asked, asked.days),
            }
        )


if __name__ == "__main__":
    main()
