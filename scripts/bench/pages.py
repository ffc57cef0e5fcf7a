"""Measure how fast the pages answer with long lists, alone and while a delivery runs, and print it as JSON.

    scripts/dev bench pages [--papers 100000] [--readers 100000] [--rate 200] [--seconds 20] [--delivery 50000]

``newsletter web --workers 2`` serves a newsletter with so many papers and readers. One client asks at a constant rate,
whether answers come or not, over connections that it keeps: in turn for the front page, the issue of a day, a search
and one reader's unsubscribing by POST; a request counts from when it was due. (wrk asks as fast as it is answered, and
cannot hold a rate.) Searched for are 1,000 pairs of common words, the more often asked for the lower their number, by
Zipf's law; with ``--searches 0`` hardly two searches are alike, and next to none is answered from what is kept. What
the client itself takes of the processor is ``asking_cpu_ms_per_request``. ``while_sending`` is the same while
``newsletter deliver`` sends, whose speed is compared with a run alone before it: of ``--pairs`` such, the one whose
speed is the median. The yardstick in each pair is the same delivery beside as many processes that take the processor
as often and for as long as a request alone did, asking included, and do nothing with it: what they leave of the speed
is what any pages of that cost could leave. Pages that there are not are named in ``missing``, and not asked for.
"""

import argparse
import os
import random
import socket
import sqlite3
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import accumulate, cycle
from pathlib import Path
from typing import Any

from _asking import ask_on, fetch
from _burning import burning
from _options import answer, configured, parser, work_folder
from _papers import fill, word
from _postfix import sink
from _room import Room
from _runs import delivered
from _watch import Sent, say, watch

from newsletter.app import open_app
from newsletter.mail.tokens import Purpose
from newsletter.storage.connections import reader

P95_MS, P95_WHILE_SENDING_MS, SPEED_KEPT, LARGEST_KB = 50.0, 150.0, 0.9, 100.0
_READY = 60  # seconds
_Ask = Callable[[], bytes]


@contextmanager
def served(room: Room, workers: int) -> Iterator[int]:
    """Give the port at which the pages are served while inside."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = room.command("web", "--port", str(port), "--workers", str(workers))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        ends = time.monotonic() + _READY
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                if fetch(port, request("GET", "/healthz"))[0] == 200:
                    break
            except OSError:
                pass
            if time.monotonic() > ends or process.poll() is not None:
                raise SystemExit("the pages were not ready in time")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(port: int) -> float:
    """Return the processor time of the command that ``served`` has started at *port*, and of its workers."""
    found = 0.0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if f"--port\0{port}\0".encode() in (place / "cmdline").read_bytes():
                workers = (place / f"task/{place.name}/children").read_text().split()
                found += sum(_cpu_seconds(Path("/proc") / pid) for pid in (place.name, *workers))
        except OSError:
            continue
    return found


def _cpu_seconds(place: Path) -> float:
    user, system = (place / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return a request as it goes over the wire."""
    form = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: papers.example.org\r\n{form}\r\n".encode() + body


