"""What a subscriber may prefer, and the moves between a subscription's states."""

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.subscriber import (
    WEEKDAYS,
    Move,
    Preferences,
    Status,
    move,
    preference,
    preference_texts,
    preferences,
)
from newsletter.errors import IllegalMoveError, UsageError

P, A, Z, U, S = Status  # pending, active, paused, unsubscribed, suppressed


@pytest.mark.parametrize(
    ("to", "after"),
    [
        (Move.CONFIRM, {P: A, A: A, U: A}),
        (Move.PAUSE, {A: Z, Z: Z}),
        (Move.RESUME, {Z: A, A: A}),
        (Move.UNSUBSCRIBE, {P: U, A: U, Z: U, U: U}),
        (Move.SUPPRESS, dict.fromkeys(Status, S)),
        (Move.RESUBSCRIBE, dict.fromkeys(Status, A)),
    ],
)
def test_every_move_from_every_state(to: Move, after: dict[Status, Status]):
    """A move leads where the table says; every other one is refused in words."""
    for status in Status:
        if status in after:
            assert move(status, to) is after[status]
        else:
            with pytest.raises(IllegalMoveError, match=f"cannot {to} a subscriber who is {status}"):
                move(status, to)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("topics", "diffusion; -audio ;;cat:cs.CL;diffusion", ("diffusion", "-audio", "cat:cs.CL")),
        ("topics", "", ()),
        ("frequency", "Weekly:MON", "weekly:mon"),
        ("hour", "7:05", time(7, 5)),
        ("hour", "00:00", time(0)),
        ("zone", " Asia/Shanghai ", "Asia/Shanghai"),
        ("max_papers", "100", 100),
        ("min_upvotes", "0", 0),
        ("format", "TEXT", "text"),
        ("language", "zh-Hans", "zh-Hans"),
        ("hour", "  ", None),
    ],
)
def test_a_preference_is_read_from_text(name: str, text: str, value: object):
    """An empty text is the newsletter's default, and says nothing."""
    assert preference(name, text) == value


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("topics", '"open', "quote"),
        ("topics", "ok;-", "nothing to look for"),
        ("frequency", "hourly", "daily, weekdays, alerts or weekly:DAY"),
        ("frequency", "weekly:someday", "mon, tue"),
        ("hour", "24:00", "between 00:00 and 23:59"),
        ("hour", "8", "HH:MM"),
        ("zone", "Europe/Nowhere", "Europe/Zurich"),
        ("zone", "../etc/passwd", "not a time zone"),
        ("max_papers", "0", "from 1 to 100"),
        ("min_upvotes", "-1", "whole number"),
        ("format", "pdf", "html, text, both"),
        ("language", "english!", "a tag like en"),
    ],
)
def test_a_wrong_preference_is_refused_with_what_is_allowed(name: str, text: str, allowed: str):
    """The line quotes what was typed and says what would do."""
    with pytest.raises(UsageError) as refused:
        preference(name, text)

    assert allowed in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


_topics = st.lists(
    st.sampled_from(["diffusion", "-audio", "cat:cs.CL", '"large model"', "quant*", "author:Ada Lovelace", "=sum"]),
    unique=True,
).map(tuple)
_anything = st.builds(
    Preferences,
    topics=_topics,
    frequency=st.none() | st.sampled_from(["daily", "weekdays", *(f"weekly:{day}" for day in WEEKDAYS)]),
    hour=st.none() | st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    zone=st.none() | st.sampled_from(["UTC", "Asia/Kathmandu", "America/Argentina/Buenos_Aires"]),
    max_papers=st.none() | st.integers(1, 100),
    min_upvotes=st.none() | st.integers(0, 1_000_000),
    format=st.none() | st.sampled_from(["html", "text", "both"]),
    language=st.none() | st.sampled_from(["en", "de-CH"]),
)


@given(_anything)
def test_preferences_read_back_from_their_texts(chosen: Preferences):
    """What a file or a form shows of preferences gives the same preferences again."""
    assert preferences(preference_texts(chosen)) == chosen
