"""Every move between the states of a delivery, with the process killed right before and right after its commit.

Each story is told by a real process that dies at the commit that records the move, and one that goes on afterwards.
What may come of it is the state's law: nobody is lost; whoever was not *offered* when the process died gets no second
copy, whoever was gets at most one more, with the same Message-ID.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from counting import states
from newsroom import LOST, TAKEN, Mail, Newsroom, instant
from sqlmodel import select

from newsletter.domain.delivery import LEAVES_TO, Status
from newsletter.services.run import deliver
from newsletter.services.subscribe import unsubscribe
from newsletter.storage.tables import SubscriberRow

DAY, NEXT = "2026-07-15", "2026-07-16"  # a Wednesday
AT, SOON, LATER, MUCH_LATER = (f"{DAY}T{time}" for time in ("08:00", "08:01", "08:10", "08:40"))
ANN, BOB, CY = READERS = ("ann@example.net", "bob@example.net", "cy@example.net")
# A minute in all, of two hundred short processes and runs.
pytestmark = pytest.mark.slow

RUNNER = Path(__file__).with_name("kill_at.py")

covered: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Kill:
    """Where a process dies: ``when`` (before, after) the commit that takes a delivery from ``left`` to ``reached``."""

    runner: subprocess.Popen[str]
    when: str
    left: str
    reached: str

    @property
    def recorded(self) -> bool:
        """Whether the move was committed."""
        return self.when == "after"

    @property
    def state(self) -> str:
        """Where the delivery stands in the ledger after the kill."""
        return self.reached if self.recorded else self.left

    def another(self, when: str, left: str, reached: str) -> "Kill":
        """Return a kill at another place."""
        return replace(self, when=when, left=left, reached=reached)

    def __call__(self, room: Newsroom, at: str, work: str = "run", *, connections: int = 1, **options: Any) -> None:
        """Let a process *work* at *at* until it dies. No more are uncertain then than it had *connections*."""
        assert self.runner.stdin
        assert self.runner.stdout
        words = (self.when, self.left, self.reached, str(room.config), at, work, options)
        self.runner.stdin.write(json.dumps(words) + "\n")
        self.runner.stdin.flush()
        assert int(self.runner.stdout.readline()) == -signal.SIGKILL, "it was not killed"
        assert len(offered(room)) <= connections


@pytest.fixture(scope="module")
def runner() -> Iterator[subprocess.Popen[str]]:
    """Return what starts the processes that die."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, str(RUNNER)], stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        assert process.stdin
        process.stdin.close()


@pytest.fixture
def kill(runner: subprocess.Popen[str], request: pytest.FixtureRequest) -> Kill:
    """Return the kill of the story, as ``move`` has it."""
    return Kill(runner, *request.param)


def move(left: str, reached: str) -> pytest.MarkDecorator:
    """Tell the story twice: the process dies before, and after, the commit of the first such move."""
    covered.add((left, reached))
    kills = [(when, left, reached) for when in ("before", "after")]
    return pytest.mark.parametrize("kill", kills, ids=["before", "after"], indirect=True)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a database with three readers: it is made once, since making it takes longer than most stories.

    Ann is served between the others, the longest unserved being first: so there is one whose answer is recorded
    before hers, and one whose message follows.
    """
    made = Newsroom(tmp_path_factory.mktemp("prepared"))
    made.subscribe(*READERS)
    with made.app() as app, app.database.write() as session:
        for email, day in ((ANN, 13), (CY, 14)):
            row = session.exec(select(SubscriberRow).where(SubscriberRow.email == email)).one()
            row.last_accepted_on = date(2026, 7, day)
            session.add(row)
    made.close()
    return made.folder / "newsletter.db"


@pytest.fixture
def room(newsroom: Newsroom, prepared: Path) -> Newsroom:
    """Return a newsletter with two papers and three readers, sent over one connection."""
    shutil.copy(prepared, newsroom.folder)
    newsroom.configure(smtp={"connections": 1})
    newsroom.publish(DAY, "Alpha", "Beta")
    return newsroom


def for_ann(reply: str) -> Callable[[Mail], str]:
    """Answer so at the end of Ann's message, and take the others'."""
    return lambda mail: reply if mail.recipient == ANN else TAKEN


def leave(room: Newsroom, email: str) -> None:
    """Let a reader unsubscribe."""
    with room.app() as app:
        unsubscribe(app.database, email, instant(AT))


def ann(room: Newsroom) -> str:
    """Return where Ann's delivery stands."""
    return room.ledger[ANN].status.value


