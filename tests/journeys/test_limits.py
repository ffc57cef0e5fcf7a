"""Limits of our own: per second, minute and day, and what one destination bears."""

import asyncio
import time
from collections.abc import Callable

import pytest
from counting import agree, states
from newsroom import Newsroom, instant

from newsletter.mail.smtp import SmtpTrouble
from newsletter.render.typesetting import Rendered
from newsletter.services.deliver import Sender
from newsletter.services.notify import send_one
from newsletter.services.run import Watch
from newsletter.storage import traffic

DAY, NEXT = "2026-07-15", "2026-07-16"
AT = f"{DAY}T08:00"


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with two papers listed on a Wednesday, sent over two connections."""
    newsroom.configure(smtp={"connections": 2})
    newsroom.publish(DAY, "Alpha", "Beta")
    return newsroom


def test_so_many_a_second_go_out_evenly(room: Newsroom) -> None:
    """The route's pace holds over all connections."""
    room.configure(smtp={"messages_per_second": 20})
    room.subscribe(*(f"r{n}@example.net" for n in range(21)))
    began = time.monotonic()
    report = room.tick(AT)
    assert time.monotonic() - began >= 20 / 20
    assert agree(room, report.deliveries)
    assert len(room.sink.mails) == 21


def test_a_destination_has_a_pace_of_its_own(room: Newsroom) -> None:
    """It holds for that domain, and the others do not wait for it."""
    room.configure(smtp={"domains": {"Slow.Example": {"messages_per_second": 10, "connections": 1}}})
    slow, other = [f"r{n}@slow.example" for n in range(11)], [f"r{n}@example.net" for n in range(10)]
    room.subscribe(*slow, *other)
    began = time.monotonic()
    report = room.tick(AT)
    assert time.monotonic() - began >= 10 / 10
    assert agree(room, report.deliveries)
    assert room.sink.mails[-1].recipient in slow
    assert len(room.sink.mails) == 21


def test_a_destination_has_so_many_connections_and_the_others_do_not_starve(room: Newsroom) -> None:
    """One at a time to a domain that bears no more, though its readers come first; others meanwhile use the rest."""
    room.configure(smtp={"connections": 4, "domains": {"slow.example": {"connections": 1}}})
    slow, other = [f"r{n}@slow.example" for n in range(24)], [f"r{n}@example.net" for n in range(12)]
    room.sink.delay = 0.04
    room.subscribe(*slow, *other)
    report = room.tick(AT)
    assert agree(room, report.deliveries)
    assert len(room.sink.mails) == 36
    assert room.sink.most_at_once["slow.example"] == 1
    assert 2 <= room.sink.most_at_once["example.net"] <= 4
    last_other = max(n for n, mail in enumerate(room.sink.mails) if mail.recipient in other)
    assert len([mail for mail in room.sink.mails[last_other:] if mail.recipient in slow]) >= 6


def test_no_more_than_so_many_a_minute(room: Newsroom) -> None:
    """When the minute's are sent the run waits; what was sent before counts, whoever sent it."""
    room.configure(smtp={"messages_per_minute": 3})
    room.subscribe(*(f"r{n}@example.net" for n in range(5)))
    report = room.tick(AT, watch=Watch(started=interrupted(after=3)))
    assert report.reason == "stopped by a signal; the next run continues"
    assert states(room) == {"accepted": 3, "ready": 2}
    room.tick(f"{AT}:30", watch=Watch(started=interrupted(after=0.5)))
    assert len(room.sink.mails) == 3
    report = room.tick(f"{DAY}T08:01:02")
    assert report.status == "done"
    assert agree(room, report.deliveries)


def interrupted(after: float) -> Callable[[Sender], None]:
    """Return who interrupts a sender so many seconds after it started."""

    def started(sender: Sender) -> None:
        asyncio.get_running_loop().call_later(after, sender.interrupt)

    return started


def test_the_day_s_limit_ends_the_run_and_the_next_day_goes_on(room: Newsroom) -> None:
    """Exactly so many go out; the reason says when it goes on; then the rest does, before anything else."""
    room.configure(smtp={"messages_per_day": 20, "give_up_after": "3d"})
    emails = [f"r{n}@example.net" for n in range(33)]
    room.subscribe(*emails, frequency="weekly:wed")
    report = room.tick(AT)
    assert report.status == "incomplete"
    assert (report.reason or "").startswith("the day's limit of messages is reached; goes on at 2026-07-16 08:00")
    assert states(room) == {"accepted": 20, "ready": 13}
    assert agree(room, report.deliveries)

    report = room.tick(f"{DAY}T18:00")
    assert len(room.sink.mails) == 20
    assert (report.status, (report.reason or "")[:15]) == ("incomplete", "the day's limit")

    room.tick(f"{NEXT}T08:01")
    assert states(room) == {"accepted": 33}
    assert sorted(mail.recipient for mail in room.sink.mails) == sorted(emails)


