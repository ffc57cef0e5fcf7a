"""A real HTTP server on loopback that answers what a test tells it to, and a client to ask it."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.domain.paper import Sighting
from newsletter.sources.base import Ask, Fetched, Source
from newsletter.sources.client import Client
from newsletter.sources.response import Response


@dataclass
class Answer:
    """What to answer once. ``length`` is what Content-Length claims; ``drop`` closes without a word."""

    body: bytes | str = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    drop: bool = False


@dataclass
class Request:
    """One request as it came."""

    time: float
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Upstream:
    """Answers each path with what ``say`` was given for it, in turn, the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: found[0] for name, found in parse_qs(url.query, keep_blank_values=True).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                upstream.requests.append(Request(time.time(), url.path, query, headers))
                self.answer(upstream.next(url.path))

            def answer(self, answer: Answer) -> None:
                if answer.drop:
                    self.close_connection = True
                    return
                body = answer.body.encode() if isinstance(answer.body, str) else answer.body
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
                self.end_headers()
                self.wfile.write(body)
                self.close_connection = answer.length is not None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def say(self, path: str, *answers: dict[str, Any] | bytes | str) -> str:
        """Set what *path* answers from now on, bodies or an Answer's fields; return its URL."""
        self._answers[path] = [Answer(**one) if isinstance(one, dict) else Answer(one) for one in answers]
        return self.url + path

    def next(self, path: str) -> Answer:
        """Return the answer that is due on *path*."""
        answers = self._answers[path]
        if not answers:
            return Answer('{"error": "no such page"}', 404)
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Return a server that answers what the test says."""
    server = Upstream()
    yield server
    server.close()


@pytest.fixture
def client(tmp_path: Path) -> Callable[..., Client]:
    """Return what makes a client that may ask this machine, for at most ten seconds."""

    def make(**options: Any) -> Client:
        given = {"user_agent": "papers-newsletter/0 (+tests)", "allow_private_address": True, "budget": 10}
        return Client(**{**given, "pace_dir": tmp_path, **options})

    return make


@pytest.fixture
def get(client: Callable[..., Client]) -> Callable[..., Response]:
    """Return what gets a URL with a client of its own; *budget* is its time."""

    def get(url: str, budget: float = 10, **options: Any) -> Response:
        async def turn() -> Response:
            async with client(budget=budget) as one:
                return await one.get(url, **options)

        return asyncio.run(turn())

    return get


@pytest.fixture
def fetch(client: Callable[..., Client]) -> Callable[..., Fetched]:
    """Return what asks a source for a date, or with *since* for what is new from then to it."""

    def fetch(source: Source, day: str = "2026-07-15", **options: Any) -> Fetched:
        async def turn() -> Fetched:
            async with client() as one:
                return await source.fetch(one, ask(day, **options))

        return asyncio.run(turn())

    return fetch


@pytest.fixture
def look_up(client: Callable[..., Client]) -> Callable[[Source, str], Sighting | None]:
    """Return what asks a source for one paper."""

    def look_up(source: Source, key: str) -> Sighting | None:
        async def turn() -> Sighting | None:
            async with client() as one:
                return await source.look_up(one, key, datetime(2026, 7, 15, 12, tzinfo=UTC))

        return asyncio.run(turn())

    return look_up


def ask(day: str, since: str = "", **options: Any) -> Ask:
    """Return what is asked at noon of *day*: that date, unless *since* says the first of several days."""
    last = date.fromisoformat(day)
    first = date.fromisoformat(since or day)
    days = tuple(date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))
    now = datetime.combine(last, datetime.min.time(), UTC).replace(hour=12)
    return Ask(**{"now": now, "today": last, "days": days, "dated": not since, **options})
