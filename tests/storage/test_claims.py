"""The sender's side of the ledger: every move of a delivery, on a real database file."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from sqlmodel import col, select, update

from newsletter.domain.delivery import Delivery, Outcome, Status, Verdict, retry_after
from newsletter.domain.issue import Brake
from newsletter.domain.subscriber import Status as SubscriberStatus
from newsletter.services import records
from newsletter.storage import claims, deliveries, moves, traffic, turns
from newsletter.storage.database import Database, cursor
from newsletter.storage.tables import DeliveryRow, IssueRow, OwnerRow, SubscriberRow

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
DAY = date(2026, 7, 15)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OURS, THEIRS = "ours", "theirs"
ISSUE, OTHER = 1, 2

TAKEN = Outcome(verdict=Verdict.ACCEPTED, reply="250 2.0.0 taken", server="mx.example")
LATER = Outcome(verdict=Verdict.TEMPORARY, reply="450 4.2.0 greylisted", server="mx.example")
NEVER = Outcome(verdict=Verdict.PERMANENT, reply="550 5.1.1 no such user", server="mx.example", suppresses=True)
TROUBLE = Outcome(verdict=Verdict.TROUBLE, reply="421 4.3.2 shutting down", server="mx.example", pauses_route=True)
NOBODY_KNOWS = Outcome(verdict=Verdict.UNCERTAIN, reply="the server closed the connection", server="mx.example")


class House:
    """A ledger with two issues, whose readers are added one by one; ids count from 1."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._ids = count(1)
        with database.write() as session:
            for issue_id, day in ((ISSUE, DAY), (OTHER, DAY - timedelta(days=1))):
                session.add(IssueRow(id=issue_id, day=day, status="sealed"))
            session.add(OwnerRow(id=OURS, host="here", pid=1, started_at=NOW, heartbeat_at=NOW))

    def reader(self, email: str = "", *, issue: int = ISSUE, **values: Any) -> int:
        """Add an active reader with a delivery that is due now, and return the id that both have."""
        own = next(self._ids)
        address = email or f"r{own}@example.org"
        row: dict[str, Any] = {"status": Status.READY, "message_id": f"<{own}@example.org>", "made_at": NOW, "day": DAY}
        row |= {"next_attempt_at": NOW, "expires_at": NOW + 20 * HOUR, "picks": [[7, "front", ""]]}
        with self.database.write() as session:
            session.add(
                SubscriberRow(
                    id=own,
                    email=address,
                    email_key=address,
                    status="active",
                    created_at=NOW,
                    status_at=NOW,
                    format="text",
                )
            )
            session.add(DeliveryRow(**{"id": own, "subscriber_id": own, "issue_id": issue, **row, **values}))
        return own

    def crowd(self, domain: str, count: int, **values: Any) -> list[int]:
        """Add so many readers of *domain*, and return their ids."""
        ids = [next(self._ids) for _ in range(count)]
        row: dict[str, Any] = {"issue_id": ISSUE, "status": Status.READY, "made_at": NOW, "day": DAY, "picks": []}
        row |= {"next_attempt_at": NOW, "expires_at": NOW + 20 * HOUR} | values
        reader = {"status": "active", "created_at": NOW, "status_at": NOW}
        with self.database.write() as session:
            for own in ids:
                address = f"r{own}@{domain}"
                session.add(SubscriberRow(**{"id": own, "email": address, "email_key": address, **reader}))
                session.add(DeliveryRow(**{"id": own, "subscriber_id": own, "message_id": f"<{own}@a>", **row}))
        return ids

    def passed(self, after: turns.Place | None = None) -> turns.Place | None:
        """Return how far a claim has looked."""
        with self.database.read() as session:
            return turns.passed(cursor(session), NOW, after)

    def claim(self, limit: int = 10, at: datetime = NOW, **options: Any) -> list[int]:
        """Claim for ourselves, and return the ids in order."""
        with self.database.write() as session:
            return [one.id for one in turns.claim(cursor(session), OURS, at, limit, **options)]

    def offer(self, delivery: int, at: datetime = NOW, owner: str = OURS) -> bool:
        """Offer what was claimed."""
        with self.database.writer() as writer, writer.cursor() as cursor:
            return bool(moves.offer(cursor, [delivery], owner, at))

    def accept(self, delivery: int, at: datetime = NOW, owner: str = OURS, route: str = "main") -> Status | None:
        """Record that a server took what was offered."""
        taken = moves.Taken(delivery, route, TAKEN.server, TAKEN.reply)
        with self.database.writer() as writer, writer.cursor() as cursor:
            ours = moves.accept(cursor, [taken], owner, at)
            moves.serve(cursor, ours)
            return Status.ACCEPTED if ours else None

    def settle(self, delivery: int, outcome: Outcome, at: datetime = NOW, **options: Any) -> Status | None:
        """Settle what was claimed."""
        options = {"resend": True, "pause": timedelta(), "owner": OURS} | options
        owner = options.pop("owner")
        if outcome.verdict is Verdict.ACCEPTED:
            return self.accept(delivery, at, owner)
        with self.database.write() as session:
            return claims.settle(session, delivery, owner, outcome, at, **options)

    def offered(self, **values: Any) -> int:
        """Add a reader whose delivery is ours and offered."""
        return self.reader(status=Status.OFFERED, owner=OURS, offered_at=NOW, **values)

    def leased(self, **values: Any) -> int:
        """Add a reader whose delivery is ours."""
        return self.reader(status=Status.LEASED, owner=OURS, **values)

    def see(self, delivery: int) -> Delivery:
        """Return the delivery as the domain knows it."""
        return deliveries.delivery(self.row(delivery))

    def row(self, delivery: int) -> DeliveryRow:
        """Return the row."""
        with self.database.read() as session:
            return session.get_one(DeliveryRow, delivery)

    def states(self) -> dict[int, str]:
        """Return the state of every delivery."""
        with self.database.read() as session:
            return dict(session.exec(select(DeliveryRow.id, DeliveryRow.status).order_by(col(DeliveryRow.id))).all())

    def become(self, reader: int, status: SubscriberStatus) -> None:
        """Move a reader, without what the list's own verbs do to the ledger."""
        with self.database.write() as session:
            session.get_one(SubscriberRow, reader).status = status

    def brake(self, brake: Brake, issue: int = ISSUE) -> None:
        """Halt, cancel or resume an issue."""
        with self.database.write() as session:
            session.get_one(IssueRow, issue).brake = brake

    def accepted_on(self, reader: int) -> date | None:
        """Return the issue that a reader was last served."""
        with self.database.read() as session:
            return session.get_one(SubscriberRow, reader).last_accepted_on


