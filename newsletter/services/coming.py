"""When readers' next digests come: at their own hour, from when there is an issue that they have not had.

A reader is due by their own rhythm alone (``subscribe``), also on days without an issue, and then gets none: here is
what they may be told. Not here: the foot of a digest (``voice``), after which another issue is needed in any case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.calendar import Rhythm, local_date, next_due, next_issue
from newsletter.domain.issue import Status
from newsletter.domain.subscriber import Subscriber
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import issues, subscribers
from newsletter.storage.database import Database


@dataclass(frozen=True, slots=True)
class Coming:
    """What is known for all readers: the newest issue, and when there is another one."""

    newest: date
    another_at: datetime

    def digest_at(self, due: datetime, rhythm: Rhythm, had: date | None) -> datetime:
        """Return when a reader who is *due* by their *rhythm*, and *had* the issue of a date last, gets a digest."""
        if due >= self.another_at or (had or date.min) < self.newest:
            return due
        return next_due(rhythm, self.another_at - timedelta(seconds=1), None).at


def coming(session: Session, newsletter: NewsletterSettings, now: datetime) -> Coming:
    """Return what is known at *now*."""
    newest, today = issues.newest_sealed(session), local_date(now, newsletter.zone)
    of_today = issues.get(session, today)
    last = today if of_today and of_today.status is not Status.DRAFT else today - timedelta(days=1)
    another_at = next_issue(last, newsletter.days, newsletter.send_at, newsletter.zone)
    return Coming(newest.date if newest else date.min, another_at)


def next_digests(
    database: Database, newsletter: NewsletterSettings, readers: Sequence[Subscriber], now: datetime
) -> Mapping[int, datetime]:
    """Return when the next digests of these *readers* come, by id; whoever gets none is left out."""
    with database.read() as session:
        known = coming(session, newsletter, now)
        had = subscribers.last_issues(session, [reader.id for reader in readers])
    return {
        reader.id: known.digest_at(reader.next_due_at, rhythm_of(reader.preferences, newsletter), had.get(reader.id))
        for reader in readers
        if reader.next_due_at
    }
