"""Which papers are one work under two titles."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.domain.works import Titles, same_work, twins

ADA = ("Ada Lovelace", "Charles Babbage")


def paper(title: str, authors: tuple[str, ...] = ADA, number: int = 1) -> Paper:
    """Return a paper."""
    return Paper(title=title, authors=authors, id=number)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Attention is all you need", "Attention Is All You Need!"),
        ("Réseaux de neurones profonds", "Reseaux de neurones profond"),
        ("KV-Cache: Reading Long Documents", "KV Cache — reading long document"),
        ("Fast and Accurate Attention", "Fast and Accurate Attention with Asynchrony"),
        ("Kimi: Open Agentic Intelligence", "Open Agentic Intelligence of Kimi"),
        ("Deep learning", "Deep Learning: A Survey"),
        ("KV-cache reading", "KV-Cache Reading – How Models Remember"),
    ],
)
def test_a_title_written_in_another_way_is_the_same_work(one, other):
    """Case, accents, punctuation, plurals and a subtitle make no other work of it, where the people are the same."""
    assert same_work(paper(one), paper(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Learning to See, Part I", "Learning to See, Part II"),
        ("Report of 2025 on speech", "Report of 2026 on speech"),
        ("On robots", "On proteins"),
        ("Long context models", "A survey of reinforcement learning"),
        ("Deep learning", "Deep learning for weather"),
        ("Deep learning", "Deep learning for weather: a survey"),
        ("Multi", "Multi-agent planning"),
    ],
)
def test_other_works_of_the_same_people_stay_apart(one, other):
    """Parts, years and other matters are other works."""
    assert not same_work(paper(one), paper(other))


@pytest.mark.parametrize("title", ["Editorial", "Introduction", "Introduction to this Special Issue", "Book reviews"])
def test_a_title_that_could_stand_in_any_journal_tells_nothing(title):
    """Whoever wrote both, and whatever follows it behind a colon."""
    assert not same_work(paper(title), paper(title.upper()))
    assert not same_work(paper(title), paper(f"{title}: on robots"))


def test_a_short_title_needs_half_of_the_longer_list_of_authors():
    """Who wrote a Mamba alone may have written another with many."""
    assert same_work(paper("Mamba", ("Ann", "Bob")), paper("MAMBA", ("Ann", "Bob", "Cy")))
    assert not same_work(paper("Mamba", ("Ann",)), paper("Mamba", ("Ann", "Bob", "Cy")))


def test_people_who_have_nobody_in_common_wrote_two_works():
    """Whatever the title; one that names nobody is the same work if its title has four words."""
    other, survey = ("Someone Else",), "A survey of large language models"
    assert not same_work(paper("Editorial"), paper("Editorial", other))
    assert not same_work(paper(survey), paper(survey, other))
    assert not same_work(paper("Fast attention"), paper("Fast attention with asynchrony", other))
    assert same_work(paper(survey), paper(survey.title(), ()))
    assert same_work(paper(survey, ()), paper(survey.title(), ()))
    assert not same_work(paper("Editorial"), paper("Editorial", ()))


def test_nearly_the_same_title_needs_half_of_the_longer_list_of_authors():
    """One who wrote with forty others did not write the same alone."""
    short, long = "Fast and accurate attention", "Fast and accurate attention with asynchrony"
    assert same_work(paper(short, ("Ann", "Bob")), paper(long, ("Ann", "Bob", "Cy", "Di")))
    assert not same_work(paper(short, ("Ann",)), paper(long, ("Ann", "Bob", "Cy")))
    assert same_work(paper(short, ("Ann",)), paper(short, ("Ann", "Bob", "Cy")))


def test_two_works_that_a_third_is_like_stay_two():
    """A short title that begins both makes no work of them."""
    some = ["Deep learning in practice", "Deep learning in practice: weather", "Deep learning in practice for proteins"]
    found = twins(paper(title, ADA, number) for number, title in enumerate(some))
    assert found == {0: {1, 2}, 1: {0}, 2: {0}}


def test_a_title_or_an_author_of_very_many_papers_brings_nobody_together():
    """Anonymous is nobody; who wrote no more than fifty is somebody."""
    many = [paper(f"Fast and accurate attention {'again ' * (n % 2)}", ("Anonymous",), n) for n in range(102)]
    assert not twins(many)
    assert set(twins(many[:50])) == set(range(50))


ORDINARY = "Reading long documents with little memory"


def test_the_sieve_lets_through_what_may_be_the_same_work():
    """What is the same to the letter or but for case, what begins another title, and what differs in a word."""
    papers = [paper(ORDINARY, number=1), paper("Mamba: Linear Time Sequences", number=2), paper("Grokking", number=3)]
    titles = Titles(papers)
    same = {
        ORDINARY.upper(): 1,
        "Reading Long Document with Little Memory": 1,
        "Reading long texts with little memory": 1,
        f"{ORDINARY}: a study": 1,
        "Mamba": 2,
        "Grokking: why it happens": 3,
    }
    for title, number in same.items():
        assert [one.id for one in titles.like(title)] == [number], title
    assert titles.like("Robots that fold laundry") == []
    assert titles.like("") == []


HOSTILE = {
    "one title": lambda n: paper("Fast and accurate attention", (f"Author {n}",), n),
    "one title by nobody": lambda n: paper("Fast and accurate attention", (), n),
    "one title by one": lambda n: paper("Fast and accurate attention", ADA, n),
    "all by one": lambda n: paper(f"Title {n} of many others", ("Anonymous",), n),
    "groups": lambda n: paper(f"Fast attention of {n // 50}", tuple(f"A {n // 50} {k}" for k in range(40)), n),
    "everybody with others": lambda n: paper(f"Work {n}", tuple(f"A {n * k // 50} {k}" for k in range(1, 40)), n),
}


@pytest.mark.parametrize("hostile", HOSTILE.values(), ids=HOSTILE)
def test_two_thousand_papers_take_no_time_whatever_a_feed_sends(hostile):
    """The work is bounded, not only that of honest papers."""
    papers = [hostile(number) for number in range(2000)]
    begun = process_time()
    twins(papers)
    assert process_time() - begun < 5  # comparing each with each would take minutes


words = st.sampled_from(["fast", "slow", "attention", "robots", "memory", "2", "ii"])
titles = st.lists(words, min_size=1, max_size=5).map(" ".join)
papers = st.builds(paper, titles, st.sampled_from([ADA, ADA[:1], ("Someone Else",), ()]))


@given(papers, papers)
def test_being_one_work_is_mutual(one, other):
    """And every paper is one with itself, where its title or its people say anything."""
    assert same_work(one, other) == same_work(other, one)
    assert same_work(one, one) or not one.authors


@given(st.lists(st.tuples(titles, st.sampled_from([ADA, ADA[:1], ("Someone Else",), ()])), max_size=8))
def test_twins_are_found_as_pairs_are(given_papers):
    """Two are each other's twins if they are one work, and only then."""
    known = [paper(title, authors, n) for n, (title, authors) in enumerate(given_papers)]
    found = twins(known)
    for one in known:
        alike = {other.id for other in known if other is not one and same_work(one, other)}
        assert found.get(one.id, set()) == alike
