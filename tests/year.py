"""A year of a newsletter, lived through by the clock that services take as an argument, and counted where mail arrives.

Readers in many zones join, leave, bounce, complain, pause and move; the mail server and the machine are down for a
while; a backup is put back, a newer program upgrades the database, the secret is replaced. Every digest that arrives is
noted with the reader's own date; every evening ``why`` is asked of everybody to whom nothing came the day before, and
of some others.
"""

import asyncio
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email.parser import BytesHeaderParser
from email.policy import default
from pathlib import Path
from typing import Any

from newsroom import Newsroom
from returned import SENT_ID, dsn

from newsletter.app import App
from newsletter.domain.subscriber import Status
from newsletter.mail import bounces as reports
from newsletter.mail.tokens import Purpose
from newsletter.services import bounces, joining, records, secret, subscribe
from newsletter.services.alone import alone
from newsletter.services.run import run
from newsletter.services.why import why
from newsletter.storage import copies, deliveries, laws
from newsletter.storage.restore import restore
from newsletter.storage.upgrade import HEAD, MIGRATIONS, OutdatedError, upgrade

BEGINS = date(2026, 1, 5)  # a Monday
TICKS = (1, 7, 13, 19)  # hours of UTC, half past
ASKED = 0.1  # of the readers whose mail of the day arrived, or who get none that day: why is asked of all others
ZONES = ("Europe/Zurich", "America/New_York", "Asia/Kolkata", "Pacific/Auckland", "America/Sao_Paulo", "UTC")


_HEADS = BytesHeaderParser(policy=default)


@dataclass
class Life:
    """What became of one reader. ``moved`` are the dates around which their zone or pause changed."""

    email: str
    joins: date
    mails: list[tuple[str, str, list[str]]] = field(default_factory=list)  # Message-ID, date, papers
    left: date | None = None
    moved: set[date] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)


