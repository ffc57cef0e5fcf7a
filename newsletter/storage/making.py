"""The rows that make a digest theirs: one per reader and date, and never the same issue twice.

Not here: who is due (``due``), what a row carries (``services/chooser.py``), and what becomes of it (``moves``,
``claims``).
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache, cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import ColumnDefault, Dialect
from sqlmodel import Session, SQLModel

from newsletter.domain.delivery import Status
from newsletter.domain.issue import Issue
from newsletter.storage.database import cursor
from newsletter.storage.due import DueReader, remember
from newsletter.storage.picks import Picks, packed, unpacked
from newsletter.storage.turns import Claimed

_LEDGER = SQLModel.metadata.tables["deliveries"]
_RANDOM_BITS = 20
_READY = 1024  # dates and instants that are remembered as the driver takes them
_AHEAD = timedelta(days=1)  # how far a clock may have been set back


@dataclass(frozen=True, eq=False)
class Contents:
    """What a digest carries: made once, and shared by all readers who get the same.

    ``skipped`` says why there is nothing to send, '' where there is. ``quiet`` is whether it only says so.
    """

    picks: Picks
    since: date | None = None
    skipped: str = ""
    unlisted: str = ""
    corrections: tuple[int, ...] = ()
    quiet: bool = False

    @cached_property
    def stored(self) -> str:
        """Return the picks as the database keeps them."""
        return packed(self.picks)

    @cached_property
    def kept(self) -> Picks:
        """Return the picks as the database gives them back: a repeat is then the same mail."""
        return unpacked(self.stored)

    @cached_property
    def stored_corrections(self) -> str | None:
        """Return the corrections as the database keeps them."""
        return json.dumps(self.corrections) if self.corrections else None


class NewDelivery(NamedTuple):
    """A row to be made. ``next_due_at`` is the reader's next instant, None where it stays."""

    id: int
    reader: DueReader
    day: date
    message_id: str
    expires_at: datetime
    next_due_at: datetime | None
    contents: Contents


@dataclass(slots=True)
class Taker:
    """A sender that takes rows up as they are made: as many as it has *room* for, and none to the domains *busy*.

    ``taken`` are then its own, as if it had claimed them: a third of what making and claiming would cost is saved.
    ``leaves`` says whether any are left to be claimed.
    """

    owner: str
    room: int
    busy: frozenset[str] = frozenset()
    taken: list[Claimed] = field(default_factory=list)
    leaves: bool = False

    def take(self, issue: Issue, rows: Sequence[NewDelivery], now: datetime) -> set[int]:
        """Take up what may be sent at once of *rows*, in their order. Return their ids."""
        due = [row for row in rows if not row.contents.skipped and row.expires_at > now]
        mine = list(filter(self._may_have, due))[: max(0, self.room - len(self.taken))]
        self.leaves = self.leaves or len(mine) < len(due)
        self.taken += [_claimed(issue, row, now) for row in mine]
        return {row.id for row in mine}

    def _may_have(self, row: NewDelivery) -> bool:
        return not self.busy or row.reader.email.rpartition("@")[2].casefold() not in self.busy


def _claimed(issue: Issue, row: NewDelivery, now: datetime) -> Claimed:
    reader, chosen, contents = row.reader, row.reader.preferences, row.contents
    return Claimed(
        row.id,
        reader.id,
        issue.id,
        row.day,
        row.message_id,
        now,
        contents.since,
        contents.kept,
        reader.email,
        reader.format,
        reader.created_at,
        chosen.frequency,
        chosen.hour,
        chosen.zone,
        contents.unlisted,
        contents.corrections,
        reader.language,
    )


def new_ids(session: Session, now: datetime, count: int) -> list[int]:
    """Return ids for the deliveries of one chunk, in order: 42 bits of milliseconds since 1970, and 20 random ones.

    Rows of a chunk thus lie together on disk, and a claim of neighbours touches few pages. An id is never used again:
    a chunk has a millisecond of its own, one later than the last that the ledger knows where the clock does not
    show a later one. So it does not depend on the clock, which may stand still or be set back by a day.
    """
    clock = int(now.timestamp() * 1000)
    before = (clock + int(_AHEAD.total_seconds() * 1000)) << _RANDOM_BITS
    (newest,) = cursor(session).execute("SELECT max(id) FROM deliveries WHERE id < ?", (before,)).fetchone()
    base = max(clock, ((newest or 0) >> _RANDOM_BITS) + 1) << _RANDOM_BITS
    return [base + bits for bits in sorted(random.sample(range(1 << _RANDOM_BITS), count))]


