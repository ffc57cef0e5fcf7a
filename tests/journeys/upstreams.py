"""An HTTP server on loopback that plays Hugging Face and arXiv at an instant of the test's choosing.

It answers with the papers that the upstreams would show at ``now``, keeps a log of what was asked when, and can be
told to fail.
"""

import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

EASTERN = ZoneInfo("America/New_York")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Request:
    """What was asked, when by the test's clock, and by whom."""

    at: datetime
    path: str
    query: dict[str, str]
    user_agent: str


@dataclass
class Submission:
    """A paper at arXiv, visible from ``announced`` on."""

    arxiv_id: str
    submitted: datetime
    announced: datetime
    title: str = "A submission"
    comment: str = ""


@dataclass
class Entry:
    """A paper on a day's list, from an instant on."""

    arxiv_id: str
    day: date
    appears: datetime
    upvotes: int = 1


@dataclass
class Fault:
    """What to answer instead: a page that says nothing, or a status with headers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"<html><body>We are back soon.</body></html>"


class Upstreams:
    """Both upstreams under one address."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.submissions: list[Submission] = []
        self.entries: list[Entry] = []
        self.bodies: dict[str, bytes] = {}  # instead of what would be made up, by the start of the path
        self.fault: Callable[[str], Fault | None] = lambda _path: None
        self.log: list[Request] = []
        upstreams = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(url.query).items()}
                upstreams.log.append(Request(upstreams.now, url.path, query, self.headers["User-Agent"]))
                answer = upstreams.fault(url.path) or Fault(body=upstreams.answer(url.path, query))
                answer = answer if answer.body else Fault(status=404, body=b'{"error": "not found"}')
                self.send_response(answer.status)
                for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def sources(self) -> list[dict[str, object]]:
        """Return the configuration of both sources."""
        common = {"base_url": self.url, "allow_private_address": True}
        return [
            {"kind": "huggingface", "share": 7, **common},
            {"kind": "arxiv", "share": 3, "categories": ["cs.CL"], **common},
        ]

    def asked(self, path: str) -> list[datetime]:
        """Return when a path that begins so was asked."""
        return [request.at for request in self.log if request.path.startswith(path)]

    def catch_breath(self) -> None:
        """Let the pause pass that arXiv wants between two requests: the test's clock does not wait for it."""
        (Path(tempfile.gettempdir()) / f"papers-newsletter-pace-127.0.0.1-{self.port}").unlink(missing_ok=True)

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self.catch_breath()

    def answer(self, path: str, query: dict[str, str]) -> bytes:
        """Return what the upstream of *path* answers, b'' for a page that is not there."""
        if written := next((body for start, body in self.bodies.items() if path.startswith(start)), None):
            return written
        if path == "/api/daily_papers":
            return self._list(date.fromisoformat(query["date"]))
        if path == "/api/query":
            return _feed(self._found(query))
        return b""

    def _list(self, day: date) -> bytes:
        shown = [e for e in self.entries if e.day == day and e.appears <= self.now]
        return json.dumps(
            [
                {
                    "paper": {"id": e.arxiv_id, "title": f"Paper {e.arxiv_id}", "upvotes": e.upvotes, "authors": []},
                    "numComments": 0,
                }
                for e in sorted(shown, key=lambda e: -e.upvotes)
            ]
        ).encode()

    def _found(self, query: dict[str, str]) -> Iterable[Submission]:
        shown = [s for s in self.submissions if s.announced <= self.now]
        if "id_list" in query:
            return [s for s in shown if s.arxiv_id == query["id_list"]]
        between = re.search(r"submittedDate:\[(\d{8})0000 TO (\d{8})2359\]", query["search_query"])
        assert between
        found = [s for s in shown if between[1] <= f"{s.submitted:%Y%m%d}" <= between[2]]
        return sorted(found, key=lambda s: s.submitted, reverse=True)


def _feed(found: Iterable[Submission]) -> bytes:
    entries = [
        f"<entry><id>http://arxiv.org/abs/{s.arxiv_id}v1</id><title>{s.title}</title><summary>We study it.</summary>"
        f"<arxiv:comment>{s.comment}</arxiv:comment>"
        f"<published>{s.submitted:%Y-%m-%dT%H:%M:%SZ}</published><author><name>A. Uthor</name></author></entry>"
        for s in found
    ]
    return (
        '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:s="http://a9.com/-/spec/opensearch/1.1/">'
        f"<s:totalResults>{len(entries)}</s:totalResults>{''.join(entries)}</feed>"
    ).encode()


def announced(submitted: datetime, holidays: Iterable[date] = ()) -> datetime:
    """Return when arXiv announces what was *submitted*: at 20:00 Eastern of the day on which it was taken by 14:00.

    Friday's come on Sunday, and what falls on a holiday with the next announcement.
    """
    local = submitted.astimezone(EASTERN)
    day = local.date() + (_DAY if local.time() > time(14) else timedelta())
    while day.weekday() > 4:
        day += _DAY
    while day.weekday() in {4, 5} or day in holidays:
        day += _DAY
    return datetime.combine(day, time(20), EASTERN).astimezone(UTC)
