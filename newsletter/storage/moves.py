"""The moves that every message makes: claimed, offered and accepted, each in one statement for a whole group.

``offer`` is durable before the final dot and sees, in the same statement, that the row is still ours, the reader
still active and the issue not stopped. Plain SQL on the driver's connection, since at thousands of messages a second
anything between costs more than the moves; SQLite 3.35 or newer. Not here: all other moves (``claims``).
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from json import dumps, loads
from typing import Any, NamedTuple

from newsletter.storage import traffic
from newsletter.storage.picks import Picks, unpacked
from newsletter.storage.tables import stored

_MORE = 1000  # beyond what is wanted are looked at where some of it is not: however many wait for a busy domain
# Read in the index's own order, and only once. All rows come as one text: the driver gives up the interpreter's lock
# for each row that it fetches, and would wait for it as often.
_DUE = """
SELECT d.id, d.subscriber_id, d.issue_id, d.day, d.message_id, d.made_at, d.since, d.picks,
  d.unlisted, d.corrections,
  s.email, s.format, s.created_at, s.frequency, s.hour, s.zone, s.language, d.served_on, d.next_attempt_at, s.email_key
FROM deliveries d {which} CROSS JOIN subscribers s ON s.id = d.subscriber_id
WHERE d.{is_due} AND d.next_attempt_at <= :now AND d.expires_at > :now AND s.status = 'active' {only}
  AND EXISTS (SELECT 1 FROM issues i WHERE i.id = d.issue_id AND i.brake = 'none')
ORDER BY {turn} LIMIT :window
"""
_CLAIM = """
SELECT json_group_array(json_array(id, subscriber_id, issue_id, day, message_id, made_at, since, picks,
  unlisted, corrections, email, format, created_at, frequency, hour, zone, language, served_on, next_attempt_at))
FROM (SELECT * FROM ({due}) {but} LIMIT :limit)
"""
_PLACES = "SELECT coalesce(served_on, ''), next_attempt_at, id FROM ({due})"
_NOT_BUSY = "WHERE substr(email_key, instr(email_key, '@') + 1) NOT IN (SELECT value FROM json_each(:busy))"
_TURN = "coalesce(d.served_on, ''), d.next_attempt_at, d.id"
_READY = {"is_due": "status = 'ready'", "which": "INDEXED BY ix_deliveries_turn", "turn": _TURN}
_ANYWHERE = _READY | {"which": ""}  # of those that are named, which an index of turns would not find
# Behind a place, in two ranges of the index: as one, SQLite would go through all that stands before.
_BEHIND_IT = (
    {
        **_READY,
        "is_due": "status = 'ready' AND coalesce(d.served_on, '') = :served AND (d.next_attempt_at, d.id) > (:at, :id)",
        "turn": "d.next_attempt_at, d.id",
    },
    {**_READY, "is_due": "status = 'ready' AND coalesce(d.served_on, '') > :served"},
)
_DEFERRED = {
    "is_due": "status = 'deferred' AND d.status IN ('ready', 'deferred')",
    "which": "INDEXED BY ix_deliveries_waiting",
    "turn": "d.next_attempt_at, d.id",
}
_OF_ISSUE = "AND d.issue_id = :issue"
_BEHIND = "AND d.id IN (SELECT value FROM json_each(:behind))"
_NOT_BEHIND = "AND d.id NOT IN (SELECT value FROM json_each(:behind))"
_LEASE = """
UPDATE deliveries SET status = 'leased', owner = :owner WHERE id IN (SELECT value FROM json_each(:ids))
"""
_OFFER = """
UPDATE deliveries SET status = 'offered', offered_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND +owner = :owner AND status = 'leased' AND expires_at > :now
  AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = subscriber_id AND s.status = 'active')
  AND EXISTS (SELECT 1 FROM issues i WHERE i.id = issue_id AND i.brake = 'none')
"""
_OFFERED = """
SELECT id FROM deliveries
WHERE id IN (SELECT value FROM json_each(:ids)) AND +owner = :owner AND status = 'offered' AND offered_at = :now
"""
_ACCEPT = """
UPDATE deliveries SET status = 'accepted', owner = NULL, attempts = attempts + 1, settled_at = :now,
  route = json_extract(taken.value, '$[1]'), server = json_extract(taken.value, '$[2]'),
  reply = json_extract(taken.value, '$[3]')
