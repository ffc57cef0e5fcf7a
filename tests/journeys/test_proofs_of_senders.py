"""Proofs in a reduced size: what a sender may not do, whoever kills, stops, replaces or hinders it."""

import pytest
from proving import figures, sound

pytestmark = pytest.mark.slow


def test_kills_lose_nobody_and_repeat_one_per_connection_at_most() -> None:
    """Four kills at random moments, four connections: no kill repeats more than what was in flight."""
    found = figures("killed", "--readers", "200", "--kills", "4", "--connections", "4", "--slow", "20")
    assert sound(found)
    assert found["kills"] == 4
    assert found["most_extra_per_connection"] <= 1
    assert found["most_extra_per_kill"] <= 4
    assert found["states"] == {"accepted": 200}


def test_a_stop_loses_nobody_and_repeats_nothing() -> None:
    """Twice SIGTERM while sending: each run ends with 3, and everybody has one mail."""
    found = figures("stopped", "--readers", "200", "--stops", "2", "--slow", "20")
    assert sound(found)
    assert found["exit_statuses"] == {"3": 2}
    assert (found["extra"], found["taken"]) == (0, 200)


def test_a_run_that_fell_silent_is_replaced_and_ends_when_it_wakes() -> None:
    """After the lease another run takes over, though the first one lives; that one repeats at most what was offered."""
    found = figures("suspended", "--readers", "300", "--times", "1", "--connections", "4", "--slow", "40")
    assert sound(found)
    assert found["told_that_they_were_replaced"] == 1
    assert found["exit_statuses_of_the_woken"] == {"3": 1}
    assert found["most_extra_per_connection"] <= 1


def test_two_senders_at_once_send_nothing_twice() -> None:
    """Two runs started together, and a daemon beside cron: one works, the other ends with 4, and nobody gets two."""
    found = figures("together", "--readers", "100", "--times", "1")
    for case in (found["two runs"], found["a daemon beside cron"]):
        assert (case["lost"], case["extra"], case["foreign"]) == (0, 0, 0)
        assert set(case["exit_statuses"]) <= {"0", "4"}


def test_writers_get_in_and_are_obeyed() -> None:
    """Who unsubscribes while mail is sent is not offered one after that; after a halt comes only what was in flight."""
    found = figures("writers", "--readers", "400", "--unsubscribes", "20", "--halts", "1", "--slow", "30")
    assert sound(found)
    assert found["unsubscribed_while_sending"] == 20
    assert found["mailed_though_not_offered_before"] == 0
    assert found["most_messages_after_a_halt"] <= found["connections"]
    assert found["extra"] == 0
