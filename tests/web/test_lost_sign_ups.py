"""What the form has answered is done, whatever becomes of the process that answered."""

import json
import re
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from newsroom import Newsroom

from newsletter.domain.subscriber import Status
from newsletter.services import subscribe
from newsletter.web.forms import Stamps

ANN, BOB = "ann@example.net", "bob@example.net"


@pytest.fixture
def silent() -> Iterator[int]:
    """Return the port of a mail server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _waiting(room: Newsroom) -> list[sqlite3.Row]:
    with closing(sqlite3.connect(room.folder / "newsletter.db")) as connection:
        connection.row_factory = sqlite3.Row
        return connection.execute("SELECT * FROM sign_ups ORDER BY id").fetchall()


def _answered_and_killed(room: Newsroom, *emails: str, **fields: str) -> None:
    """Give addresses to the form of pages that are killed as soon as they have answered."""
    with room.app() as app:
        stamp = Stamps(app.settings.secrets).make("subscribe", datetime.now(UTC) - timedelta(minutes=1))
    process = room.start("web", "--port", "0", "-v")
    assert process.stderr
    url = next(found[0] for line in process.stderr if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        for email in emails:
            sent = {"stamp": stamp, "website": "", "address": email, **fields}
            assert "Look into your mailbox" in client.post("/subscribe", data=sent).text
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_a_sign_up_that_was_answered_outlives_the_process(newsroom: Newsroom, silent: int) -> None:
    """The next run asks by mail, with the wishes kept, once; then nothing of it is left but the subscription."""
    newsroom.run("subscribers", "add", BOB)
    newsroom.configure(smtp={"port": silent})
    _answered_and_killed(newsroom, ANN, BOB, topics="cat:cs.CL")
    assert len(_waiting(newsroom)) == 2
    assert newsroom.sink.mails == []
    newsroom.configure(smtp={"port": newsroom.sink.port})
    soon, later = datetime.now(UTC) + timedelta(minutes=1), datetime.now(UTC) + timedelta(minutes=20)
    newsroom.tick(soon)
    assert newsroom.sink.mails == []  # as far as anybody knows the pages are at it
    newsroom.tick(later)
    newsroom.tick(later + timedelta(hours=1))
    told = {mail.recipient: str(mail.message["Subject"]) for mail in newsroom.sink.mails}
    assert told == {ANN: "Confirm your subscription to Daily Papers", BOB: "You are subscribed to Daily Papers"}
    assert len(newsroom.sink.mails) == 2
    with newsroom.app() as app:
        held = subscribe.find(app.database, ANN)
    assert (held.status, held.preferences.topics) == (Status.PENDING, ("cat:cs.CL",))
    assert _waiting(newsroom) == []


def test_what_no_server_takes_is_tried_again_and_given_up_after_a_day(newsroom: Newsroom) -> None:
    """Less and less often; who is on the list is named by a number, and what they typed is gone already."""
    newsroom.sink.shut()
    _answered_and_killed(newsroom, ANN, topics="mine")
    now = datetime.now(UTC)
    newsroom.tick(now + timedelta(minutes=20))
    (row,) = _waiting(newsroom)
    assert (row["email"], row["texts"], row["network"], row["agreed"]) == ("", "{}", "", "")
    assert row["subscriber_id"] is not None
    for hours in (1, 3, 12):
        newsroom.tick(now + timedelta(hours=hours))
    assert _waiting(newsroom)[0]["tries"] <= 5
    newsroom.tick(now + timedelta(hours=25))
    assert _waiting(newsroom) == []
    newsroom.sink.open()
    newsroom.tick(now + timedelta(hours=26))
    assert newsroom.sink.mails == []


def _lost(room: Newsroom, email: str) -> None:
    """Leave a sign-up of half an hour ago behind, as a process does that is killed before it takes it up."""
    then = datetime.now(UTC) - timedelta(minutes=30)
    at = then.replace(tzinfo=None).isoformat(" ", "microseconds")
    with closing(sqlite3.connect(room.folder / "newsletter.db")) as connection, connection:
        connection.execute(
            "INSERT INTO sign_ups (asked_at, due_at, tries, email, texts, network, agreed, mail)"
            " VALUES (?, ?, 0, ?, ?, '192.0.2.0/24', 'agreed', '')",
            (at, at, email, json.dumps({"topics": "mine"})),
        )


def test_one_that_cannot_be_done_holds_up_no_other(newsroom: Newsroom) -> None:
    """Nor the run that finds it; it is gone after a day too."""
    newsroom.run("stats")
    for email in ("no address at all", ANN):
        _lost(newsroom, email)
    now = datetime.now(UTC)
    newsroom.tick(now)
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN]
    assert [row["tries"] for row in _waiting(newsroom)] == [1]
    newsroom.tick(now + timedelta(days=1))
    assert _waiting(newsroom) == []


def test_who_is_not_on_the_list_yet_is_shown_and_forgotten(newsroom: Newsroom) -> None:
    """What waits is known by ``data``, gone by ``forget`` from the file too, and none of it breaks a law."""
    newsroom.run("stats")
    _lost(newsroom, "Ann@Example.net")
    newsroom.run("db", "check")
    told = newsroom.run("subscribers", "data", ANN, "--json").json
    assert told["sign_ups"][0]["texts"] == {"topics": "mine"}
    newsroom.run("subscribers", "forget", ANN, "--yes")
    assert _waiting(newsroom) == []
    assert "nothing is known" in newsroom.run("subscribers", "forget", ANN, "--yes", expect=1).err
    assert b"ann@example.net" not in (newsroom.folder / "newsletter.db").read_bytes().lower()
