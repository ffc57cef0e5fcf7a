"""The states of a delivery, the moves between them, and the retry schedule."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.delivery import (
    LEAVES_TO,
    MOST_UNCERTAIN,
    OPEN,
    SENT,
    WAITING,
    Status,
    Verdict,
    after_attempt,
    expires_at,
    retry_after,
)

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)

# What can come of an attempt, by where it stood: nothing is accepted or uncertain that was not offered.
LEASED = (Verdict.TEMPORARY, Verdict.PERMANENT, Verdict.TROUBLE)
OFFERED = (Verdict.ACCEPTED, Verdict.TEMPORARY, Verdict.PERMANENT, Verdict.TROUBLE, Verdict.UNCERTAIN)
ATTEMPTS = [(Status.LEASED, verdict) for verdict in LEASED] + [(Status.OFFERED, verdict) for verdict in OFFERED]


def reachable(start: Status) -> set[Status]:
    """Return every state that *start* can come to."""
    found, rest = set[Status](), {start}
    while rest:
        status = rest.pop()
        found.add(status)
        rest |= LEAVES_TO[status] - found
    return found


def test_the_moves_are_those_of_the_design() -> None:
    """The table says where each state leaves to, and nothing else."""
    moves = {status.value: sorted(LEAVES_TO[status]) for status in Status}
    assert moves == {
        "ready": ["expired", "leased", "withdrawn"],
        "leased": ["deferred", "failed", "offered", "ready", "withdrawn"],
        "offered": ["accepted", "deferred", "failed", "held", "ready"],
        "deferred": ["expired", "leased", "withdrawn"],
        "held": ["accepted", "ready"],
        "accepted": [],
        "failed": ["ready"],
        "expired": [],
        "withdrawn": [],
        "skipped": [],
    }


def test_accepted_is_reached_only_from_what_was_offered_or_by_a_person() -> None:
    """No way leads to accepted but through the final dot, or through held, where a person says so."""
    assert {Status.OFFERED, Status.HELD} == {s for s in Status if Status.ACCEPTED in LEAVES_TO[s]}


def test_every_state_but_a_skipped_one_comes_from_ready_and_none_goes_on_after_its_end() -> None:
    """The table is whole: a new delivery can come to every other state, and what is over stays so."""
    assert set(Status) - {Status.SKIPPED} == reachable(Status.READY)
    assert {Status.ACCEPTED, Status.EXPIRED, Status.WITHDRAWN, Status.SKIPPED} == {
        status for status in Status if not LEAVES_TO[status]
    }


def test_what_is_open_can_still_be_sent_and_what_counts_as_sent_may_have_arrived() -> None:
    """An issue is finished when nothing is open; a reader was sent what was offered and not refused."""
    assert {Status.READY, Status.LEASED, Status.OFFERED, Status.DEFERRED} == set(OPEN)
    assert set(WAITING) < set(OPEN)
    assert {Status.OFFERED, Status.ACCEPTED, Status.HELD} == set(SENT)


@pytest.mark.parametrize("resend", [True, False])
@pytest.mark.parametrize("uncertain", range(MOST_UNCERTAIN + 3))
@pytest.mark.parametrize(("status", "verdict"), ATTEMPTS)
def test_an_attempt_leads_only_where_the_table_allows(
    status: Status, verdict: Verdict, uncertain: int, resend: bool
) -> None:
    """Whatever an attempt comes to, the next state is one that its state leaves to."""
    assert after_attempt(status, verdict, uncertain, resend=resend) in LEAVES_TO[status]


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (Verdict.TEMPORARY, Status.DEFERRED),
        (Verdict.PERMANENT, Status.FAILED),
        (Verdict.TROUBLE, Status.READY),
    ],
)
@pytest.mark.parametrize("status", [Status.LEASED, Status.OFFERED])
def test_a_refusal_means_the_same_before_and_after_the_dot(status: Status, verdict: Verdict, expected: Status) -> None:
    """Temporary is deferred, permanent is failed, and the site's trouble leaves the reader ready."""
    assert expected == after_attempt(status, verdict, 0, resend=True)


def test_only_a_server_s_word_makes_it_accepted() -> None:
    """An offered message that was taken is accepted."""
    assert after_attempt(Status.OFFERED, Verdict.ACCEPTED, 0, resend=False) is Status.ACCEPTED


def test_an_uncertain_one_is_repeated_twice_and_then_held() -> None:
    """The third time that nobody knows, a person decides; with resend off, the first time."""
    after = [after_attempt(Status.OFFERED, Verdict.UNCERTAIN, times, resend=True) for times in (1, 2, 3, 4)]
    assert after == [Status.READY, Status.READY, Status.HELD, Status.HELD]
    assert after_attempt(Status.OFFERED, Verdict.UNCERTAIN, 1, resend=False) is Status.HELD


@given(st.integers(1, 10_000))
def test_waits_grow_and_stay_bounded(attempts: int) -> None:
    """Each wait is at least as long as the one before, and never longer than four hours."""
    assert timedelta() < retry_after(attempts) <= retry_after(attempts + 1) <= 4 * HOUR


@given(st.floats(0.1, 48))
def test_attempts_keep_the_pace_of_rfc_5321(hours: float) -> None:
    """Two retries in the first hour, since greylisting answers at the second; then one at least every four hours.

    At no time are more than three attempts made within half an hour.
    """
    at, attempts = timedelta(), [timedelta()]
    while at <= 48 * HOUR:
        at += retry_after(len(attempts))
        attempts.append(at)
    assert len([a for a in attempts if a <= HOUR]) >= 3
    window = timedelta(hours=hours)
    assert any(window <= a <= window + 4 * HOUR for a in attempts)
    assert len([a for a in attempts if window <= a < window + HOUR / 2]) <= 3


@given(st.integers(1, 10_000), st.one_of(st.none(), st.integers(-10_000, 10_000)))
def test_too_late_is_whichever_comes_first(gives_up: int, next_due: int | None) -> None:
    """A delivery is given up after its time, or when the reader's next digest is due."""
    after, following = timedelta(minutes=gives_up), None if next_due is None else NOW + timedelta(minutes=next_due)
    end = expires_at(NOW, after, following)
    assert end == min(NOW + after, following or NOW + after)
