"""Whether a form was sent by one of our pages, and by a person."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from newsletter.web.forms import Stamps, is_from_elsewhere

NOW = datetime(2026, 7, 15, 9, tzinfo=UTC)
STAMPS = Stamps(["the first secret of all", "an older one"])


def test_a_stamp_is_good_from_two_seconds_to_a_day() -> None:
    """Sooner it is a program, later a page that lay around."""
    stamp = STAMPS.make("subscribe", NOW)
    good = {seconds: STAMPS.is_good("subscribe", stamp, NOW + timedelta(seconds=seconds)) for seconds in (1, 2, 86400)}
    assert good == {1: False, 2: True, 86400: True}
    assert not STAMPS.is_good("subscribe", stamp, NOW + timedelta(days=1, seconds=1))


def test_a_stamp_is_for_one_form_and_one_session() -> None:
    """What one page gave is worth nothing to another."""
    later, stamp = NOW + timedelta(minutes=1), STAMPS.make("subscribe", NOW, "mine")
    assert STAMPS.is_good("subscribe", stamp, later, "mine")
    assert not STAMPS.is_good("subscribe", stamp, later, "yours")
    assert not STAMPS.is_good("desk", stamp, later, "mine")


def test_secrets_can_be_replaced() -> None:
    """A page that was made with the older secret still works; one of a stranger's does not."""
    later = NOW + timedelta(minutes=1)
    assert STAMPS.is_good("f", Stamps(["an older one"]).make("f", NOW), later)
    assert not STAMPS.is_good("f", Stamps(["a stranger's secret"]).make("f", NOW), later)


@given(st.text())
def test_nonsense_is_no_stamp(said: str) -> None:
    """Whatever is sent, it is refused and nothing breaks."""
    assert not STAMPS.is_good("f", said, NOW)


def test_a_browser_says_that_another_site_sent_it() -> None:
    """Programs that are no browsers say nothing."""
    sites = (None, "none", "same-origin", "same-site", "cross-site")
    asked = [Request({"type": "http", "headers": [(b"sec-fetch-site", s.encode())] if s else []}) for s in sites]
    assert [is_from_elsewhere(one) for one in asked] == [False, False, False, True, True]
