"""Measure what strangers learn and do by the form of the pages, and print it as JSON.

    scripts/dev bench signing_up [--tries 2000] [--bombs 10000]

``enumeration``: addresses that are subscribed and ones that are not are given to the form, in random order, one after
the other, each from a network of its own. The answers must have the same octets; ``auc`` is the chance that a known
one took longer than an unknown one, 0.5 where time tells nothing. ``bombing``: one address, again and again, from as
many networks: how many mails it gets. ``one_click``: GET and HEAD by a scanner, and then one POST: how many
unsubscribe. What all networks together may do in an hour is reset between batches, since a run takes minutes.
"""

import argparse
import random
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from _options import answer, configured, parser, work_folder
from _postfix import dumped, free_port
from _room import Room

from newsletter.mail.tokens import Purpose, Signer
from newsletter.web.forms import Stamps

SECRETS = ("0123456789abcdef0123456789abcdef",)
BATCH = 500  # tries, fewer than all together may make in an hour
SCANS = 1000


@contextmanager
def pages(room: Room) -> Iterator[httpx2.Client]:
    """Give a client of the pages, served by a process of their own."""
    port = free_port()
    process = room.start("web", "--port", str(port))
    client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60)
    try:
        while True:
            try:
                client.get("/healthz")
                break
            except httpx2.ConnectError:
                time.sleep(0.1)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)


def press(client: httpx2.Client, email: str, number: int) -> tuple[float, bytes]:
    """Give an address to the form from the network *number*; return how long it took, and the answer."""
    stamp = Stamps(SECRETS).make("subscribe", datetime.now(UTC) - timedelta(minutes=1))
    began = time.perf_counter()
    found = client.post(
        "/subscribe",
        data={"address": email, "stamp": stamp, "website": ""},
        headers={"X-Forwarded-For": f"10.{number >> 8 & 255}.{number & 255}.1"},
    )
    took = time.perf_counter() - began
    return took, str(found.status_code).encode() + found.content


def forget_limits(room: Room) -> None:
    """Begin the hour of all networks anew; what holds for one address stays."""
    with sqlite3.connect(room.database, timeout=60) as connection:
        connection.execute("DELETE FROM limits WHERE used > 100")


def auc(known: Sequence[float], unknown: Sequence[float]) -> float:
    """Return the chance that one of *known* is larger than one of *unknown*."""
    ranked = sorted([(value, 1) for value in known] + [(value, 0) for value in unknown])
    ranks = sum(rank for rank, (_, is_known) in enumerate(ranked, 1) if is_known)
    return (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def enumeration(room: Room, client: httpx2.Client, subscribed: Sequence[str], tries: int) -> dict[str, Any]:
    """Return what the answers tell of who is subscribed."""
    asked = [(email, True) for email in subscribed[:tries]]
    asked += [(f"stranger{number}@d{number % 1000}.example", False) for number in range(tries)]
    random.Random(7).shuffle(asked)
    took: dict[bool, list[float]] = {True: [], False: []}
    answers = set()
    for number, (email, is_known) in enumerate(asked):
        if number % BATCH == 0:
            forget_limits(room)
        seconds, said = press(client, email, number)
        took[is_known].append(seconds)
        answers.add(said)
    return {"tries": tries, "answers": len(answers), "auc": round(auc(took[True], took[False]), 3)}


def bombing(room: Room, client: httpx2.Client, bombs: int) -> None:
    """Give one address to the form from *bombs* networks."""
    for number in range(bombs):
        if number % BATCH == 0:
            forget_limits(room)
        press(client, "victim@bombed.example", number)


def one_click(client: httpx2.Client, room: Room, email: str) -> dict[str, int]:
    """Return how many unsubscribe by a scanner's looks, and then by one POST."""
    with sqlite3.connect(room.database) as connection:
        (who,) = connection.execute("SELECT id FROM subscribers WHERE email = ?", (email,)).fetchone()

    def left() -> int:
        with sqlite3.connect(room.database) as connection:
            query = "SELECT count(*) FROM subscribers WHERE status = 'unsubscribed'"
            return int(connection.execute(query).fetchone()[0])

    path = f"/unsubscribe/{Signer(SECRETS).token(Purpose.UNSUBSCRIBE, subscriber=who)}"
    for number in range(SCANS):
        client.request(("GET", "HEAD")[number % 2], path)
    before = left()
    client.post(path, data={"List-Unsubscribe": "One-Click"})
    return {"scans": SCANS, "before": before, "after": left()}


def measure(asked: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    with work_folder(asked) as folder, dumped(folder) as (sink, mails):
        web = {"confirmations_per_day": 0}
        room = Room(folder, **configured(asked, smtp={"port": sink.port}, web=web))
        subscribed = room.add_readers(asked.tries + 1)
        with pages(room) as client:
            one = one_click(client, room, subscribed[-1])
            told = enumeration(room, client, subscribed, asked.tries)
            bombing(room, client, asked.bombs)
        to_victim = sum(bool(re.search("victim@bombed", recipient)) for recipient, _ in mails)
    return {"enumeration": told, "bombing": {"tries": asked.bombs, "mails": to_victim}, "one_click": one}


def main() -> None:
    """Measure, and answer."""
    options = parser(__doc__)
    options.add_argument("--tries", type=int, default=2000, help="known, and as many unknown addresses (%(default)s)")
    options.add_argument("--bombs", type=int, default=10_000, help="sign-ups of one address (%(default)s)")
    try:
        answer(measure(options.parse_args()))
    except subprocess.TimeoutExpired as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