def copies(room: Newsroom) -> dict[str, int]:
    """Return how many copies each reader has, all of them of one message."""
    messages = {(mail.recipient, str(mail.message["Message-ID"]), tuple(mail.papers)) for mail in room.sink.mails}
    assert messages <= {(email, d.message_id, tuple(messages_papers(room, email))) for email, d in room.ledger.items()}
    return dict(Counter(mail.recipient for mail in room.sink.mails))


def messages_papers(room: Newsroom, email: str) -> list[str]:
    """Return the papers of the first copy that a reader got."""
    return room.sink.to(email)[0].papers if room.sink.to(email) else []


EVERYBODY_ONCE = dict.fromkeys(READERS, 1)


# Made due


@move("", "ready")
def test_made_due(room: Newsroom, kill: Kill) -> None:
    """Who was made due is there after the crash, or is made due again: once."""
    kill(room, AT)
    assert states(room) == ({"ready": 2, "leased": 1} if kill.recorded else {})
    room.tick(SOON)
    assert states(room) == {"accepted": 3}
    assert copies(room) == EVERYBODY_ONCE


@move("", "leased")
def test_taken_up_when_made(room: Newsroom, kill: Kill) -> None:
    """A sender takes up what it makes due: after its death that is ready again, and no server has heard of it."""
    kill(room, AT)
    assert states(room) == ({"ready": 2, "leased": 1} if kill.recorded else {})
    assert room.sink.heard == []
    room.tick(SOON)
    assert copies(room) == EVERYBODY_ONCE
    assert {(d.attempts, d.uncertain) for d in room.ledger.values()} == {(1, 0)}


@move("", "skipped")
def test_skipped(room: Newsroom, kill: Kill) -> None:
    """For whom nothing was chosen is skipped for good; nobody is made due twice over it."""
    room.subscribe("picky@example.net", min_upvotes="1000")
    kill(room, AT)
    assert states(room) == ({"ready": 2, "leased": 1, "skipped": 1} if kill.recorded else {})
    room.tick(SOON)
    room.tick(LATER)
    assert states(room) == {"accepted": 3, "skipped": 1}
    assert copies(room) == EVERYBODY_ONCE


# From ready


@move("ready", "leased")
def test_leased(room: Newsroom, kill: Kill) -> None:
    """Claimed by a process that died: nothing was said to a server, and the next run begins at once."""
    kill.another("after", "", "ready")(room, AT)
    kill(room, SOON)
    assert set(states(room)) <= {"ready", kill.state}
    assert room.sink.heard == []
    room.tick(LATER)
    assert copies(room) == EVERYBODY_ONCE
    assert {(d.attempts, d.uncertain) for d in room.ledger.values()} == {(1, 0)}


@move("ready", "withdrawn")
def test_ready_is_withdrawn(room: Newsroom, kill: Kill) -> None:
    """Unsubscribing and withdrawing what waits are one commit: both happened, or neither."""
    kill.another("after", "", "ready")(room, AT)
    kill(room, SOON, "unsubscribe", email=ANN)
    assert (ann(room), subscriber(room, ANN)) == (
        ("withdrawn", "unsubscribed") if kill.recorded else ("ready", "active")
    )
    room.tick(LATER)
    assert copies(room) == ({BOB: 1, CY: 1} if kill.recorded else EVERYBODY_ONCE)