def pages(room: Room, asked: argparse.Namespace, port: int) -> tuple[dict[str, _Ask], list[str], dict[str, float]]:
    """Return how each page is asked for, the names of those that are not there, and how many KB they have."""
    chance = random.Random(5)
    leaving = cycle(tokens(room, (asked.readers - asked.delivery) // 2))

    looked_for = searches(chance, asked.searches)
    possible: dict[str, _Ask] = {
        "front": lambda: request("GET", "/"),
        "day": lambda: request("GET", f"/archive/{room.day}"),
        "search": lambda: request("GET", f"/search?{next(looked_for)}"),
        "unsubscribe": lambda: request("POST", f"/unsubscribe/{next(leaving)}", b"List-Unsubscribe=One-Click"),
    }
    found = {name: fetch(port, ask()) for name, ask in possible.items()}
    there = {name: possible[name] for name, (status, _) in found.items() if status == 200}
    sizes = {name: round(found[name][1] / 1000, 1) for name in there}
    return there, sorted(possible.keys() - there.keys()), sizes


def searches(chance: random.Random, different: int) -> Iterator[str]:
    """Give searches as they are asked for, by Zipf's law among so many *different* ones; 0: hardly two are alike."""

    def another() -> str:
        words = f"{word(chance.randrange(3, 60))}+{word(chance.randrange(0, 400))}"
        return f"q={words}&sort={chance.choice(('relevance', 'date', 'upvotes'))}"

    some = [another() for _ in range(different)]
    often = list(accumulate(1 / rank for rank in range(1, different + 1)))
    while True:
        yield chance.choices(some, cum_weights=often)[0] if some else another()


def tokens(room: Room, count: int) -> list[str]:
    """Return the tokens by which *count* readers unsubscribe."""
    with reader(room.database) as connection:
        ids = [row[0] for row in connection.execute("SELECT id FROM subscribers ORDER BY id DESC LIMIT ?", (count,))]
    with open_app(room.config, room.due_at) as app:
        return [app.correspondence.signer.token(Purpose.UNSUBSCRIBE, subscriber=one) for one in ids]


def load(
    port: int, there: dict[str, _Ask], rate: float, seconds: float, sent: "Future[Sent] | None"
) -> dict[str, list[tuple[int, float]]]:
    """Ask for the pages in turn at *rate*, and return the status and milliseconds of each answer, by page."""
    names = list(there)

    def asked(number: int) -> tuple[str, bytes]:
        name = names[number % len(names)]
        return name, there[name]()

    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for one in ask_on(port, asked, rate, lambda number: not sent.done() if sent else number < rate * seconds):
        found[one.name].append((one.status, one.took_ms))
    return found


def document(found: dict[str, list[tuple[int, float]]]) -> dict[str, Any]:
    """Return the figures of one load."""
    every = [took for one in found.values() for _, took in one]
    return {
        "requests": len(every),
        "not_answered_with_200": sum(status != 200 for one in found.values() for status, _ in one),
        "p50_ms": _quantile(every, 50),
        "p95_ms": _quantile(every, 95),
        "longest_ms": round(max(every), 1),
        "p95_ms_by_page": {name: _quantile([took for _, took in one], 95) for name, one in found.items()},
    }


def _quantile(times: list[float], percent: int) -> float:
    return round(statistics.quantiles(times, n=100, method="inclusive")[percent - 1], 1)


def in_half(room: Room, due: int) -> None:
    """Leave *due* readers due; the others, who are those that unsubscribe here, have had their digest."""
    with closing(sqlite3.connect(room.database)) as connection, connection:
        connection.execute(
            "UPDATE subscribers SET next_due_at = '2099-01-01 00:00:00.000000'"
            " WHERE id NOT IN (SELECT id FROM subscribers ORDER BY id LIMIT ?)",
            (due,),
        )


def send(folder: Path, asked: argparse.Namespace, room: Room) -> Sent:
    """Deliver to who is due, and return what it took."""
    folder.mkdir()
    with sink(folder) as server:
        room.configure(smtp={"port": server.port})
        return delivered(watch(room.command("--json", "deliver"), server, asked.delivery, timeout=asked.timeout))


def loaded(port: int, asked: argparse.Namespace, there: dict[str, _Ask], sent: "Future[Sent] | None") -> dict[str, Any]:
    """Return the figures of one load: of as many seconds as asked for, or until a delivery has *sent* all."""
    say(f"asking {asked.rate:g} times a second ...")
    before, own = cpu_seconds(port), time.thread_time()
    found = document(load(port, there, asked.rate, asked.seconds, sent))
    served, asking = cpu_seconds(port) - before, time.thread_time() - own
    taken = {"cpu_ms_per_request": served, "asking_cpu_ms_per_request": asking}
    return {**{name: round(1000 * seconds / found["requests"], 2) for name, seconds in taken.items()}, **found}


def beside(folder: Path, asked: argparse.Namespace, room: Room, cost: float) -> dict[str, Any]:
    """Return the figures of a load while a delivery runs, and what is left of the delivery's speed.

    *cost* is what a request takes of the processor alone, in milliseconds.
    """
    folder.mkdir()
    room.restore("due")
    quiet = send(folder / "quiet", asked, room)
    room.restore("due")
    with burning(cost, asked.rate, asked.workers):
        burned = send(folder / "burning", asked, room)
    room.restore("due")
    with served(room, asked.workers) as port, ThreadPoolExecutor(1) as pool:
        there = pages(room, asked, port)[0]
        sent = pool.submit(send, folder / "beside", asked, room)
        found = loaded(port, asked, there, sent)
    kept, left = (round(one.per_second / quiet.per_second, 2) for one in (sent.result(), burned))
    return {**found, "per_second_alone": round(quiet.per_second), "speed_kept": kept, "yardstick": left}


def of_pairs(folder: Path, asked: argparse.Namespace, room: Room, cost: float) -> dict[str, Any]:
    """Return the figures of the pair of deliveries whose kept speed is the median, and that of each."""
    found = [beside(folder / f"pair-{n}", asked, room, cost) for n in range(asked.pairs)]
    each = [pair["speed_kept"] for pair in found]
    middle = found[each.index(statistics.median_low(each))]
    slowest, failed = max(pair["p95_ms"] for pair in found), sum(pair["not_answered_with_200"] for pair in found)
    return {"delivery": asked.delivery, **middle, "speed_kept_each": each,
            "yardstick_each": [pair["yardstick"] for pair in found], "p95_ms_at_most": slowest,
            "not_answered_with_200": failed,
            "wanted_p95_ms": P95_WHILE_SENDING_MS, "wanted_speed_kept": SPEED_KEPT,
            "holds": slowest <= P95_WHILE_SENDING_MS and not failed and middle["speed_kept"] >= SPEED_KEPT}  # fmt: skip


def main() -> None:
    """Measure, and print one JSON document."""
    options = parser(__doc__)
    options.add_argument("--papers", type=int, default=100_000)
    options.add_argument("--readers", type=int, default=100_000)
    options.add_argument("--rate", type=float, default=200, help="requests a second (%(default)s)")
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--searches", type=int, default=1000, help="different ones; 0: all (%(default)s)")
    options.add_argument(
        "--delivery", type=int, default=50_000, help="readers who are due; 0: no delivery (%(default)s)"
    )
    options.add_argument("--pairs", type=int, default=3, help="deliveries alone and beside (%(default)s)")
    asked = options.parse_args()
    with work_folder(asked) as folder:
        # One network asks for everything here, which is what the limit is against.
        room = Room(folder, **configured(asked, web={"requests_per_minute": 0}))
        say("making papers and readers ...")
        fill(room.database, asked.papers)
        room.add_readers(asked.readers)
        in_half(room, asked.delivery)
        room.keep("due")
        with served(room, asked.workers) as port:
            there, missing, sizes = pages(room, asked, port)
            alone = loaded(port, asked, there, None)
        cost = alone["cpu_ms_per_request"] + alone["asking_cpu_ms_per_request"]
        sending = of_pairs(folder, asked, room, cost) if asked.delivery else None
    holds = alone["p95_ms"] <= P95_MS and not alone["not_answered_with_200"] and max(sizes.values()) <= LARGEST_KB
    asked_for = {name: getattr(asked, name) for name in ("papers", "readers", "workers", "rate", "searches")}
    found = {"missing": missing, "page_kb": sizes, "alone": alone, "wanted_p95_ms": P95_MS, "while_sending": sending}
    whole = not missing and (sending is None or sending["holds"])
    answer({**asked_for, "settings": asked.set, **found, "holds": holds and whole})


if __name__ == "__main__":
    main()
