"""Recorded days and a server that misbehaves, as they come in life: what the server took is the truth.

``NEWSLETTER_REPLAY_READERS`` says for how many readers the recorded days are played, ``NEWSLETTER_REPLAY_DAYS`` how
many of them, from the newest back.
"""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email.parser import BytesHeaderParser
from mailbox import Maildir
from pathlib import Path
from typing import Any

import pytest
from newsroom import Newsroom, instant
from sqlmodel import col, select

from newsletter.domain.delivery import Status
from newsletter.services import records
from newsletter.storage.tables import DeliveryRow, IssuePaperRow, SubscriberRow

pytestmark = pytest.mark.slow

READERS = int(os.environ.get("NEWSLETTER_REPLAY_READERS", "30"))
DAYS = int(os.environ.get("NEWSLETTER_REPLAY_DAYS", "16"))
AT = instant("2026-07-15T08:00")


class Misbehaving:
    """The server of the shared tools, in a process of its own, with its log."""

    def __init__(self, shared: Path, folder: Path, *options: str) -> None:
        self.log = folder / "accepted.jsonl"
        self.log.touch()
        command = [sys.executable, str(shared / "tools/smtp_sink.py"), "--port", "0", "--log", str(self.log), *options]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        self.port = int(self._process.stdout.readline().rpartition(":")[2])

    def taken(self) -> list[dict[str, Any]]:
        """Return what was accepted, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def close(self) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


@contextmanager
def server(room: Newsroom, shared: Path, *options: str) -> Iterator[Misbehaving]:
    """Run the server, and let the newsletter send to it."""
    running = Misbehaving(shared, room.folder, *options)
    room.configure(smtp={"port": running.port, "connections": 4})
    try:
        yield running
    finally:
        running.close()


def ledger(room: Newsroom) -> list[tuple[str, DeliveryRow]]:
    """Return every delivery with its reader's address."""
    with room.app() as app, app.database.read() as session:
        of_reader = col(SubscriberRow.id) == col(DeliveryRow.subscriber_id)
        return list(session.exec(select(SubscriberRow.email, DeliveryRow).join(DeliveryRow, of_reader)))


def play_until_done(room: Newsroom) -> None:
    """Tick as the clock would for a day, releasing what is held, until nothing is open."""
    at = AT
    while at < AT + timedelta(hours=20):
        report = room.tick(at)
        with room.app() as app:
            held = records.release(app.database, app.settings.smtp, (), at, everything=True, sent=False)
        if report.status == "done" and not held:
            return
        at += timedelta(minutes=11)
    raise AssertionError(f"not done in a day: {report.document}")


MIXTURES = {
    "temporary": ["greylist=1", "rcpt4=0.1", "close_after=9"],
    "lost": ["middata=0.04", "afterdot=0.04", "badreply=0.04"],
    "hard": ["rcpt4=0.05", "rcpt5=0.02", "close_after=15", "shutdown=120"],
    "everything": ["greylist=0.5", "rcpt4=0.05", "rcpt5=0.01", "middata=0.02", "afterdot=0.02", "close_after=15"],
}


@pytest.mark.parametrize("mixture", MIXTURES)
def test_a_server_with_every_fault_loses_nobody(newsroom: Newsroom, shared: Path, mixture: str) -> None:
    """Who was not refused for good has it; only lost answers make repeats; only hard refusals suppress."""
    emails = [f"r{n}@example.net" for n in range(300)]
    newsroom.publish("2026-07-15", "Alpha", "Beta")
    newsroom.subscribe(*emails)
    faults = [part for fault in MIXTURES[mixture] for part in ("--fault", fault)]
    with server(newsroom, shared, *faults) as sink:
        play_until_done(newsroom)
        taken = sink.taken()
    known = dict(ledger(newsroom))
    failed = {email for email, row in known.items() if row.status == Status.FAILED}
    assert set(emails) - {line["recipient"] for line in taken} <= failed
    assert len(failed) < 20
    assert all(known[email].reply.startswith("550 5.1.1") for email in failed)
    suppressed = newsroom.run("subscribers", "list", "--status", "suppressed", "--json", "--limit", "50").json
    assert {one["email"] for one in suppressed["subscribers"]} == failed

    times = Counter((line["recipient"], line["message_id"]) for line in taken)
    assert set(times) <= {(email, row.message_id) for email, row in known.items()}
    for (email, _), n in times.items():
        assert n - 1 <= known[email].uncertain
    contents = {(line["recipient"], line["sha256"]) for line in taken}
    assert len(contents) == len(times)