@move("ready", "withdrawn")
def test_what_a_dead_owner_had_claimed_is_withdrawn(room: Newsroom, kill: Kill) -> None:
    """Who unsubscribed while it was leased is not mailed by those who recover it, though one of them is killed too."""
    kill.another("after", "ready", "leased")(room, AT)
    gone = next(email for email, delivery in room.ledger.items() if delivery.status is Status.LEASED)
    leave(room, gone)
    kill(room, SOON)
    assert room.ledger[gone].status == kill.state
    room.tick(LATER)
    assert room.ledger[gone].status is Status.WITHDRAWN
    found = copies(room)  # what was in flight when the second was killed comes twice
    assert set(found) == {email for email in READERS if email != gone}
    assert set(found.values()) <= {1, 2}


@move("ready", "expired")
def test_ready_expires(room: Newsroom, kill: Kill) -> None:
    """After a day without a run the digest is too late; the next issue makes up for it in one mail."""
    kill.another("after", "", "ready")(room, AT)
    room.publish(NEXT, "Gamma")
    kill(room, f"{NEXT}T08:00")
    assert set(states(room)) == {kill.state}
    room.tick(f"{NEXT}T08:01")
    assert states(room) == {"accepted": 3}
    assert copies(room) == EVERYBODY_ONCE
    assert {len(mail.papers) for mail in room.sink.mails} == {3}


# From leased


@move("leased", "offered")
def test_offered(room: Newsroom, kill: Kill) -> None:
    """Offered is durable before the final dot: killed at its commit, the server has no message yet."""
    kill(room, AT)
    assert len(offered(room)) == kill.recorded
    assert room.sink.mails == []
    room.tick(SOON)
    assert copies(room) == EVERYBODY_ONCE
    assert sum(d.uncertain for d in room.ledger.values()) == kill.recorded


@move("leased", "deferred")
def test_leased_is_deferred(room: Newsroom, kill: Kill) -> None:
    """A temporary refusal of the address is recorded, or met again; the others have their mail meanwhile."""
    room.sink.refusals[ANN] = "451 4.3.0 try again later"
    kill(room, AT)
    assert ann(room) == kill.state
    at_risk = offered(room)
    room.tick(SOON)
    assert ann(room) == "deferred"
    assert room.ledger[ANN].attempts == 1
    room.sink.refusals.clear()
    room.tick(LATER)
    assert everybody_has_it(room, at_risk)


@move("leased", "failed")
def test_leased_fails(room: Newsroom, kill: Kill) -> None:
    """A permanent refusal and the suppression of the address are one commit."""
    room.sink.refusals[ANN] = "550 5.1.1 no such user"
    kill(room, AT)
    assert ann(room) == kill.state
    assert subscriber(room, ANN) == ("suppressed" if kill.recorded else "active")
    at_risk = offered(room)
    room.tick(SOON)
    assert (ann(room), subscriber(room, ANN)) == ("failed", "suppressed")
    assert room.sink.heard.count(ANN) == (1 if kill.recorded else 2)
    assert everybody_has_it(room, at_risk, but=ANN)


@move("leased", "ready")
def test_trouble_makes_leased_ready(room: Newsroom, kill: Kill) -> None:
    """The server says that it shuts down, and costs nobody an attempt."""
    room.sink.at_mail = lambda _: "421 4.3.2 shutting down"
    kill(room, AT)
    assert ("ready" in states(room)) == kill.recorded
    assert set(states(room)) <= {"leased", "ready"}
    room.sink.at_mail = lambda _: None
    room.tick(SOON)
    assert copies(room) == EVERYBODY_ONCE
    assert {(d.attempts, d.uncertain) for d in room.ledger.values()} == {(1, 0)}


@move("leased", "ready")
def test_the_death_of_the_owner_makes_leased_ready(room: Newsroom, kill: Kill) -> None:
    """Also where the one who comes to recover is killed over it."""
    kill.another("after", "", "leased")(room, AT)
    claimed = [email for email, delivery in room.ledger.items() if delivery.status is Status.LEASED]
    kill(room, SOON)
    assert {room.ledger[email].status.value for email in claimed} == {kill.state}
    room.tick(LATER)
    assert copies(room) == EVERYBODY_ONCE
    assert {(d.attempts, d.uncertain) for d in room.ledger.values()} == {(1, 0)}


