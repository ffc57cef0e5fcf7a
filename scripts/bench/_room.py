"""What the measurements share: a newsletter in a folder of its own, with a sealed issue and a list of any length.

Real: the configuration, the secret, the SQLite database, and every command, each a process of its own. Three short
cuts are taken in the setup, which nothing here measures: papers are gathered and the issue is sealed in this process,
readers go on the list by the storage's own bulk insert rather than by ``subscribers import``, and ``keep`` and
``restore`` copy the database file, so that one list serves many runs.

Not here: the servers that take the mail (``_postfix``), and watching a sender at work (``_watch``).
"""

import asyncio
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from newsletter.app import open_app
from newsletter.domain.subscriber import Preferences, Status, Subscriber
from newsletter.services import edit
from newsletter.services.gather import gather
from newsletter.services.plan import Plan
from newsletter.storage import subscribers
from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade

SUBJECTS = ("graphs", "robots", "proteins", "speech", "markets", "weather", "proofs", "vision", "memory", "circuits")
_VERBS = ("align", "bound", "compress", "distil", "estimate", "explain", "learn", "plan", "retrieve", "simulate")
_TEXT = """
    a the of for with under over from between without adaptive sparse causal robust modular stochastic hierarchical
    model method bound corpus measure sample policy prior signal estimate schedule benchmark failure token gradient
    we show that this improves reduces explains predicts and but while across several many large small new held-out
"""
_WORDS = _TEXT.split()
_PAPERS_WANTED = (3, 4, 5, 5, 6, None)  # None: ten; five or six in the mean make digests of about 27 KB
PAPERS = 20
_USUAL = 5  # papers, where all digests are to have as many
_CHUNK = 20_000  # readers in one insert


Wishes = Callable[[random.Random], Preferences]


def mixed(chance: random.Random) -> Preferences:
    """Return what one of many wishes for: most have topics of their own, and another number of papers."""
    topics = tuple(chance.sample(SUBJECTS, chance.randrange(4)))
    return Preferences(topics=topics, max_papers=chance.choice(_PAPERS_WANTED))


def alike(_chance: random.Random) -> Preferences:
    """Return what all wish for where nobody's digest is personal."""
    return Preferences(max_papers=_USUAL)


def personal(chance: random.Random) -> Preferences:
    """Return what hardly anybody else wishes for, in digests as long as those that are alike."""
    words = (*SUBJECTS, *_VERBS)
    topics = [" ".join(chance.sample(words, chance.choice((1, 2, 2)))) for _ in range(chance.randint(2, 4))]
    return Preferences(topics=tuple(dict.fromkeys(topics)), max_papers=_USUAL)