@pytest.fixture
def house(database: Database) -> House:
    """Return a ledger without readers."""
    return House(database)


# Claiming


def test_a_claim_leases_what_is_due_to_its_owner(house: House) -> None:
    """Ready becomes leased, with all that composing needs of the reader; a second claim finds nothing."""
    ann = house.reader("ann@example.org")
    with house.database.write() as session:
        (claimed,) = turns.claim(cursor(session), OURS, NOW, 10)
    assert (ann, "ann@example.org", "text") == (claimed.id, claimed.email, claimed.format)
    assert claimed.picks == ((7, "front", ""),)
    assert (house.row(ann).status, house.row(ann).owner) == (Status.LEASED, OURS)
    assert house.claim() == []


def test_the_longest_unserved_readers_go_first(house: House) -> None:
    """Who was never served, then who was served longest ago; then whoever waits longest; no more than asked for."""
    lately = house.reader(served_on=date(2026, 7, 14))
    long_ago = house.reader(served_on=date(2026, 7, 1))
    never = house.reader()
    waits = house.reader(served_on=date(2026, 7, 1), next_attempt_at=NOW - HOUR)
    assert house.claim(3) == [never, waits, long_ago]
    assert house.claim(3) == [lately]


def test_who_was_refused_for_the_site_s_sake_goes_last(house: House) -> None:
    """Whoever is named goes behind everybody else, so that one reader cannot stop the others again and again."""
    refused, other = house.reader(), house.reader(served_on=date(2026, 7, 14))
    assert house.claim(behind={refused}) == [other, refused]


