"""Measure in how much room it is remembered what readers were sent, and print it as JSON.

    scripts/dev bench remembered [--readers 10000] [--days 180] [--a-day 35]

A database as it comes about: so many papers are listed on each day, an issue is sealed, everybody who is due has a
digest made by the plan, and all of it counts as accepted. Readers have none to three topics. ``octets_a_paper`` is what
the papers, reasons and details of a delivery take; ``database_octets_a_paper`` all that the file grew by, so the whole
ledger with its indexes, which ``why`` and ``deliveries`` answer from. ``looking_ms`` is what it takes, once an issue,
to look for works that come back under another key.
"""

import argparse
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from making_due import LAST, accept, at, make, papers, readers, seal
from sqlalchemy import text

from newsletter.domain.pool import Pool
from newsletter.services.earlier import Earlier
from newsletter.storage import issues, sightings, subscribers
from newsletter.storage.database import Database
from newsletter.storage.picks import unpacked
from newsletter.storage.upgrade import upgrade


def measured(path: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """Have so many days pass, and return what they left."""
    upgrade(path, at(LAST))
    database = Database(path)
    days = [LAST - timedelta(days=n) for n in range(asked.days - 1, -1, -1)]
    with database.write() as session:
        sightings.store(session, list(papers(asked.a_day * asked.days, asked.days)))
        subscribers.add(session, readers(asked.readers, at(days[0])), at(days[0]))
    before = octets(database)
    for day in days:
        seal(database, day)
        make(database, day)
        accept(database, day)
    grown = octets(database) - before
    kept = "SELECT count(*), sum(length(CAST(picks AS BLOB))) FROM deliveries"
    with database.read() as session:
        rows, packed = session.connection().execute(text(kept)).one()
        newest = issues.newest_sealed(session)
        assert newest is not None
        shown = issues.pool(session, newest)
        began = time.process_time()
        Earlier(LAST).works(session, [Pool(shown.order, shown.front, shown.editors)])
        looking = time.process_time() - began
    sent = papers_sent(database)
    return {
        "readers": asked.readers,
        "days": asked.days,
        "deliveries": rows,
        "papers_sent": sent,
        "octets_a_paper": round(packed / sent, 2),
        "octets_a_delivery": round(packed / rows, 1),
        "database_octets_a_paper": round(grown / sent, 1),
        "database_mb": round((before + grown) / 1e6, 1),
        "looking_ms": round(looking * 1000, 1),
    }


def octets(database: Database) -> int:
    """Return how large the database is."""
    with database.read() as session:
        pages, size = (session.connection().execute(text(f"PRAGMA page_{n}")).scalar_one() for n in ("count", "size"))
    return int(pages * size)


def papers_sent(database: Database) -> int:
    """Return how many papers were sent to anybody."""
    with database.read() as session:
        return sum(
            len(unpacked(kept)) for (kept,) in session.connection().execute(text("SELECT picks FROM deliveries"))
        )


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--readers", type=int, default=10_000)
    options.add_argument("--days", type=int, default=180)
    options.add_argument("--a-day", type=int, default=35, help="papers listed (%(default)s)")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        answer(measured(folder / "newsletter.db", asked))


if __name__ == "__main__":
    main()
