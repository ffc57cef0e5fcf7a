"""A whole small newsletter in a folder, for tests of the whole path.

Real: the configuration file, the secret, the SQLite database, a file of papers as its source, and a ``Sink`` that
takes its mail by SMTP on loopback. Commands run through the real ``main``; services through ``tick`` at an instant
of the test's choosing.
"""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from made_database import put_database
from sqlmodel import col, select, update

from newsletter.app import App, open_app
from newsletter.cli.main import main
from newsletter.domain.delivery import Delivery
from newsletter.services import joining, subscribe
from newsletter.services.alone import alone
from newsletter.services.outcome import Outcome
from newsletter.services.run import run as run_service
from newsletter.storage.deliveries import delivery
from newsletter.storage.tables import DeliveryRow, SubscriberRow

SECRET = "0123456789abcdef0123456789abcdef"
TAKEN = "250 2.0.0 taken"
DROPPED = "the connection ends before the message is taken"
LOST = "the message is taken, and the connection ends before the answer"


@dataclass(frozen=True)
class Mail:
    """A message as the sink took it."""

    sender: str
    recipient: str
    content: bytes

    @cached_property
    def message(self) -> EmailMessage:
        """Return the message, parsed."""
        return message_from_bytes(self.content, policy=policy.default)

    @cached_property
    def papers(self) -> list[str]:
        """Return the keys of the papers that have a card, in order."""
        return str(self.message["X-Papers"] or "").split()

    @cached_property
    def text(self) -> str:
        """Return the text part, '' where there is none."""
        return self._part("plain")

    @cached_property
    def html(self) -> str:
        """Return the HTML part, '' where there is none."""
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        return part.get_content() if part else ""