def test_a_claim_takes_what_may_be_tried_and_nothing_else(house: House) -> None:
    """Deferred when its time has come; nothing in any other state, before its time, or too late."""
    due = house.reader(status=Status.DEFERRED, next_attempt_at=NOW)
    house.reader(status=Status.DEFERRED, next_attempt_at=NOW + MINUTE)
    house.reader(next_attempt_at=NOW + MINUTE)
    house.reader(expires_at=NOW)
    for status in set(Status) - {Status.READY, Status.DEFERRED}:
        house.reader(status=status)
    assert house.claim(100) == [due]


@pytest.mark.parametrize("status", [s for s in SubscriberStatus if s is not SubscriberStatus.ACTIVE])
def test_a_claim_leaves_out_who_is_not_active(house: House, status: SubscriberStatus) -> None:
    """Who is not active, or not on the list any more, gets nothing."""
    gone = house.reader()
    house.become(gone, status)
    house.reader(subscriber_id=999)
    assert house.claim() == []


@pytest.mark.parametrize("brake", [Brake.HALTED, Brake.CANCELLED])
def test_a_claim_leaves_out_stopped_issues(house: House, brake: Brake) -> None:
    """A stopped issue waits; another one goes on."""
    house.reader()
    other = house.reader(issue=OTHER)
    house.brake(brake)
    assert house.claim() == [other]
    house.brake(Brake.NONE)
    assert len(house.claim()) == 1


def test_a_claim_can_leave_out_destinations_and_other_issues(house: House) -> None:
    """Not to the domains that are busy, which are whole domains; and of one issue only where asked."""
    house.reader("ann@busy.example")
    house.reader("bob@busy.org")
    sub = house.reader("cy@sub.busy.example")
    free = house.reader("dee@free.example", issue=OTHER)
    assert house.claim(busy=["busy.example", "busy.org"], issue_id=OTHER) == [free]
    assert house.claim(busy=["busy.example", "busy.org"]) == [sub]


# Offering


def test_an_offer_is_recorded_before_the_dot(house: House) -> None:
    """Leased becomes offered, once, with the instant and the picks that it carries."""
    ann = house.leased()
    assert house.offer(ann, NOW + MINUTE)
    row = house.row(ann)
    assert (row.status, row.offered_at, row.picks) == (Status.OFFERED, NOW + MINUTE, ((7, "front", ""),))
    assert not house.offer(ann)


def test_an_offer_fails_when_something_happened_meanwhile(house: House) -> None:
    """Not ours any more, not leased, the reader gone, the issue stopped, or too late: nothing changes."""
    theirs = house.leased()
    assert not house.offer(theirs, owner=THEIRS)

    given_back = house.reader()
    assert not house.offer(given_back)

    unsubscribed = house.leased()
    house.become(unsubscribed, SubscriberStatus.UNSUBSCRIBED)
    assert not house.offer(unsubscribed)

    removed = house.leased(subscriber_id=999)
    assert not house.offer(removed)

    late = house.leased(expires_at=NOW + MINUTE)
    assert not house.offer(late, NOW + MINUTE)
    assert house.offer(late, NOW + MINUTE / 2)

    for brake in (Brake.HALTED, Brake.CANCELLED):
        stopped = house.leased()
        house.brake(brake)
        assert not house.offer(stopped)
        house.brake(Brake.NONE)
        assert house.offer(stopped)


# Settling