def test_who_was_left_out_by_the_day_s_limit_is_first_on_the_next_day(room: Newsroom) -> None:
    """Daily readers: what did not go out expires with the next digest, whose longest unserved readers go first."""
    room.configure(smtp={"messages_per_day": 4})
    emails = [f"r{n}@example.net" for n in range(6)]
    room.subscribe(*emails)
    room.tick(AT)
    served = {mail.recipient for mail in room.sink.mails}
    assert len(served) == 4
    room.publish(NEXT, "Gamma")
    room.tick(f"{NEXT}T08:01")
    assert {mail.recipient for mail in room.sink.mails[4:6]} == set(emails) - served
    assert len(room.sink.mails) == 8


@pytest.mark.slow
@pytest.mark.parametrize("at_once", [False, True], ids=["by the clock", "for a date"])
def test_a_list_of_twice_the_day_s_limit_is_served_once_in_two_issues(room: Newsroom, at_once: bool) -> None:
    """Whoever was not served is first on the next day, on a list of several chunks; on the third it goes round."""
    limit = 300
    room.configure(smtp={"messages_per_day": limit, "connections": 8})
    emails = [f"r{n}@example.net" for n in range(2 * limit)]
    room.subscribe(*emails)
    served: list[set[str]] = []
    for day, title in ((DAY, "Alpha"), (NEXT, "Gamma"), ("2026-07-17", "Delta")):
        room.publish(day, title)
        before = len(room.sink.mails)
        room.tick(f"{day}T08:0{len(served)}:30", **({"at_once": True} if at_once else {}))
        served.append({mail.recipient for mail in room.sink.mails[before:]})
        assert len(room.sink.mails) - before == len(served[-1]) == limit
    assert served[0] | served[1] == set(emails)
    assert served[2] == served[0]


def test_a_mail_of_its_own_counts_too_and_waits_for_no_limit(room: Newsroom) -> None:
    """A confirmation, or whatever else is no digest: digests leave it the room that it took, in any later process."""
    room.configure(smtp={"messages_per_day": 3})
    room.subscribe(*(f"r{n}@example.net" for n in range(5)))
    letter = Rendered(subject="Please confirm", html="", text="Please confirm.\n")

    def ask(email: str, at: str) -> None:
        with room.app(instant(at)) as app:
            asyncio.run(send_one(app.dispatch, email, letter, instant(at)))

    ask("new@example.net", f"{DAY}T07:00Z")
    report = room.tick(AT)
    assert states(room) == {"accepted": 2, "ready": 3}
    assert (report.reason or "").endswith("goes on at 2026-07-16 07:00 UTC")
    ask("late@example.net", f"{DAY}T09:00Z")
    assert room.sink.mails[-1].recipient == "late@example.net"
    room.sink.refusals["gone@example.net"] = "550 5.1.1 no such user"
    with pytest.raises(SmtpTrouble):
        ask("gone@example.net", f"{DAY}T09:00Z")
    with room.app() as app, app.database.read() as session:
        assert traffic.accepted_since(session, app.settings.smtp.ways[0].name, instant(f"{DAY}T06:00Z")) == 4


def test_a_failure_does_not_use_up_the_day_s_limit(room: Newsroom) -> None:
    """Only what was accepted counts; while messages are under way the run waits for their fate."""
    room.configure(smtp={"messages_per_day": 10})
    emails = [f"r{n}@example.net" for n in range(14)]
    room.subscribe(*emails)
    room.sink.delay = 0.02
    room.sink.refusals = dict.fromkeys(emails[:4], "451 4.3.0 try again later")
    report = room.tick(AT)
    found = states(room)  # who was tried before the tenth was accepted is chance
    assert found["accepted"] == 10
    assert found.get("deferred", 0) + found.get("ready", 0) == 4
    assert len(room.sink.mails) == 10
    assert report.status == "incomplete"


def test_an_interrupted_pace_ends_at_once(room: Newsroom) -> None:
    """Whoever waits for a turn that is far away does not wait for it when told to stop."""
    room.configure(smtp={"messages_per_second": 0.01})
    room.subscribe(*(f"r{n}@example.net" for n in range(4)))
    began = time.monotonic()
    room.tick(AT, watch=Watch(started=interrupted(after=0.5)))
    assert time.monotonic() - began < 60
    assert states(room) == {"accepted": 1, "ready": 3}
