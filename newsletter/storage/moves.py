"""The moves that every message makes: claimed, offered and accepted, each in one statement for a whole group.

``offer`` is durable before the final dot and sees, in the same statement, that the row is still ours, the reader
still active and the issue not stopped. Plain SQL on the driver's connection, since at thousands of messages a second
anything between costs more than the moves; SQLite 3.35 or newer. Not here: all other moves (``claims``).
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from json import dumps, loads
from typing import Any

from newsletter.domain.delivery import Delivery, Status
from newsletter.storage import traffic
from newsletter.storage.tables import stored

_MORE = 1000  # beyond what is wanted are looked at: those that waited longest, however many wait
_DUE = """
  SELECT d.id, d.next_attempt_at FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
  WHERE d.status = '{status}' AND d.status IN ('ready', 'deferred') AND d.next_attempt_at <= :now
    AND d.expires_at > :now AND s.status = 'active' {issue} {after} {behind}
    AND EXISTS (SELECT 1 FROM issues i WHERE i.id = d.issue_id AND i.brake = 'none')
  ORDER BY d.next_attempt_at, d.id LIMIT :limit + :more
"""
_AFTER = "AND (d.next_attempt_at, d.id) > (:after_at, :after_id)"
_OF_ISSUE = "AND d.issue_id = :issue"
_BUSY = "substr(s.email_key, instr(s.email_key, '@') + 1) IN (SELECT value FROM json_each(:busy))"
_BEHIND = "d.id IN (SELECT value FROM json_each(:behind))"
_CLAIM = """
SELECT d.id, d.subscriber_id, d.issue_id, d.day, d.message_id, d.made_at, d.next_attempt_at, d.expires_at,
  d.attempts, d.uncertain, d.since, d.picks, s.email, s.format, s.created_at, s.frequency, s.hour, s.zone
FROM deliveries d JOIN subscribers s ON s.id = d.subscriber_id
WHERE d.id IN (SELECT id FROM ({ready}) UNION ALL SELECT id FROM ({deferred})) {not_busy}
ORDER BY d.served_on, d.next_attempt_at, d.id LIMIT :limit
"""
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

Place = tuple[str, int]  # in what is ready: the next attempt as it is stored, and the id


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that is ours to send, and what composing it needs of its reader."""

    delivery: Delivery
    email: str
    format: str | None
    created_at: datetime
    frequency: str | None
    hour: time | None
    zone: str | None


@dataclass(frozen=True, slots=True)
class Taken:
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
    values = {"now": stored(now), "limit": limit, "more": _MORE, "issue": issue_id, "owner": owner}
    values |= {"busy": dumps(list(busy)), "behind": dumps(list(behind)), **_placed(after)}
    found = _found(cursor, values, after, f"AND NOT {_BEHIND}" if behind else "")
    if behind and len(found) < limit:
        values["limit"] = limit - len(found)
        found += _found(cursor, values, None, f"AND {_BEHIND}")
    cursor.execute(_LEASE, {"owner": owner, "ids": dumps([one.delivery.id for one in found])})
    return found


def passed(
    cursor: sqlite3.Cursor, now: datetime, after: Place | None = None, issue_id: int | None = None
) -> Place | None:
    """Return how far a claim that found too little has looked, None where that was the end of what is ready."""
    values = {"now": stored(now), "limit": 0, "more": _MORE, "issue": issue_id, **_placed(after)}
    window = _due("ready", issue_id, after, "")
    rows = cursor.execute(window, values).fetchall()
    return (rows[-1][1], rows[-1][0]) if len(rows) == _MORE else None


def _due(status: str, issue_id: int | None, after: Place | None, behind: str) -> str:
    return _DUE.format(
        status=status,
        issue="" if issue_id is None else _OF_ISSUE,
        after=_AFTER if after and status == "ready" else "",
        behind=behind,
    )


def _placed(after: Place | None) -> dict[str, Any]:
    return {"after_at": after[0], "after_id": after[1]} if after else {}


def _found(cursor: sqlite3.Cursor, values: dict[str, Any], after: Place | None, behind: str) -> list[Claimed]:
    ready, deferred = (_due(status, values["issue"], after, behind) for status in ("ready", "deferred"))
    not_busy = "" if values["busy"] == "[]" else f"AND NOT {_BUSY}"
    query = _CLAIM.format(ready=ready, deferred=deferred, not_busy=not_busy)
    return [_claimed(row) for row in cursor.execute(query, values)]


def _claimed(row: Sequence[Any]) -> Claimed:
    id_, reader, issue, day, message_id, made, next_attempt, expires, attempts, uncertain, *rest = row
    since, picks, email, format_, created, frequency, hour, zone = rest
    delivery = Delivery(
        id=id_,
        subscriber_id=reader,
        issue_id=issue,
        day=date.fromisoformat(day),
        status=Status.LEASED,
        message_id=message_id,
        made_at=_instant(made),
        next_attempt_at=_instant(next_attempt),
        expires_at=_instant(expires),
        attempts=attempts,
        uncertain=uncertain,
        since=date.fromisoformat(since) if since else None,
        picks=_picks(picks),
    )
    return Claimed(
        delivery=delivery,
        email=email,
        format=format_,
        created_at=_instant(created),
        frequency=frequency,
        hour=time.fromisoformat(hour) if hour else None,
        zone=zone,
    )


@lru_cache(maxsize=4096)  # those of one chunk are the same or nearly so
def _instant(kept: str) -> datetime:
    return datetime.fromisoformat(kept).replace(tzinfo=UTC)


@lru_cache(maxsize=4096)  # readers who follow the same get the same
def _picks(kept: str) -> tuple[tuple[int, str, str], ...]:
    return tuple((pick[0], pick[1], pick[2]) for pick in loads(kept))


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
