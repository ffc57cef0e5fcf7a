"""Sending is stopped, by a person, by the system or by accident: nobody is lost, and repeats are bounded."""

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Thread

import pytest
from counting import agree, extra, lost, states
from newsroom import Newsroom
from sqlmodel import select

from newsletter.errors import IncompleteError
from newsletter.services.alone import alone
from newsletter.services.outcome import Outcome
from newsletter.services.route import Route
from newsletter.services.subscribe import unsubscribe
from newsletter.storage import locks
from newsletter.storage.tables import OwnerRow

DAY = "2026-07-15"  # a Wednesday
RUN = ("run", "--date", DAY, "--now", "--json")
CONNECTIONS = 3


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with two papers, sent over three connections to a server that takes a moment for each."""
    newsroom.configure(smtp={"connections": CONNECTIONS, "give_up_after": "3d"})
    newsroom.publish(DAY, "Alpha", "Beta")
    newsroom.sink.delay = 0.03
    return newsroom


def readers(room: Newsroom, count: int) -> list[str]:
    """Put so many readers on the list, and return their addresses."""
    emails = [f"r{n}@example.net" for n in range(count)]
    room.subscribe(*emails)
    return emails


def ended(process: subprocess.Popen[str], *, expect: int) -> str:
    """Wait for the end of *process*, and return what it said."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == expect, f"{process.returncode}:\n{out}\n{err}"
    return out + err


@contextmanager
def sending(room: Newsroom) -> Iterator[list[Outcome]]:
    """Run beside the test, from the tenth mail on. At the end the list holds what the run came to."""
    reports: list[Outcome] = []
    run = Thread(target=lambda: reports.append(room.tick(f"{DAY}T08:00")))
    run.start()
    room.sink.wait(10)
    try:
        yield reports
    finally:
        run.join(60)


def finish(room: Newsroom, emails: list[str]) -> None:
    """Run once more, and see that everybody has it and all counts agree."""
    room.sink.delay = 0
    report = room.run(*RUN).json
    assert report["status"] == "done"
    assert agree(room, report["deliveries"])
    assert lost(room, emails) == set()


# By a person


def test_halt_stops_at_once_and_resume_goes_on(room: Newsroom) -> None:
    """The sink sees at most the open connections' mails more; the halted rest waits, and comes after resume."""
    emails = readers(room, 100)
    running = room.start(*RUN)
    room.sink.wait(10)
    room.run("issues", "halt", DAY, "--reason", "a wrong title")
    seen, halted_at = len(room.sink.mails), time.monotonic()
    said = ended(running, expect=3)
    assert time.monotonic() - halted_at < 10  # two seconds for the sender, the rest for a busy machine
    assert len(room.sink.mails) <= seen + CONNECTIONS
    assert "halted: a wrong title" in said
    assert states(room) == {"accepted": len(room.sink.mails), "ready": 100 - len(room.sink.mails)}

    again = room.run(*RUN, expect=3)
    assert again.json["reason"] == "halted: a wrong title"
    assert len(room.sink.mails) <= seen + CONNECTIONS
    room.run("issues", "resume", DAY)
    finish(room, emails)
    assert extra(room) == 0


def test_cancel_withdraws_the_rest(room: Newsroom) -> None:
    """Whoever was not reached yet never will be: the rest ends withdrawn, and the run is done."""
    readers(room, 100)
    with sending(room) as reports:
        room.run("issues", "cancel", DAY)
        seen = len(room.sink.mails)
    assert len(room.sink.mails) <= seen + CONNECTIONS
    assert states(room) == {"accepted": len(room.sink.mails), "withdrawn": 100 - len(room.sink.mails)}
    assert reports[0].status == "done"
    assert agree(room, reports[0].deliveries)
    assert room.tick(f"{DAY}T08:05").deliveries == reports[0].deliveries
    assert extra(room) == 0


def test_who_unsubscribes_while_it_is_sent_gets_nothing_more(room: Newsroom) -> None:
    """Also who was claimed already: only what was offered before can still arrive. The others have their mail."""
    readers(room, 60)
    with sending(room) as reports, room.app() as app:
        leaving = [email for email in room.ledger if email not in room.sink.heard][-20:]
        for email in leaving:
            unsubscribe(app.database, email, datetime.now(UTC))
        reached = [mail for mail in room.sink.mails if mail.recipient in leaving]
    assert len([mail for mail in room.sink.mails if mail.recipient in leaving]) <= len(reached) + CONNECTIONS
    assert states(room) == {"accepted": len(room.sink.mails), "withdrawn": 60 - len(room.sink.mails)}
    assert len(room.sink.mails) >= 40
    assert reports[0].status == "done"
    assert agree(room, reports[0].deliveries)


# By another run


@pytest.mark.slow
def test_a_second_run_is_refused_or_waits(room: Newsroom) -> None:
    """One works at a time: the second ends with 4, or with --wait takes its turn; nobody gets two mails."""
    emails = readers(room, 60)
    first = room.start(*RUN)
    room.sink.wait(3)
    waiting = room.start(*RUN, "--wait")
    refused = room.run(*RUN, expect=4)
    assert "another run is at work" in refused.err
    assert "'--wait' waits for it" in refused.err
    ended(first, expect=0)
    ended(waiting, expect=0)
    finish(room, emails)
    assert extra(room) == 0


# By the system


