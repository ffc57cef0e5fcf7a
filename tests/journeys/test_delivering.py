"""Delivering to a real server: what each answer leads to, for the reader and for everybody else."""

import socket
import ssl
import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest
from counting import agree, states
from newsroom import DROPPED, LOST, TAKEN, Mail, Newsroom, instant
from sqlmodel import select

from newsletter.domain.delivery import Status
from newsletter.render.languages import Languages
from newsletter.services import records
from newsletter.services.run import deliver
from newsletter.storage import claims
from newsletter.storage.tables import DeliveryRow

DAY, NEXT = "2026-07-15", "2026-07-16"  # a Wednesday
AT = f"{DAY}T08:00"
NO_PATIENCE = {"patience": timedelta()}
PATIENCE = {"patience": timedelta(seconds=3)}  # one pause of two seconds


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with two papers listed on a Wednesday, sent over two connections."""
    newsroom.configure(smtp={"connections": 2})
    newsroom.publish(DAY, "Alpha", "Beta")
    return newsroom


def readers(room: Newsroom, count: int, domain: str = "example.net") -> list[str]:
    """Put so many readers on the list, and return their addresses."""
    emails = [f"r{n}@{domain}" for n in range(count)]
    room.subscribe(*emails)
    return emails


def later(**after: float) -> str:
    """Return the instant so long after the issue was sent."""
    hours, minutes = divmod(int(timedelta(**after).total_seconds()) // 60, 60)
    return f"{DAY}T{8 + hours:02}:{minutes:02}"


def test_everybody_gets_one_mail_however_often_it_runs(room: Newsroom) -> None:
    """Each active reader has one message with a Message-ID of their own; further runs send nothing."""
    emails = readers(room, 30)
    for _ in range(3):
        report = room.tick(AT)
        assert report.status == "done"
        assert agree(room, report.deliveries)
    assert sorted(mail.recipient for mail in room.sink.mails) == sorted(emails)
    assert len({mail.message["Message-ID"] for mail in room.sink.mails}) == 30
    assert room.sink.connections <= 2
    assert room.sink.most_at_once[""] <= 2


def test_a_temporary_refusal_comes_back_by_the_retry_schedule(room: Newsroom) -> None:
    """Deferred, tried again only when its time has come, and accepted at last with the Message-ID of the first time."""
    readers(room, 3)
    offered: list[Mail] = []

    def greylist(mail: Mail) -> str:
        offered.append(mail)
        times = len([m for m in offered if m.recipient == mail.recipient == "r1@example.net"])
        return "450 4.2.0 greylisted" if 0 < times < 3 else TAKEN

    room.sink.at_dot = greylist
    report = room.tick(AT)
    assert (report.status, report.deliveries["accepted"], report.deliveries["deferred"]) == ("incomplete", 2, 1)
    assert agree(room, report.deliveries)
    first = room.ledger["r1@example.net"]
    assert (first.attempts, first.reply) == (1, "450 4.2.0 greylisted")

    room.tick(later(minutes=4))
    assert len(offered) == 3
    room.tick(later(minutes=6))
    assert room.ledger["r1@example.net"].attempts == 2
    report = room.tick(later(minutes=6 + 16))
    assert (report.status, report.deliveries["accepted"]) == ("done", 3)
    assert agree(room, report.deliveries)
    messages = {str(mail.message["Message-ID"]) for mail in offered if mail.recipient == "r1@example.net"}
    assert messages == {first.message_id}
    assert len(room.sink.mails) == 3


def test_who_waits_is_expected_once(room: Newsroom) -> None:
    """By the clock and on a date alike, a reader whose digest is made is one message, and one who had it is none."""
    ann, *_ = readers(room, 3)
    room.sink.refusals[ann] = "450 4.7.1 greylisted"
    room.subscribe("late@example.net", at=f"{DAY}T07:00", hour="23:00")
    room.tick(AT)
    assert states(room) == {"accepted": 2, "deferred": 1}
    with room.app() as app, app.database.read() as session:
        assert claims.expected(session, instant(AT)) == 1
        assert claims.expected(session, instant(AT), date.fromisoformat(DAY)) == 2


def test_a_temporary_refusal_of_the_address_is_the_same(room: Newsroom) -> None:
    """Said to RCPT, it concerns this reader only, and the connection goes on."""
    readers(room, 5)
    room.sink.refusals["r2@example.net"] = "451 4.3.0 try again later"
    report = room.tick(AT)
    assert states(room) == {"accepted": 4, "deferred": 1}
    assert room.sink.connections <= 2
    room.sink.refusals.clear()
    report = room.tick(later(minutes=6))
    assert report.deliveries["accepted"] == 5
    assert agree(room, report.deliveries)


def test_who_stays_away_too_long_expires(room: Newsroom) -> None:
    """Deferred until the next digest is due: then the old one is given up, and the new one is tried."""
    readers(room, 2)
    room.sink.refusals["r0@example.net"] = "452 4.2.2 mailbox full"
    room.tick(AT)
    room.publish(NEXT, "Gamma")
    report = room.tick(f"{NEXT}T08:00")
    assert report.deliveries["deferred"] == 1
    with room.app() as app, app.database.read() as session:
        rows = {(str(row.day), row.status) for row in session.exec(select(DeliveryRow))}
    assert rows == {(DAY, "expired"), (DAY, "accepted"), (NEXT, "deferred"), (NEXT, "accepted")}
    room.sink.refusals.clear()
    room.tick(f"{NEXT}T08:06")
    assert len(room.sink.to("r0@example.net")[0].papers) == 3  # what was refused counts as not sent


def test_no_such_user_fails_for_good_and_suppresses(room: Newsroom) -> None:
    """5.1.1: failed, the run is done, and the address gets nothing on the next day either."""
    readers(room, 4)
    room.sink.refusals["r0@example.net"] = "550 5.1.1 no such user"
    report = room.tick(AT)
    assert (report.status, report.deliveries["accepted"], report.deliveries["failed"]) == ("done", 3, 1)
    assert agree(room, report.deliveries)
    shown = room.run("subscribers", "show", "r0@example.net", "--json").json
    assert (shown["status"], shown["suppression_reason"]) == ("suppressed", "550 5.1.1 no such user")
    room.publish(NEXT, "Gamma")
    heard = len(room.sink.heard)
    room.tick(f"{NEXT}T08:00")
    assert "r0@example.net" not in room.sink.heard[heard:]
    assert len(room.sink.heard) == heard + 3


def test_a_message_that_is_refused_fails_without_suppressing(room: Newsroom) -> None:
    """A permanent word about the message says nothing of the address: the next digest is tried again."""
    readers(room, 2)
    room.sink.at_dot = lambda mail: "554 5.6.0 malformed" if mail.recipient == "r0@example.net" else TAKEN
    room.tick(AT)
    assert states(room) == {"accepted": 1, "failed": 1}
    room.sink.at_dot = lambda _: TAKEN
    room.publish(NEXT, "Gamma")
    room.tick(f"{NEXT}T08:00")
    assert len(room.sink.to("r0@example.net")) == 1


@pytest.mark.parametrize("at", ["dot", "rcpt", "mail"])
def test_a_policy_refusal_of_everybody_hurts_nobody(room: Newsroom, at: str) -> None:
    """5.7.1 pauses the route: nobody is suppressed or loses an attempt, the run is incomplete, the next continues."""
    emails, refused = readers(room, 20), "550 5.7.1 blocked by policy"
    if at == "dot":
        room.sink.at_dot = lambda _: refused
    elif at == "mail":
        room.sink.at_mail = lambda _: refused
    else:
        room.sink.refusals = dict.fromkeys(emails, refused)
    report = room.tick(AT, dispatch=NO_PATIENCE)
    assert report.status == "incomplete"
    assert report.reason == f"the server will not take mail now ({refused}); the next run continues"
    assert states(room) == {"ready": 20}
    assert {(d.attempts, d.uncertain) for d in room.ledger.values()} == {(0, 0)}
    assert room.run("subscribers", "list", "--status", "active", "--json", "--limit", "100").json["total"] == 20

    room.sink.at_dot, room.sink.at_mail, room.sink.refusals = lambda _: TAKEN, lambda _: None, {}
    report = room.tick(later(minutes=5))
    assert report.status == "done"
    assert agree(room, report.deliveries)
    assert len(room.sink.mails) == 20


def test_the_command_says_that_it_is_not_done(room: Newsroom) -> None:
    """Status 3 and one clear line where nobody looks on."""
    room.run("subscribers", "add", "ann@example.net")
    room.sink.refusals["ann@example.net"] = "450 4.2.0 greylisted"
    answer = room.run("run", "--date", DAY, "--now", "--json", expect=3)
    assert answer.json["status"] == "incomplete"
    assert agree(room, answer.json["deliveries"])


def test_one_reader_refused_for_policy_does_not_keep_the_others_from_their_mail(room: Newsroom) -> None:
    """Some servers answer RCPT with a 5.7.1 that is meant for one: after the pause the sender begins with others."""
    readers(room, 60)
    room.subscribe("aa@example.org")
    room.sink.refusals["aa@example.org"] = "550 5.7.1 recipient not allowed"
    report = room.tick(AT, dispatch=PATIENCE)
    assert report.status == "incomplete"
    assert states(room) == {"accepted": 60, "ready": 1}
    assert room.ledger["aa@example.org"].attempts == 0
    assert agree(room, report.deliveries)


def test_a_server_that_is_down_is_waited_for_and_then_left_to_the_next_run(room: Newsroom) -> None:
    """Nothing is lost and nobody loses an attempt; the reason says what to do."""
    readers(room, 5)
    room.sink.shut()
    report = room.tick(AT, dispatch=NO_PATIENCE)
    assert report.status == "incomplete"
    assert "refused the connection: start the mail server there" in (report.reason or "")
    assert report.waits.startswith("5 digests wait, and the next run tries again; ")  # no instant that has passed
    assert {d.attempts for d in room.ledger.values()} == {0}
    room.sink.open()
    report = room.tick(later(minutes=5))
    assert report.status == "done"
    assert agree(room, report.deliveries)


def test_a_server_that_comes_back_within_the_patience_is_enough(room: Newsroom) -> None:
    """A short absence costs a pause, not a run."""
    readers(room, 5)
    replies = iter(["421 4.3.2 shutting down"])
    room.sink.at_mail = lambda _: next(replies, None)
    report = room.tick(AT, dispatch=PATIENCE)
    assert report.status == "done"
    assert agree(room, report.deliveries)


def test_a_server_that_takes_a_few_messages_per_connection_is_well(room: Newsroom) -> None:
    """421 after N messages ends the session; the rest goes over the next ones without a pause."""
    emails = readers(room, 23)
    carried: dict[int, int] = {}

    def close_after(_address: str) -> str | None:
        carried[room.sink.connections] = carried.get(room.sink.connections, 0) + 1
        return "421 4.7.0 too many messages on this connection" if carried[room.sink.connections] > 5 else None

    room.configure(smtp={"connections": 1})
    room.sink.at_mail = close_after
    report = room.tick(AT, dispatch=NO_PATIENCE)
    assert report.status == "done"
    assert agree(room, report.deliveries)
    assert len(room.sink.mails) == len(emails)
    assert room.sink.connections == 5


# What a person must mend


@pytest.fixture
def secured(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> Newsroom:
    """Return the newsletter with a server that wants STARTTLS and a login, and has a certificate that we trust."""
    certificate, key, password = (room.folder / name for name in ("cert.pem", "key.pem", "password"))
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    room.sink.tls, room.sink.password = context, "right"
    password.write_text("right\n")
    secured = {"security": "starttls", "username": "papers", "password_file": str(password), "host": "localhost"}
    room.configure(smtp=secured)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    readers(room, 4)
    return room


def test_a_wrong_password_stops_at_once(secured: Newsroom) -> None:
    """No second try, which might lock the account: one line says what to correct, and the next run continues."""
    (secured.folder / "password").write_text("wrong\n")
    report = secured.tick(AT)
    assert report.status == "incomplete"
    assert "refused the login as 'papers'" in (report.reason or "")
    assert "smtp.password_file" in (report.reason or "")
    assert secured.sink.connections <= 2
    assert states(secured) == {"ready": 4}
    (secured.folder / "password").write_text("right\n")
    report = secured.tick(later(minutes=5))
    assert report.status == "done"
    assert agree(secured, report.deliveries)


def test_a_certificate_that_cannot_be_trusted_stops_at_once(secured: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent in clear instead, and the line says what to do."""
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
    report = secured.tick(AT)
    assert report.status == "incomplete"
    assert "its certificate cannot be trusted" in (report.reason or "")
    assert secured.sink.mails == []
    assert {d.attempts for d in secured.ledger.values()} == {0}


