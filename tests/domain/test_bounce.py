"""What follows from what came back: the decision, without mail and without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.bounce import ENOUGH, Effect, Kind, Reason, judge, score

NOW = datetime(2026, 11, 28, 8, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("reason", [Reason.UNKNOWN, Reason.NO_HOST, Reason.MOVED, Reason.NO_MAIL])
def test_one_permanent_bounce_is_enough(reason: Reason) -> None:
    """Whoever is gone gets nothing more, at once."""
    assert judge(Kind.BOUNCE, reason, [], NOW).effect is Effect.SUPPRESSED


def test_a_complaint_is_enough_whatever_its_reason() -> None:
    """Who complains gets nothing more, at once."""
    assert judge(Kind.COMPLAINT, Reason.COMPLAINED, [], NOW).effect is Effect.SUPPRESSED


@pytest.mark.parametrize("reason", [Reason.SPAM, Reason.POLICY, Reason.SIZE])
def test_what_is_ours_never_suppresses(reason: Reason) -> None:
    """However often mail is refused for what it is, no reader pays for it."""
    assert judge(Kind.BOUNCE, reason, [NOW - n * DAY for n in range(1, 30)], NOW).effect is Effect.TOLD


def test_five_days_in_a_row_are_enough() -> None:
    """Temporary bounces add up: the fifth day ends it, the fourth does not."""
    days = [NOW - n * DAY for n in range(1, 5)]
    assert judge(Kind.BOUNCE, Reason.FULL, days[:3], NOW).effect is Effect.COUNTED
    assert judge(Kind.BOUNCE, Reason.FULL, days, NOW).effect is Effect.SUPPRESSED


def test_a_week_without_ends_what_was_before() -> None:
    """After more than seven days without a bounce counting begins anew; exactly seven do not end it."""
    before = [NOW - timedelta(days=8, hours=n) - n * DAY for n in range(4)]
    assert score([*before, NOW], NOW) == 1
    assert score([NOW - 7 * DAY, NOW], NOW) == 2
    assert score([NOW - 8 * DAY], NOW) == 0


def test_what_is_old_counts_less() -> None:
    """Bounces six days apart fade, so that they come to less than as many in a row."""
    apart = [NOW - 6 * n * DAY for n in range(5)]
    assert 3 < score(apart, NOW) < ENOUGH


def test_delays_receipts_and_replies_are_only_noted() -> None:
    """Nothing follows from a delay, a receipt, a vacation reply and what nobody understood."""
    assert judge(Kind.BOUNCE, Reason.DELAYED, [], NOW).effect is Effect.NOTED
    assert judge(Kind.AUTO_REPLY, Reason.UNCLEAR, [], NOW).effect is Effect.NOTED
    assert judge(Kind.OTHER, Reason.UNCLEAR, [], NOW).effect is Effect.NOTED


@given(st.lists(st.timedeltas(timedelta(0), timedelta(days=90)), max_size=40))
def test_the_score_is_never_more_than_its_days(ages: list[timedelta]) -> None:
    """It is at most one for each day, in whatever order reports are read, and one more never lowers it."""
    instants = [NOW - age for age in ages]
    assert 0 <= score(instants, NOW) <= len({at.date() for at in instants})
    assert score(instants, NOW) == score(instants[::-1], NOW)
    assert score([*instants, NOW], NOW) >= score(instants, NOW)