@dataclass
class Sink:
    """An SMTP server in a thread of its own that keeps what it takes, and refuses what a test tells it to.

    ``refusals`` are replies to RCPT, by address. ``at_dot`` gives the reply to each message, or ``DROPPED`` or
    ``LOST``; ``at_mail`` the reply to each MAIL, or None to take it. ``delay`` is in seconds before each reply to a
    message. With ``tls`` it offers STARTTLS, with ``password`` it wants a login. ``heard`` is every envelope that was
    offered, ``mails`` what was taken, and ``most_at_once`` how many at the same time, by domain and ('') in all.
    """

    refusals: dict[str, str] = field(default_factory=dict)
    at_dot: Callable[[Mail], str] = lambda _: TAKEN
    at_mail: Callable[[str], str | None] = lambda _: None
    delay: float = 0
    tls: ssl.SSLContext | None = None
    password: str = ""
    mails: list[Mail] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    most_at_once: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    port: int = 0
    _at_once: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.open()

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]

    def shut(self) -> None:
        """Refuse connections until ``open``."""
        if self._server:
            self._loop.call_soon_threadsafe(self._server.close)
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.01), self._loop).result()
            self._server = None

    def close(self) -> None:
        """End for good."""
        self.shut()
        asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def to(self, email: str) -> list[Mail]:
        """Return what was taken for one reader, oldest first."""
        return [mail for mail in self.mails if mail.recipient == email]

    def wait(self, count: int, *, heard: bool = False, seconds: float = 20) -> None:
        """Wait until so many mails were taken, or with *heard* so many envelopes offered."""
        ends = time.monotonic() + seconds
        while len(self.heard if heard else self.mails) < count:
            assert time.monotonic() < ends, f"only {len(self.mails)} mails were taken"
            time.sleep(0.01)

    async def _listen(self) -> asyncio.Server:
        def protocol() -> SMTP:
            self.connections += 1
            return SMTP(
                self,
                hostname="sink.example",
                enable_SMTPUTF8=True,
                loop=self._loop,
                tls_context=self.tls,
                authenticator=self._login,
                auth_required=bool(self.password),
            )

        return await self._loop.create_server(protocol, "127.0.0.1", self.port)

    def _login(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=data.password.decode() == self.password, handled=False)

    async def handle_MAIL(  # noqa: N802 - named by aiosmtpd, as all of these
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Answer MAIL."""
        if refused := self.at_mail(address):
            return refused
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Answer RCPT."""
        self.heard.append(address)
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Answer the final dot."""
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        mail = Mail(envelope.mail_from, envelope.rcpt_tos[0], envelope.content)
        with self._counted(mail.recipient.rpartition("@")[2]), contextlib.suppress(asyncio.CancelledError):
            answer = self.at_dot(mail)
            if answer == LOST or answer.startswith("2"):
                self.mails.append(mail)
            await asyncio.sleep(self.delay)
        if answer in {DROPPED, LOST}:
            server.transport.abort()
        return answer

    @contextlib.contextmanager
    def _counted(self, domain: str) -> Iterator[None]:
        self._at_once.update((domain, ""))
        self.most_at_once |= self._at_once
        try:
            yield
        finally:
            self._at_once.subtract((domain, ""))


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@dataclass(frozen=True)
class Answer:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one JSON document on standard output."""
        return json.loads(self.out)


@dataclass
class Clock:
    """Shows an instant of the test's choosing, and goes on from there as real time does."""

    shows: datetime
    _set_at: float = field(default_factory=time.monotonic)

    def __call__(self) -> datetime:
        """Return the instant that it is now."""
        return self.shows + timedelta(seconds=time.monotonic() - self._set_at)

    def set(self, at: datetime) -> None:
        """Go on from *at*."""
        self.shows, self._set_at = at, time.monotonic()


class Newsroom:
    """One newsletter. Tables of the configuration are given by name, as ``smtp={"connections": 3}``, over what is
    written here; ``configure`` changes them later.
    """

    def __init__(self, folder: Path, **tables: Any) -> None:
        self.folder = folder
        self.sink = Sink()
        self.file = folder / "papers.jsonl"
        self.file.touch()
        put_database(folder / "newsletter.db")
        self.config = folder / "newsletter.toml"
        self._tables: dict[str, Any] = {
            "newsletter": {
                "name": "Daily Papers",
                "sender": "Daily Papers <papers@example.org>",
                "reply_to": "editors@example.org",
                "base_url": "https://papers.example.org",
                "postal_address": "1 Example Street, Exampleton",
                "time_zone": "UTC",
            },
            "smtp": {"host": "127.0.0.1", "port": self.sink.port},
            "sources": [{"kind": "file", "path": "papers.jsonl", "refresh": "1s"}],
        }
        secret = folder / "secret"
        secret.write_text(f"{SECRET}\n")
        secret.chmod(0o600)
        self.configure(**tables)
        self._started: list[subprocess.Popen[str]] = []

    def configure(self, **tables: Any) -> None:
        """Change keys of tables, and write the configuration anew."""
        for name, table in tables.items():
            known = self._tables.get(name)
            self._tables[name] = known | table if isinstance(known, dict) else table
        self.config.write_text("\n".join(_toml(self._tables)))

    def publish(self, day: str, *titles: str, **facts: Any) -> list[str]:
        """List papers on *day*, with upvotes falling from 100, and return their arXiv ids.

        *facts* hold for each, by the keys of the file of papers. A title that was published before is the same paper.
        """
        known = self._papers
        for place, title in enumerate(titles):
            known.setdefault(title, f"{day[2:4]}{day[5:7]}.{len(known) + 1:05}")
            line = {"day": day, "title": title, "arxiv_id": known[title], "upvotes": 100 - place}
            line |= {"abstract": f"We study {title} with care.", "authors": ["A. Uthor"], "published": day, **facts}
            with self.file.open("a") as file:
                file.write(json.dumps(line) + "\n")
        return [known[title] for title in titles]

    def subscribe(self, *emails: str, at: str | datetime = "2026-07-14T12:00Z", **preferences: str) -> None:
        """Put readers on the list as of *at*, with preferences as on the command line (``topics``, ``hour`` …).

        They had their first digest long ago: nothing is due before their hour, as it is for who ``joins``.
        """
        now = instant(at)
        with self.app(now) as app:
            for each in joining.add(app.database, app.settings.newsletter, emails, preferences, now):
                due = subscribe.instants(each.subscriber.preferences, app.settings.newsletter, now, None)
                row = update(SubscriberRow).where(col(SubscriberRow.id) == each.subscriber.id)
                with app.database.write() as session:
                    session.exec(row.values(asdict(due)))

    def join(self, *emails: str, at: str | datetime, **preferences: str) -> None:
        """Put readers on the list who are due at once."""
        with self.app(instant(at)) as app:
            joining.add(app.database, app.settings.newsletter, emails, preferences, instant(at))

    @property
    def _papers(self) -> dict[str, str]:
        lines = map(json.loads, self.file.read_text().splitlines())
        return {line["title"]: line["arxiv_id"] for line in lines}

    @property
    def ledger(self) -> dict[str, Delivery]:
        """Return the newest delivery of each reader, by address."""
        with self.app() as app, app.database.read() as session:
            of_reader = col(SubscriberRow.id) == col(DeliveryRow.subscriber_id)
            query = select(SubscriberRow.email, DeliveryRow).join(DeliveryRow, of_reader).order_by(DeliveryRow.day)
            return {email: delivery(row) for email, row in session.exec(query)}

    def run(self, *args: str, expect: int | None = 0, typed: str = "") -> Answer:
        """Run a command in this process by the real clock; *expect* is its exit status, None any."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        argv, stdin = sys.argv, sys.stdin
        sys.argv = ["newsletter", "--config", str(self.config), *args]
        sys.stdin = io.TextIOWrapper(io.BytesIO(typed.encode()), "utf-8")
        status: Any = 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main()
        except SystemExit as end:
            status = end.code or 0
        finally:
            sys.argv, sys.stdin = argv, stdin
        answer = Answer(status, _read(out), _read(err))
        assert expect in {None, status}, f"{args} ended with {status}:\n{answer.out}\n{answer.err}"
        return answer

    def start(
        self, *args: str, env: Mapping[str, str] | None = None, program: tuple[str, str] = ("-m", "newsletter")
    ) -> subprocess.Popen[str]:
        """Start a command in a process of its own, to overlap with or to kill."""
        command = [sys.executable, *program, "--config", str(self.config), *args]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **(env or {})})
        self._started.append(process)
        return process

    @contextlib.contextmanager
    def app(self, at: datetime | None = None) -> Iterator[App]:
        """Give the service as configured."""
        with open_app(self.config, at or datetime.now(UTC)) as app:
            yield app

    def tick(
        self,
        at: str | datetime,
        *,
        work: Callable[..., Coroutine[Any, Any, Outcome]] = run_service,
        dispatch: Mapping[str, Any] = MappingProxyType({}),
        **options: Any,
    ) -> Outcome:
        """Call what ``run`` calls (or another *work*) at an instant such as ``2026-07-15T08:00Z``.

        *dispatch* changes fields of the way out, such as its patience.
        """
        clock = Clock(instant(at))
        with self.app(clock()) as app:
            service = replace(app.service(clock), dispatch=replace(app.dispatch, **dispatch))
            with alone(service) as owner:
                return asyncio.run(work(service, owner.id, **options))

    def close(self) -> None:
        """End the sink, and what was started and still runs."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()
        self.sink.close()


def instant(at: str | datetime) -> datetime:
    """Return *at* as an instant; a text without a zone is in UTC."""
    found = datetime.fromisoformat(at) if isinstance(at, str) else at
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _read(stream: io.TextIOWrapper) -> str:
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode()


def _toml(tables: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the lines of *tables* in TOML, whose texts, numbers and lists look as in JSON."""
    plain = {name: value for name, value in tables.items() if not isinstance(value, dict) and not _is_tables(value)}
    yield from (f"{name} = {json.dumps(value)}" for name, value in plain.items())
    for name, value in tables.items():
        key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)
        if isinstance(value, dict):
            yield f"[{prefix}{key}]"
            yield from _toml(value, f"{prefix}{key}.")
        elif _is_tables(value):
            for table in value:
                yield f"[[{prefix}{key}]]"
                yield from _toml(table, f"{prefix}{key}.")


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)
