"""Bringing whole files of subscribers in, and taking the list out.

A file comes in whole or not at all. It is checked to its end before the first row is written, since a slow pipe must
not keep the sender waiting for the database. Not here: what files look like (``subscriber_files``).
"""

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import IO, Any

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.subscriber import Preferences, Status, Subscriber, preferences
from newsletter.errors import UsageError
from newsletter.mail.addresses import parse_address
from newsletter.services.subscribe import Instants, instants
from newsletter.services.subscriber_files import Record, records
from newsletter.storage import subscribers, suppressions
from newsletter.storage.database import Database
from newsletter.storage.subscribers import PREFERENCES

CHUNK = 2000  # rows in one statement, and in one reading transaction
_MOST_NAMED = 1000  # invalid lines that a report names
_Entry = tuple[str, Subscriber]  # with the key of the address


@dataclass(frozen=True, slots=True)
class Invalid:
    """A line that cannot be taken, and why."""

    line: int
    reason: str


@dataclass
class Report:
    """What came of an import. ``invalid`` names the first thousand of ``invalid_count`` lines."""

    added: int = 0
    already_there: int = 0
    left_alone: int = 0  # unsubscribed, suppressed or removed before
    invalid_count: int = 0
    invalid: list[Invalid] = field(default_factory=list)
    ignored_columns: set[str] = field(default_factory=set)
    dry_run: bool = False
    written: bool = False

    def document(self) -> dict[str, Any]:
        """Return the report as JSON gives it."""
        return asdict(self) | {"ignored_columns": sorted(self.ignored_columns)}


def import_file(
    database: Database,
    newsletter: NewsletterSettings,
    file: IO[bytes],
    name: str,
    now: datetime,
    *,
    skip_invalid: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] = lambda _line: None,
) -> Report:
    """Add whom the file *name* lists, as they stand there: an export comes in as it went out.

    Nobody who is on the list already is changed, nobody who left it comes back, and nothing at all is written where
    a line is invalid, unless those are to be skipped. *progress* takes the line reached. Raises UsageError for what
    is no file of subscribers.
    """
    report = Report(dry_run=dry_run)
    due = lru_cache(lambda chosen: instants(chosen, newsletter, now, None))
    found = _watched(records(file, name, report.ignored_columns), progress)
    entries = _valid(found, lambda record: _entry(record, f"import of {name}", due, now), report)
    with tempfile.TemporaryFile() as spool:
        chunks = 0
        while chunk := list(islice(entries, CHUNK)):
            pickle.dump(chunk, spool)
            chunks += 1
        if dry_run or skip_invalid or not report.invalid_count:
            spool.seek(0)
            _store(database, _spooled(spool, chunks), report, now)
    return report


def export(database: Database) -> Iterator[Subscriber]:
    """Return everyone on the list, by address. No transaction stays open between two chunks."""
    after = ""
    while True:
        with database.read() as session:
            found, after = subscribers.chunk(session, after, CHUNK)
        if not found:
            return
        yield from found


def _watched(found: Iterable[Record], progress: Callable[[int], None]) -> Iterator[Record]:
    for record in found:
        if record.line % 1000 == 0:
            progress(record.line)
        yield record


def _valid(found: Iterable[Record], taken: Callable[[Record], _Entry], report: Report) -> Iterator[_Entry]:
    for record in found:
        try:
            yield taken(record)
        except UsageError as error:
            report.invalid_count += 1
            if len(report.invalid) < _MOST_NAMED:
                report.invalid.append(Invalid(record.line, str(error)))


def _entry(record: Record, source: str, due: Callable[[Preferences], Instants], now: datetime) -> _Entry:
    if record.fault:
        raise UsageError(record.fault)
    texts = record.texts
    address = parse_address(texts.get("email", ""))
    chosen = _preferences(tuple(texts.get(column, "") for column in PREFERENCES))
    status = _status(texts.get("status", ""))
    at = due(chosen) if status is Status.ACTIVE else Instants(None, None)
    vouched = now if status in {Status.ACTIVE, Status.PAUSED} else None
    reason = " ".join(texts.get("suppression_reason", "").split()) or "suppressed where it was imported from"
    return address.key, Subscriber(
        id=subscribers.new_id(),
        email=address.email,
        status=status,
        preferences=chosen,
        created_at=_instant("created_at", texts.get("created_at", "")) or now,
        confirmed_at=_instant("confirmed_at", texts.get("confirmed_at", "")) or vouched,
        next_due_at=at.next_due_at,
        next_alert_at=at.next_alert_at,
        suppression_reason=reason if status is Status.SUPPRESSED else None,
        consent_source=source,
    )


@lru_cache
def _preferences(texts: tuple[str, ...]) -> Preferences:
    return preferences(dict(zip(PREFERENCES, texts, strict=True)))


def _status(text: str) -> Status:
    try:
        return Status(text.lower() or Status.ACTIVE)
    except ValueError as error:
        raise UsageError(f"status {text!r}: use {', '.join(Status)}") from error


def _instant(column: str, text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise UsageError(f"{column} {text!r}: use an instant like 2026-07-15T08:00:00Z")
    return at


def _spooled(spool: IO[bytes], chunks: int) -> Iterator[list[_Entry]]:
    for _ in range(chunks):
        yield pickle.load(spool)  # noqa: S301 - ours alone: it has no name, and we wrote it


def _store(database: Database, chunks: Iterable[list[_Entry]], report: Report, now: datetime) -> None:
    with database.write() as session:
        for entries in chunks:
            subscribers.add(session, _new(session, entries, report), now)
        if report.dry_run:
            session.rollback()
    report.written = not report.dry_run


def _new(session: Session, entries: list[_Entry], report: Report) -> list[_Entry]:
    """Return those of *entries* who are to be added, and count the others."""
    keys = [key for key, _ in entries]
    there, gone = subscribers.statuses(session, keys), suppressions.reasons(session, keys)
    new: dict[str, _Entry] = {}
    for key, subscriber in entries:
        if key in new or (key in there and there[key] not in {Status.UNSUBSCRIBED, Status.SUPPRESSED}):
            report.already_there += 1
        elif key in there or key in gone:
            report.left_alone += 1
        else:
            new[key] = (key, subscriber)
            report.added += 1
    return list(new.values())