def test_accepted_is_final_and_remembered_with_the_reader(house: House) -> None:
    """250: accepted, with the server and its words; the reader's last issue is this one."""
    ann = house.offered()
    assert house.settle(ann, TAKEN, NOW + MINUTE) is Status.ACCEPTED
    seen = house.see(ann)
    assert (seen.settled_at, seen.server, seen.reply) == (NOW + MINUTE, "mx.example", "250 2.0.0 taken")
    assert (seen.attempts, house.row(ann).owner) == (1, None)
    assert house.accepted_on(ann) == DAY
    assert house.settle(ann, LATER) is None


def test_an_older_issue_accepted_late_does_not_hide_a_newer_one(house: House) -> None:
    """What a reader was served last goes by the issues' dates, not by the order of arrival."""
    ann = house.offered(issue=OTHER)
    with house.database.write() as session:
        session.get_one(SubscriberRow, ann).last_accepted_on = DAY
    assert house.settle(ann, TAKEN) is Status.ACCEPTED
    assert house.accepted_on(ann) == DAY


@pytest.mark.parametrize("status", [Status.LEASED, Status.OFFERED])
def test_a_temporary_refusal_is_put_off_by_the_retry_schedule(house: House, status: Status) -> None:
    """Deferred, before the dot or after it; each further attempt waits longer, and the Message-ID stays."""
    ann = house.reader(status=status, owner=OURS)
    first = house.see(ann)
    now = NOW
    for attempt in range(1, 4):
        assert house.settle(ann, LATER, now) is Status.DEFERRED
        seen = house.see(ann)
        assert (seen.attempts, seen.next_attempt_at, seen.settled_at) == (attempt, now + retry_after(attempt), None)
        now = seen.next_attempt_at
        assert house.claim(at=now - timedelta(seconds=1)) == []
        assert house.claim(at=now) == [ann]
    assert house.see(ann).message_id == first.message_id
    assert house.accepted_on(ann) is None


@pytest.mark.parametrize("status", [Status.LEASED, Status.OFFERED])
def test_a_permanent_refusal_is_final(house: House, status: Status) -> None:
    """Failed, and not claimed again; the reader was not served."""
    ann = house.reader(status=status, owner=OURS)
    assert house.settle(ann, NEVER, NOW) is Status.FAILED
    assert (house.see(ann).settled_at, house.see(ann).reply) == (NOW, "550 5.1.1 no such user")
    assert house.claim(at=NOW + 10 * HOUR) == []
    assert house.accepted_on(ann) is None


@pytest.mark.parametrize("status", [Status.LEASED, Status.OFFERED])
def test_the_site_s_trouble_costs_no_attempt(house: House, status: Status) -> None:
    """Ready again, when the pause is over; no attempt is counted, and nothing is uncertain."""
    ann = house.reader(status=status, owner=OURS)
    assert house.settle(ann, TROUBLE, NOW, pause=timedelta(seconds=4)) is Status.READY
    seen = house.see(ann)
    assert (seen.attempts, seen.uncertain, seen.next_attempt_at) == (0, 0, NOW + timedelta(seconds=4))
    assert house.row(ann).owner is None


def test_no_answer_is_uncertain_repeated_and_the_third_time_held(house: House) -> None:
    """By the retry schedule, with the same Message-ID and picks; then a person decides."""
    ann = house.offered()
    first, now, after = house.see(ann), NOW, []
    for _ in range(3):
        after.append(house.settle(ann, NOBODY_KNOWS, now))
        now = house.see(ann).next_attempt_at
        if house.claim(at=now):
            assert house.offer(ann, now)
    assert after == [Status.READY, Status.READY, Status.HELD]
    seen = house.see(ann)
    assert (seen.uncertain, seen.attempts) == (3, 3)
    assert (seen.message_id, seen.picks) == (first.message_id, first.picks)
    assert house.claim(at=now + HOUR) == []


def test_with_hold_no_answer_waits_for_a_person_at_once(house: House) -> None:
    """on_uncertain = "hold": held the first time."""
    ann = house.offered()
    assert house.settle(ann, NOBODY_KNOWS, resend=False) is Status.HELD


