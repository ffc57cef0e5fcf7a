"""Dispatching: what the sender is given to send, issue by issue, and the state of the route between runs.

Readers are made due in chunks while the sender works. Not here: the sending itself (``deliver``), and what a reader
gets (``due``).
"""

import asyncio
import gc
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, partial

from sqlmodel import Session

from newsletter.config.sending import RouteSettings
from newsletter.config.settings import Settings
from newsletter.domain.delivery import Status
from newsletter.errors import ConfigurationError
from newsletter.mail.smtp import Connection
from newsletter.render.environment import Templates
from newsletter.render.languages import Languages
from newsletter.render.typesetting import Imprint
from newsletter.services import edit
from newsletter.services.compose import Composer
from newsletter.services.correspondence import Correspondence
from newsletter.services.deliver import Post, Progress, Sender
from newsletter.services.edit import Policy
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.plan import Plan
from newsletter.services.route import PATIENCE, WINDOW, Route
from newsletter.services.subscribe import suppress_now
from newsletter.storage import claims, issues, problems, traffic
from newsletter.storage.database import Database
from newsletter.storage.turns import Claimed

_LATELY = timedelta(days=1)
_SELDOM = 50_000  # objects between two looks for cycles; 700 is usual
_ROUTE_PAUSE = timedelta(hours=1)  # after too many addresses failed for good
_ENDS = "'deliver --retry-failed' ends the pause"
_PAUSED = "route.paused_until"
SECRET = "secret.fingerprint"  # noqa: S105 - the name of a fact


