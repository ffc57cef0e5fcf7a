"""The clock: when issues are sealed, when readers are due, and what an operator hears of it."""

import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlmodel import select

from newsletter.storage.tables import SubscriberRow
from tests.newsroom import Newsroom

# Wednesday; every story happens in UTC unless it says otherwise.
DAY = "2026-07-15"


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    """A newsletter with two papers listed on a Wednesday."""
    room = Newsroom(tmp_path, newsletter={"max_papers": 3})
    room.publish(DAY, "Alpha", "Beta")
    yield room
    room.close()


def subscribe(room: Newsroom, email: str, at: str = f"{DAY}T00:00", **preferences: str) -> None:
    """Put a reader on the list as if at *at*."""
    from newsletter.services.joining import add

    when = datetime.fromisoformat(at).replace(tzinfo=UTC)
    with room.app(when) as app:
        add(app.database, app.settings.newsletter, [email], preferences, when)


def test_an_issue_is_sealed_at_its_hour_and_sent_once(newsroom: Newsroom) -> None:
    """Before the hour there is a reason; at the hour everybody gets one mail; later nobody gets another."""
    subscribe(newsroom, "ada@example.org")
    early = newsroom.tick(f"{DAY}T07:55")
    assert early.document["issue"] is None
    assert early.reason == "sealed at 08:00 (UTC)"
    assert early.status == "done"
    due = newsroom.tick(f"{DAY}T08:00")
    assert due.document["issue"] == {"date": DAY, "status": "sealed", "papers": 2}
    assert due.deliveries["accepted"] == 1
    again = newsroom.tick(f"{DAY}T08:05")
    assert again.document["issue"] == due.document["issue"]
    assert again.deliveries["accepted"] == 1
    assert len(newsroom.sink.mails) == 1


def test_a_weekend_says_why_there_is_no_issue(newsroom: Newsroom) -> None:
    """On a date that is not one of the newsletter's days nothing is sealed, and the report says so."""
    report = newsroom.tick("2026-07-18T12:00")
    assert report.reason == "Saturday is not one of the newsletter's days"
    assert report.status == "done"


def test_a_day_without_anything_new_is_recorded_as_empty_once(newsroom: Newsroom) -> None:
    """When the last issue knew everything, the next date is empty with a reason, and nobody is mailed."""
    subscribe(newsroom, "ada@example.org")
    newsroom.tick(f"{DAY}T08:00")
    first = newsroom.tick("2026-07-16T08:00")
    assert first.document["issue"] is None
    assert first.reason == "nothing was listed that the last issue did not know"
    newsroom.publish("2026-07-16", "Gamma")
    later = newsroom.tick("2026-07-16T12:00")
    assert later.reason == first.reason
    assert len(newsroom.sink.mails) == 1


def test_a_date_is_not_empty_while_a_source_fails(newsroom: Newsroom) -> None:
    """What a failing source would list may still make an issue, so the date stays open."""
    hidden = newsroom.file.rename(newsroom.folder / "elsewhere")
    report = newsroom.tick(f"{DAY}T08:00")
    assert report.status == "incomplete"
    assert report.document["issue"] is None
    assert "file failed" in (report.reason or "")
    hidden.rename(newsroom.file)
    assert newsroom.tick(f"{DAY}T09:30").document["issue"] == {"date": DAY, "status": "sealed", "papers": 2}


def test_a_mail_says_that_there_is_nothing_where_the_operator_wants_it(newsroom: Newsroom) -> None:
    """With on_empty = "send" an empty date is told to the readers."""
    newsroom.configure(newsletter={"on_empty": "send"})
    subscribe(newsroom, "ada@example.org")
    newsroom.tick(f"{DAY}T08:00")
    report = newsroom.tick("2026-07-16T08:00")
    assert report.document["issue"] == {"date": "2026-07-16", "status": "sealed", "papers": 0}
    assert [mail.papers for mail in newsroom.sink.mails][1] == []


def test_readers_get_their_mail_at_their_own_hour(newsroom: Newsroom) -> None:
    """Each reader's hour counts in each reader's zone; the newest sealed issue is what they get."""
    subscribe(newsroom, "evening@example.org", hour="20:00")
    subscribe(newsroom, "tokyo@example.org", zone="Asia/Tokyo", hour="18:00")
    newsroom.tick(f"{DAY}T08:00")
    assert newsroom.sink.mails == []
    newsroom.tick(f"{DAY}T09:00")
    assert [mail.recipient for mail in newsroom.sink.mails] == ["tokyo@example.org"]
    newsroom.tick(f"{DAY}T20:00")
    assert [mail.recipient for mail in newsroom.sink.mails] == ["tokyo@example.org", "evening@example.org"]


