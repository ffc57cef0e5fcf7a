"""Live through a year of a newsletter, and count at the receiving side whether any mail was missing or double.

    scripts/dev bench year [--days 365] [--readers 200] [--seed 1]

Four ticks a day by a clock of its own, over a real database and SMTP on loopback: readers in six zones join, leave,
bounce, complain, pause and change zones; the machine is off for days, the mail server refuses for days; one backup is
put back, one newer program upgrades the database, one secret is replaced. ``explained`` counts what ``why`` said of
readers to whom nothing came on a day, and of a tenth of the others; ``faults`` is what must not be, and empty where it
``holds``. SIGTERM ends it early, and what was ``lived`` through counts. --dir /dev/shm spares the disk's waiting.
"""

import sys
from pathlib import Path

from _options import answer, parser, work_folder

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

from year import Year  # type: ignore[attr-defined] # of the tests, not of this file


def main() -> None:
    """Live, and print JSON."""
    options = parser(__doc__)
    options.add_argument("--days", type=int, default=365)
    options.add_argument("--readers", type=int, default=200)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with work_folder(asked) as folder:
        year = Year(folder, days=asked.days, readers=asked.readers, seed=asked.seed)
        try:
            year.live(
                lambda day: print(f"\r{day} ", end="", file=sys.stderr, flush=True) if day.day % 10 == 1 else None
            )
        except SystemExit:  # by SIGTERM: what was lived through so far counts
            pass
        finally:
            year.judge()
            year.close()
    found = year.document()
    answer(found)
    sys.exit(0 if found["holds"] else 1)


if __name__ == "__main__":
    main()