def test_a_word_that_comes_too_late_changes_nothing(house: House) -> None:
    """Another owner took the row over while this one was silent: its word counts."""
    ann = house.reader(status=Status.OFFERED, owner=THEIRS)
    assert house.settle(ann, TAKEN) is None
    assert house.see(ann).status is Status.OFFERED


# Recovering


def test_what_the_dead_leased_is_ready_and_what_they_offered_is_uncertain(house: House) -> None:
    """Where the owner is no more, leased is due again and offered is repeated at once; the living keep theirs."""
    leased = house.reader(status=Status.LEASED, owner=THEIRS)
    offered = house.reader(status=Status.OFFERED, owner=THEIRS)
    ours = [house.leased(), house.offered()]
    with house.database.write() as session:
        claims.recover(session, NOW + HOUR, resend=True)
    assert (house.see(leased).status, house.see(leased).uncertain) == (Status.READY, 0)
    seen = house.see(offered)
    assert (seen.status, seen.uncertain, seen.attempts, seen.next_attempt_at) == (Status.READY, 1, 0, NOW + HOUR)
    assert [house.see(one).status for one in ours] == [Status.LEASED, Status.OFFERED]
    assert house.claim(at=NOW + HOUR) == [leased, offered]


@pytest.mark.parametrize(
    ("uncertain", "resend", "expected"),
    [(0, True, Status.READY), (1, True, Status.READY), (2, True, Status.HELD), (0, False, Status.HELD)],
)
def test_an_offer_that_died_is_held_the_third_time_or_when_told_so(
    house: House, uncertain: int, resend: bool, expected: Status
) -> None:
    """As with a lost connection: twice repeated, then held; with "hold" held at once."""
    ann = house.reader(status=Status.OFFERED, owner=THEIRS, uncertain=uncertain)
    with house.database.write() as session:
        claims.recover(session, NOW, resend=resend)
    assert (expected, uncertain + 1) == (house.see(ann).status, house.see(ann).uncertain)


def test_an_owner_can_leave_by_itself(house: House) -> None:
    """A sender that ends takes over from itself, and from nobody else."""
    ours, theirs = house.offered(), house.reader(status=Status.OFFERED, owner=THEIRS)
    with house.database.write() as session:
        claims.recover(session, NOW, resend=True, owner=OURS)
        assert traffic.accepted_since(session, "any route", NOW) == 1  # a server may have taken it
    assert [house.see(ours).status, house.see(theirs).status] == [Status.READY, Status.OFFERED]


# Ending without an attempt


def test_what_is_too_late_expires(house: House) -> None:
    """Ready and deferred, at their end; what is at work or held is let alone."""
    at_its_end = {status: house.reader(status=status, expires_at=NOW + HOUR) for status in Status}
    with house.database.write() as session:
        assert claims.expire(session, NOW + HOUR - MINUTE, claims.in_vain(session, NOW + HOUR - MINUTE)) == 0
        assert claims.expire(session, NOW + HOUR, claims.in_vain(session, NOW + HOUR)) == 2
    expected = {s: Status.EXPIRED if s in {Status.READY, Status.DEFERRED} else s for s in Status}
    assert expected == {status: house.see(one).status for status, one in at_its_end.items()}
    assert house.see(at_its_end[Status.READY]).settled_at == NOW + HOUR


@pytest.mark.parametrize("why", ["cancelled", "unsubscribed", "removed"])
def test_what_may_not_be_sent_any_more_is_withdrawn(house: House, why: str) -> None:
    """The issue was cancelled, or the reader left: ready and deferred end; what was offered keeps its fate."""
    kept = house.reader(issue=OTHER)
    gone = {status: house.reader(status=status) for status in Status}
    with house.database.write() as session:
        match why:
            case "cancelled":
                session.get_one(IssueRow, ISSUE).brake = Brake.CANCELLED
            case "unsubscribed":
                session.exec(update(SubscriberRow).where(col(SubscriberRow.id) != kept).values(status="unsubscribed"))
            case _:
                for reader in gone.values():
                    session.delete(session.get_one(SubscriberRow, reader))
        session.flush()
        assert claims.withdraw(session, NOW, claims.in_vain(session, NOW)) == 2
    expected = {s: Status.WITHDRAWN if s in {Status.READY, Status.DEFERRED} else s for s in Status}
    assert expected == {status: house.see(one).status for status, one in gone.items()}
    assert house.see(kept).status is Status.READY