def test_a_weekly_reader_gets_the_week_on_their_day(newsroom: Newsroom) -> None:
    """One mail on Friday, with papers of the whole week, best first, that says since when."""
    subscribe(newsroom, "weekly@example.org", at="2026-07-11T00:00", frequency="weekly:fri")
    newsroom.publish("2026-07-16", "Gamma")
    newsroom.publish("2026-07-17", "Delta")
    for day in (15, 16, 17, 18):
        newsroom.tick(f"2026-07-{day}T08:00")
    (mail,) = newsroom.sink.mails
    assert len(mail.papers) == 3
    assert "since" in mail.text.lower()


def test_ticks_for_three_days_are_one_mail_a_day(newsroom: Newsroom) -> None:
    """Ticks do not add up: each reader gets one mail for each date with an issue, and no paper twice."""
    subscribe(newsroom, "ada@example.org")
    subscribe(newsroom, "lima@example.org", zone="America/Lima", hour="23:30")
    newsroom.publish("2026-07-16", "Gamma", "Delta")
    newsroom.publish("2026-07-17", "Epsilon")
    at = datetime(2026, 7, 15, 0, 0, tzinfo=UTC)
    while at < datetime(2026, 7, 18, 8, 0, tzinfo=UTC):
        newsroom.tick(at)
        at += timedelta(minutes=90)
    for reader in ("ada@example.org", "lima@example.org"):
        mails = newsroom.sink.to(reader)
        papers = [paper for mail in mails for paper in mail.papers]
        assert len(mails) == 3
        assert len(papers) == len(set(papers)) == 5


def test_after_a_fortnight_of_silence_everybody_gets_one_mail_that_says_so(newsroom: Newsroom) -> None:
    """A machine that was down catches up with one mail, which reaches back to the last one."""
    subscribe(newsroom, "ada@example.org")
    newsroom.tick(f"{DAY}T08:00")
    newsroom.publish("2026-07-27", "Gamma")
    newsroom.publish("2026-07-29", "Delta")
    for minute in (0, 5, 10):
        newsroom.tick(f"2026-07-29T09:{minute:02}")
    _, mail = newsroom.sink.mails
    assert len(mail.papers) == 2
    assert "16 July" in mail.text


def test_a_new_hour_on_the_day_of_a_digest_gives_no_second_one(newsroom: Newsroom) -> None:
    """Whoever changes to a later hour, or another zone, has had the digest of that date."""
    from newsletter.services.subscribe import edit

    subscribe(newsroom, "ada@example.org")
    newsroom.tick(f"{DAY}T08:00")
    when = datetime(2026, 7, 15, 9, 0, tzinfo=UTC)
    with newsroom.app(when) as app:
        edit(app.database, app.settings.newsletter, "ada@example.org", {"hour": "18:00"}, when)
    newsroom.publish("2026-07-16", "Gamma")
    newsroom.tick(f"{DAY}T18:00")
    assert len(newsroom.sink.mails) == 1
    newsroom.tick("2026-07-16T08:00")
    newsroom.tick("2026-07-16T18:00")
    assert len(newsroom.sink.mails) == 2


def test_readers_who_are_due_wait_for_an_issue_that_is_late(newsroom: Newsroom) -> None:
    """While the editor has not approved, who is due at eight gets the issue when it is sealed, not a day later."""
    newsroom.configure(editing={"mode": "approve", "deadline": "10:00"})
    subscribe(newsroom, "ada@example.org")
    assert newsroom.tick(f"{DAY}T08:00").reason == "waits for the editor until 10:00"
    assert newsroom.tick(f"{DAY}T10:00").deliveries["accepted"] == 1


def test_nobody_approved_it_so_it_is_skipped(newsroom: Newsroom) -> None:
    """With on_deadline = "skip" the date has no issue, and the reason is kept."""
    newsroom.configure(editing={"mode": "approve", "on_deadline": "skip"})
    subscribe(newsroom, "ada@example.org")
    report = newsroom.tick(f"{DAY}T10:00")
    assert report.document["issue"] is None
    assert report.reason == "nobody approved it before 10:00"
    assert newsroom.tick(f"{DAY}T11:00").reason == report.reason
    assert newsroom.sink.mails == []


def test_sealing_waits_for_a_required_source_and_then_goes_without(newsroom: Newsroom, tmp_path: Path) -> None:
    """A required source that fails holds the issue back until its hour, and no longer."""
    sources = [
        {"kind": "file", "path": "papers.jsonl", "refresh": "1s"},
        {"kind": "file", "name": "lab", "path": "lab.jsonl", "refresh": "1s", "required": True, "wait_until": "09:00"},
    ]
    newsroom.configure(sources=sources)
    assert newsroom.tick(f"{DAY}T08:00").reason == "waits for source lab until 09:00"
    assert newsroom.tick(f"{DAY}T09:00").document["issue"] == {"date": DAY, "status": "sealed", "papers": 2}


