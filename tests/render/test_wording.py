"""What a digest says in words: authors and reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.domain.pool import Why
from newsletter.domain.topics import Matcher, parse_topic
from newsletter.render.language import Language
from newsletter.render.wording import Part, authors, marked, reason

ENGLISH = Language()
NAMES = ("Ada One", "Ben Two", "Cy Three", "Di Four", "Tri Dao", "Eve Five", "Chloë Müller")


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, "Ada One"),
        (3, "Ada One, Ben Two, Cy Three"),
        (4, "Ada One, Ben Two, Cy Three and 1 more"),
        (7, "Ada One, Ben Two, Cy Three and 4 more"),
    ],
)
def test_the_first_three_authors_are_named(count, expected):
    """And how many more there are."""
    assert marked(authors(ENGLISH, NAMES[:count])) == expected


@pytest.mark.parametrize(
    ("topics", "expected"),
    [
        (["author:Tri Dao"], "Ada One, Ben Two, Cy Three, *Tri Dao* and 3 more"),
        (["author:dao"], "Ada One, Ben Two, Cy Three, *Tri Dao* and 3 more"),
        (["author:Ben Two"], "Ada One, *Ben Two*, Cy Three and 4 more"),
        (["author:One", "author:Five"], "*Ada One*, Ben Two, Cy Three, *Eve Five* and 3 more"),
        (["author:chloe muller"], "Ada One, Ben Two, Cy Three, *Chloë Müller* and 3 more"),
        (['author:"Tri Dao" cat:cs.LG'], "Ada One, Ben Two, Cy Three, *Tri Dao* and 3 more"),
        (["-author:Dao", "dao", "org:Dao", '"unbalanced', ""], "Ada One, Ben Two, Cy Three and 4 more"),
        (["author:Dao Nobody"], "Ada One, Ben Two, Cy Three and 4 more"),
    ],
)
def test_an_author_whom_the_reader_follows_is_named_and_marked(topics, expected):
    """However far down the list, as the topic matches."""
    assert marked(authors(ENGLISH, NAMES, topics)) == expected


def test_the_parts_say_which_names_to_set_in_bold():
    """What is between them is in one part."""
    assert authors(ENGLISH, NAMES, ["author:Dao"]) == [
        Part("Ada One, Ben Two, Cy Three, ", followed=False),
        Part("Tri Dao", followed=True),
        Part(" and 3 more", followed=False),
    ]
    assert authors(ENGLISH, (), ["author:Dao"]) == []


def test_a_family_name_of_hundreds_does_not_name_them_all():
    """Five beyond the first three."""
    shown = authors(ENGLISH, [f"Wei Li {n}" for n in range(300)], ["author:Li"])
    assert sum(part.followed for part in shown) == 8
    assert shown[-1] == Part(" and 292 more", followed=False)


@given(
    st.lists(st.sampled_from(NAMES), max_size=9), st.sampled_from(["author:dao", "author:Two", "author:muller chloe"])
)
def test_a_name_is_marked_exactly_where_the_topic_matches_the_paper(names, topic):
    """What brings a paper into the digest is what is marked on it."""
    matches = Matcher(Paper(title="A", authors=tuple(names))).matches(parse_topic(topic))
    assert any(part.followed for part in authors(ENGLISH, names, [topic])) == matches


@pytest.mark.parametrize(
    ("why", "detail", "expected"),
    [
        (Why.TOPIC, "author:Tri Dao", "you follow Tri Dao"),
        (Why.TOPIC, '"speculative decoding"', "matches “speculative decoding”"),
        (Why.TOP, "", "most upvoted today"),
        (Why.EDITOR, "", "the editor’s choice"),
        (Why.FRONT, "", "among the day’s best"),
        (Why.POOL, "", "among the latest papers"),
    ],
)
def test_every_reason_has_its_words(why, detail, expected):
    """As the end of a line."""
    assert reason(ENGLISH, why, detail) == expected
