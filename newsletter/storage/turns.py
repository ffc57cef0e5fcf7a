"""Whose turn it is: a claim leases some of what is due, the longest unserved readers first.

It looks at the running issues one by one, in the order of the index, so that what waits of another one, halted or not
asked for, costs nothing, however much it is. Plain SQL, as in ``moves``, which has what happens to it then.
"""

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from json import dumps, loads
from typing import Any, NamedTuple

from newsletter.domain.issue import Brake
from newsletter.storage.picks import Picks, unpacked
from newsletter.storage.tables import day_of, instant_of, stored

_MORE = 1000  # beyond what is wanted are looked at where some of it is not: however many wait for a busy domain
# From one issue to the next in the index: what lies between them is not gone through.
_WAITING = """
WITH RECURSIVE waiting (issue_id) AS (
  SELECT min(issue_id) FROM deliveries WHERE status IN ('ready', 'deferred')
  UNION ALL
  SELECT (SELECT min(d.issue_id) FROM deliveries d WHERE d.status IN ('ready', 'deferred')
    AND d.issue_id > waiting.issue_id)
  FROM waiting WHERE waiting.issue_id IS NOT NULL
)
SELECT i.id, i.brake FROM waiting JOIN issues i ON i.id = waiting.issue_id ORDER BY i.day
"""
# Read in the index's own order, and only once. All rows come as one text: the driver gives up the interpreter's lock
# for each row that it fetches, and would wait for it as often.
_DUE = """
SELECT d.id, d.subscriber_id, d.issue_id, d.day, d.message_id, d.made_at, d.since, d.picks,
  d.unlisted, d.corrections,
  s.email, s.format, s.created_at, s.frequency, s.hour, s.zone, s.language, d.served_on, d.next_attempt_at, s.email_key
FROM deliveries d {which} CROSS JOIN subscribers s ON s.id = d.subscriber_id
WHERE {is_due} AND d.next_attempt_at <= :now AND d.expires_at > :now AND s.status = 'active' {only}
ORDER BY {turn} LIMIT :window
"""
_CLAIM = """
SELECT json_group_array(json_array(id, subscriber_id, issue_id, day, message_id, made_at, since, picks,
  unlisted, corrections, email, format, created_at, frequency, hour, zone, language, served_on, next_attempt_at))
FROM (SELECT * FROM ({due}) {but} LIMIT :limit)
"""
_PLACES = "SELECT coalesce(served_on, ''), next_attempt_at, id FROM ({due})"
_NOT_BUSY = "WHERE substr(email_key, instr(email_key, '@') + 1) NOT IN (SELECT value FROM json_each(:busy))"
_IS_READY = "d.issue_id = :issue AND d.status = 'ready'"
_READY = {
    "is_due": _IS_READY,
    "which": "INDEXED BY ix_deliveries_turn",
    "turn": "coalesce(d.served_on, ''), d.next_attempt_at, d.id",
}
# Of those that are named, which an index of turns would not find.
_ANYWHERE = _READY | {"is_due": f"+{_IS_READY}", "which": ""}
# Behind a place, in two ranges of the index: as one, SQLite would go through all that stands before.
_BEHIND_IT = (
    {
        **_READY,
        "is_due": f"{_IS_READY} AND coalesce(d.served_on, '') = :served AND (d.next_attempt_at, d.id) > (:at, :id)",
        "turn": "d.next_attempt_at, d.id",
    },
    {**_READY, "is_due": f"{_IS_READY} AND coalesce(d.served_on, '') > :served"},
)
_DEFERRED = {
    "is_due": "d.issue_id = :issue AND d.status = 'deferred' AND d.status IN ('ready', 'deferred')",
    "which": "INDEXED BY ix_deliveries_waiting",
    "turn": "d.next_attempt_at, d.id",
}
_BEHIND = "AND d.id IN (SELECT value FROM json_each(:behind))"
_NOT_BEHIND = "AND d.id NOT IN (SELECT value FROM json_each(:behind))"
_LEASE = """
UPDATE deliveries SET status = 'leased', owner = :owner WHERE id IN (SELECT value FROM json_each(:ids))
"""

_Range = dict[str, str]
Place = tuple[str, str, int]  # in what is ready: when the reader was served and the next attempt, as stored; the id


class Claimed(NamedTuple):
    """A delivery that is ours to send: what composing it needs of it, and of its reader."""

    id: int
    subscriber_id: int
    issue_id: int
    day: date
    message_id: str
    made_at: datetime
    since: date | None
    picks: Picks
    email: str
    format: str | None
    created_at: datetime  # the reader's
    frequency: str | None
    hour: time | None
    zone: str | None
    unlisted: str = ""  # as in ``domain.delivery``
    corrections: tuple[int, ...] = ()
    language: str | None = None  # the reader's


def waiting(cursor: sqlite3.Cursor) -> dict[int, str]:
    """Return the issues of which anything is ready or deferred, the oldest first, each with its brake."""
    return dict(cursor.execute(_WAITING))