class Year:
    """Lives through *days* with *readers*, and keeps what it saw. ``faults`` are what must not be."""

    def __init__(self, folder: Path, *, days: int, readers: int, seed: int = 1) -> None:
        self.room = Newsroom(folder)
        self.days, self._draw = days, random.Random(seed)
        self.lives = {life.email: life for life in self._people(readers)}
        self.faults: list[str] = []
        self.events: Counter[str] = Counter()
        self.lived = 0  # days
        self._papers: dict[date, list[str]] = {}
        self._seen = 0
        self._plans: dict[date, list[Callable[[App, datetime], None]]] = defaultdict(list)
        self._quiet = self._span(0.35, 4)  # the machine is off
        self._shut = self._span(0.6, 3)  # the mail server refuses
        self._restores, self._upgrades, self._rotates = (self._day(part) for part in (0.75, 0.45, 0.55))
        self._plan()
        self._opened = ExitStack()
        self.app = self._opened.enter_context(self.room.app())

    def _begin_anew(self) -> None:
        """Start the program again."""
        self._opened.close()
        self.app = self._opened.enter_context(self.room.app())

    def close(self) -> None:
        """End everything."""
        self._opened.close()
        self.room.close()

    def _tick(self, at: datetime) -> None:
        service = self.app.service(lambda: at)
        service = replace(service, dispatch=replace(self.app.dispatch, patience=timedelta(0)))
        with alone(service) as owner:
            asyncio.run(run(service, owner.id))

    def _people(self, count: int) -> Iterator[Life]:
        for number in range(count):
            late = number > count // 3
            yield Life(f"reader{number}@example.net", self._day(self._draw.random() * 0.9 if late else 0))

    def _day(self, part: float) -> date:
        return BEGINS + timedelta(int(self.days * part))

    def _span(self, part: float, length: int) -> set[date]:
        return {self._day(part) + timedelta(n) for n in range(min(length, max(1, self.days // 20)))}

    def _plan(self) -> None:
        """Decide what happens to whom, and when."""
        for number, life in enumerate(self.lives.values()):
            self._plans[life.joins].append(self._joining(life))
            left = (BEGINS + timedelta(self.days) - life.joins).days
            later = life.joins + timedelta(1 + int(self._draw.random() * max(1, left - 2)))
            kinds = (self._leaving, self._bouncing, self._complaining, self._moving, self._pausing, None, None, None)
            if kind := kinds[number % len(kinds)]:
                self._plans[later].append(kind(life))

    def live(self, told: Callable[[date], None] = lambda _: None) -> None:
        """Live through it."""
        for number in range(self.days):
            day = BEGINS + timedelta(number)
            self.lived = number
            told(day)
            self._publish(day)
            if day not in self._quiet:
                self._through(day)
        self.faults += laws.broken(self.room.folder / "newsletter.db")

    def _through(self, day: date) -> None:
        for hour in TICKS:
            at = datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)
            self._weather(day, hour)
            self._tick(at)
            self._collect(day)
            if hour == TICKS[0]:
                self._care(day, at)
        self._look_back(day, at)

    def _weather(self, day: date, hour: int) -> None:
        if hour == TICKS[0] and day in self._shut:
            self.room.sink.shut()
            self.events["outage"] += 1
        elif hour == TICKS[0] and day - timedelta(1) in self._shut:
            self.room.sink.open()

    def _publish(self, day: date) -> None:
        if day.weekday() < 5:
            self._papers[day] = self.room.publish(day.isoformat(), *(f"Paper {n} of {day}" for n in range(2)))

    def _care(self, day: date, at: datetime) -> None:
        """Let happen what is planned for the day."""
        for planned in sorted(one for one in self._plans if one <= day):  # also what was for days without a machine
            for act in self._plans.pop(planned):
                act(self.app, at + timedelta(minutes=1))
        if day == self._restores:
            self._restore(at)
        if day == self._upgrades:
            self._upgrade(at)
        if day == self._rotates:
            secret.rotate(self.app.settings, self.app.database, leaked=False)
            self._begin_anew()
            self.events["rotation"] += 1

    def _joining(self, life: Life) -> Callable[[App, datetime], None]:
        zone, hour = self._draw.choice(ZONES), f"{self._draw.randrange(24):02}:00"

        def join(app: App, at: datetime) -> None:
            joining.add(app.database, app.settings.newsletter, [life.email], {"zone": zone, "hour": hour}, at)
            life.joins = at.date()
            self.events["joined"] += 1

        return join

    def _leaving(self, life: Life) -> Callable[[App, datetime], None]:
        def leave(app: App, at: datetime) -> None:
            """Leave by the link of the first mail, whatever became of the secret."""
            held = subscribe.find(app.database, life.email)
            token = app.correspondence.signer.token(Purpose.UNSUBSCRIBE, subscriber=held.id)
            who = app.correspondence.signer.read(Purpose.UNSUBSCRIBE, token, at).subscriber
            subscribe.unsubscribe(app.database, who, at)
            life.left = at.date()
            self.events["left"] += 1

        return leave

    def _bouncing(self, life: Life) -> Callable[[App, datetime], None]:
        def bounce(app: App, at: datetime) -> None:
            """Every second is refused at once, the others by a report."""
            life.left = at.date()
            self.events["bounced"] += 1
            if self.events["bounced"] % 2 or not life.mails:
                self.room.sink.refusals[life.email] = "550 5.1.1 no such user"
            else:
                self._report(app, life, dsn("550 5.1.1 no such user", to=life.email), at)

        return bounce

    def _complaining(self, life: Life) -> Callable[[App, datetime], None]:
        def complain(app: App, at: datetime) -> None:
            life.left = at.date()
            self.events["complained"] += 1
            if life.mails:
                self._report(app, life, complaint(life.email), at)
            else:
                subscribe.suppress(app.database, life.email, "complained", at)

        return complain

    def _report(self, app: App, life: Life, raw: bytes, at: datetime) -> None:
        mine = raw.replace(SENT_ID.encode(), life.mails[-1][0].encode())
        with app.database.write() as session:
            bounces.take(session, app.correspondence, reports.read(mine), mine, at)
        if subscribe.find(app.database, life.email).status is not Status.SUPPRESSED:
            self.faults.append(f"{life.email}: {self.events} and is not suppressed on {at:%Y-%m-%d}")

    def _moving(self, life: Life) -> Callable[[App, datetime], None]:
        zone = self._draw.choice(ZONES)

        def move(app: App, at: datetime) -> None:
            subscribe.edit(app.database, app.settings.newsletter, life.email, {"zone": zone}, at)
            life.moved |= {at.date() + timedelta(n) for n in (-1, 0, 1)}
            self.events["moved"] += 1

        return move

    def _pausing(self, life: Life) -> Callable[[App, datetime], None]:
        def pause(app: App, at: datetime) -> None:
            until = at.date() + timedelta(9)
            subscribe.pause(app.database, app.settings.newsletter, life.email, until, at)
            life.moved |= {at.date() + timedelta(n) for n in range(-1, 11)}
            self.events["paused"] += 1

        return pause

    def _restore(self, at: datetime) -> None:
        """Put a backup of this morning back after the next mails went out, and decide that they did."""
        path, backup = self.room.folder / "newsletter.db", self.room.folder / "backup.db"
        copies.backup(path, backup)
        later = at + timedelta(hours=3)
        self._tick(later)
        self._collect(at.date())
        restore(path, backup, later + timedelta(minutes=5))
        self._tick(later + timedelta(minutes=10))
        records.release(self.app.database, self.app.settings.smtp, [], later, everything=True, sent=True)
        self.events["restore"] += 1

    def _upgrade(self, at: datetime) -> None:
        """Let a newer program come, that the older one notices; then its schema is this one's again."""
        folder = self.room.folder / "migrations"
        shutil.copytree(MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
        head = f'revision = "9999"\ndown_revision = "{HEAD}"\nbranch_labels = depends_on = None\n'
        (folder / "versions" / "9999_next.py").write_text(f"{head}\ndef upgrade():\n    pass\n")
        path = self.room.folder / "newsletter.db"
        saved = upgrade(path, at, migrations=folder, head="9999")
        try:
            self._tick(at)
            self.faults.append("an older program went on after the upgrade")
        except OutdatedError:
            pass
        with self.app.database.write() as session:
            session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = ?", (HEAD,))
        self._begin_anew()
        if saved is None or copies.damage(saved):
            self.faults.append("the upgrade left no sound backup")
        self.events["upgrade"] += 1

    def _collect(self, day: date) -> None:
        """Note what has arrived, with the date that the reader's own calendar gives it."""
        mails, self._seen = self.room.sink.mails[self._seen :], len(self.room.sink.mails)
        if not mails:
            return
        with self.app.database.read() as session:
            for mail in mails:
                head = _HEADS.parsebytes(mail.content)
                name = str(head["Message-ID"])
                line = deliveries.get(session, records.parse_id(name))
                dated = line.delivery.day.isoformat() if line else day.isoformat()
                self.lives[mail.recipient].mails.append((name, dated, str(head["X-Papers"]).split()))

    def _look_back(self, day: date, at: datetime) -> None:
        """Ask ``why`` of each reader's day before."""
        before = day - timedelta(1)
        for life in self.lives.values():
            if life.joins >= before:
                continue
            arrived = any(dated == before.isoformat() for _, dated, _ in life.mails[-3:])
            if (arrived or before.weekday() > 4) and self._draw.random() > ASKED:
                continue
            found = why(self.app.dispatch, life.email, before, at)
            life.answers[found.answer] += 1
            if found.answer == "sent" and not arrived:
                self.faults.append(f"{life.email} {before}: said to be sent, and did not arrive")
            if arrived and found.answer not in {"sent", "held"}:
                self.faults.append(f"{life.email} {before}: arrived, and is said to be {found.answer}: {found.text}")
            if "nothing ran" in found.text and not self._odd(before, life):
                self.faults.append(f"{life.email} {before}: nothing came, and nobody knows why: {found.text}")

    def _odd(self, day: date, life: Life) -> bool:
        """Whether anything happened around *day* that moves a mail, or takes it away."""
        near = {day + timedelta(n) for n in range(-4, 4)}
        return bool(near & (self._quiet | self._shut | life.moved | {self._restores}))

    def _missing(self, life: Life) -> list[str]:
        """Return what had to reach a reader and did not, by a model that knows no digests: all of an ordinary day."""
        had = {paper for mail in life.mails for paper in mail[2]}
        ends = min(life.left or date.max, BEGINS + timedelta(self.lived)) - timedelta(3)
        days = (day for day in self._papers if life.joins < day < ends and not self._odd(day, life))
        return [
            f"{life.email}: {paper} of {day} never came"
            for day in days
            for paper in self._papers[day]
            if paper not in had
        ]

    def judge(self) -> list[str]:
        """Return what must not be: a mail, date or paper twice, a paper that never came, mail after leaving."""
        for life in self.lives.values():
            names, dates = [m[0] for m in life.mails], [m[1] for m in life.mails]
            papers = [paper for mail in life.mails for paper in mail[2]]
            for what, found in (("mail", names), ("date", dates), ("paper", papers)):
                self.faults += [f"{life.email}: {what} {one} twice" for one, n in Counter(found).items() if n > 1]
            self.faults += self._missing(life)
            if life.left:
                late = [d for d in dates if date.fromisoformat(d) > life.left + timedelta(1)]
                self.faults += [f"{life.email}: mailed on {d}, left on {life.left}" for d in late]
        return self.faults

    def document(self) -> dict[str, Any]:
        """Return what was lived through."""
        answers: Counter[str] = Counter()
        for life in self.lives.values():
            answers += life.answers
        return {
            "days": self.days,
            "lived": self.lived + 1,
            "readers": len(self.lives),
            "mails": len(self.room.sink.mails),
            "events": dict(self.events),
            "explained": dict(answers),
            "faults": self.faults[:20],
            "holds": not self.faults,
        }


def complaint(email: str) -> bytes:
    """Return a complaint (RFC 5965) about the mail that ``SENT_ID`` stands for."""
    return f"""\
From: abuse@there.example
To: papers@example.org
Subject: complaint about message
Content-Type: multipart/report; report-type=feedback-report; boundary="c1"

--c1
Content-Type: text/plain

This is an abuse report.

--c1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: There/1
Version: 1
Original-Rcpt-To: {email}

--c1
Content-Type: message/rfc822

From: Daily Papers <papers@example.org>
To: {email}
Message-ID: {SENT_ID}
Subject: Papers of the day

A paper.
--c1--
""".encode()
