"""The demo's play: bundled papers, four sample readers, and one day after the other through the same services.

What is on the stage is real: the configuration, the database, the ledger and SMTP. Only the clock is not: each day
is played on its own date, so that the mails and the ledger read as if it were that day. Not here: the inbox
(``inbox``), and what is said about it (``cli/demo.py``).
"""

import asyncio
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import formataddr
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from zoneinfo import ZoneInfo

from newsletter.app import App, open_app
from newsletter.demo import inbox
from newsletter.demo.inbox import Inbox, Mail
from newsletter.domain.calendar import instant
from newsletter.errors import UsageError
from newsletter.services import edit, joining, subscribe
from newsletter.services.alone import alone
from newsletter.services.ledger import Clock
from newsletter.services.outcome import Outcome
from newsletter.services.run import run
from newsletter.services.setup import CONFIGURATION, DATABASE, SECRET, SetUp, set_up
from newsletter.services.why import Why, why

LAST_DAY = date(2026, 7, 10)  # of the bundled papers, a Friday
MOST_DAYS = 5
INBOX, PAPERS = "inbox", "papers.jsonl"
_SENDER, _ADDRESS, _ZONE = "Daily Papers", "papers@example.org", "Europe/Zurich"

_CONFIGURATION = f"""\
# The demo's newsletter. For one of your own, 'newsletter init' writes a configuration that explains every key.
# Everything at example.org stands for something of yours, and leads nowhere.

[newsletter]
name = "Daily Papers"
sender = "{formataddr((_SENDER, _ADDRESS))}"
reply_to = "editors@example.org"
base_url = "https://papers.example.org"
postal_address = "Daily Papers, 1 Example Street, 8000 Zurich"
time_zone = "{_ZONE}"

[smtp]
# The demo's own inbox, which is there only as long as the demo runs.
host = "127.0.0.1"
port = {{port}}

[bounces]
address = "bounces@example.org"

[[sources]]
kind = "file"
name = "papers"
path = "{PAPERS}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample reader: what they chose, as text by preference, and the same in words."""

    email: str
    about: str
    chosen: Mapping[str, str]
    leaves: bool = False


SAMPLES = (
    Sample(email="anna@example.org", about="chose nothing", chosen={}),
    Sample(
        email="mei@example.org",
        about="text at 14:00 in Shanghai, “language model” first, no “video”",
        # Each day is sent to all in the newsletter's own morning: at another hour than that, the mails would say of
        # the next digest what holds for a newsletter that waits for each reader's hour.
        chosen={"topics": "language model;-video", "format": "text", "zone": "Asia/Shanghai", "hour": "14:00"},
    ),
    Sample(email="felix@example.org", about="weekly, on Fridays", chosen={"frequency": "weekly:fri"}),
    Sample(email="noor@example.org", about="unsubscribed", chosen={}, leaves=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What one day came to: the run's own report, the titles of the issue's front, and the mails that arrived."""

    outcome: Outcome
    front: tuple[str, ...]
    mails: tuple[Mail, ...]


@dataclass(frozen=True)
class Stage:
    """Where the demo plays, for as long as its inbox takes mail."""

    app: App
    made: SetUp
    inbox: Path

    def play(self, day: date) -> Played:
        """Play *day*: one run, as cron would have it, that sends to every reader at once."""
        before = set(inbox.keys(self.inbox))
        service = self.app.service(clock_from(morning(day)))
        with alone(service) as owner:
            outcome = asyncio.run(run(service, owner.id, day=day, at_once=True))
        with self.app.database.read() as session:
            front = edit.show(session, self.app.policy, day).arranged.front
        arrived = [mail for mail in inbox.mails(self.inbox) if mail.key not in before]
        return Played(
            outcome=outcome,
            front=tuple(candidate.paper.title for candidate in front),
            mails=tuple(sorted(arrived, key=lambda mail: mail.to)),
        )

    def why(self, sample: Sample, day: date) -> Why:
        """Return why *sample* got the mail of *day*, or none."""
        return why(self.app.dispatch, sample.email, day, morning(day) + timedelta(hours=1))


def days(count: int) -> list[date]:
    """Return the last *count* days of the bundled papers."""
    return [LAST_DAY - timedelta(days=n) for n in reversed(range(count))]


@contextmanager
def stage(folder: Path | None, first: date) -> Iterator[Stage]:
    """Set up a newsletter in *folder* (a new temporary one), its sample readers subscribed the day before *first*.

    Raises UsageError where something of that name lies there already, NewsletterError without the demo's extra.
    """
    if folder:
        _refuse_to_overwrite(folder)
    _forget_the_environment()
    subscribed = morning(first) - timedelta(hours=14)
    inbox.smtp_protocol()  # before anything is written
    place = folder or Path(mkdtemp(prefix="newsletter-demo-"))
    made = set_up(place, provider="local", sender=formataddr((_SENDER, _ADDRESS)), zone=_ZONE, now=subscribed)
    shutil.copyfile(str(files("newsletter.demo") / PAPERS), made.dir / PAPERS)
    with Inbox(made.dir / INBOX) as taking:
        made.config.write_text(_CONFIGURATION.format(port=taking.port), "utf-8")
        with open_app(made.config, subscribed) as app:
            _subscribe(app, subscribed)
            yield Stage(app, made, taking.folder)


def _refuse_to_overwrite(folder: Path) -> None:
    for name in (CONFIGURATION, DATABASE, SECRET, PAPERS, INBOX):
        if os.path.lexists(folder / name):
            raise UsageError(
                f"{folder / name} is there already, and the demo overwrites nothing; name another folder with --dir"
            )


def _forget_the_environment() -> None:
    # It overrides configurations: a demo must not reach the readers and servers of a real newsletter.
    for name in [name for name in os.environ if name.startswith("NEWSLETTER_")]:
        del os.environ[name]


def _subscribe(app: App, now: datetime) -> None:
    newsletter = app.settings.newsletter
    for sample in SAMPLES:
        joining.add(app.database, newsletter, [sample.email], sample.chosen, now, source="the demo")
        if sample.leaves:
            subscribe.unsubscribe(app.database, sample.email, now + timedelta(minutes=5))


def morning(day: date) -> datetime:
    """Return when the newsletter goes out on *day*: its default hour."""
    return instant(day, datetime.min.time().replace(hour=8), ZoneInfo(_ZONE))


def clock_from(start: datetime) -> Clock:
    """Return a clock that goes on from *start*."""
    began = time.monotonic()
    return lambda: start + timedelta(seconds=time.monotonic() - began)
