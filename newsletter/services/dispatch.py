"""Dispatching: what the sender is given to send, issue by issue, and the state of the route between runs.

Readers are made due in chunks while the sender works. Not here: the sending itself (``deliver``), and what a reader
gets (``due``).
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.delivery import Status
from newsletter.errors import ConfigurationError
from newsletter.mail.smtp import Connection
from newsletter.services import edit
from newsletter.services.compose import Composer, Correspondence
from newsletter.services.deliver import Post, Progress, Sender
from newsletter.services.edit import Policy
from newsletter.services.ledger import Clock, Ledger
from newsletter.services.limits import Limits
from newsletter.services.plan import Plan
from newsletter.services.route import PATIENCE, WINDOW
from newsletter.services.subscribe import suppress_now
from newsletter.storage import claims, issues, problems
from newsletter.storage.claims import Claimed
from newsletter.storage.database import Database

_ROUTE_PAUSE = timedelta(hours=1)  # after too many addresses failed for good
_PAUSED, _SECRET = "route.paused_until", "secret.fingerprint"


@dataclass(frozen=True)
class Dispatch:
    """The newsletter's way out, as configured."""

    settings: Settings
    policy: Policy
    mail: Correspondence
    environment: ImmutableSandboxedEnvironment
    database: Database
    patience: timedelta = PATIENCE  # for pauses in one run

    @cached_property
    def _tls(self) -> ssl.SSLContext | None:
        return None if self.settings.smtp.security == "none" else ssl.create_default_context()

    def connect(self) -> Connection:
        """Return a connection to the route, not open yet."""
        smtp = self.settings.smtp
        return Connection(
            smtp.host,
            smtp.port,
            local_hostname=self.mail.domain,
            security=smtp.security,
            username=smtp.username,
            password=self.settings.smtp_password,
            tls=self._tls,
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
        ledger = Ledger(self.database)
        try:
            paused, verdicts = await ledger.write(lambda session: self._begin(session, clock()))
            if paused:
                until = f"{paused:%Y-%m-%d %H:%M} UTC"
                return Progress(stopped=f"the route is paused until {until}; 'deliver --retry-failed' ends the pause")
            sender = Sender(self._post(ledger, clock, owner, plan, told, verdicts))
            started(sender)
            progress = await sender.run()
            if progress.blocked:
                end = (clock() + _ROUTE_PAUSE).isoformat()
                await ledger.write(lambda session: problems.keep_fact(session, _PAUSED, end))
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
        verdicts: list[Status],
    ) -> Post:
        smtp = self.settings.smtp
        return Post(
            ledger=ledger,
            clock=clock,
            owner=owner,
            connect=self.connect,
            composers=_Composers(self),
            make_due=plan.make_due,
            suppress=suppress_now,
            limits=Limits(smtp),
            connections=smtp.connection_limit,
            lease=smtp.lease,
            resend=smtp.on_uncertain == "resend",
            verdicts=verdicts,
            patience=self.patience,
            issue_id=plan.issue_id,
            told=told,
        )

    def _begin(self, session: Session, now: datetime) -> tuple[datetime | None, list[Status]]:
        """Clear what is too late or no longer wanted. Return until when the route is paused, if it is, and what
        became of the last addresses since it was paused before, oldest first.
        """
        self.check_secret(session)
        claims.expire(session, now)
        claims.withdraw(session, now)
        ended = problems.fact(session, _PAUSED)
        since = datetime.fromisoformat(ended) if ended else datetime.min.replace(tzinfo=UTC)
        return self.paused_until(session, now), claims.last_verdicts(session, since, WINDOW)[::-1]

    def paused_until(self, session: Session, now: datetime) -> datetime | None:
        """Return until when nothing is sent because too many addresses failed, None where that is not so."""
        until = problems.fact(session, _PAUSED)
        return datetime.fromisoformat(until) if until and datetime.fromisoformat(until) > now else None

    def check_secret(self, session: Session) -> None:
        """Raise ConfigurationError where the links in the mails would not be those that the pages know."""
        known, ours = problems.fact(session, _SECRET), self.mail.signer.fingerprints()
        if known and known not in ours:
            raise ConfigurationError(
                f"newsletter.secret_file = {str(self.settings.newsletter.secret_file)!r}: not the secret that this "
                "database was used with; put the old one back, or add it as a second line"
            )
        problems.keep_fact(session, _SECRET, ours[0])

    def end_pause(self, session: Session, now: datetime) -> None:
        """Let the route be used again at once."""
        problems.keep_fact(session, _PAUSED, now.isoformat())

    def composer(self, session: Session, day: date) -> Composer:
        """Return what composes the messages of the issue of *day*, sealed or as it would be now."""
        return Composer(self.mail, self.environment, edit.show(session, self.policy, day))


class _Composers:
    """Composers by issue, made when the first delivery of an issue is claimed."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._made: dict[int, Composer] = {}

    def __call__(self, session: Session, claimed: list[Claimed]) -> dict[int, Composer]:
        for issue_id in {one.delivery.issue_id for one in claimed}:
            if issue_id not in self._made:
                issue = issues.by_id(session, issue_id)
                assert issue is not None  # issues are never removed
                self._made[issue_id] = self._dispatch.composer(session, issue.date)
            self._made[issue_id].prepare(session, [c.delivery for c in claimed if c.delivery.issue_id == issue_id])
        return self._made