def test_sigterm_ends_politely_and_the_next_run_continues(room: Newsroom) -> None:
    """Within ten seconds, with status 3; nobody is lost and nobody gets two."""
    emails = readers(room, 100)
    running = room.start(*RUN)
    room.sink.wait(10)
    told_at = time.monotonic()
    running.send_signal(signal.SIGTERM)
    said = ended(running, expect=3)
    assert time.monotonic() - told_at < 60  # on a busy machine too; how long it takes, the proofs measure
    assert "stopped by a signal; the next run continues" in said
    assert 10 <= len(room.sink.mails) < 100
    assert states(room) == {"accepted": len(room.sink.mails), "ready": 100 - len(room.sink.mails)}
    finish(room, emails)
    assert extra(room) == 0


@pytest.mark.slow
def test_sigterm_does_not_wait_for_a_server_that_does_not_answer(room: Newsroom) -> None:
    """What was offered and not answered within the drain is uncertain, and repeated: one per connection at most."""
    emails = [f"r{n}@{n % CONNECTIONS}.example.net" for n in range(20)]  # a silent domain has one connection, no more
    room.subscribe(*emails)
    room.sink.delay = 120
    running = room.start(*RUN)
    room.sink.wait(1)
    told_at = time.monotonic()
    running.send_signal(signal.SIGTERM)
    ended(running, expect=3)
    assert time.monotonic() - told_at < 60  # on a busy machine too; how long it takes, the proofs measure
    finish(room, emails)
    assert extra(room) <= CONNECTIONS


def test_sigterm_does_not_wait_for_the_operators_mail(newsroom: Newsroom) -> None:
    """The server takes the digests, and then nothing: who is to hear of a failed source hears of it by the next run."""
    newsroom.configure(operator={"email": "me@example.org"})
    newsroom.sink.delay = 120
    (newsroom.folder / "papers.jsonl").write_text("no paper")
    running = newsroom.start(*RUN)
    newsroom.sink.wait(1, heard=True)
    told_at = time.monotonic()
    running.send_signal(signal.SIGTERM)
    assert "stopped by a signal; the next run continues" in ended(running, expect=3)
    assert time.monotonic() - told_at < 60  # on a busy machine too; how long it takes, the proofs measure
    newsroom.sink.delay = 0
    newsroom.run(*RUN, expect=3)
    assert newsroom.sink.to("me@example.org")


def test_sigterm_ends_the_clock_too_while_the_operator_is_told(newsroom: Newsroom) -> None:
    """What is told after the sending is dropped by the daemon as well as by a command."""
    newsroom.configure(operator={"email": "me@example.org"})
    newsroom.sink.delay = 120
    (newsroom.folder / "papers.jsonl").write_text("no paper")
    running = newsroom.start("serve", "--no-web")
    newsroom.sink.wait(1, heard=True)
    running.send_signal(signal.SIGTERM)
    assert running.wait(60) == 0  # on a busy machine too: the server would take twice as long


def test_who_slept_while_waiting_for_another_run_leaves_and_keeps_nobody_out(room: Newsroom) -> None:
    """Others took it for dead: what it took under that name nobody would recover, were it killed after all."""
    now, looks = datetime(2026, 7, 15, 8, tzinfo=UTC), count()
    with room.app(now) as app, ExitStack() as first:
        other = first.enter_context(alone(app.service(lambda: now)))

        def clock() -> datetime:
            if next(looks) == 2:  # it has looked once, and slept
                with app.database.write() as session:
                    sleeper = session.exec(select(OwnerRow.id).where(OwnerRow.id != other.id)).one()
                    locks.bury(session, app.database.path, sleeper)
                first.close()
            return now

        with pytest.raises(IncompleteError, match="another run took over"), alone(app.service(clock), wait=True):
            pass
        with alone(app.service(lambda: now)):
            assert next(looks) > 2


def test_a_clock_that_is_set_back_makes_no_pause_longer(room: Newsroom) -> None:
    """A pause of seconds would last an hour, and the run keep all others out."""
    now = [datetime(2026, 7, 15, 8, tzinfo=UTC)]
    with room.app(now[0]) as app:
        way = app.settings.smtp.ways[0]
        route = Route(way, lambda: app.dispatch.connect(way), lambda: now[0])
        pause = route.pause()
        assert route.rest == pause
        now[0] -= timedelta(hours=1)
        assert not route.rest
        assert route.is_open


def test_kills_lose_nobody_and_repeat_one_per_connection_at_most(room: Newsroom) -> None:
    """Two kills at random moments: each next run takes over at once, and every reader gets the issue."""
    chance = random.Random(7)
    emails = readers(room, 150)
    kill_again_and_again(room, kills=2, total=150, chance=chance)
    finish_after_kills(room, emails, kills=2)


def kill_again_and_again(room: Newsroom, *, kills: int, total: int, chance: random.Random) -> None:
    """Kill a run and let one that waited take over, at moments spread over the whole delivery."""
    running = room.start(*RUN, "--wait")
    for n in range(kills):
        following = room.start(*RUN, "--wait")
        room.sink.wait(1 + n * (total - 40) // kills + chance.randrange(15), seconds=60)
        time.sleep(chance.random() * 0.05)
        assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        running = following
    running.communicate(timeout=100)


def finish_after_kills(room: Newsroom, emails: list[str], *, kills: int, connections: int = CONNECTIONS) -> None:
    """See that nobody is lost, repeats are bounded and recognisable, and all counts agree."""
    room.run("deliveries", "release", "--all")
    finish(room, emails)
    assert 0 <= extra(room) <= kills * connections
    by_reader = {(mail.recipient, str(mail.message["Message-ID"])) for mail in room.sink.mails}
    assert len(by_reader) == len(emails)
