"""Foreign values: whatever comes, what is returned is safe to keep."""

import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.sources import values

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@given(ANYTHING)
def test_anything_is_taken(value):
    """Nothing raises, and each function returns what it promises."""
    assert values.text(value) == plain(values.text(value))
    assert all(values.texts(value))
    assert values.number(value) is None or 0 <= values.number(value) < 2**31
    assert values.link(value) == "" or urlsplit(values.link(value)).scheme in {"http", "https"}
    assert values.doi(value) == "" or values.doi(value).startswith("10.")
    assert values.instant(value) is None or values.instant(value).tzinfo is UTC


@given(
    st.text(), st.sampled_from(["http://h.example/", "https://h.example/a/b?c", "javascript:", "//", "/"]), st.text()
)
def test_a_link_is_absolute_ascii_and_without_blanks(before, start, after):
    """Whatever surrounds it: what is kept could stand in a mail."""
    for base in ("", "https://base.example/feed/"):
        link = values.link(before + start + after, base)
        assert link == "" or (link.isascii() and link.isprintable() and not set(link) & set(' "<>'))
        assert link == values.link(link)


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://lab.example/a", "https://lab.example/a"),
        (" http://lab.example/ü ?q=ß", "http://lab.example/%C3%BC%20?q=%C3%9F"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("relative", "https://base.example/feed/relative"),
        ("//other.example/x", "https://other.example/x"),
        ("https://bank.example@evil.example/", ""),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("mailto:a@lab.example", ""),
        ("http://", ""),
        ("http://lab.example/" + "x" * 2000, ""),
        ("http://lab.example/\x00", ""),
        (None, ""),
    ],
)
def test_links_are_joined_or_dropped(value, link):
    """Relative ones are joined to where they stood; other schemes and disguises go."""
    assert values.link(value, "https://base.example/feed/") == link


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, 5),
        ("5", 5),
        (0, 0),
        (-1, None),
        (True, None),
        (5.0, None),
        ("²", None),
        ("", None),
        (2**31, None),
        ("9" * 99, None),
    ],
)
def test_numbers_are_counts(value, number):
    """Digits count as a number; what no database could hold does not."""
    assert values.number(value) == number


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-07-13T17:30:00.123Z", datetime(2026, 7, 13, 17, 30, 0, 123000, tzinfo=UTC)),
        ("2026-07-13T17:30:00+02:00", datetime(2026, 7, 13, 15, 30, tzinfo=UTC)),
        ("2026-07-13", datetime(2026, 7, 13, tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None),
        ("13 July", None),
        (1784000000, None),
    ],
)
def test_instants_are_utc(value, instant):
    """A zone is converted, none is UTC, and what cannot be is nothing."""
    assert values.instant(value) == instant


@pytest.mark.parametrize("value", ["10.48550/arXiv.2607.00001", "doi:nonsense", "11.1/x", "10.1234/a\x07b"])
def test_what_is_no_doi_of_its_own_is_none(value):
    """An arXiv DOI is the arXiv id under another name."""
    assert values.doi(value) == ""


def test_texts_are_cut():
    """A megabyte in a title is an attack, not a title."""
    assert len(values.text("x" * 10**6)) == values.LONGEST
    assert values.texts(json.loads('["a\\u0000b", "\\ud800", " "]')) == ("ab",)