@dataclass(frozen=True)
class Dispatch:
    """The newsletter's way out, as configured."""

    settings: Settings
    policy: Policy
    mail: Correspondence
    languages: Languages
    database: Database
    patience: timedelta = PATIENCE  # for pauses in one run

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context()

    def connect(self, way: RouteSettings) -> Connection:
        """Return a connection to *way*, not open yet."""
        return Connection(
            way.host,
            way.port,
            local_hostname=self.mail.domain,
            security=way.security,
            username=way.username,
            password=self.settings.passwords[way.name],
            tls=None if way.security == "none" else self._tls,
        )

    async def send(
        self,
        owner: str,
        clock: Clock,
        plan: Plan,
        *,
        told: Callable[[Progress], None],
        started: Callable[[Sender], None],
    ) -> Progress:
        """Send what *plan* makes due, and what waits from before, until nothing does.

        ``started`` is given the sender, so that a signal can stop it. Raises ConfigurationError for a secret that
        is not the database's, StorageError.
        """
        ledger = Ledger(self.database, owner, clock)
        try:
            with self.database.read() as session:  # nobody waits for what takes longest
                plan.prepare(session, clock())
                started_with = self._look(session, clock(), plan)
            await ledger.write(lambda session: self._begin(session, clock()))
            if not started_with.open:
                await self._tidy(ledger, clock)
                return Progress(stopped=self._paused(started_with.resting))
            sender = Sender(self._post(ledger, clock, owner, plan, told, started_with))
            started(sender)
            with seldom_collecting():
                progress = await sender.run()
            progress.ended |= {name: f"{why}; {_ENDS}" for name, why in started_with.resting.items()}
            if progress.blocked:
                end = (clock() + _ROUTE_PAUSE).isoformat()
                await ledger.write(lambda session: _pause(session, progress.blocked, end))
            return progress
        finally:
            ledger.close()

    def _post(
        self,
        ledger: Ledger,
        clock: Clock,
        owner: str,
        plan: Plan,
        told: Callable[[Progress], None],
        begun: "_Begun",
    ) -> Post:
        smtp = self.settings.smtp
        return Post(
            ledger=ledger,
            clock=clock,
            owner=owner,
            routes=[Route(way, partial(self.connect, way), clock, verdicts) for way, verdicts in begun.open],
            domains=smtp.domains,
            composers=_Composers(self),
            make_due=plan.make_due,
            tidy=partial(self._tidy, ledger, clock),
            suppress=suppress_now,
            lease=smtp.lease,
            resend=smtp.on_uncertain == "resend",
            waiting=begun.waiting,
            patience=self.patience,
            issue_id=plan.issue_id,
            told=told,
        )

    async def _tidy(self, ledger: Ledger, clock: Clock) -> None:
        """Give up what is too late or no longer wanted, in steps between which others get to write."""
        now = clock()
        while ids := await asyncio.to_thread(self._in_vain, now):
            await ledger.write(partial(_give_up, now=now, delivery_ids=ids))

    def _in_vain(self, now: datetime) -> list[int]:
        with self.database.read() as session:
            return claims.in_vain(session, now)

    def _begin(self, session: Session, now: datetime) -> None:
        self.check_secret(session)
        traffic.forget(session, now)

    def _look(self, session: Session, now: datetime, plan: Plan) -> "_Begun":
        """Look which ways out may be used, and what waits. Counts what may be very many, so writes nothing."""
        ways: list[tuple[RouteSettings, list[Status]]] = []
        resting: dict[str, str] = {}
        for way in self.settings.smtp.ways:
            until = _paused_until(session, way.name)
            if until and until > now:
                resting[way.name] = f"paused until {until:%Y-%m-%d %H:%M} UTC"
            else:
                since = max(until or now - _LATELY, now - _LATELY)
                ways.append((way, claims.last_verdicts(session, way.name, since, WINDOW)[::-1]))
        return _Begun(open=ways, resting=resting, waiting=claims.expected(session, now, plan.on_date))

    def _paused(self, resting: Mapping[str, str]) -> str:
        """Return why nothing is sent while all ways out are *resting*."""
        several = bool(self.settings.smtp.routes)
        said = (f"the route {name} is {why}" if several else f"the route is {why}" for name, why in resting.items())
        return f"{'; '.join(said)}; {_ENDS}"

    def paused_until(self, session: Session, now: datetime) -> datetime | None:
        """Return until when nothing is sent because too many addresses failed, None where that is not so."""
        untils = [_paused_until(session, way.name) for way in self.settings.smtp.ways]
        pauses = [until for until in untils if until and until > now]
        return min(pauses) if len(pauses) == len(untils) else None

    def check_secret(self, session: Session) -> None:
        """Raise ConfigurationError where the links in the mails would not be those that the pages know."""
        known, ours = problems.fact(session, SECRET), self.mail.signer.fingerprints()
        if known and known not in ours:
            raise ConfigurationError(
                f"newsletter.secret_file = {str(self.settings.newsletter.secret_file)!r}: not the secret that this "
                "database was used with; put the old one back, or add it as a second line; restart what runs where "
                "it was replaced, and where it is lost, 'newsletter secret adopt'"
            )
        problems.keep_fact(session, SECRET, ours[0])

    def end_pause(self, session: Session, now: datetime) -> None:
        """Let every route be used again at once."""
        _pause(session, [way.name for way in self.settings.smtp.ways], now.isoformat())

    def look(self, language: str | None) -> tuple[Templates, Imprint]:
        """Return templates and imprint for a mail to who prefers *language*, None for the newsletter's."""
        templates = self.languages.templates(language)
        return templates, self.mail.imprint_in(templates.language.tag, self.languages.default)

    def composer(self, session: Session, day: date) -> Composer:
        """Return what composes the messages of the issue of *day*, sealed or as it would be now."""
        return Composer(self.mail, self.languages, edit.show(session, self.policy, day))


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Let the garbage collector rest while mail is sent, or pages are served.

    A message takes hundreds of objects and leaves hardly one in a cycle: looking for those took a twelfth of all time,
    and a twentieth of that of pages.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_SELDOM, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """What a sender begins with: the ways that may be used, each with what became of its last addresses."""

    open: list[tuple[RouteSettings, list[Status]]]
    resting: dict[str, str]
    waiting: int


def _give_up(session: Session, now: datetime, delivery_ids: list[int]) -> None:
    claims.expire(session, now, delivery_ids)
    claims.withdraw(session, now, delivery_ids)


def _paused_until(session: Session, name: str) -> datetime | None:
    found = problems.fact(session, f"{_PAUSED}.{name}") or problems.fact(session, _PAUSED)
    return datetime.fromisoformat(found) if found else None


def _pause(session: Session, names: list[str], until: str) -> None:
    for name in names:
        problems.keep_fact(session, f"{_PAUSED}.{name}", until)


class _Composers:
    """Composers by issue, made when the first delivery of an issue is claimed."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._made: dict[int, Composer] = {}

    def __call__(self, session: Session, claimed: list[Claimed]) -> dict[int, Composer]:
        for issue_id in {one.issue_id for one in claimed}:
            if issue_id not in self._made:
                issue = issues.by_id(session, issue_id)
                assert issue is not None  # issues are never removed
                self._made[issue_id] = self._dispatch.composer(session, issue.date)
            self._made[issue_id].prepare(session, [c for c in claimed if c.issue_id == issue_id])
        return self._made