def test_a_pause_ends_on_its_date(newsroom: Newsroom) -> None:
    """A reader who paused until a date gets mail from that date on."""
    subscribe(newsroom, "ada@example.org")
    newsroom.run("subscribers", "pause", "ada@example.org", "--until", "2099-01-02")
    with newsroom.app() as app, app.database.write() as session:
        row = session.exec(select(SubscriberRow)).one()
        row.paused_until = date(2026, 7, 16)
        session.add(row)
    newsroom.publish("2026-07-16", "Gamma")
    newsroom.tick(f"{DAY}T08:00")
    assert newsroom.sink.mails == []
    newsroom.tick("2026-07-16T08:00")
    assert len(newsroom.sink.mails) == 1


def test_the_operator_is_told_once_a_day_and_once_when_it_is_solved(newsroom: Newsroom) -> None:
    """A dead source over a day of ticks is one mail, on the next day one more, and one when it works again."""
    newsroom.configure(operator={"email": "me@example.org"})
    hidden = newsroom.file.rename(newsroom.folder / "elsewhere")
    at = datetime(2026, 7, 15, 0, 0, tzinfo=UTC)
    for _ in range(12):
        newsroom.tick(at)
        at += timedelta(hours=2)
    assert len(newsroom.sink.to("me@example.org")) == 1
    newsroom.tick(at)
    assert len(newsroom.sink.to("me@example.org")) == 2
    hidden.rename(newsroom.file)
    newsroom.tick(at + timedelta(hours=2))
    newsroom.tick(at + timedelta(hours=3))
    told = newsroom.sink.to("me@example.org")
    assert len(told) == 3
    assert "source file" in told[0].text
    assert "olved" in str(told[2].message["Subject"]) + told[2].text
    assert "the next run" not in told[2].text


def test_what_comes_back_is_told_again_but_not_at_once(newsroom: Newsroom) -> None:
    """The last word was that it is solved: an hour after it a person hears that it is not."""
    newsroom.configure(operator={"email": "me@example.org"})

    def told(at: str, *, works: bool) -> list[str]:
        away = newsroom.folder / "elsewhere"
        if works and away.exists():
            away.rename(newsroom.file)
        elif not works and newsroom.file.exists():
            newsroom.file.rename(away)
        return newsroom.tick(f"{DAY}T{at}").problems

    assert len(told("02:00", works=False)) == 1
    assert told("05:00", works=True)[0].startswith("solved: ")
    assert told("05:30", works=False) == []
    assert len(told("06:30", works=False)) == 1
    assert told("08:30", works=False) == []


