"""Making due: who gets a digest now, and when their next one is due.

A reader is due at their own hour, by their own calendar, and gets the newest sealed issue that they have not had.
Made in chunks, so that sending can begin with the first. The date and the instants that follow from a rhythm are looked
up once for all who share it. Not here: whose turn it is (``plan``), of which papers (``chooser``), sealing (``edit``)
and sending (``deliver``).
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime
from functools import cache
from typing import NamedTuple

from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.calendar import Rhythm, current, due_day, local_date, next_due, next_issue
from newsletter.domain.delivery import expires_at
from newsletter.mail.message import message_id
from newsletter.services.chooser import Chooser
from newsletter.services.edit import Policy, Shown
from newsletter.storage import alerts, due, history, making, restore
from newsletter.storage.due import DueReader
from newsletter.storage.making import Contents, NewDelivery, Taker
from newsletter.storage.restore import restored_at

CHUNK = 256  # readers whose rows are made in one transaction: for some thousandths of a second others wait for it


class _Occasion(NamedTuple):
    """The digest that a rhythm makes due: its date, when it is too late, and when the reader's next one is due."""

    day: date
    expires_at: datetime
    next_due_at: datetime


_Row = tuple[DueReader, _Occasion, bool]  # and whether the reader's next instant stays


class Maker:
    """Makes the due rows of one issue, chunk by chunk, some of them taken up by a *taker* from the start."""

    def __init__(self, session: Session, settings: Settings, policy: Policy, shown: Shown) -> None:
        self.issue = shown.issue
        self.chooser = Chooser(session, settings.newsletter, policy, shown)
        self._settings = settings
        self._restored = restored_at(session)
        self._domain = settings.newsletter.sender_address.rpartition("@")[2]

    def by_the_clock(
        self, session: Session, readers: Sequence[DueReader], now: datetime, taker: Taker | None = None
    ) -> None:
        """Make the rows of readers whose instant has come, and who have not had the issue."""
        passed: list[tuple[DueReader, datetime]] = []
        rows: list[_Row] = []
        in_rhythm = cache(lambda rhythm: current(rhythm, now).at)
        occasion = cache(lambda rhythm, last, at: self._occasion(rhythm, last, at, now))
        known: dict[tuple[int, date | None, datetime], _Occasion] = {}
        for reader in readers:
            alike = id(reader.preferences), reader.last_digest_on, reader.next_due_at
            found = known.get(alike)
            if found is None:
                rhythm = self._rhythm(reader)
                # Whenever they were due in their rhythm, it is the same: what is looked up is shared.
                at = max(reader.next_due_at, in_rhythm(rhythm))
                found = known[alike] = occasion(rhythm, reader.last_digest_on, at)
            if reader.last_digest_on and found.day <= reader.last_digest_on:
                passed.append((reader, found.next_due_at))
            else:
                rows.append((reader, found, False))
        due.advance(session, passed)
        self._make(session, rows, now, taker)

    def on_date(
        self, session: Session, readers: Sequence[DueReader], day: date, now: datetime, taker: Taker | None = None
    ) -> None:
        """Make the rows of those *readers* whose rhythm includes *day*, and who have had neither it nor the issue.

        Whatever the hour. Their next instant stays, unless it has come and is of *day*: then this digest is what it
        was for.
        """
        had = history.have_had(session, [r.id for r in readers if r.last_digest_on], self.issue, day)
        # Not the reader's next instant, which stays where this digest comes early: nothing follows at that one.
        occasion = cache(lambda rhythm: self._following(rhythm, day, day, now))
        rows: list[_Row] = []
        for reader in readers:
            rhythm = self._rhythm(reader)
            if reader.id not in had and rhythm.includes(day):
                stays = reader.next_due_at > now or local_date(reader.next_due_at, rhythm.zone) > day
                rows.append((reader, occasion(rhythm), stays))
        self._make(session, rows, now, taker)

    def by_alert(
        self, session: Session, found: Sequence[tuple[DueReader, datetime]], now: datetime, taker: Taker | None = None
    ) -> None:
        """Make the rows of readers whose alerts find something, each with since when it is looked for.

        Not where a digest comes on the same date, or before there is another issue: then that brings it. Nor while
        something waits for the reader.
        """
        again: dict[datetime, list[int]] = defaultdict(list)
        rows: list[_Row] = []
        for reader, _ in found:
            rhythm = self._rhythm(reader).of_alerts
            day = current(rhythm, now).day
            again[next_due(rhythm, now, day).at].append(reader.id)
            if self._may_alert(reader, day):
                rows.append((reader, self._following(rhythm, day, day, now), True))
        for at, readers in again.items():
            alerts.advance(session, at, readers)
        contents = self.chooser.alerts(session, [reader for reader, _, _ in rows])
        finds = [(row, one) for row, one in zip(rows, contents, strict=True) if one.picks]
        was_due = {reader.id for reader, at in found if self._was_due(at)}
        self._store(session, [row for row, _ in finds], [one for _, one in finds], now, taker, was_due)
        alerts.made(session, self.issue, [reader.id for (reader, _, _), _ in finds])

    def _may_alert(self, reader: DueReader, day: date) -> bool:
        newsletter = self._settings.newsletter
        following = next_issue(self.issue.date, newsletter.days, newsletter.send_at, newsletter.zone)
        had = (reader.last_digest_on and reader.last_digest_on >= day) or (
            reader.last_issue_on and reader.last_issue_on >= self.issue.date
        )
        return not had and reader.next_due_at >= following

    def _rhythm(self, reader: DueReader) -> Rhythm:
        return self.chooser.wish(reader.preferences).rhythm

    def _occasion(self, rhythm: Rhythm, last: date | None, at: datetime, now: datetime) -> _Occasion:
        day = due_day(rhythm, at, last, now)
        return self._following(rhythm, day, max(day, last or day), now)

    def _following(self, rhythm: Rhythm, day: date, last: date, now: datetime) -> _Occasion:
        too_late = expires_at(now, self._settings.smtp.give_up_after, next_due(rhythm, now, day).at)
        return _Occasion(day, too_late, next_due(rhythm, now, last).at)

    def _make(self, session: Session, rows: Sequence[_Row], now: datetime, taker: Taker | None) -> None:
        contents = self.chooser.contents(session, [(reader, found.day) for reader, found, _ in rows], now)
        was_due = {reader.id for reader, _, _ in rows if self._was_due(reader.next_due_at)}
        self._store(session, rows, contents, now, taker, was_due)

    def _was_due(self, at: datetime) -> bool:
        return self._restored is not None and at <= self._restored

    def _store(
        self,
        session: Session,
        rows: Sequence[_Row],
        contents: Sequence[Contents],
        now: datetime,
        taker: Taker | None,
        was_due: Collection[int],
    ) -> None:
        ids = making.new_ids(session, now, len(rows))
        made = [
            NewDelivery(
                new,
                reader,
                found.day,
                message_id(new, self._domain),
                found.expires_at,
                None if stays else found.next_due_at,
                carried,
            )
            for new, (reader, found, stays), carried in zip(ids, rows, contents, strict=True)
        ]
        making.make(session, self.issue, made, now, None if was_due else taker)
        if was_due:  # before a backup was put back: nobody knows whether it went out then
            restore.hold(session, [row.id for row in made if row.reader.id in was_due and not row.contents.skipped])
