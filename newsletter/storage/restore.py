"""Putting a backup back, so that nobody is mailed again for what was due before, and nobody who left comes back.

The backup is made ready in a file of its own beside the database, which is then replaced by it in one transaction: a
process that is killed before leaves the database as it was. Not here: what is made due afterwards (``services/due``).
"""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from sqlmodel import Session, col, update

from newsletter.domain.delivery import Status
from newsletter.errors import BusyError
from newsletter.storage import copies, home, locks, problems, subscribers, suppressions, traces
from newsletter.storage.database import Database
from newsletter.storage.faults import StorageError, named
from newsletter.storage.tables import DeliveryRow
from newsletter.storage.upgrade import HEAD, MIGRATIONS, keeping_out, known, migrate

_RESTORED = "restored"
_MAYBE_SENT = "restored from a backup: it may have been sent before that"
_HOLD = """
UPDATE deliveries SET status = 'held', owner = NULL, reply = :reply
WHERE status IN ('ready', 'leased', 'offered', 'deferred')
"""
# Who is on both lists, and left since.
_LEFT = """
SELECT present.id, present.status, present.status_at, present.suppression_reason
FROM present.subscribers AS present JOIN main.subscribers AS saved ON saved.id = present.id
WHERE present.status IN ('unsubscribed', 'suppressed') AND saved.status <> present.status
"""
_LEAVE = """
UPDATE subscribers SET status = ?2, status_at = ?3, suppression_reason = ?4,
  next_due_at = NULL, next_alert_at = NULL, paused_until = NULL
WHERE id = ?1
"""
# What routes took since is what their limits count, whatever a backup knows of it.
_TOOK = """
INSERT INTO main.traffic (route, second, accepted) SELECT route, second, accepted FROM present.traffic WHERE true
ON CONFLICT (route, second) DO UPDATE SET accepted = max(accepted, excluded.accepted)
"""
# A paper stored since does not share its number with one that is stored from now on: links and pages name it by that.
_NUMBERED = """
UPDATE main.sqlite_sequence SET seq = max(seq, (SELECT seq FROM present.sqlite_sequence WHERE name = 'papers'))
WHERE name = 'papers' AND EXISTS (SELECT * FROM present.sqlite_sequence WHERE name = 'papers')
"""
# Who was removed since; of the forgotten not even the ledger was left.
_GONE = """
SELECT id, email_key, email, id IN (SELECT subscriber_id FROM present.deliveries)
FROM subscribers WHERE id NOT IN (SELECT id FROM present.subscribers)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came of it. ``kept`` is what was there before; ``left`` how many had left since the backup was taken."""

    version: str  # of the backup
    held: int
    left: int
    kept: Path | None
    unread: str = ""  # why nobody knows who left since, '' where it is known


def restore(path: Path, backup: Path, now: datetime) -> Restored:
    """Let the database at *path* be what *backup* is. Raises StorageError, BusyError where a run is at work."""
    before = _sound(backup)
    draft = path.with_name(f"{path.name}.restoring.backup")
    with keeping_out(path):
        _require_nobody(path)
        try:
            copies.clear(draft)
            copies.backup(backup, draft)
            migrate(draft, MIGRATIONS, HEAD)
            held = _hold(draft, path, now)
            left, unread = _leave(draft, path)
            kept = _keep(path, now)
            _require_nobody(path)  # a daemon's run may have begun meanwhile
            copies.put_back(draft, path)
        finally:
            copies.clear(draft)
    return Restored(version=before, held=held, left=left, kept=kept, unread=unread)


def _require_nobody(path: Path) -> None:
    if locks.any_held(path):
        raise BusyError("a run is at work; stop it first: what it sends now would not be known afterwards")


def restored_at(session: Session) -> datetime | None:
    """Return when a backup was last put back, None where none ever was."""
    kept = problems.fact(session, _RESTORED)
    return datetime.fromisoformat(json.loads(kept)["at"]) if kept else None


def hold(session: Session, delivery_ids: Iterable[int]) -> None:
    """Hold deliveries that were just made of what was due before a backup was put back."""
    values = {"status": Status.HELD, "reply": _MAYBE_SENT}
    session.exec(update(DeliveryRow).where(col(DeliveryRow.id).in_(list(delivery_ids))).values(**values))


def _sound(backup: Path) -> str:
    """Return the version of a *backup* that can be put back."""
    if not backup.is_file():
        raise StorageError(f"{backup}: there is no such file")
    if found := copies.damage(backup):
        raise StorageError(f"{backup}: is damaged ({found[0]}); use another backup, nothing was changed")
    before = copies.version(backup)
    if before is None:
        raise StorageError(f"{backup}: is empty; use another backup, nothing was changed")
    if before not in known(MIGRATIONS):
        raise StorageError(
            f"{backup}: has version {before}, this program knows up to {HEAD}: install the newer program, "
            "nothing was changed"
        )
    return before