@move("leased", "withdrawn")
def test_leased_is_withdrawn(room: Newsroom, kill: Kill) -> None:
    """Who unsubscribes while the envelope is on its way is not offered the message."""
    room.sink.refusals = _Leaving(room)
    kill(room, AT)
    gone = room.sink.refusals.gone
    assert room.ledger[gone].status == kill.state
    at_risk = offered(room)
    room.tick(SOON)
    assert room.ledger[gone].status == "withdrawn"
    assert everybody_has_it(room, at_risk, but=gone)
    assert room.sink.to(gone) == []


class _Leaving(dict[str, str]):
    """Refuses nobody; the first reader who is asked for unsubscribes at that moment."""

    def __init__(self, room: Newsroom) -> None:
        super().__init__()
        self.room, self.gone = room, ""

    def __contains__(self, email: object) -> bool:
        if not self.gone:
            self.gone = str(email)
            leave(self.room, self.gone)
        return False


# From offered


@move("offered", "accepted")
def test_accepted(room: Newsroom, kill: Kill) -> None:
    """The server has the message: what is not recorded is repeated once, what is recorded never."""
    kill(room, AT)
    (first,) = room.sink.mails
    assert room.ledger[first.recipient].status == kill.state
    room.tick(SOON)
    assert copies(room) == EVERYBODY_ONCE | {first.recipient: 1 if kill.recorded else 2}
    assert states(room) == {"accepted": 3}


@move("offered", "accepted")
def test_a_commit_that_connections_share(room: Newsroom, kill: Kill) -> None:
    """Over several connections a commit may record several: lost with it, each connection repeats at most its one."""
    room.configure(smtp={"connections": 3})
    room.subscribe(*(f"r{n}@example.net" for n in range(9)))
    room.sink.delay = 0.05
    kill(room, AT, connections=3)
    at_risk = offered(room)
    assert ("accepted" in states(room)) == kill.recorded
    room.tick(SOON)
    found = copies(room)
    assert set(found) == set(room.ledger)
    assert max(found.values()) <= 2
    assert {email for email, n in found.items() if n == 2} <= at_risk
    assert states(room) == {"accepted": 12}


@move("offered", "deferred")
def test_offered_is_deferred(room: Newsroom, kill: Kill) -> None:
    """Unrecorded, nobody knows what the server said: uncertain, repeated at once, and deferred then."""
    room.sink.at_dot = for_ann("452 4.2.2 mailbox full")
    kill(room, AT)
    assert ann(room) == kill.state
    room.tick(SOON)
    assert ann(room) == "deferred"
    assert room.ledger[ANN].uncertain == (0 if kill.recorded else 1)
    room.sink.at_dot = for_ann(TAKEN)
    room.tick(LATER)
    assert copies(room) == EVERYBODY_ONCE


@move("offered", "failed")
def test_offered_fails(room: Newsroom, kill: Kill) -> None:
    """A message that is refused for good is refused again where that was not recorded."""
    room.sink.at_dot = for_ann("554 5.6.0 not like this")
    kill(room, AT)
    assert ann(room) == kill.state
    room.tick(SOON)
    assert (ann(room), subscriber(room, ANN)) == ("failed", "active")
    assert room.sink.heard.count(ANN) == (1 if kill.recorded else 2)
    assert copies(room) == {BOB: 1, CY: 1}


@move("offered", "ready")
def test_trouble_makes_offered_ready(room: Newsroom, kill: Kill) -> None:
    """A quota reached at the end of the message: nobody loses an attempt, and nobody gets two."""
    room.sink.at_dot = lambda _: "550 5.4.5 Daily user sending limit exceeded"
    kill(room, AT)
    assert (states(room).get("offered", 0), len(room.sink.mails)) == (0 if kill.recorded else 1, 0)
    room.sink.at_dot = lambda _: TAKEN
    room.tick(SOON)
    assert copies(room) == EVERYBODY_ONCE
    assert {d.attempts for d in room.ledger.values()} == {1}
    assert sum(d.uncertain for d in room.ledger.values()) == (0 if kill.recorded else 1)


