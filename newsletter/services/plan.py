"""The plan of one delivery: whom it makes due, by the clock or for a date.

Made due in chunks, so that sending begins with the first. Not here: what each of them gets (``due``).
"""

from datetime import date, datetime

from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.calendar import instant, local_date, next_due
from newsletter.domain.issue import Brake, Issue, Status
from newsletter.domain.subscriber import WEEKDAYS
from newsletter.services import edit
from newsletter.services.due import CHUNK, Maker
from newsletter.services.edit import Policy
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import due, issues


class Plan:
    """Whom a run makes due: by the clock, or everybody whose rhythm includes a date."""

    def __init__(
        self, settings: Settings, policy: Policy, *, on_date: date | None = None, only: Issue | None = None
    ) -> None:
        self._settings, self._policy = settings, policy
        self._on_date, self._only = on_date, only
        self._looked_at = -1
        self._makers: dict[int, Maker] = {}

    @property
    def issue_id(self) -> int | None:
        """Return the one issue to send, None for all."""
        return self._only.id if self._only else None

    def make_due(self, session: Session, now: datetime) -> bool:
        """Make a chunk of due rows. Return whether there may be more."""
        if self._on_date:
            return self._make_on_date(session, now, self._on_date)
        issue = issues.newest_sealed(session)
        if issue and (issue.brake is not Brake.NONE or (self._only and issue.id != self._only.id)):
            return False
        if issue and self._maker(session, issue).by_the_clock(session, now):
            return True
        return not self._is_late(session, now) and self._pass_over(session, now)

    def _make_on_date(self, session: Session, now: datetime, day: date) -> bool:
        issue = issues.get(session, day)
        if issue is None or issue.status is not Status.SEALED or issue.brake is not Brake.NONE:
            return False
        looked_at = self._maker(session, issue).on_date(session, now, day, self._looked_at)
        self._looked_at = looked_at if looked_at is not None else self._looked_at
        return looked_at is not None

    def _maker(self, session: Session, issue: Issue) -> Maker:
        if issue.id not in self._makers:
            self._makers[issue.id] = Maker(
                session, self._settings, self._policy, edit.show(session, self._policy, issue.date)
            )
        return self._makers[issue.id]

    def _is_late(self, session: Session, now: datetime) -> bool:
        """Return whether today's issue should be there and is not: then whoever is due goes on waiting for it."""
        newsletter = self._settings.newsletter
        today = local_date(now, newsletter.zone)
        issue = issues.get(session, today)
        expected = WEEKDAYS[today.weekday()] in newsletter.days and now >= instant(
            today, newsletter.send_at, newsletter.zone
        )
        return expected and (issue is None or issue.status is Status.DRAFT)

    def _pass_over(self, session: Session, now: datetime) -> bool:
        """Give their next instant to readers who are due and have had the newest issue."""
        readers = due.by_the_clock(session, now, None, CHUNK)
        due.advance(
            session,
            [
                (r, next_due(rhythm_of(r.preferences, self._settings.newsletter), now, r.last_digest_on).at)
                for r in readers
            ],
        )
        return bool(readers)