def make(
    session: Session, issue: Issue, rows: Sequence[NewDelivery], now: datetime, taker: Taker | None = None
) -> None:
    """Make the deliveries *rows* of *issue*, and remember with their readers that they were made.

    What *taker* takes up is leased from the start.
    """
    if not rows:
        return
    _insert(session, issue, rows, now, taker)
    alike: dict[Any, list[int]] = defaultdict(list)
    for row in rows:
        reader = row.reader
        digest_on, issue_on = reader.last_digest_on or row.day, reader.last_issue_on or issue.date
        quiet = _quiet(row)
        alike[max(row.day, digest_on), max(issue.date, issue_on), row.next_due_at, quiet].append(reader.id)
    for (digest_on, issue_on, at, quiet), ids in alike.items():
        facts = {**dict(quiet), **({"next_due_at": at} if at else {})}
        remember(session, ids, last_digest_on=digest_on, last_issue_on=issue_on, **facts)


def _quiet(row: NewDelivery) -> tuple[tuple[str, Any], ...]:
    """Return what changes of since when nothing was found for the row's reader."""
    reader, contents = row.reader, row.contents
    if not (contents.picks or contents.skipped):
        return ()  # the mail of an empty issue
    if contents.skipped or contents.quiet:
        told = (("quiet_told", True),) if contents.quiet else ()
        return told if reader.quiet_since else (("quiet_since", row.day), *told)
    return (("quiet_since", None), ("quiet_told", False)) if reader.quiet_since else ()


_OF_CONTENTS = ("since", "picks", "unlisted", "corrections", "status", "owner", "settled_at", "reply")
_OF_READER = ("id", "subscriber_id", "message_id", "day", "expires_at", "served_on")


def _insert(session: Session, issue: Issue, rows: Sequence[NewDelivery], now: datetime, taker: Taker | None) -> None:
    """Insert *rows* as the driver takes them.

    Half of what a row costs would else be making the same values ready again and again: dates, instants and picks.
    """
    taken = taker.take(issue, rows, now) if taker else set()
    stored = _stored(session.get_bind().dialect)
    day, instant, served_on = stored["day"], stored["expires_at"], stored["served_on"]

    @cache
    def carries(contents: Contents, owner: str | None) -> tuple[Any, ...]:
        waiting = Status.LEASED if owner else Status.READY
        status, settled_at = (Status.SKIPPED, now) if contents.skipped else (waiting, None)
        settled = (status.value, owner, stored["settled_at"](settled_at), contents.skipped)
        carried = (contents.stored, contents.unlisted, contents.stored_corrections)
        return (stored["since"](contents.since), *carried, *settled)

    scalars = {c.name: c.default.arg for c in _LEDGER.columns if isinstance(c.default, ColumnDefault)}
    alike = {**scalars, "issue_id": issue.id, "made_at": now, "next_attempt_at": now}
    names = [name for name in alike if name not in _OF_CONTENTS]
    same = tuple(stored[name](alike[name]) for name in names)
    made = [
        (
            row.id,
            row.reader.id,
            row.message_id,
            day(row.day),
            instant(row.expires_at),
            served_on(row.reader.last_accepted_on),
            *carries(row.contents, taker.owner if taker and row.id in taken else None),
        )
        for row in rows
    ]
    # As one statement: for each of many the driver would give up the interpreter's lock, and wait for it.
    cursor(session).execute(_inserting(len(made), tuple(names)), (*same, *chain.from_iterable(made)))


@lru_cache(maxsize=8)
def _inserting(rows: int, alike: Sequence[str]) -> str:
    """Return the statement for so many rows, which takes the values that are *alike* in all of them once."""
    own = (*_OF_READER, *_OF_CONTENTS)
    taken = ", ".join([*("?" * len(alike)), *(f"column{place}" for place in range(1, len(own) + 1))])
    values = ", ".join([f"({', '.join('?' * len(own))})"] * rows)
    columns = ", ".join((*alike, *own))
    return f"INSERT INTO {_LEDGER.name} ({columns}) SELECT {taken} FROM (VALUES {values})"  # noqa: S608


@lru_cache(maxsize=1)
def _stored(dialect: Dialect) -> dict[str, Callable[[Any], Any]]:
    """Return by column what makes a value ready for the driver, each once while it comes again and again."""
    ready = {c.name: c.type.dialect_impl(dialect).bind_processor(dialect) for c in _LEDGER.columns}
    return {name: lru_cache(maxsize=_READY)(make) if make else lambda value: value for name, make in ready.items()}