@move("offered", "ready")
def test_a_lost_answer_makes_offered_ready(room: Newsroom, kill: Kill) -> None:
    """The one repeat that a lost answer costs does not become two by a crash."""
    room.sink.at_dot = for_ann(LOST)
    kill(room, AT)
    assert ann(room) == kill.state
    room.sink.at_dot = for_ann(TAKEN)
    room.tick(SOON)
    room.tick(LATER)
    assert copies(room) == EVERYBODY_ONCE | {ANN: 2}
    assert room.ledger[ANN].uncertain == 1


@move("offered", "ready")
def test_the_death_of_the_owner_makes_offered_ready(room: Newsroom, kill: Kill) -> None:
    """Who recovers and is killed over it counts the death once."""
    kill.another("before", "offered", "accepted")(room, AT)
    (first,) = room.sink.mails
    kill(room, SOON)
    assert room.ledger[first.recipient].status == kill.state
    room.tick(LATER)
    assert copies(room) == EVERYBODY_ONCE | {first.recipient: 2}
    assert room.ledger[first.recipient].uncertain == 1


@move("offered", "held")
def test_a_lost_answer_is_held_where_the_operator_wants_to_decide(room: Newsroom, kill: Kill) -> None:
    """on_uncertain = "hold": a crash is no way round it."""
    leave(room, CY)  # who could be offered by the very commit after which the process dies, and be held as well
    room.configure(smtp={"on_uncertain": "hold"})
    room.sink.at_dot = for_ann(LOST)
    kill(room, AT)
    assert ann(room) == kill.state
    room.tick(SOON)
    room.tick(MUCH_LATER)
    assert states(room) == {"accepted": 1, "held": 1}
    assert copies(room) == {ANN: 1, BOB: 1}


@move("offered", "held")
def test_the_death_of_the_owner_is_held_where_the_operator_wants_to_decide(room: Newsroom, kill: Kill) -> None:
    """What a dead owner had offered waits for the operator, as what lost its answer does."""
    room.configure(smtp={"on_uncertain": "hold"})
    kill.another("after", "leased", "offered")(room, AT)
    kill(room, SOON)
    assert states(room)[kill.state] == 1
    room.tick(LATER)
    assert states(room) == {"accepted": 2, "held": 1}
    assert len(room.sink.mails) == 2


@move("offered", "held")
def test_the_third_time_it_is_held(room: Newsroom, kill: Kill) -> None:
    """Uncertain twice and then killed: three copies at most, then a person decides."""
    room.sink.at_dot = for_ann(LOST)
    room.tick(AT)
    room.tick(LATER)
    assert (ann(room), room.ledger[ANN].uncertain) == ("ready", 2)
    kill(room, MUCH_LATER)
    assert ann(room) == kill.state
    room.tick(f"{DAY}T12:00")
    assert (ann(room), room.ledger[ANN].uncertain) == ("held", 3)
    assert copies(room) == EVERYBODY_ONCE | {ANN: 3}


# From deferred


@pytest.fixture
def deferred(room: Newsroom) -> Newsroom:
    """Return the newsletter after a run in which Ann's server put her message off."""
    room.sink.refusals[ANN] = "450 4.7.1 greylisted"
    room.tick(AT)
    assert states(room) == {"accepted": 2, "deferred": 1}
    room.sink.refusals.clear()
    return room


@move("deferred", "leased")
def test_deferred_is_leased(deferred: Newsroom, kill: Kill) -> None:
    """Its time has come: claimed by a process that died, it is sent by the next, whichever state that finds."""
    kill(deferred, LATER)
    assert ann(deferred) == kill.state
    deferred.tick(MUCH_LATER)
    assert copies(deferred) == EVERYBODY_ONCE
    assert deferred.ledger[ANN].attempts == 2


@move("deferred", "withdrawn")
def test_deferred_is_withdrawn(deferred: Newsroom, kill: Kill) -> None:
    """Who unsubscribes while deferred is not tried again; whose unsubscribing was killed is, and may repeat it."""
    kill(deferred, SOON, "unsubscribe", email=ANN)
    assert ann(deferred) == kill.state
    deferred.tick(LATER)
    assert ann(deferred) == ("withdrawn" if kill.recorded else "accepted")
    assert copies(deferred) == {BOB: 1, CY: 1} | ({} if kill.recorded else {ANN: 1})