def test_a_halted_issue_is_not_withdrawn(house: House) -> None:
    """It waits to be resumed."""
    house.reader()
    house.brake(Brake.HALTED)
    with house.database.write() as session:
        assert claims.withdraw(session, NOW, claims.in_vain(session, NOW)) == 0


def test_what_is_given_back_is_ready_or_withdrawn(house: House) -> None:
    """Leased is ready again; withdrawn where the reader left meanwhile; named ones only, where some are named."""
    stays, left, other = house.leased(), house.leased(), house.leased()
    offered, theirs = house.offered(), house.reader(status=Status.LEASED, owner=THEIRS)
    house.become(left, SubscriberStatus.SUPPRESSED)
    with house.database.write() as session:
        claims.give_back(session, OURS, NOW, [stays, left])
    expected = [Status.READY, Status.WITHDRAWN, Status.LEASED, Status.OFFERED, Status.LEASED]
    assert expected == [house.see(one).status for one in (stays, left, other, offered, theirs)]
    house.brake(Brake.CANCELLED)
    with house.database.write() as session:
        claims.give_back(session, OURS, NOW)
    assert [house.see(one).status for one in (other, offered)] == [Status.WITHDRAWN, Status.OFFERED]


# A person's decisions


def test_held_is_released_or_taken_as_sent(house: House) -> None:
    """Released, it is claimed with the same Message-ID; assumed sent, the reader was served."""
    again, sent, other = (house.reader(status=Status.HELD, uncertain=3) for _ in range(3))
    with house.database.write() as session:
        assert deliveries.release(session, [again], NOW + 30 * HOUR, NOW + 50 * HOUR) == 1
        assert deliveries.assume_sent(session, [sent], NOW) == 1
    assert house.claim(at=NOW + 30 * HOUR) == [again]
    assert house.see(again).message_id == f"<{again}@example.org>"
    assert (house.see(sent).status, house.accepted_on(sent)) == (Status.ACCEPTED, DAY)
    assert house.see(other).status is Status.HELD


def test_failed_is_tried_again_unless_suppressed(house: House) -> None:
    """--retry-failed: ready again for who is still active."""
    again, gone = house.reader(status=Status.FAILED), house.reader(status=Status.FAILED)
    house.become(gone, SubscriberStatus.SUPPRESSED)
    assert sum(records.retry_failed(house.database, NOW, NOW + HOUR, None)) == 1
    assert {again: Status.READY, gone: Status.FAILED} == house.states()


# What limits and reports ask


def test_what_a_route_took_is_counted_by_the_second(house: House) -> None:
    """Since an instant, and when the oldest of it leaves the window; what came before there were names counts too."""
    taken = [("main", 90), ("main", 50), ("main", 50), ("", 20), ("other", 20)]
    for route, minutes in taken:
        house.accept(house.offered(), route=route, at=NOW - minutes * MINUTE)
    with house.database.write() as session:
        assert traffic.accepted_since(session, "main", NOW - HOUR) == 2 + 1
        assert traffic.leaves_at(session, "main", NOW - HOUR, HOUR) == NOW + 10 * MINUTE + timedelta(seconds=1)
        assert traffic.leaves_at(session, "main", NOW, HOUR) is None
        traffic.forget(session, NOW + 48 * HOUR - 30 * MINUTE)
        assert traffic.accepted_since(session, "main", NOW - 9 * HOUR) == 1


