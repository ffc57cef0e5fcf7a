"""What the form has answered is done, whatever becomes of the process that answered."""

import asyncio
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
from newsroom import LOST, Newsroom

from newsletter.domain.subscriber import Status
from newsletter.mail.addresses import parse_address
from newsletter.services import signup, subscribe
from newsletter.services.signup import SignUp
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


def test_what_no_server_takes_is_tried_again_and_given_up_after_two_days(newsroom: Newsroom) -> None:
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
    newsroom.tick(now + timedelta(hours=49))
    assert _waiting(newsroom) == []
    newsroom.sink.open()
    newsroom.tick(now + timedelta(hours=50))
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
    """Nor the run that finds it; it is gone after two days too."""
    newsroom.run("stats")
    for email in ("no address at all", ANN):
        _lost(newsroom, email)
    now = datetime.now(UTC)
    newsroom.tick(now)
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN]
    assert [row["tries"] for row in _waiting(newsroom)] == [1]
    newsroom.tick(now + timedelta(days=2))
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


def test_a_mail_that_may_have_gone_is_not_sent_again(newsroom: Newsroom) -> None:
    """Where the server's word is missing: a stranger's address is not mailed five times for one sign-up."""
    newsroom.run("stats")
    _lost(newsroom, ANN)
    newsroom.sink.at_dot = lambda _: LOST
    for hours in (0, 1, 3, 9):
        newsroom.tick(datetime.now(UTC) + timedelta(hours=hours))
    assert len(newsroom.sink.mails) == 1
    assert _waiting(newsroom) == []


def test_an_address_that_is_put_off_holds_up_no_other(newsroom: Newsroom) -> None:
    """It is tried again later, and those behind it are done at once."""
    newsroom.run("stats")
    newsroom.sink.refusals = {BOB: "451 4.7.1 greylisted"}
    for email in (BOB, ANN):
        _lost(newsroom, email)
    newsroom.tick(datetime.now(UTC))
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN]
    newsroom.sink.refusals = {}
    newsroom.tick(datetime.now(UTC) + timedelta(hours=1))
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN, BOB]


@pytest.mark.parametrize("written", [ANN, "Ann@Example.NET"])
def test_older_wishes_do_not_come_over_newer_ones(newsroom: Newsroom, written: str) -> None:
    """Who asks again while the first sign-up is left behind gets what they asked for last, however they write."""
    newsroom.run("stats")
    _lost(newsroom, written)
    with newsroom.app() as app:
        now = datetime.now(UTC)
        again = SignUp(address=parse_address(ANN), texts={"topics": "cat:cs.CL"}, network="192.0.2.0/24", agreed="yes")
        number = signup.take(app.throttle, again, now)
        assert isinstance(number, int)
        asyncio.run(signup.do(app.dispatch, app.throttle, number, now))
    newsroom.tick(datetime.now(UTC) + timedelta(hours=1))
    with newsroom.app() as app:
        assert subscribe.find(app.database, ANN).preferences.topics == ("cat:cs.CL",)
    assert len(newsroom.sink.mails) == 1
    assert _waiting(newsroom) == []


def test_a_backup_brings_back_nothing_that_was_done_since(newsroom: Newsroom) -> None:
    """And what was asked since it was taken stays."""
    newsroom.run("stats")
    _lost(newsroom, ANN)
    saved = str(newsroom.folder / "saved.db")
    newsroom.run("db", "backup", saved)
    newsroom.tick(datetime.now(UTC))
    _lost(newsroom, BOB)
    newsroom.run("db", "restore", saved)
    newsroom.tick(datetime.now(UTC) + timedelta(hours=1))
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN, BOB]