@move("deferred", "expired")
def test_deferred_expires(deferred: Newsroom, kill: Kill) -> None:
    """Deferred until the next digest is due: that one brings the papers of both."""
    deferred.publish(NEXT, "Gamma")
    kill(deferred, f"{NEXT}T08:00")
    assert ann(deferred) == kill.state
    deferred.tick(f"{NEXT}T08:01")
    (mail,) = deferred.sink.to(ANN)
    assert len(mail.papers) == 3
    assert {email: len(deferred.sink.to(email)) for email in READERS} == {ANN: 1, BOB: 2, CY: 2}


# From held


@pytest.fixture
def held(room: Newsroom) -> Newsroom:
    """Return the newsletter after a run in which the answer to Ann's message was lost, and the operator is asked."""
    room.configure(smtp={"on_uncertain": "hold"})
    room.sink.at_dot = for_ann(LOST)
    room.tick(AT)
    assert states(room) == {"accepted": 2, "held": 1}
    room.sink.at_dot = for_ann(TAKEN)
    return room


@move("held", "ready")
def test_held_is_released(held: Newsroom, kill: Kill) -> None:
    """Released for good, or to be released again: one more copy, with the same Message-ID."""
    kill(held, SOON, "release", sent=False)
    assert ann(held) == kill.state
    held.tick(LATER)
    assert copies(held) == EVERYBODY_ONCE | ({ANN: 2} if kill.recorded else {})
    assert ann(held) == ("accepted" if kill.recorded else "held")


@move("held", "accepted")
def test_held_is_assumed_sent(held: Newsroom, kill: Kill) -> None:
    """Counted as sent, with the day that the reader was served, in one commit."""
    kill(held, SOON, "release", sent=True)
    assert ann(held) == kill.state
    held.tick(LATER)
    assert ann(held) == kill.state
    assert copies(held) == EVERYBODY_ONCE


# From failed


@pytest.fixture
def failed(room: Newsroom) -> Newsroom:
    """Return the newsletter after a run in which Ann's message was refused, and Bob's address."""
    room.sink.at_dot = for_ann("554 5.6.0 not like this")
    room.sink.refusals[BOB] = "550 5.1.1 no such user"
    room.tick(AT)
    assert states(room) == {"accepted": 1, "failed": 2}
    room.sink.at_dot = for_ann(TAKEN)
    room.sink.refusals.clear()
    return room


@move("failed", "ready")
def test_failed_is_tried_again(failed: Newsroom, kill: Kill) -> None:
    """deliver --retry-failed: killed before, it is to be said again; the suppressed stay as they are."""
    kill(failed, SOON, "deliver", retry_failed=True)
    assert (ann(failed), failed.ledger[BOB].status) == (kill.state, "failed")
    failed.tick(LATER)
    assert copies(failed) == {CY: 1} | ({ANN: 1} if kill.recorded else {})
    failed.tick(MUCH_LATER, work=deliver, retry_failed=True)
    assert copies(failed) == {ANN: 1, CY: 1}
    assert states(failed) == {"accepted": 2, "failed": 1}


def offered(room: Newsroom) -> set[str]:
    """Return whose messages were offered when the process died: of these one more copy may come."""
    return {email for email, delivery in room.ledger.items() if delivery.status is Status.OFFERED}


def everybody_has_it(room: Newsroom, at_risk: set[str], but: str = "") -> bool:
    """Return whether all *but* one have it once, or twice where they are *at_risk*."""
    found = copies(room)
    assert set(found) == set(READERS) - {but}
    assert {email for email, n in found.items() if n > 1} <= at_risk
    assert max(found.values()) <= 2
    return True


def subscriber(room: Newsroom, email: str) -> str:
    """Return how a reader stands on the list."""
    return str(room.run("subscribers", "show", email, "--json").json["status"])


def test_every_move_has_a_story() -> None:
    """The moves of the domain are those that are told here, and those by which a row is made."""
    legal = {(left.value, reached.value) for left, ways in LEAVES_TO.items() for reached in ways}
    assert covered == legal | {("", "ready"), ("", "leased"), ("", "skipped")}
