"""How large the database is after a year of a list, and what giving up old rows costs.

    scripts/dev bench retention [--readers 2000] [--issues 260] [--listed 60]

A list of the size asked for gets ten different papers of each issue's sixty, five issues a week, by the ledger's own
statements; every evening what is old is given up, as after a run. ``ledger_rows`` is what the default is for a list of
a million, in proportion. What grows with the list is multiplied up to a million readers, what does not is added as it
is; ``by_table`` says which is which. Nothing is sent.
"""

import argparse
import asyncio
import random
import sqlite3
import time
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from sqlmodel import SQLModel, insert

from newsletter.config.retention import RetentionSettings
from newsletter.domain.subscriber import Preferences, Status, Subscriber
from newsletter.services.retention import keep_house
from newsletter.storage import subscribers
from newsletter.storage.database import Database, fold
from newsletter.storage.upgrade import upgrade

MILLION = 1_000_000
PICKS = 10
FIRST = date(2026, 1, 5)
_OF_THE_LIST = ("subscribers", "deliveries", "had")  # tables that grow with it, and their indexes
_ABSTRACT = "We study a question with care, and find that it has more sides than was thought. " * 14


def measure(path: Path, readers: int, issues: int, listed: int) -> dict[str, Any]:
    """Live through *issues* days of a list, and return what is left of them."""
    draw, kept = random.Random(1), RetentionSettings(ledger_rows=max(1, readers * 5 // 2))
    upgrade(path, datetime.now(UTC))
    database = Database(path)
    ids = _subscribe(database, readers)
    longest, giving_up, most = 0.0, 0.0, 0
    for number in range(issues):
        day = FIRST + timedelta(number // 5 * 7 + number % 5)
        _issue(database, number, day, ids, listed, draw)
        began, cpu = time.monotonic(), time.process_time()
        while not asyncio.run(keep_house(database, kept, day, _at(day, 12), budget=60)):
            pass
        longest, giving_up = max(longest, time.monotonic() - began), giving_up + time.process_time() - cpu
        most = max(most, path.stat().st_size)
    database.close()
    fold(path)
    return {"cpu_us_per_delivery": round(giving_up / (readers * issues) * 1e6, 1), "most_mb": _mb(most)} | _sizes(
        path, readers
    )


def _subscribe(database: Database, readers: int) -> list[int]:
    now = _at(FIRST, 0)
    held = [
        Subscriber(
            id=subscribers.new_id(),
            email=f"reader{n}@example.net",
            status=Status.ACTIVE,
            preferences=Preferences(topics=(f"topic {n % 500}",)),
            created_at=now,
            confirmed_at=now,
            next_due_at=now,
        )
        for n in range(readers)
    ]
    with database.write() as session:
        subscribers.add(session, [(one.email, one) for one in held], now)
    return [one.id for one in held]


def _issue(database: Database, number: int, day: date, ids: list[int], listed: int, draw: random.Random) -> None:
    """Store an issue of *listed* papers, and a delivery for each reader that was accepted."""
    papers = range(number * listed + 1, (number + 1) * listed + 1)
    facts = {
        "title": "A title of usual length for a paper of our days",
        "abstract": _ABSTRACT,
        "authors": ["A. Uthor"] * 8,
    }
    with database.write() as session:
        tables, connection = SQLModel.metadata.tables, session.connection()
        at = _at(day, 8)
        seen = [
            {"id": i, "title": facts["title"], "facts": facts, "withdrawn": False, "first_seen_at": at} for i in papers
        ]
        connection.execute(insert(tables["papers"]), seen)
        sealed = {"id": number + 1, "day": day, "status": "sealed", "hand": {}, "subject": "", "note": "", "reason": ""}
        connection.execute(insert(tables["issues"]), [sealed | {"brake": "none", "sealed_at": at}])
        rows = [_delivery(number, place, reader, day, draw.sample(papers, PICKS)) for place, reader in enumerate(ids)]
        connection.execute(insert(tables["deliveries"]), rows)


def _delivery(number: int, place: int, reader: int, day: date, picks: list[int]) -> dict[str, Any]:
    at = _at(day, 8) + timedelta(milliseconds=place)
    delivery = (int(at.timestamp() * 1000) << 20) + place % (1 << 20)
    return {
        "id": delivery,
        "subscriber_id": reader,
        "issue_id": number + 1,
        "day": day,
        "status": "accepted",
        "message_id": f"<{delivery:016x}@papers.example.org>",
        "made_at": at,
        "next_attempt_at": at,
        "expires_at": at + timedelta(hours=20),
        "served_on": day - timedelta(1),
        "attempts": 1,
        "uncertain": 0,
        "offered_at": at,
        "settled_at": at,
        "route": "smtp.example.org",
        "server": "127.0.0.1:25 (mail.example.org)",
        "reply": "250 2.0.0 Ok: queued as 4F1BC2A3D4",
        "picks": [(paper, "front", "") for paper in picks],
        "unlisted": "",
    }


def _sizes(path: Path, readers: int) -> dict[str, Any]:
    with closing(sqlite3.connect(path)) as connection:
        owners = dict(connection.execute("SELECT name, tbl_name FROM sqlite_master"))
        pages = connection.execute("SELECT name, sum(pgsize) FROM dbstat GROUP BY name").fetchall()
    sizes: dict[str, int] = {}
    for name, octets in pages:
        table = owners.get(name, name)
        sizes[table] = sizes.get(table, 0) + octets
    grows = sum(size for table, size in sizes.items() if table in _OF_THE_LIST)
    free = path.stat().st_size - sum(sizes.values())
    return {
        "by_table": {table: size for table, size in sorted(sizes.items(), key=lambda one: -one[1]) if size > 4096},
        "free_octets": free,
        "octets_per_reader": round(grows / readers),
        "million_gb": round(((grows + free) / readers * MILLION + sum(sizes.values()) - grows) / 1e9, 2),
    }


def _mb(octets: float) -> float:
    return round(octets / 1e6, 1)


def _at(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def main() -> None:
    """Measure, and print JSON."""
    options: argparse.ArgumentParser = parser(__doc__)
    options.add_argument("--readers", type=int, default=2000)
    options.add_argument("--issues", type=int, default=260, help="days with an issue, five a week (%(default)s)")
    options.add_argument("--listed", type=int, default=60, help="papers of an issue (%(default)s)")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        found = measure(folder / "newsletter.db", asked.readers, asked.issues, asked.listed)
    wanted = {"wanted_gb": 5, "holds": found["million_gb"] <= 5}
    answer({"readers": asked.readers, "issues": asked.issues, **found, **wanted})


if __name__ == "__main__":
    main()
