"""Giving up what need not be kept any more: after a run, for some seconds, in steps between which others write.

Whatever ends it, the next run goes on: nothing is remembered but that a day's work was done. Not here: what a step
does (``storage/retention``).
"""

import asyncio
import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

from sqlmodel import Session

from newsletter.config.retention import RetentionSettings
from newsletter.services.earlier import REMEMBERED
from newsletter.storage import had, problems, retention, subscribers, uploads
from newsletter.storage.database import Database

AT_ONCE = 250  # rows in one transaction: for some hundredths of a second others wait for it
RECENT = timedelta(days=3)  # what is younger is kept one by one, however much it is
BUDGET = 10.0  # seconds in one run
_UNCONFIRMED = timedelta(days=30)  # since somebody was asked whether they want the newsletter, and said nothing
_LETS_IN = 0.002  # seconds between two steps
_DONE = "retention.done_on"


async def keep_house(
    database: Database, kept: RetentionSettings, today: date, now: datetime, *, budget: float = BUDGET
) -> bool:
    """Give up what is older than *kept* says, for about *budget* seconds. Return whether all of *today* is done."""
    uploads.drop_old(database.path, now)
    with database.read() as session:
        if problems.fact(session, _DONE) == today.isoformat():
            return True
    ends = time.monotonic() + budget
    for step in _steps(kept, today, now):
        while await asyncio.to_thread(_one, database, step):
            if time.monotonic() > ends:
                return False
            await asyncio.sleep(_LETS_IN)
    with database.write() as session:
        problems.keep_fact(session, _DONE, today.isoformat())
    return True


_Step = Callable[[Session], int]


def _one(database: Database, step: _Step) -> int:
    with database.write() as session:
        return step(session)


def _steps(kept: RetentionSettings, today: date, now: datetime) -> list[_Step]:
    return [
        lambda session: _total(session, today - kept.ledger),
        _Shortening(today - RECENT, kept.ledger_rows),
        lambda session: retention.drop_abstracts(session, now - kept.abstracts, AT_ONCE),
        lambda session: retention.drop_logs(session, now - kept.logs),
        lambda session: had.drop(session, today - REMEMBERED, AT_ONCE),
        lambda session: subscribers.drop_unconfirmed(session, now - _UNCONFIRMED, AT_ONCE),
    ]


def _total(session: Session, until: date) -> int:
    """Make totals of some deliveries of the oldest issue until *until*."""
    found = retention.oldest_issue(session, until)
    return retention.total(session, *found, AT_ONCE) if found else 0


class _Shortening:
    """Does the same to younger issues, until *until*, as long as the ledger has more than *most* rows."""

    def __init__(self, until: date, most: int) -> None:
        self._until, self._most = until, most
        self._size: int | None = None  # counted once: that takes long where they are many

    def __call__(self, session: Session) -> int:
        if self._size is None:
            self._size = retention.ledger_size(session)
        done = _total(session, self._until) if self._size > self._most else 0
        self._size -= done
        return done