@pytest.mark.slow
def test_under_cron_trouble_is_one_line_a_day(room: Newsroom) -> None:
    """What needs a person is said once; the next runs of that day are silent, and end with 3 as the first."""
    room.configure(smtp={"security": "starttls"})
    readers(room, 4)
    said = []
    for asked in (["--now"], [], []):  # who asks for a run at once is told what is left, too
        process = room.start("run", "--date", DAY, *asked)
        out, err = process.communicate(timeout=60)
        said.append((process.returncode, out, err.splitlines()))
    ((status, out, (left, trouble)), *others) = said
    assert (status, out) == (3, "")
    assert "offers no STARTTLS, and mail is not sent in clear instead" in trouble
    assert left.startswith(f"{DAY}: incomplete: 4 digests wait")
    assert others == 2 * [(3, "", [])]
    assert room.sink.mails == []


def test_where_a_run_ended_before_all_were_made_more_wait_than_it_can_count(room: Newsroom) -> None:
    """Nothing listens: some hundreds of rows are made, and the line does not say that these are all."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        room.configure(smtp={"port": closed.getsockname()[1]})
    readers(room, 300)
    outcome = room.tick(f"{DAY}T08:00", dispatch=NO_PATIENCE)
    assert outcome.waits.startswith("at least 256 digests wait")


# Nobody knows


@pytest.mark.parametrize("fate", [LOST, DROPPED])
def test_a_lost_answer_is_repeated_by_the_retry_schedule_and_then_held(room: Newsroom, fate: str) -> None:
    """The connection ends after the dot: the same message twice more, later; then a person decides."""
    readers(room, 3)
    offered: list[Mail] = []

    def lose(mail: Mail) -> str:
        if mail.recipient != "r1@example.net":
            return TAKEN
        offered.append(mail)
        return fate

    room.sink.at_dot = lose
    report = room.tick(AT)
    assert (report.status, report.deliveries["accepted"], report.deliveries["waiting"]) == ("incomplete", 2, 1)
    first = room.ledger["r1@example.net"]
    assert (first.status, first.uncertain, first.attempts) == (Status.READY, 1, 1)
    assert agree(room, report.deliveries)

    room.tick(later(minutes=3))
    assert len(offered) == 1
    room.tick(later(minutes=6))
    assert len(offered) == 2
    report = room.tick(later(minutes=6 + 16))
    assert (report.status, report.deliveries["held"]) == ("done", 1)
    assert len({mail.content for mail in offered}) == 1
    assert report.problems == ["1 deliveries are uncertain and held: 'newsletter deliveries list --status held'"]
    room.tick(later(hours=3))
    assert len(offered) == 3

    (held,) = room.run("deliveries", "list", "--status", "held", "--json").json["deliveries"]
    assert held["message_id"] == first.message_id
    assert len({mail.content for mail in room.sink.to("r1@example.net")}) == (1 if fate == LOST else 0)


def test_with_hold_a_lost_answer_waits_for_the_operator(room: Newsroom) -> None:
    """on_uncertain = "hold": nothing is repeated until a person says so."""
    room.configure(smtp={"on_uncertain": "hold"})
    readers(room, 3)
    room.sink.at_dot = lambda mail: LOST if mail.recipient == "r1@example.net" else TAKEN
    report = room.tick(AT)
    assert (report.status, report.deliveries["held"]) == ("done", 1)
    assert agree(room, report.deliveries)
    room.tick(later(hours=2))
    assert len(room.sink.mails) == 3
    release(room, later(hours=2))
    room.sink.at_dot = lambda _: TAKEN
    room.tick(later(hours=3))
    first, second = room.sink.to("r1@example.net")
    assert first.content == second.content
    assert states(room) == {"accepted": 3}


def release(room: Newsroom, at: str) -> None:
    """Let what is held be sent again, as 'deliveries release --all' does."""
    with room.app() as app:
        records.release(app.database, app.settings.smtp, (), instant(at), everything=True, sent=False)


# Too many hard failures


def test_too_many_hard_failures_are_ours_and_pause_the_route(room: Newsroom) -> None:
    """A blocklisted sender must not empty the list: a few are suppressed, the route rests, the operator is told."""
    emails = readers(room, 80)
    room.configure(operator={"email": "me@example.org"})
    room.sink.refusals = dict.fromkeys(emails, "550 5.1.1 user unknown")
    report = room.tick(AT)
    assert report.status == "incomplete"
    assert report.reason == "11 of the last 11 addresses failed for good: 550 5.1.1 user unknown"
    assert 11 <= report.deliveries["failed"] <= 12
    suppressed = room.run("subscribers", "list", "--status", "suppressed", "--json").json["total"]
    assert suppressed == report.deliveries["failed"]
    (told,) = room.sink.to("me@example.org")
    assert "11 of the last 11 addresses failed for good" in told.text

    heard = len(room.sink.heard)
    report = room.tick(later(minutes=30))
    assert report.reason == "the route is paused until 2026-07-15 09:00 UTC; 'deliver --retry-failed' ends the pause"
    assert len(room.sink.to("me@example.org")) == 1
    assert [to for to in room.sink.heard[heard:] if to != "me@example.org"] == []

    room.sink.refusals = {}
    report = room.tick(later(minutes=61))
    assert report.status == "done"
    assert report.deliveries["accepted"] == 80 - suppressed


def test_the_operator_ends_the_pause(room: Newsroom) -> None:
    """deliver --retry-failed: what failed is tried again, unless suppressed, and what waits is sent."""
    readers(room, 40)
    room.sink.at_dot = lambda _: "554 5.6.0 not like this"
    assert room.tick(AT).reason == "11 of the last 11 addresses failed for good: 554 5.6.0 not like this"
    room.sink.at_dot = lambda _: TAKEN
    assert "is paused" in (room.tick(later(minutes=10), work=deliver).reason or "")
    report = room.tick(later(minutes=20), work=deliver, retry_failed=True)
    assert (report.status, report.deliveries["accepted"], report.deliveries["failed"]) == ("done", 40, 0)
    assert agree(room, report.deliveries)


def test_failures_of_several_runs_add_up(room: Newsroom) -> None:
    """Readers come due a few at a time: the last fifty addresses are those of the runs before, too."""
    for hour in range(8, 14):
        room.subscribe(*(f"r{hour}-{n}@example.net" for n in range(4)), at=DAY, hour=f"{hour:02}:00")
    room.sink.at_dot = lambda _: "554 5.6.0 not like this"
    reasons = [room.tick(f"{DAY}T{hour:02}:00").reason for hour in (8, 9, 10)]
    assert reasons == [None, None, "11 of the last 11 addresses failed for good: 554 5.6.0 not like this"]


def test_a_few_dead_addresses_in_a_long_list_pause_nothing(room: Newsroom) -> None:
    """One in ten is what a list grown old looks like."""
    emails = readers(room, 100)
    room.sink.refusals = dict.fromkeys(emails[::10], "550 5.1.1 user unknown")
    report = room.tick(AT)
    assert (report.status, report.deliveries["accepted"], report.deliveries["failed"]) == ("done", 90, 10)


# Our own faults


def sealed(room: Newsroom) -> None:
    """Seal the issue: while a template is broken none is."""
    room.run("gather", "--date", DAY)
    room.run("issues", "seal", DAY)


def test_a_template_that_breaks_stops_the_run_and_reaches_nobody(room: Newsroom, tmp_path: Path) -> None:
    """Of a sealed issue nobody gets half a mail or is deferred; a line names the place, and the next run goes on."""
    readers(room, 10)
    sealed(room)
    (tmp_path / "templates/email").mkdir(parents=True)
    (tmp_path / "templates/email/card.html").write_text("<p>{{ card.nonsense.more }}</p>")
    report = room.tick(AT, dispatch={"languages": Languages(tmp_path / "templates")})
    assert report.status == "incomplete"
    assert "email/card.html:1" in (report.reason or "")
    assert room.sink.mails == []
    assert states(room) == {"ready": 10}
    assert {d.attempts for d in room.ledger.values()} == {0}
    report = room.tick(later(minutes=5))
    assert report.status == "done"
    assert agree(room, report.deliveries)


def test_a_subject_that_breaks_stops_the_run_too(room: Newsroom, tmp_path: Path) -> None:
    """Also where the fault shows before the first message is composed."""
    readers(room, 3)
    sealed(room)
    (tmp_path / "templates/email").mkdir(parents=True)
    (tmp_path / "templates/email/digest.subject.txt").write_text("{{ nonsense }}")
    report = room.tick(AT, dispatch={"languages": Languages(tmp_path / "templates")})
    assert report.status == "incomplete"
    assert "digest.subject.txt:1" in (report.reason or "")
    assert states(room) == {"ready": 3}


def test_one_reader_whose_message_cannot_be_composed_does_not_stop_the_others(room: Newsroom) -> None:
    """One row is damaged: that reader is deferred, or failed where it can never work; the others have their mail."""
    emails = readers(room, 10)
    room.sink.shut()
    room.tick(AT, dispatch=NO_PATIENCE)
    room.sink.open()
    damage(room, emails[3], "UPDATE deliveries SET picks = '1Z' WHERE subscriber_id = ?")
    damage(room, emails[6], "UPDATE subscribers SET email = 'nobody' WHERE id = ?")
    report = room.tick(later(minutes=1))
    assert report.status == "incomplete"
    assert states(room) == {"accepted": 8, "deferred": 1, "failed": 1}
    assert room.ledger[emails[3]].status is Status.DEFERRED
    assert room.ledger[emails[3]].reply.startswith("not sent: ")
    assert room.run("subscribers", "list", "--status", "suppressed", "--json").json["total"] == 0


def damage(room: Newsroom, email: str, statement: str) -> None:
    """Change a reader's row behind everybody's back."""
    reader = room.ledger[email].subscriber_id
    with room.app() as app, app.database.write() as session:
        session.connection().exec_driver_sql(statement, (reader,))


# One issue of several


def test_deliver_can_send_one_issue_and_leave_another_waiting(room: Newsroom) -> None:
    """--issue sends that one, and ends, whatever else is ready."""
    readers(room, 3)
    room.configure(smtp={"give_up_after": "3d"})
    room.subscribe("weekly@example.net", frequency="weekly:wed")
    room.sink.shut()
    room.tick(AT, dispatch=NO_PATIENCE)
    room.publish(NEXT, "Gamma")
    room.tick(f"{NEXT}T08:00", dispatch=NO_PATIENCE)
    room.sink.open()
    report = room.tick(f"{NEXT}T08:10", work=deliver, day=date.fromisoformat(NEXT))
    assert (report.status, report.deliveries["accepted"]) == ("incomplete", 3)
    assert room.sink.to("weekly@example.net") == []
    report = room.tick(f"{NEXT}T08:20", work=deliver)
    assert report.status == "done"
    assert len(room.sink.to("weekly@example.net")) == 1


@pytest.mark.parametrize(
    "named",
    [
        {"name": "N" * 90},
        {"sender": "papers@exämple.org"},
        {"sender": "papers@exämple.org", "reply_to": "édi=tor@exämple.org", "base_url": ""},
    ],
)
def test_any_name_and_address_that_may_be_configured_can_be_sent(room: Newsroom, named: dict[str, str]) -> None:
    """Long names and domains in other scripts end in no header that cannot be made, nor in one for everybody's mail."""
    room.configure(newsletter={"reply_to": "editors@example.org"} | named)
    readers(room, 2)
    report = room.tick(AT)
    assert (report.status, report.deliveries["accepted"]) == ("done", 2)