def running(cursor: sqlite3.Cursor, issue_id: int | None = None) -> list[int]:
    """Return those of them that are not stopped; at most *issue_id* where given."""
    return [one for one, brake in waiting(cursor).items() if brake == Brake.NONE and issue_id in {None, one}]


def claim(
    cursor: sqlite3.Cursor,
    owner: str,
    now: datetime,
    limit: int,
    *,
    busy: Sequence[str] = (),
    behind: Collection[int] = (),
    issue_id: int | None = None,
    after: Place | None = None,
) -> list[Claimed]:
    """Lease up to *limit* deliveries that are due to *owner*, the longest unserved readers first, *behind* last.

    Not those of stopped issues, nor to the domains *busy*; of one issue only where given. Of what is ready only
    what stands *after* where an earlier claim ``passed``.
    """
    if not limit:
        return []
    values = {"now": stored(now), "limit": limit, "window": limit + (_MORE if busy else 0)}
    values |= {"busy": dumps(list(busy)), "behind": dumps(list(behind)), **_placed(after)}
    issues = running(cursor, issue_id)
    found = _longest_unserved(cursor, values, issues, _ranges(after), _NOT_BEHIND if behind else "")
    if behind and len(found) < limit:
        values["limit"] = limit - len(found)
        found += _longest_unserved(cursor, values, issues, (_ANYWHERE,), _BEHIND)
    cursor.execute(_LEASE, {"owner": owner, "ids": dumps([row[0] for row in found])})
    return [_claimed(row) for row in found]


def _longest_unserved(
    cursor: sqlite3.Cursor, values: dict[str, Any], issues: Iterable[int], ranges: Collection[_Range], behind: str
) -> list[list[Any]]:
    found: list[list[Any]] = []
    for issue in issues:
        found += _of_issue(cursor, values | {"issue": issue}, ranges, behind)
    return sorted(found, key=_waited)[: values["limit"]]


def _of_issue(cursor: sqlite3.Cursor, values: dict[str, Any], ranges: Iterable[_Range], behind: str) -> list[list[Any]]:
    ready: list[list[Any]] = []
    for part in ranges:
        ready += _rows(cursor, part, values, behind)
        if len(ready) >= values["limit"] or _is_cut(cursor, part, values):
            break  # what stands behind it has waited less
    return ready + _rows(cursor, _DEFERRED, values, behind)


def _is_cut(cursor: sqlite3.Cursor, part: _Range, values: dict[str, Any]) -> bool:
    """Return whether a range has more than is looked at: among it are those that are busy."""
    if values["busy"] == "[]":
        return False
    query = _PLACES.format(due=_due(part, "")) + " LIMIT 1 OFFSET :window - 1"
    return cursor.execute(query, values).fetchone() is not None


def _waited(row: list[Any]) -> tuple[str, str, int]:
    """Return the turn of a row of ``_CLAIM``, which ends with what that depends on."""
    return row[-2] or "", row[-1], row[0]


def _rows(cursor: sqlite3.Cursor, part: _Range, values: dict[str, Any], only: str) -> list[list[Any]]:
    but = "" if values["busy"] == "[]" else _NOT_BUSY
    query = _CLAIM.format(due=_due(part, only), but=but)
    rows: list[list[Any]] = loads(cursor.execute(query, values).fetchone()[0])
    return rows


def _due(part: _Range, only: str) -> str:
    return _DUE.format(**part, only=only)


def passed(
    cursor: sqlite3.Cursor, now: datetime, after: Place | None = None, issue_id: int | None = None
) -> Place | None:
    """Return how far a claim that found too little has looked, None where that was the end of what is ready."""
    values = {"now": stored(now), "window": _MORE, **_placed(after)}
    places: list[Place] = []
    for issue in running(cursor, issue_id):
        for part in _ranges(after):
            places += cursor.execute(_PLACES.format(due=_due(part, "")), values | {"issue": issue})
    return sorted(places)[_MORE - 1] if len(places) >= _MORE else None


def _ranges(after: Place | None) -> tuple[_Range, ...]:
    return _BEHIND_IT if after else (_READY,)


def _placed(after: Place | None) -> dict[str, Any]:
    return dict(zip(("served", "at", "id"), after, strict=True)) if after else {}


def _claimed(row: Sequence[Any]) -> Claimed:
    (id_, reader, issue, day, message_id, made, since, picks, unlisted, corrections, email, format_, *says) = row
    created, frequency, hour, zone, language, *_ = says
    return Claimed(
        id_,
        reader,
        issue,
        day_of(day),
        message_id,
        instant_of(made),
        day_of(since) if since else None,
        unpacked(picks),
        email,
        format_,
        instant_of(created),
        frequency,
        time.fromisoformat(hour) if hour else None,
        zone,
        unlisted,
        _corrections(corrections) if corrections else (),
        language,
    )


@lru_cache(maxsize=64)
def _corrections(kept: str) -> tuple[int, ...]:
    return tuple(loads(kept))
