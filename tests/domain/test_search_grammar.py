"""How a search is read: all that topics know and years, and nothing is ever refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.search import LONGEST, Wanted, parse_search
from newsletter.domain.topics import parse_topic


def terms(text: str) -> list[str]:
    """Return the terms of a search, each in short."""
    return [
        "-" * t.excludes + (f"{t.field}:" if t.field else "") + (f'"{t.text}"' if t.phrase else t.text) + "*" * t.prefix
        for t in parse_search(text).terms
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("diffusion  Policy", ["diffusion", "Policy"]),
        ('"language model" -video', ['"language model"', "-video"]),
        ("author:Tri Dao cat:cs.LG", ["author:Tri Dao", "cat:cs.LG"]),
        ('AUTHOR:"Tri Dao" org:NVIDIA Research year:2026', ['author:"Tri Dao"', "org:NVIDIA Research", "year:2026"]),
        ("cat:cs.* quanti*", ["cat:cs", "quanti*"]),
        ("year:2026-2024", ["year:2024 2025 2026"]),
        ("year:soon x:y", ["soon", "x:y"]),
        ("C++", ["C++"]),
        ("a AND (", ["a"]),
        ("NOT b OR (c", ["b", "(c"]),
        ('"open end', ['"open end"']),
        ('a" b', ["a", '" b"'.replace(" ", "", 1)]),
        ('"" -- * - author: ( )', []),
        ("q* ab*", ["q", "ab"]),
    ],
)
def test_a_search_is_read_forgivingly(text: str, read: list[str]):
    """Fields, phrases, beginnings and exclusions, and what looks like syntax of other engines."""
    assert terms(text) == read


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ('diffusion "policy learning" -robot', 'diffusion "policy learning" -robot'),
        ("author:Tri Dao year:2026", 'author:"Tri Dao"'),
        ("quanti* cat:cs.LG", "quanti* cat:cs.LG"),
        ("x:y AND z", '"x:y" z'),
        ("year:2026", ""),
        ("-robot", ""),
        ("", ""),
    ],
)
def test_a_search_can_be_subscribed_to(text: str, topic: str):
    """As the topic that finds the same among new papers; a year alone, or what is left out, is none."""
    assert parse_search(text).topic == topic
    if topic:
        parse_topic(topic)


@given(st.text() | st.text(alphabet='ab "-*:()cat:author:year:2026'))
def test_anything_is_a_search(text: str):
    """Bounded, without quotes inside terms, and a topic that can be read, or none."""
    search = parse_search(text)
    assert len(search.text) <= LONGEST
    assert len(search.terms) <= 16
    assert all(isinstance(term, Wanted) and term.text and '"' not in term.text for term in search.terms)
    if search.topic:
        parse_topic(search.topic)
