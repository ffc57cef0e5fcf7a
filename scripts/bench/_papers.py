"""A hundred thousand papers that never were, for measurements of what reads them.

Their words are drawn from an invented vocabulary by Zipf's law, as in real texts: the commonest is in nearly every
abstract, most are in a few. Rows are put into the tables at once instead of being gathered, which nothing here
measures; the triggers index them as they would any other, and the openings of their summaries are worked out as then.
"""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

from newsletter.services.openings import open_summaries
from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade

LAST_DAY = date(2026, 7, 10)
DAYS = 1500
CATEGORIES = ("cs.CL", "cs.LG", "cs.CV", "cs.AI", "cs.RO", "stat.ML", "math.OC", "q-bio.NC")
_VOCABULARY = 30_000
_SYLLABLES = ("ba", "con", "di", "fer", "ga", "lo", "mi", "nu", "po", "ra", "sta", "tor", "ver", "xi", "zen", "qua")
_CHUNK = 5_000


def word(rank: int) -> str:
    """Return the word of this *rank*, from 0: no two are alike."""
    said = _SYLLABLES[rank % 16] + _SYLLABLES[rank // 16 % 16]
    while rank := rank // 256:
        said += _SYLLABLES[rank % 16] + _SYLLABLES[rank // 16 % 16]
    return said


def fill(path: Path, count: int, seed: int = 1) -> None:
    """Put *count* papers into the database at *path*, spread over ``DAYS``; four in ten have upvotes."""
    upgrade(path, datetime.now(UTC))
    chance = random.Random(seed)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        begins = 1 + int(connection.execute("SELECT coalesce(max(id), 0) FROM papers").fetchone()[0])
        for first in range(begins, begins + count, _CHUNK):
            chunk = range(first, min(first + _CHUNK, begins + count))
            papers = [(n, *_paper(n, chance)) for n in chunk]
            with connection:
                connection.executemany(
                    "INSERT INTO papers (id, title, facts, withdrawn, first_seen_at) VALUES (?, ?, ?, 0, ?)",
                    ((n, facts["title"], json.dumps(facts), f"{day} 06:00:00.000000") for n, day, facts in papers),
                )
                keys = ((facts["arxiv_id"], n) for n, _, facts in papers)
                connection.executemany("INSERT INTO paper_keys (key, paper_id) VALUES (?, ?)", keys)
                connection.executemany(
                    "INSERT INTO listings (source, day, paper_id, upvotes, comments, position, submitter, first_seen)"
                    " VALUES ('papers', ?, ?, ?, 0, 0, '', 0)",
                    ((f"{day}", n, _votes(chance)) for n, day, _ in papers),
                )
    database = Database(path)
    asyncio.run(open_summaries(database, count))
    database.close()


def _paper(number: int, chance: random.Random) -> tuple[date, dict[str, Any]]:
    day = LAST_DAY - timedelta(days=chance.randrange(DAYS))
    names = _words(chance, 10)
    return day, {
        "title": " ".join(_words(chance, 9)).capitalize(),
        "arxiv_id": f"{day:%y%m}.{number:05}",
        "abstract": " ".join(_words(chance, 170)).capitalize() + ".",
        "authors": [f"{next(names).title()} {next(names).title()}" for _ in range(5)],
        "organisation": f"Institute of {next(_words(chance, 1)).title()}",
        "categories": chance.sample(CATEGORIES, 2),
        "published": f"{day}T00:00:00+00:00",
        "link": f"https://arxiv.org/abs/{day:%y%m}.{number:05}",
    }


def _votes(chance: random.Random) -> int | None:
    return int(chance.paretovariate(1)) if chance.random() < 0.4 else None


_WEIGHTS = list(accumulate(1 / (rank + 3) for rank in range(_VOCABULARY)))
_WORDS = [word(rank) for rank in range(_VOCABULARY)]


def _words(chance: random.Random, count: int) -> Iterator[str]:
    return iter(chance.choices(_WORDS, cum_weights=_WEIGHTS, k=count))
