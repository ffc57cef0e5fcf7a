"""Measure how long a search takes among a hundred thousand papers, and print it as JSON.

    scripts/dev bench search [--papers 100000] [--times 5]

Each search of a mixed list (common and rare words, phrases, names, categories, years, what is left out, beginnings) is
asked for in each order, on its first page and on its tenth, through ``storage.search``: counting and loading the papers
of the page included. ``p95_ms`` is of all of them, ``cpu_p95_ms`` the same in processor time, which other programs
disturb less; ``worst`` names the slowest. Two yardsticks answer what they can of the same: ``like`` goes through all
abstracts for one common word, newest first, and ``ranked`` lets the index rank all that it finds, as is usual.
"""

import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _options import answer, parser, work_folder
from _papers import fill, word
from sqlalchemy import text

from newsletter.domain.search import Sort, parse_search
from newsletter.storage.database import Database
from newsletter.storage.search import find

WANTED_MS = 50.0
_PAGE = 20
_LIKE = text(
    "SELECT id FROM papers WHERE json_extract(facts, '$.abstract') LIKE :word OR title LIKE :word"
    " ORDER BY json_extract(facts, '$.published') DESC LIMIT 20"
)
_RANKED = text("SELECT rowid FROM search_words WHERE search_words MATCH :word ORDER BY rank LIMIT 20")


def searches() -> list[str]:
    """Return what is looked for: of ranks 0 and 1 are in nearly every paper, those of ranks over 1,000 in a few."""
    common, usual, rare = (
        [word(n) for n in range(6)],
        [word(n) for n in range(20, 80, 6)],
        [word(n) for n in (2000, 9000)],
    )
    chance = random.Random(3)
    return [
        *common,
        *usual,
        *rare,
        f"{common[0]} {common[1]}",
        f"{common[2]} {usual[0]} {usual[1]}",
        f'"{common[0]} {common[1]}"',
        f'"{common[1]} {common[0]}" {usual[2]}',
        f"{common[0]} -{common[3]}",
        f"{usual[0]} -{rare[0]} -{rare[1]}",
        f"author:{common[0]} {usual[3]}",
        f'author:"{common[0]} {common[1]}"',
        f"{common[0]} cat:cs.CL",
        f"{common[1]} cat:cs year:2025",
        "year:2024-2026",
        "cat:cs",
        f"org:{common[0]}",
        f"{usual[0][:3]}*",
        f"{common[0]} {usual[4][:4]}*",
        " ".join(common + usual),
        *(f"{chance.choice(usual)} {chance.choice(common)}" for _ in range(6)),
    ]


def timed(done: Callable[[], object]) -> tuple[float, float]:
    """Return how many milliseconds something takes, by the clock and of the processor."""
    began, used = time.perf_counter(), time.process_time()
    done()
    return 1000 * (time.perf_counter() - began), 1000 * (time.process_time() - used)


def asked_for(database: Database, times: int) -> dict[str, Any]:
    """Return how long the searches take, each so many *times*."""
    found: dict[str, list[tuple[float, float]]] = {}
    for written in searches():
        for sort in Sort:
            for offset in (0, 9 * _PAGE):

                def once(written: str = written, sort: Sort = sort, offset: int = offset) -> None:
                    with database.read() as session:
                        find(session, parse_search(written), sort, limit=_PAGE, offset=offset)

                found[f"{written}, {sort}, {offset}"] = [timed(once) for _ in range(times)]
    every = [took for one in found.values() for took in one]
    worst = max(found, key=lambda name: min(cpu for _, cpu in found[name]))
    return {
        "searches": len(every),
        "p50_ms": _quantile([wall for wall, _ in every], 50),
        "p95_ms": _quantile([wall for wall, _ in every], 95),
        "cpu_p95_ms": _quantile([cpu for _, cpu in every], 95),
        "worst": {"search": worst, "cpu_ms": round(min(cpu for _, cpu in found[worst]), 1)},
    }


def _quantile(times: list[float], percent: int) -> float:
    return round(statistics.quantiles(times, n=100, method="inclusive")[percent - 1], 2)


def yardsticks(database: Database, times: int) -> dict[str, float]:
    """Return how many milliseconds of the processor the other ways take for one common word, at best."""

    def ask(statement: Any, said: str) -> float:
        def once() -> None:
            with database.read() as session:
                session.execute(statement, {"word": said}).all()

        return round(min(timed(once)[1] for _ in range(times)), 1)

    return {"like_cpu_ms": ask(_LIKE, f"%{word(5)}%"), "ranked_cpu_ms": ask(_RANKED, f'"{word(0)}"')}


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--papers", type=int, default=100_000)
    options.add_argument("--times", type=int, default=5, help="that each search is asked for (%(default)s)")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        found = _measured(folder / "newsletter.db", asked.papers, asked.times)
    answer({"papers": asked.papers, **found, "wanted_ms": WANTED_MS, "holds": found["p95_ms"] <= WANTED_MS})


def _measured(path: Path, count: int, times: int) -> dict[str, Any]:
    began = time.perf_counter()
    fill(path, count)
    filled = time.perf_counter() - began
    database = Database(path)
    found = {**asked_for(database, times), "yardsticks": yardsticks(database, min(times, 3))}
    database.close()
    return {"filling_s": round(filled, 1), "database_mb": round(path.stat().st_size / 1e6), **found}


if __name__ == "__main__":
    main()
