"""The plan of one delivery: whom it makes due, by the clock or for a date.

Made due in chunks, so that sending begins with the first and others get to write in between; the longest unserved
first. Not here: what each of them gets (``due``).
"""

from collections.abc import Sequence
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
from newsletter.storage import alerts, due, feedback, issues, retention
from newsletter.storage.due import DueReader, Place
from newsletter.storage.making import Taker

# Papers that the readers of a chunk spoke of: what each says of a pool is worked out while others wait to write.
_SPOKEN = 256


class Plan:
    """Whom a run makes due: by the clock, or everybody, at any hour, whose rhythm includes ``on_date``."""

    def __init__(
        self, settings: Settings, policy: Policy, *, on_date: date | None = None, only: Issue | None = None
    ) -> None:
        self._settings, self._policy = settings, policy
        self.on_date, self._only = on_date, only
        self._round, self._is_over, self._late = _Round(), False, False
        self._makers: dict[int, Maker] = {}

    @property
    def issue_id(self) -> int | None:
        """Return the one issue to send, None for all."""
        return self._only.id if self._only else None

    def prepare(self, session: Session, now: datetime) -> None:
        """Do what takes longest of making the first readers due, if anybody is. Writes nothing, so needs no lock."""
        issue = issues.get(session, self.on_date) if self.on_date else issues.newest_sealed(session)
        if issue and issue.status is Status.SEALED and self._is_anybody_due(session, now):
            served = due.groups(session, None if self.on_date else now)
            self._maker(session, issue).chooser.prepare(session, served)

    def _is_anybody_due(self, session: Session, now: datetime) -> bool:
        if self.on_date:
            return bool(_Round().next(session, None, but=None))
        return bool(_Round().next(session, now, but=None) or alerts.readers(session, now, 1))

    def make_due(self, session: Session, now: datetime, taker: Taker | None = None) -> bool:
        """Make a chunk of due rows, of which *taker* takes up some. Return whether there may be more."""
        if self.on_date:
            return self._make_on_date(session, now, self.on_date, taker)
        return self._make_by_clock(session, now, taker)

    def _make_by_clock(self, session: Session, now: datetime, taker: Taker | None) -> bool:
        issue = issues.newest_sealed(session)
        if issue and (issue.brake is not Brake.NONE or (self._only and issue.id != self._only.id)):
            return False
        if self._round.is_new:
            self._late = self._is_late(session, now)
        # Where today's issue is late, who had the one before waits for it, and need not be looked at.
        found = self._round.next(session, now, but=issue.date if issue and self._late else None)
        waiting = [r for r in found if issue and (r.last_issue_on is None or r.last_issue_on < issue.date)]
        if issue and waiting:
            self._maker(session, issue).by_the_clock(session, waiting, now, taker)
        if self._late:
            return bool(found)
        ours = {reader.id for reader in waiting}
        self._pass_over(session, issue, [reader for reader in found if reader.id not in ours], now)
        return bool(found) or (issue is not None and self._make_alerts(session, issue, now, taker))

    def _make_alerts(self, session: Session, issue: Issue, now: datetime, taker: Taker | None) -> bool:
        """Make a chunk of alerts, once every digest is made. Return whether there may be more."""
        found = alerts.readers(session, now, CHUNK)
        if found:
            self._maker(session, issue).by_alert(session, found, now, taker)
        return bool(found)

    def _make_on_date(self, session: Session, now: datetime, day: date, taker: Taker | None) -> bool:
        issue = issues.get(session, day)
        if self._is_over or issue is None or issue.status is not Status.SEALED or issue.brake is not Brake.NONE:
            return False
        if retention.totals(session, issue.id):  # who had it is not known one by one any more
            return False
        found = self._round.next(session, None, but=issue.date)  # who accepted this very issue is done
        self._maker(session, issue).on_date(session, found, day, now, taker)
        self._is_over = not found
        return bool(found)

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

    def _pass_over(self, session: Session, issue: Issue | None, readers: Sequence[DueReader], now: datetime) -> None:
        """Give their next instant to readers who are due and have had the newest issue.

        Not to who had it as an alert only: they wait for the next one, rather than for their rhythm to come round.
        """
        newsletter = self._settings.newsletter
        if readers and issue:
            wait = alerts.only(session, issue.date, [reader.id for reader in readers])
            readers = [reader for reader in readers if reader.id not in wait]
        due.advance(
            session,
            [(r, next_due(rhythm_of(r.preferences, newsletter), now, r.last_digest_on).at) for r in readers],
        )


class _Round:
    """One round through the readers in question, the longest unserved first; after its end the next one begins.

    Who is served on the way goes to the group of the issue's own date, which is left out.
    """

    def __init__(self) -> None:
        self._groups: list[date | None] | None = None  # still to look at, the next one last
        self._after: Place | None = None

    @property
    def is_new(self) -> bool:
        """Return whether the next chunk is the first of a round."""
        return self._groups is None

    def next(self, session: Session, now: datetime | None, *, but: date | None) -> list[DueReader]:
        """Return the next chunk, those not served last on *but*; nobody where the round is at its end.

        Those who are due at *now*, or everybody who is active.
        """
        groups = due.groups(session, now)[::-1] if self._groups is None else self._groups
        found: list[DueReader] = []
        left = _SPOKEN
        while groups and len(found) < CHUNK:
            some = []
            if groups[-1] is None or groups[-1] != but:
                some = due.readers(session, groups[-1], self._after, CHUNK - len(found), now)
            kept, left = _bearable(session, some, left)
            found += kept
            if kept:
                self._after = Place(kept[-1].next_due_at, kept[-1].id)
            if len(kept) < len(some) or len(found) == CHUNK:
                break
            groups.pop()
            self._after = None
        self._groups = groups if found else None
        return found


def _bearable(session: Session, some: list[DueReader], left: int) -> tuple[list[DueReader], int]:
    """Return the first of *some* readers, who spoke of no more papers than are *left*, and how many then are."""
    said = feedback.counts(session, [reader.id for reader in some])  # of one reader always fewer than a chunk may have
    for place, reader in enumerate(some):
        spoken = said.get(reader.id, 0)
        if spoken > left:
            return some[:place], left
        left -= spoken
    return some, left