def test_a_good_run_pings_and_a_bad_one_does_not(newsroom: Newsroom) -> None:
    """The ping says that a run went well, so that its absence can raise an alarm."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    newsroom.configure(operator={"ping_url": f"http://127.0.0.1:{server.server_port}/ping"})
    newsroom.tick(f"{DAY}T08:00")
    assert asked == ["/ping"]
    newsroom.file.unlink()
    newsroom.tick(f"{DAY}T10:00")
    assert asked == ["/ping"]
    server.shutdown()
    server.server_close()


def test_a_date_in_the_future_is_a_usage_error(newsroom: Newsroom) -> None:
    """Nothing is gathered or sealed for a day that has not come."""
    answer = newsroom.run("run", "--date", "2199-01-01", expect=2)
    assert "future" in answer.err


def test_a_past_date_is_sealed_and_sent_to_whom_it_suits(newsroom: Newsroom) -> None:
    """With --date and --now every active reader whose rhythm includes the date gets it; a repeat sends nothing."""
    for email, frequency in (
        ("ada@example.org", ""),
        ("fri@example.org", "weekly:fri"),
        ("wed@example.org", "weekly:wed"),
    ):
        newsroom.run("subscribers", "add", email, "--frequency", frequency)
    for _ in range(2):
        document = newsroom.run("run", "--date", DAY, "--now", "--json").json
        assert document["status"] == "done"
        assert document["issue"] == {"date": DAY, "status": "sealed", "papers": 2}
        assert document["deliveries"]["audience"] == document["deliveries"]["accepted"] == 2
    assert sorted(mail.recipient for mail in newsroom.sink.mails) == ["ada@example.org", "wed@example.org"]


def test_who_looks_on_is_told_that_there_was_nothing_to_do(newsroom: Newsroom) -> None:
    """Nobody to send to, everybody served, a day without papers: on a pipe silence, else a report, and always JSON."""

    def told(day: str) -> tuple[str, str]:
        silent = newsroom.run("run", "--date", day, "--now")
        assert (silent.out, silent.err) == ("", "")
        document = newsroom.run("run", "--date", day, "--now", "--json").json
        assert document["status"] == "done"
        return newsroom.run("run", "--date", day, "--now", "-v").out, document["reason"]

    said, reason = told(DAY)
    assert (said.splitlines()[-2:], reason) == (
        [f"  issue of {DAY}: sealed, 2 papers", "  no reader is due for it so far"],
        None,
    )
    newsroom.run("subscribers", "add", "ada@example.org")
    said, _ = told(DAY)
    assert said.splitlines()[-1] == "  1 reader: 1 accepted"
    said, reason = told("2026-01-05")
    assert (said.splitlines()[0], reason) == ("2026-01-05: done (nothing was listed)", "nothing was listed")


def test_a_dry_run_sends_and_seals_nothing(newsroom: Newsroom) -> None:
    """It says what would be, and the real run afterwards finds nothing done."""
    newsroom.run("subscribers", "add", "ada@example.org")
    document = newsroom.run("run", "--date", DAY, "--now", "--dry-run", "--json").json
    assert document["issue"] == {"date": DAY, "status": "sealed", "papers": 2}
    assert document["deliveries"]["waiting"] == 1
    said = newsroom.run("run", "--date", DAY, "--now", "--dry-run").out  # though nobody sits at a terminal
    assert f"issue of {DAY}: sealed, 2 papers" in said
    assert said.startswith("A rehearsal: nothing is sealed or sent.")
    assert "the next is tried" not in said
    assert newsroom.sink.mails == []
    assert newsroom.run("issues", "list", "--json").json["issues"] == []
    assert newsroom.run("run", "--date", DAY, "--now", "--json").json["deliveries"]["accepted"] == 1


def test_a_wrong_secret_stops_before_anything_is_sent(newsroom: Newsroom) -> None:
    """Links signed by another secret would not work, so nothing goes out; an added old one is enough."""
    newsroom.run("subscribers", "add", "ada@example.org")
    newsroom.run("run", "--date", DAY, "--now")
    secret = newsroom.folder / "secret"
    old = secret.read_text()
    secret.write_text("another-secret-that-is-long-enough\n")
    newsroom.run("subscribers", "add", "bob@example.org")
    answer = newsroom.run("run", "--date", DAY, "--now", expect=2)
    assert "secret_file" in answer.err
    assert len(newsroom.sink.mails) == 1
    secret.write_text("another-secret-that-is-long-enough\n" + old)
    newsroom.run("run", "--date", DAY, "--now")
    assert len(newsroom.sink.mails) == 2


def test_under_cron_a_good_run_prints_nothing(newsroom: Newsroom) -> None:
    """Cron mails whatever is printed, so a run that needs nobody says nothing."""
    answer = newsroom.run("run", "--date", DAY, "--now")
    assert (answer.out, answer.err) == ("", "")


def test_a_signal_while_gathering_ends_the_run_and_the_next_continues(newsroom: Newsroom) -> None:
    """A source that does not answer keeps nobody waiting: status 3 at once, and the lease is free again."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/feed.xml"
        newsroom.configure(sources=[{"kind": "feed", "url": url, "allow_private_address": True}])
        process = newsroom.start("run", "--date", DAY)
        silent.settimeout(30)
        connection, _ = silent.accept()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=10)
        connection.close()
    assert process.returncode == 3
    assert "the next run continues" in err
    newsroom.configure(sources=[{"kind": "file", "path": "papers.jsonl"}])
    assert newsroom.run("run", "--date", DAY, "--now", "--json").json["status"] == "done"


@pytest.mark.slow
def test_serve_sends_by_its_own_clock_and_ends_when_told(newsroom: Newsroom) -> None:
    """The scheduler's first tick comes at once; SIGTERM ends it within ten seconds, with status 0."""
    process = newsroom.start("serve", "--no-web", "-v")
    _wait_for(lambda: _fetched(newsroom))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


# The command, but for its clock, which ticks each second.
_TICKING = """
from datetime import timedelta
from newsletter import scheduler
from newsletter.cli.main import main
scheduler.serve.__kwdefaults__["tick"] = timedelta(seconds=1)
main()
"""


@pytest.mark.slow
def test_serve_ends_when_a_newer_program_has_upgraded_the_database(newsroom: Newsroom) -> None:
    """An older process does not work on a database that it does not know; it says so in one line."""
    newsroom.run("stats")
    with newsroom.app() as app:
        path = app.database.path
    connection = sqlite3.connect(path)
    process = newsroom.start("serve", "--no-web", program=("-c", _TICKING))
    _wait_for(lambda: _fetched(newsroom))
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    _, err = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "was upgraded to version 9999" in err
    assert "Traceback" not in err


def _fetched(room: Newsroom) -> bool:
    database = room.folder / "newsletter.db"
    if not database.exists():
        return False
    connection = sqlite3.connect(database)
    try:
        return bool(connection.execute("SELECT count(*) FROM fetches").fetchone()[0])
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()


def _wait_for(happened: object) -> None:
    ends = time.monotonic() + 30
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.1)
