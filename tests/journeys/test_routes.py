"""Several ways out: shares by weight, failover when one is down, and limits that are each one's own."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from counting import states
from newsroom import Newsroom, Sink

DAY = "2026-07-15"
AT = f"{DAY}T08:00"


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with two papers listed on a Wednesday."""
    newsroom.publish(DAY, "Alpha", "Beta")
    return newsroom


@pytest.fixture
def other() -> Iterator[Sink]:
    """Return a second server."""
    sink = Sink()
    yield sink
    sink.close()


def routes(room: Newsroom, other: Sink, first: dict[str, object], second: dict[str, object]) -> None:
    """Send over both servers."""
    one = {"name": "one", "port": room.sink.port, "connections": 2} | first
    two = {"name": "two", "port": other.port, "connections": 2} | second
    room.configure(smtp={"routes": [one, two]})


def readers(room: Newsroom, count: int) -> list[str]:
    """Put readers on the list, at ten domains."""
    emails = [f"r{n}@{n % 10}.example.net" for n in range(count)]
    room.subscribe(*emails)
    return emails


def arrived(room: Newsroom, other: Sink) -> list[str]:
    """Return who has mail, of both servers."""
    return sorted(mail.recipient for mail in (*room.sink.mails, *other.mails))


def test_mail_is_shared_by_weight(room: Newsroom, other: Sink) -> None:
    """Three to one, within what is under way at a time; each reader gets one."""
    routes(room, other, {"weight": 3}, {"weight": 1})
    emails = readers(room, 120)
    report = room.tick(AT)
    assert report.deliveries["accepted"] == 120
    assert arrived(room, other) == sorted(emails)
    assert 84 <= len(room.sink.mails) <= 96
    assert {room.ledger[mail.recipient].route for mail in other.mails} == {"two"}


def test_one_that_is_down_costs_nobody_a_mail_nor_an_attempt(room: Newsroom, other: Sink) -> None:
    """The other one takes all, at once: nobody waits for the pause."""
    routes(room, other, {"weight": 9}, {})
    other.shut()
    emails = readers(room, 40)
    room.sink.shut()
    other.open()
    report = room.tick(AT, dispatch={"patience": timedelta()})
    assert report.status == "done"
    assert sorted(mail.recipient for mail in other.mails) == sorted(emails)
    assert {delivery.attempts for delivery in room.ledger.values()} == {1}


def test_one_that_dies_on_the_way_hands_its_mail_over(room: Newsroom, other: Sink) -> None:
    """What it had not taken goes out by the other."""
    routes(room, other, {}, {})
    emails = readers(room, 60)
    room.sink.at_mail = lambda _: "421 4.3.2 shutting down" if len(room.sink.mails) >= 5 else None
    report = room.tick(AT)
    assert report.status == "done"
    assert arrived(room, other) == sorted(emails)
    assert len(room.sink.mails) < 10


def test_all_down_is_said_for_each(room: Newsroom, other: Sink) -> None:
    """The reason names each route with its own words, and nothing is lost."""
    routes(room, other, {}, {})
    emails = readers(room, 4)
    room.sink.shut()
    other.shut()
    report = room.tick(AT, dispatch={"patience": timedelta()})
    assert report.status == "incomplete"
    assert "one: the server will not take mail now" in (report.reason or "")
    assert "two: the server will not take mail now" in (report.reason or "")
    room.sink.open()
    assert room.tick(f"{AT}:30").status == "done"
    assert arrived(room, other) == sorted(emails)


def test_each_route_has_limits_of_its_own(room: Newsroom, other: Sink) -> None:
    """One takes three a day and the other the rest; when both are full, the run says when it goes on."""
    routes(room, other, {"messages_per_day": 3}, {"messages_per_day": 5})
    readers(room, 12)
    report = room.tick(AT)
    assert (len(room.sink.mails), len(other.mails)) == (3, 5)
    assert states(room) == {"accepted": 8, "ready": 4}
    assert (report.reason or "").startswith("the day's limit of messages is reached; goes on at 2026-07-16 08:00")


def test_a_blocklisted_route_rests_and_the_other_goes_on(room: Newsroom, other: Sink) -> None:
    """Too many refused for good on the one: it rests for an hour, also in the next run; the operator is told."""
    room.configure(operator={"email": "me@example.org"})
    routes(room, other, {}, {})
    emails = readers(room, 60)
    room.sink.refusals = dict.fromkeys(emails, "550 5.2.1 mailbox disabled")
    report = room.tick(AT)
    assert report.deliveries["failed"] + report.deliveries["accepted"] == 60
    assert 11 <= report.deliveries["failed"] <= 14
    assert any(line.startswith("route one: 11 of the last") for line in report.problems)
    heard = len(room.sink.heard)
    room.subscribe("late@example.org", at=f"{DAY}T08:01Z")
    room.tick(f"{DAY}T08:05", day=date.fromisoformat(DAY), at_once=True)
    assert "late@example.org" in [mail.recipient for mail in other.mails]
    assert len(room.sink.heard) == heard


def test_the_operators_mail_goes_the_way_that_is_open(room: Newsroom, other: Sink) -> None:
    """The first route is down, which is told by the second."""
    routes(room, other, {}, {})
    room.configure(operator={"email": "me@example.org"})
    (room.folder / "papers.jsonl").write_text("no paper")
    room.sink.shut()
    room.tick(AT)
    assert [mail.recipient for mail in other.mails] == ["me@example.org"]


def test_the_operators_mail_goes_over_the_route_that_takes_it(room: Newsroom, other: Sink) -> None:
    """The first route greets us, and refuses everybody: that too is told by the second."""
    routes(room, other, {}, {})
    room.configure(operator={"email": "me@example.org"})
    (room.folder / "papers.jsonl").write_text("no paper")
    room.sink.refusals["me@example.org"] = "550 5.7.1 your host is on a list"
    room.tick(AT)
    assert [mail.recipient for mail in other.mails] == ["me@example.org"]


def test_a_route_that_refused_to_the_end_is_told(room: Newsroom, other: Sink) -> None:
    """The other one took all; who runs it hears what the first one said."""
    routes(room, other, {}, {})
    room.configure(operator={"email": "me@example.org"})
    readers(room, 10)
    room.sink.at_mail = lambda _: "550 5.7.1 your host is on a list"
    report = room.tick(AT)
    assert report.deliveries["accepted"] == 10
    assert report.problems == ["route one: 550 5.7.1 your host is on a list"]
    assert [mail.recipient for mail in other.mails if mail.recipient == "me@example.org"]


def test_what_is_said_of_an_address_is_told_whatever_was_wrong_before(room: Newsroom, other: Sink) -> None:
    """A single mail tries the routes in turn; the answer of the one that had one counts."""
    routes(room, other, {}, {})
    room.sink.shut()
    other.refusals["ann@example.org"] = "550 5.1.1 nobody of that name"
    answer = room.run("subscribers", "add", "ann@example.org", "--confirm", expect=None)
    assert "550 5.1.1 nobody of that name" in answer.err
    other.refusals.clear()
    room.run("subscribers", "add", "bob@example.org", "--confirm")
    assert [mail.recipient for mail in other.mails] == ["bob@example.org"]