def test_a_group_is_accepted_in_one_move(house: House) -> None:
    """Each with its own words; readers are served, the route's traffic counted, and what is not ours stays as it is."""
    ours, theirs = [house.offered(), house.offered()], house.reader(status=Status.OFFERED, owner=THEIRS)
    taken = [moves.Taken(one, "main", "mx.example", f"250 {one}") for one in (*ours, theirs)]
    with house.database.writer() as writer, writer.cursor() as cursor:
        assert moves.accept(cursor, taken, OURS, NOW) == set(ours)
        moves.serve(cursor, ours)
    with house.database.read() as session:
        assert traffic.accepted_since(session, "main", NOW) == 3  # the server has taken them all
    assert [house.row(one).reply for one in ours] == [f"250 {one}" for one in ours]
    assert [house.accepted_on(one) for one in (*ours, theirs)] == [DAY, DAY, None]
    assert house.row(theirs).status == Status.OFFERED


def test_who_was_served_is_remembered_after_a_crash_too(house: House) -> None:
    """All that was accepted since the last heartbeat; an earlier issue does not take the place of a later one."""
    before, after, other = house.offered(), house.offered(), house.offered(issue=OTHER)
    with house.database.writer() as writer, writer.cursor() as cursor:
        for minutes, one in enumerate((before, after, other)):
            moves.accept(cursor, [moves.Taken(one, "main", "mx.example", "250 ok")], OURS, NOW + minutes * MINUTE)
        moves.serve_since(cursor, NOW + MINUTE)
    assert [house.accepted_on(one) for one in (before, after, other)] == [None, DAY, DAY - timedelta(days=1)]


def test_a_group_is_offered_but_for_those_who_must_not_be(house: House) -> None:
    """One statement, and who left in between is not in the answer."""
    stays, leaves = house.leased(), house.leased()
    house.become(leaves, SubscriberStatus.UNSUBSCRIBED)
    with house.database.writer() as writer, writer.cursor() as cursor:
        assert moves.offer(cursor, [stays, leaves], OURS, NOW) == {stays}
    assert (house.row(stays).status, house.row(leaves).status) == (Status.OFFERED, Status.LEASED)


def test_the_last_verdicts_are_the_newest_first(house: House) -> None:
    """Accepted and failed since an instant; what was withdrawn, or refused by no server, says nothing of the route."""
    said = {"route": "main", "server": "mx.example"}
    for minutes, status in ((4, Status.FAILED), (1, Status.FAILED), (2, Status.ACCEPTED), (3, Status.WITHDRAWN)):
        house.reader(status=status, settled_at=NOW - minutes * MINUTE, **said)
    house.reader(status=Status.FAILED, settled_at=NOW, **said | {"route": "another"})
    house.reader(status=Status.FAILED, settled_at=NOW, **said | {"server": ""})
    with house.database.read() as session:
        assert claims.last_verdicts(session, "main", NOW - 3 * MINUTE, 50) == [Status.FAILED, Status.ACCEPTED]
        assert claims.last_verdicts(session, "main", NOW - 10 * MINUTE, 1) == [Status.FAILED]


def test_the_next_trouble_is_of_what_can_be_claimed(house: House) -> None:
    """The first ready delivery of an active reader and a running issue; not a deferred one, which nobody waits for."""
    house.reader(status=Status.DEFERRED)
    house.reader(expires_at=NOW)
    house.become(house.reader(), SubscriberStatus.PAUSED)
    house.reader(next_attempt_at=NOW + MINUTE, issue=OTHER)
    house.reader(next_attempt_at=NOW + 2 * MINUTE)

    def soonest(issue: int | None = None) -> datetime | None:
        with house.database.read() as session:
            return claims.next_trouble(session, NOW, issue)

    assert [soonest(), soonest(ISSUE)] == [NOW + MINUTE, NOW + 2 * MINUTE]
    house.brake(Brake.HALTED)
    assert [soonest(), soonest(ISSUE)] == [NOW + MINUTE, None]


