"""The moves that every message makes once claimed: offered and accepted, each in one statement for a whole group.

``offer`` is durable before the final dot and sees, in the same statement, that the row is still ours, the reader
still active and the issue not stopped. Plain SQL on the driver's connection, since at thousands of messages a second
anything between costs more than the moves; SQLite 3.35 or newer. Not here: the claim (``turns``)
and all other moves (``claims``).
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from json import dumps
from typing import NamedTuple

from newsletter.storage import traffic
from newsletter.storage.tables import stored

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


class Taken(NamedTuple):
    """A message that a server said 250 to."""

    delivery_id: int
    route: str
    server: str
    reply: str


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