FROM json_each(:taken) AS taken
WHERE deliveries.id = json_extract(taken.value, '$[0]') AND +owner = :owner AND status = 'offered'
"""
_ACCEPTED = """
SELECT id FROM deliveries
WHERE id IN (SELECT value FROM json_each(:ids)) AND status = 'accepted' AND settled_at = :now
"""
# That of an earlier date changes nothing.
_SERVE = """
UPDATE subscribers SET last_accepted_on = served.day
FROM (
  SELECT d.subscriber_id, i.day FROM deliveries d JOIN issues i ON i.id = d.issue_id WHERE {which}
) AS served
WHERE id = served.subscriber_id AND coalesce(last_accepted_on, '') < served.day
"""
_SERVE_THESE = _SERVE.format(which="d.id IN (SELECT value FROM json_each(:ids))")
_SERVE_SINCE = _SERVE.format(which="d.settled_at >= :since AND d.status = 'accepted'")

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


class Taken(NamedTuple):
    """A message that a server said 250 to."""

    delivery_id: int
    route: str
    server: str
    reply: str


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
    values = {"now": stored(now), "limit": limit, "window": limit + (_MORE if busy else 0), "issue": issue_id}
    values |= {"busy": dumps(list(busy)), "behind": dumps(list(behind)), **_placed(after)}
    found = _longest_unserved(cursor, values, _ranges(after), _NOT_BEHIND if behind else "")
    if behind and len(found) < limit:
        values["limit"] = limit - len(found)
        found += _longest_unserved(cursor, values, (_ANYWHERE,), _BEHIND)
    cursor.execute(_LEASE, {"owner": owner, "ids": dumps([row[0] for row in found])})
    return [_claimed(row) for row in found]


def _longest_unserved(
    cursor: sqlite3.Cursor, values: dict[str, Any], ranges: Iterable[_Range], behind: str
) -> list[list[Any]]:
    ready: list[list[Any]] = []
    for part in ranges:
        ready += _rows(cursor, part, values, behind)
        if len(ready) >= values["limit"] or _is_cut(cursor, part, values):
            break  # what stands behind it has waited less
    return sorted(ready + _rows(cursor, _DEFERRED, values, behind), key=_waited)[: values["limit"]]


def _is_cut(cursor: sqlite3.Cursor, part: _Range, values: dict[str, Any]) -> bool:
    """Return whether a range has more than is looked at: among it are those that are busy."""
    if values["busy"] == "[]":
        return False
    query = _PLACES.format(due=_due(part, values, "")) + " LIMIT 1 OFFSET :window - 1"
    return cursor.execute(query, values).fetchone() is not None


def _waited(row: list[Any]) -> tuple[str, str, int]:
    """Return the turn of a row of ``_CLAIM``, which ends with what that depends on."""
    return row[-2] or "", row[-1], row[0]


def _rows(cursor: sqlite3.Cursor, part: _Range, values: dict[str, Any], only: str) -> list[list[Any]]:
    but = "" if values["busy"] == "[]" else _NOT_BUSY
    query = _CLAIM.format(due=_due(part, values, only), but=but)
    rows: list[list[Any]] = loads(cursor.execute(query, values).fetchone()[0])
    return rows


def _due(part: _Range, values: dict[str, Any], only: str) -> str:
    return _DUE.format(**part, only=only + ("" if values["issue"] is None else _OF_ISSUE))


def passed(
    cursor: sqlite3.Cursor, now: datetime, after: Place | None = None, issue_id: int | None = None
) -> Place | None:
    """Return how far a claim that found too little has looked, None where that was the end of what is ready."""
    values = {"now": stored(now), "window": _MORE, "issue": issue_id, **_placed(after)}
    places: list[Place] = []
    for part in _ranges(after):
        places += cursor.execute(_PLACES.format(due=_due(part, values, "")), values)
    return places[_MORE - 1] if len(places) >= _MORE else None


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
        _day(day),
        message_id,
        _instant(made),
        _day(since) if since else None,
        unpacked(picks),
        email,
        format_,
        datetime.fromisoformat(created + "+00:00"),
        frequency,
        time.fromisoformat(hour) if hour else None,
        zone,
        unlisted,
        _corrections(corrections) if corrections else (),
        language,
    )


_day = lru_cache(maxsize=64)(date.fromisoformat)


@lru_cache(maxsize=64)  # those of one chunk are the same
def _instant(kept: str) -> datetime:
    return datetime.fromisoformat(kept + "+00:00")


@lru_cache(maxsize=64)
def _corrections(kept: str) -> tuple[int, ...]:
    return tuple(loads(kept))


def offer(cursor: sqlite3.Cursor, delivery_ids: Sequence[int], owner: str, now: datetime) -> set[int]:
    """Record that the final dots of these may follow. Return for which that holds.

    Not for what is not ours, unsubscribed, stopped or too late.
    """
    values = {"ids": dumps(list(delivery_ids)), "owner": owner, "now": stored(now)}
    if cursor.execute(_OFFER, values).rowcount == len(delivery_ids):
        return set(delivery_ids)
    return {row[0] for row in cursor.execute(_OFFERED, values)}


def accept(cursor: sqlite3.Cursor, taken: Sequence[Taken], owner: str, now: datetime) -> set[int]:
    """Record that a server said 250 to these. Return which were still ours, and offered.

    For the others another owner took over while this one was silent: its word counts. What the routes took counts
    against their limits all the same. Who was served is remembered by ``serve``, no later than the next heartbeat.
    """
    at = stored(now)
    rows = dumps([(one.delivery_id, one.route, one.server, one.reply) for one in taken])
    ours = {one.delivery_id for one in taken}
    if cursor.execute(_ACCEPT, {"taken": rows, "owner": owner, "now": at}).rowcount != len(ours):
        still = {"ids": dumps(list(ours)), "now": at}
        ours = {row[0] for row in cursor.execute(_ACCEPTED, still)}
    for route, messages in Counter(one.route for one in taken).items():
        traffic.count(cursor, route, now, messages)
    return ours


def serve(cursor: sqlite3.Cursor, delivery_ids: Iterable[int]) -> None:
    """Remember with their readers which issue was accepted last.

    Not with each acceptance: in hundreds at a time it costs a fraction, and until it is done their rows say as much.
    """
    cursor.execute(_SERVE_THESE, {"ids": dumps(list(delivery_ids))})


def serve_since(cursor: sqlite3.Cursor, since: datetime) -> None:
    """Remember the same for all that was accepted since *since*: what an owner that died had not come to."""
    cursor.execute(_SERVE_SINCE, {"since": stored(since)})
