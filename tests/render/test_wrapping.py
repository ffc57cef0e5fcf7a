"""Wrapping and shortening plain text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.render.wrapping import columns, shorten, unbroken, wrap, wrapped

texts = st.text(st.sampled_from("ab é大規。、👩\u200d\u0301عر-:/ "), max_size=200).map(plain)


@given(texts, st.integers(min_value=4, max_value=40))
def test_no_line_is_too_wide_and_no_character_is_lost(text, width):
    """Every line keeps to the width unless it holds a link; the lines together are the text but for blanks."""
    lines = wrapped(text, width)
    assert all(columns(line) <= width or "://" in line for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(line == line.strip() and line for line in lines)


@given(texts, st.integers(min_value=4, max_value=60))
def test_shortening_keeps_to_its_limit(text, limit):
    """A text that fits is unchanged; another one ends with an ellipsis within the limit."""
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else short.endswith(" …")
    assert text.startswith(short.removesuffix(" …"))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 10, "short"),
        ("A title of words, and more of them", 20, "A title of words …"),
        ("Internationalisation", 12, "Internatio …"),
        ("大規模言語モデルのための", 8, "大規模言語モ …"),
        ("e\u0301" * 10, 8, "e\u0301e\u0301e\u0301 …"),
        ("👩\u200d👧" * 5, 7, "👩\u200d👧 …"),
    ],
)
def test_shortening_cuts_between_words_or_whole_characters(text, limit, expected):
    """Words stay whole where there are any, and a character keeps its marks."""
    assert shorten(text, limit) == expected


@given(st.lists(st.text(st.sampled_from("ab:/-"), min_size=1, max_size=9)).map(" ".join), st.integers(3, 40))
def test_the_quick_way_for_ascii_breaks_where_the_other_does(text, width):
    """A letter that is no wider, and not in ASCII, moves no line's end."""
    assert wrapped(text, width) == [line.replace("à", "a") for line in wrapped(text.replace("a", "à"), width)]


def test_wrapping_knows_what_belongs_together():
    """Links stay whole, CJK breaks anywhere but before its full stop, no-break spaces hold, and the indent counts."""
    link = "https://example.org/" + "a" * 20
    assert wrap(f"see {link} there", indent=2, width=20) == f"  see\n  {link}\n  there"
    assert wrapped("大規模言語。大規模", 10) == ["大規模言", "語。大規模"]
    assert wrapped("a" * 25, 10) == ["a" * 10, "a" * 10, "a" * 5]
    assert wrapped("votes ▲\u00a014", 8) == ["votes", "▲ 14"]
    assert wrapped("", 10) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("org:NAME; a - leaves out", "org:NAME; a\u00a0-\u2060\u00a0leaves out"),
        ('"a phrase", -without, a-b', '"a phrase", -\u2060without, a-b'),
        ("词语、-排除 - 表示", "词语、-\u2060排除\u00a0-\u2060\u00a0表示"),
        (";- 表示", ";-\u2060\u00a0表示"),
        ("", ""),
    ],
)
def test_no_line_of_a_page_ends_after_the_sign_that_leaves_out(text, expected):
    """What is added goes away again where the text is copied into a field."""
    assert unbroken(text) == expected
    assert plain(unbroken(text)) == plain(text)
