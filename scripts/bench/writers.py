"""Prove that a sender at full speed never starves other writers, and that what they commit holds at once.

    scripts/dev bench writers [--readers 20000] [--unsubscribes 200] [--halts 5] [--connections 8] [--slow 0]
                              [--halted 0]

While a ``run`` sends, readers who have no mail yet unsubscribe, through the service that the web pages and the command
line call; each wait is measured to the return of the commit. Who was not offered before that commit gets nothing. Then
the issue is halted and resumed, again and again: after the commit of a halt come at most the messages that were in
flight, one per connection, and all of them within 100 ms. With ``--halted`` so many deliveries of an earlier issue,
which was halted, wait all the while.
"""

import argparse
import random
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import Any

from _proof import Proof, conclude, options, proof, tell

from newsletter.services.edit import halt, resume
from newsletter.services.subscribe import unsubscribe
from newsletter.storage.database import Database

_MOST = 100  # milliseconds
_GRACE = 2.0  # seconds after a halt, for what may still come
_AN_ISSUE = """
INSERT INTO issues (id, day, status, subject, note, brake, reason, hand)
VALUES (1, '2000-01-01', 'sealed', '', '', 'halted', 'a proof', '{}')
"""
_READERS = """
INSERT INTO subscribers (id, email, email_key, status, topics, created_at, status_at, consent_source)
WITH RECURSIVE readers (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM readers WHERE id < :count)
SELECT id, 'w' || id || '@waits.example', 'w' || id || '@waits.example', 'active', '[]', :at, :at, '' FROM readers
"""
_DELIVERIES = """
INSERT INTO deliveries (id, subscriber_id, issue_id, day, status, message_id, made_at, next_attempt_at, expires_at,
    attempts, uncertain, route, server, reply, picks)
SELECT id, id, 1, '2000-01-01', 'ready', '<' || id || '@waits.example>', :at, :at, '3000-01-01 00:00:00.000000',
    0, 0, '', '', '', ''
FROM subscribers WHERE email LIKE '%@waits.example'
"""


def prove(asked: argparse.Namespace) -> dict[str, Any]:
    """Unsubscribe and halt beside a sender, finish and compare."""
    slow = (f"tarpit=1:{asked.slow / 1000}",) if asked.slow else ()
    chance = random.Random(asked.seed)
    with proof(asked.readers, *slow, connections=asked.connections) as room:
        database = Database(room.room.database)
        let_wait(room, asked.halted)
        running = room.start("run", "--wait")
        room.receiver.wait(1, running)
        left = leave(room, database, running, asked.unsubscribes, chance)
        halted = [stop(room, database, asked.halts - n, chance) for n in range(asked.halts)]
        database.close()
        let_wait(room, 0)
        runs = room.finish()
        found = room.accounts()
        mailed = mailed_after(room, left)
    waits = [wait for wait, _ in left.values()]
    stops = [wait for wait, _ in halted]
    late = [late for _, after in halted for late in after]
    found |= {
        "unsubscribed_while_sending": len(left),
        "milliseconds_until_unsubscribed": _spread(waits),
        "mailed_though_not_offered_before": mailed,
        "halts": len(halted),
        "milliseconds_until_halted": _spread(stops),
        "most_messages_after_a_halt": max((len(after) for _, after in halted), default=0),
        "milliseconds_from_a_halt_to_the_last_message": round(max(late, default=0), 1),
        "waiting_of_a_halted_issue": asked.halted,
        "connections": asked.connections,
        "runs_to_finish": runs,
    }
    clean = found["lost"] == found["extra"] == found["foreign"] == mailed == 0 and found["integrity"] == "ok"
    obeyed = found["most_messages_after_a_halt"] <= asked.connections
    return {"holds": clean and obeyed and bool(left) and max(waits + stops + late) <= _MOST, **found}


def let_wait(room: Proof, count: int) -> None:
    """Let so many deliveries of a halted issue wait, and no others of it."""
    with closing(sqlite3.connect(room.room.database, timeout=30)) as connection, connection:
        for table, those in (("deliveries", "issue_id = 1"), ("subscribers", "email LIKE '%@waits.example'")):
            connection.execute(f"DELETE FROM {table} WHERE {those}")
        connection.execute("DELETE FROM issues WHERE id = 1")
        if count:
            values = {"count": count, "at": "2000-01-01 00:00:00.000000"}
            for statement in (_AN_ISSUE, _READERS, _DELIVERIES):
                connection.execute(statement, values)


def leave(
    room: Proof, database: Database, running: subprocess.Popen[str], count: int, chance: random.Random
) -> dict[str, tuple[float, datetime]]:
    """Unsubscribe readers without mail while the sender works. Return how long each waited, and when it was done."""
    left: dict[str, tuple[float, datetime]] = {}
    known, reached = 0, set[str]()
    candidates = chance.sample(list(room.addresses), len(room.addresses))
    while len(left) < count and candidates and running.poll() is None:
        known, before = room.receiver.look(), known
        reached |= {taken.recipient for taken in room.receiver.taken[before:]}
        address = candidates.pop()
        if address in reached:
            continue
        wait = _timed(lambda to=address: unsubscribe(database, to, datetime.now(UTC)))  # type: ignore[misc]
        if running.poll() is None:
            left[address] = (wait, datetime.now(UTC))
        time.sleep(chance.random() * 0.01)
    tell(f"{len(left)} unsubscribed while {room.receiver.look()} messages were taken")
    return left


def stop(room: Proof, database: Database, left: int, chance: random.Random) -> tuple[float, list[float]]:
    """Halt the issue while it is sent. Return how long that waited, and how long after its commit messages came."""
    running = room.start("run", "--wait")
    step = (len(room.addresses) - room.receiver.look()) // (2 * left + 1)
    room.receiver.wait(room.receiver.look() + 1 + chance.randrange(step + 1), running)
    wait = _timed(lambda: halt(database, room.room.day, "a proof"))
    committed_at = time.time()
    time.sleep(_GRACE)
    room.receiver.look()
    after = [(taken.time - committed_at) * 1000 for taken in room.receiver.taken if taken.time > committed_at]
    running.communicate(timeout=60)
    resume(database, room.room.day)
    tell(f"halted after {len(room.receiver.taken)} messages, {len(after)} of them after the commit")
    return wait, after


def mailed_after(room: Proof, left: dict[str, tuple[float, datetime]]) -> int:
    """Return how many of those who *left* were offered a message only after that."""
    ledger, mailed = room.ledger(), {taken.recipient for taken in room.receiver.taken}
    late = 0
    for address in mailed & left.keys():
        offered_at = ledger[address][2]
        assert offered_at is not None
        late += datetime.fromisoformat(offered_at).replace(tzinfo=UTC) > left[address][1]
    return late


def _timed(work: Callable[[], object]) -> float:
    """Return how many milliseconds *work* takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


def _spread(waits: list[float]) -> dict[str, float]:
    ordered = sorted(waits) or [0.0]
    at_99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return {"median": round(median(ordered), 2), "p99": round(at_99, 2), "max": round(ordered[-1], 2)}


if __name__ == "__main__":
    arguments = options(__doc__, readers=20_000, unsubscribes=200, halts=5, connections=8, slow=0, halted=0)
    conclude(prove, arguments.parse_args())