@pytest.mark.parametrize("status", Status)
def test_an_issue_is_finished_when_nothing_is_open(house: House, status: Status) -> None:
    """Ready, leased, offered and deferred are open; held waits for a person, the rest is over."""
    house.reader(status=status, owner=OURS if status in {"leased", "offered"} else None)
    with house.database.read() as session:
        assert claims.any_open(session) == (status in {"ready", "leased", "offered", "deferred"})


# Behind those who wait for a busy domain


def test_who_waited_longest_comes_first_behind_any_number_of_busy_ones(house: House) -> None:
    """Never served behind thousands at a busy domain: not those who were served yesterday go before them."""
    house.crowd("busy.example", 2500)
    never = house.crowd("fine.example", 20)
    house.crowd("fine.example", 40, served_on=DAY - timedelta(days=1))
    after, found = None, list[int]()
    while len(found) < 30:
        found += house.claim(30, busy=["busy.example"], after=after)
        after = house.passed(after)
    assert found[:20] == never


def test_what_has_passed_the_last_one_says_so(house: House) -> None:
    """There is nothing behind it."""
    house.crowd("busy.example", 1500)
    place = house.passed()
    assert place
    assert house.passed(place) is None


def test_what_was_put_off_waits_no_longer_than_others(house: House) -> None:
    """Of two never served, whoever waits longer is claimed first, put off or not; also where there is room for one."""
    house.crowd("example.org", 3)
    late = house.reader(status=Status.DEFERRED, next_attempt_at=NOW - HOUR)
    served = house.reader(status=Status.DEFERRED, next_attempt_at=NOW - HOUR, served_on=DAY - timedelta(days=1))
    assert house.claim(1) == [late]
    assert house.claim(4)[-1] == served


# However long the ledger grows


def test_no_move_reads_the_whole_ledger(house: House) -> None:
    """Every statement finds its rows by an index: a ledger of years costs no more than one of today."""
    ann = house.offered()
    heard: list[str] = []
    with house.database.write() as session:
        cursor(session).connection.set_trace_callback(heard.append)
        turns.claim(cursor(session), OURS, NOW, 10, busy=["example.com"], behind=[3], issue_id=ISSUE)
        claims.settle(session, ann, OURS, LATER, NOW, resend=True, pause=HOUR)
        claims.give_back(session, OURS, NOW)
        claims.give_back(session, OURS, NOW, [1, 2])
        claims.recover(session, NOW, resend=True)
        claims.recover(session, NOW, resend=True, owner=OURS)
        claims.expire(session, NOW, claims.in_vain(session, NOW))
        claims.withdraw(session, NOW, claims.in_vain(session, NOW))
        claims.next_trouble(session, NOW)
        claims.any_due(session, NOW)
        claims.last_verdicts(session, "main", NOW, 50)
        claims.any_open(session)
        cursor(session).connection.set_trace_callback(None)
        asked = [statement for statement in heard if statement.lstrip().startswith(("SELECT", "UPDATE"))]
        assert len(asked) > 16
        scans = {
            (step[3], statement)
            for statement in asked
            for step in cursor(session).execute(f"EXPLAIN QUERY PLAN {statement}")
            if re.match(r"SCAN (deliveries|d)\b", step[3])
        }
    # Whether anything waits at all is seen by the first of it.
    assert {plan for plan, _ in scans} == {"SCAN deliveries USING COVERING INDEX ix_deliveries_waiting"}
    assert not [statement for _, statement in scans if "LIMIT 1" not in statement]


def test_a_delivery_and_its_row_have_the_same_fields(house: House) -> None:
    """Twins that must not drift: what the domain knows is what the row keeps, but for who works on it."""
    kept = set(DeliveryRow.model_fields) - {"owner", "served_on"}
    seen = house.see(house.reader())
    assert kept == set(seen.__dataclass_fields__)
    assert replace(seen, status=Status.LEASED) != seen