class Room:
    """One newsletter, whose issue is sealed and whose readers are due since an hour.

    *folder* must exist. Tables of the configuration are given by name, over what is written here:
    ``Room(folder, smtp={"port": 2525, "connections": 8})``; ``configure`` changes them later.
    """

    def __init__(self, folder: Path, *, papers: int = PAPERS, **tables: Any) -> None:
        self.folder = folder
        self.config = folder / "newsletter.toml"
        self.database = folder / "newsletter.db"
        self.due_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
        self.day = self.due_at.date()
        self._tables: dict[str, Any] = {
            "newsletter": {
                "name": "Daily Papers",
                "sender": "Daily Papers <papers@example.org>",
                "reply_to": "editors@example.org",
                "base_url": "https://papers.example.org",
                "postal_address": "1 Example Street, Exampleton",
                "send_at": f"{self.due_at:%H:%M}",
                "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
            },
            "database": {"url": "sqlite:///newsletter.db"},
            "smtp": {"host": "127.0.0.1", "connections": 10},
            "sources": [{"kind": "file", "path": "papers.jsonl"}],
        }
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text("0123456789abcdef0123456789abcdef\n")
        self.configure(**tables)
        self._publish(papers)

    def configure(self, **tables: Any) -> None:
        """Change keys of tables, and write the configuration anew."""
        for name, table in tables.items():
            known = self._tables.get(name)
            self._tables[name] = known | table if isinstance(known, dict) else table
        self.config.write_text("\n".join(_toml(self._tables)) + "\n")

    def _publish(self, count: int) -> None:
        """Gather *count* papers and seal the issue: a front of ten, and the rest of its pool."""
        lines = [json.dumps(paper) for paper in _papers(count, self.day.isoformat())]
        (self.folder / "papers.jsonl").write_text("\n".join(lines))
        now = datetime.now(UTC)
        upgrade(self.database, now)
        with open_app(self.config, now) as app:
            asyncio.run(gather(app.database, app.gathering, now, day=self.day))
            with app.database.write() as session:
                edit.seal(session, app.policy, self.day, now)

    def add_readers(self, count: int, *, domains: int = 1000, seed: int = 1, wishes: Wishes = mixed) -> list[str]:
        """Put *count* readers on the list, due since an hour, and return their addresses.

        No two get the same digest: each has an address, an id and links of their own, and *wishes*. They are spread
        over *domains* destinations.
        """
        chance = random.Random(seed)
        ids = sorted(chance.sample(range(1 << 62), count))  # in order, since that is quicker to insert
        addresses = [_address(n, domains) for n in range(count)]
        database = Database(self.database)
        for first in range(0, count, _CHUNK):
            chunk = range(first, min(first + _CHUNK, count))
            with database.write() as session:
                readers = ((addresses[n], self._reader(ids[n], addresses[n], chance, wishes)) for n in chunk)
                subscribers.add(session, readers, self.due_at)
        database.close()
        return addresses

    def _reader(self, reader_id: int, address: str, chance: random.Random, wishes: Wishes) -> Subscriber:
        joined = self.due_at - timedelta(minutes=chance.randrange(1, 1_000_000))
        return Subscriber(
            id=reader_id,
            email=address,
            status=Status.ACTIVE,
            preferences=wishes(chance),
            created_at=joined,
            confirmed_at=joined,
            next_due_at=self.due_at,
            consent_source="a measurement",
        )

    def make_due(self) -> None:
        """Make every due row now, as the sender would do while it sends."""
        now = datetime.now(UTC)
        with open_app(self.config, now) as app:
            plan, more = Plan(app.settings, app.policy), True
            while more:
                with app.database.write() as session:
                    more = plan.make_due(session, now)

    def keep(self, name: str = "due") -> None:
        """Keep the database as it is now under *name*, for ``restore``. Nothing may be using it."""
        shutil.copyfile(self.database, self._kept(name))

    def restore(self, name: str = "due") -> None:
        """Put the database back as it was kept, so that what was sent since was not. Nothing may be using it."""
        for path in self._database_files:
            path.unlink(missing_ok=True)
        shutil.copyfile(self._kept(name), self.database)
        with self.database.open("rb") as file:
            os.fsync(file.fileno())  # what the copy leaves to be written must not slow down what is measured next

    def _kept(self, name: str) -> Path:
        return self.folder / f"kept-{name}.db"

    @property
    def database_bytes(self) -> int:
        """Return what the database takes on disk, its write-ahead log included."""
        return sum(path.stat().st_size for path in self._database_files if path.exists())

    @property
    def _database_files(self) -> list[Path]:
        return [self.database.with_name(self.database.name + end) for end in ("", "-wal", "-shm")]

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of ``newsletter ARGUMENTS``."""
        return [sys.executable, "-m", "newsletter", "--config", str(self.config), *arguments]

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``newsletter ARGUMENTS``, its answer in a pipe, what it says to people on standard error."""
        environment = {**os.environ, **(env or {})}
        return subprocess.Popen(
            self.command(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, *arguments: str, expect: int | None = 0, timeout: float = 600) -> Any:
        """Run ``newsletter ARGUMENTS --json`` to its end and return what it answers; *expect* is its exit status."""
        done = subprocess.run(
            self.command("--json", *arguments),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if expect not in {None, done.returncode}:
            raise SystemExit(f"newsletter {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr}")
        return json.loads(done.stdout) if done.stdout else None


def _address(n: int, domains: int) -> str:
    """Return the address of reader *n*: no two are the same, and their order is not that in which they joined."""
    return f"{n * 2654435761 % (1 << 32):08x}.reader@university-{n % domains}.example.net"


def _papers(count: int, day: str, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield papers as a file of papers lists them, in words that mean nothing and lengths as papers have them."""
    chance = random.Random(seed)
    for n in range(count):
        first, second = chance.sample(SUBJECTS, 2)
        title = f"Learning to {chance.choice(_VERBS)} {first} with {second}, part {n + 1}"
        words = chance.choices(_WORDS, k=chance.randrange(150, 220))
        authors = [f"{chance.choice('ABCDEFGH')}. {name.title()}" for name in chance.sample(_WORDS[10:], 6)]
        yield {
            "day": day,
            "arxiv_id": f"{day[2:4]}{day[5:7]}.{n + 1:05}",
            "title": title,
            "abstract": f"We study {first} and {second}. {' '.join(words).capitalize()}.",
            "authors": authors,
            "organisation": f"Institute of {second.title()}",
            "categories": ["cs.LG"],
            "published": day,
            "upvotes": 300 - 4 * n,
            "comments": chance.randrange(30),
            "links": {"code": f"https://code.example.org/{first}/{n}"},
        }


def _toml(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the lines of *tables* in TOML, whose texts, numbers and lists look as in JSON."""
    for name, value in tables.items():
        if not isinstance(value, dict) and not _are_tables(value):
            yield f"{name} = {json.dumps(value)}"
    for name, value in tables.items():
        key = prefix + (name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name))
        if isinstance(value, dict):
            yield f"[{key}]"
            yield from _toml(value, f"{key}.")
        elif _are_tables(value):
            for table in value:
                yield f"[[{key}]]"
                yield from _toml(table, f"{key}.")


def _are_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