def _hold(draft: Path, path: Path, now: datetime) -> int:
    """Hold what is open, and remember when: what was due before is held too when it is made."""
    with named(draft), closing(sqlite3.connect(draft)) as connection, connection:
        held = connection.execute(_HOLD, {"reply": _MAYBE_SENT}).rowcount
        connection.execute("DELETE FROM leases")
        connection.execute("DELETE FROM owners")
        connection.execute("DELETE FROM sign_ups")  # they may have been done since
        # Pages go on, and keep what they made by numbers: none was counted as far as this one.
        connection.execute("UPDATE editions SET number = ?", (int(now.timestamp()),))
        connection.execute("UPDATE search_order SET version = ?", (int(now.timestamp()),))
        facts = {_RESTORED: json.dumps({"at": now.isoformat()}), home.HOME: home.here(path)}
        connection.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", facts.items())
    return held


def _leave(draft: Path, path: Path) -> tuple[int, str]:
    """Let those leave who did so since the backup, as far as the present database can be read. Return how many."""
    try:
        if broken_now := path.is_file() and copies.damage(path):
            return 0, broken_now[0]
        if not path.is_file() or copies.version(path) is None:
            return 0, "there was no database"
        with closing(sqlite3.connect(draft.absolute().as_uri(), uri=True)) as connection, connection:
            connection.execute("ATTACH ? AS present", (f"{path.absolute().as_uri()}?mode=ro",))
            connection.execute(_TOOK)
            connection.execute(_NUMBERED)
            _take_sign_ups(connection)
            left, gone = _leave_with(connection)
        _erase(draft, gone)
        return left + len(gone), ""
    except (sqlite3.DatabaseError, StorageError) as error:
        return 0, str(error)


def _take_sign_ups(connection: sqlite3.Connection) -> None:
    """Keep what was asked on the pages and nobody has taken up, where the present database knows of such things."""
    columns = [name for _, name, *_ in connection.execute("PRAGMA main.table_info(sign_ups)")]
    if columns == [name for _, name, *_ in connection.execute("PRAGMA present.table_info(sign_ups)")]:
        waiting = "SELECT * FROM present.sign_ups WHERE subscriber_id IS NULL"
        connection.execute(f"INSERT INTO main.sign_ups {waiting}")


class _Gone(NamedTuple):
    id: int
    key: str
    email: str
    has_ledger: bool


def _leave_with(connection: sqlite3.Connection) -> tuple[int, list[_Gone]]:
    """Return how many left, and who was removed."""
    left = connection.execute(_LEFT).fetchall()
    connection.executemany(_LEAVE, left)
    return len(left), _removed(connection)


def _erase(draft: Path, gone: Iterable[_Gone]) -> None:
    """Let nothing come back with the backup that was erased with them."""
    database = Database(draft)  # which overwrites what it erases
    try:
        with database.write() as session:
            for one in gone:
                subscribers.erase(session, one.id)
                if not one.has_ledger:
                    traces.erase(session, one.id)
                    for name in {one.email, one.key}:
                        traces.blot(session, name, ledger=False)
    finally:
        database.close()


def _removed(connection: sqlite3.Connection) -> list[_Gone]:
    """Take over the hashes of who was removed since; return whom they mean. The hashes are of one pepper."""
    connection.execute("INSERT OR IGNORE INTO meta SELECT * FROM present.meta WHERE key = ?", (suppressions.PEPPER,))
    same = "SELECT value FROM present.meta WHERE key = ? INTERSECT SELECT value FROM main.meta WHERE key = ?"
    pepper = connection.execute(same, (suppressions.PEPPER, suppressions.PEPPER)).fetchone()
    if pepper is None:
        return []
    connection.execute("INSERT OR IGNORE INTO suppressions SELECT * FROM present.suppressions")
    hashes = {row[0] for row in connection.execute("SELECT hash FROM suppressions")}
    gone = (_Gone(*row) for row in connection.execute(_GONE))
    return [one for one in gone if suppressions.hashed(pepper[0], one.key) in hashes]


def _keep(path: Path, now: datetime) -> Path | None:
    """Put a copy of what is there beside it; or itself, where it is too damaged for a copy."""
    if not path.is_file() or not path.stat().st_size:
        return None
    kept = path.with_name(f"{path.name}.replaced.{now:%Y%m%dT%H%M%S}.backup")
    try:
        copies.backup(path, kept)
    except StorageError:
        copies.aside(path, kept)
    return kept