def test_a_server_that_wants_a_login_hurts_nobody(newsroom: Newsroom, shared: Path) -> None:
    """Without one it refuses everything: the route pauses, no reader loses an attempt, and the reason says why."""
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.subscribe(*(f"r{n}@example.net" for n in range(30)))
    with server(newsroom, shared, "--fault", "auth=papers:secret") as sink:
        report = newsroom.tick(AT, dispatch={"patience": timedelta()})
        assert sink.taken() == []
    assert report.status == "incomplete"
    assert "530 5.7.0 authentication required" in (report.reason or "")
    assert {(row.status, row.attempts) for _, row in ledger(newsroom)} == {("ready", 0)}


@pytest.mark.timeout(3600)
def test_every_recorded_day_makes_one_issue_and_repeats_nothing(
    newsroom: Newsroom, shared: Path, replay: Callable[..., str]
) -> None:
    """Each day everybody gets one digest, no reader sees a paper twice, and server and ledger agree."""
    days = sorted(file.stem for file in (shared / "recorded/hf_daily_papers").glob("*.json"))[-DAYS:]
    emails = [f"r{n}@example.net" for n in range(READERS)]
    source = {"kind": "huggingface", "base_url": replay(), "allow_private_address": True}
    newsroom.configure(sources=[source])
    newsroom.subscribe(*emails[::2])
    newsroom.subscribe(*emails[1::2], max_papers="3", topics="agents;-video")
    with server(newsroom, shared, "--maildir", str(newsroom.folder / "inbox")) as sink:
        reports = [newsroom.run("run", "--date", day, "--now", "--json").json for day in days]
        again = [newsroom.run("run", "--date", day, "--now", "--json").json for day in days[:3]]
        taken = sink.taken()

    assert {report["status"] for report in reports} == {"done"}
    assert [report["issue"]["date"] for report in reports] == days
    assert [report["deliveries"] for report in again] == [report["deliveries"] for report in reports[:3]]
    assert_the_server_and_the_ledger_agree(newsroom, taken)
    papers = read_papers(newsroom.folder / "inbox")
    assert len(papers) == READERS
    for seen in papers.values():
        assert len(seen) == len(set(seen)) > len(days)
    assert_no_front_repeats(newsroom)


def assert_the_server_and_the_ledger_agree(room: Newsroom, taken: list[dict[str, Any]]) -> None:
    """Each message that was taken is an accepted delivery, once, and the other way round."""
    accepted = Counter((email, row.message_id) for email, row in ledger(room) if row.status == Status.ACCEPTED)
    assert accepted == Counter((line["recipient"], line["message_id"]) for line in taken)
    assert set(accepted.values()) == {1}
    assert {row.status for _, row in ledger(room)} <= {Status.ACCEPTED, Status.SKIPPED}


def read_papers(folder: Path) -> dict[str, list[str]]:
    """Return the keys of all papers that each reader got."""
    got: dict[str, list[str]] = {}
    inbox = Maildir(folder, lambda file: BytesHeaderParser().parse(file), create=False)
    for file in inbox:
        got.setdefault(str(file["To"]), []).extend(str(file["X-Papers"]).split())
    return got


def assert_no_front_repeats(room: Newsroom) -> None:
    """No paper is in two fronts."""
    with room.app() as app, app.database.read() as session:
        fronts = list(session.exec(select(IssuePaperRow.paper_id).where(col(IssuePaperRow.front_rank).is_not(None))))
    assert len(fronts) == len(set(fronts))
