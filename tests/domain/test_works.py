"""Which papers are one work under two titles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.domain.works import same_work, twins

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
    ],
)
def test_other_works_of_the_same_people_stay_apart(one, other):
    """Parts, years and other matters are other works."""
    assert not same_work(paper(one), paper(other))


def test_a_title_alone_speaks_for_itself_only_if_it_is_long():
    """Two editorials are two works; four words and more are no coincidence."""
    other = ("Someone Else",)
    assert not same_work(paper("Editorial"), paper("Editorial", other))
    assert same_work(paper("Reading long documents with memory"), paper("Reading Long Documents with Memory", other))
    assert not same_work(paper("Fast attention"), paper("Fast attention with asynchrony", other))


words = st.sampled_from(["fast", "slow", "attention", "robots", "memory", "2", "ii"])
titles = st.lists(words, min_size=1, max_size=5).map(" ".join)
papers = st.builds(paper, titles, st.sampled_from([ADA, ADA[:1], ("Someone Else",), ()]))


@given(papers, papers)
def test_being_one_work_is_mutual(one, other):
    """And every paper is one with itself, where its title or its people say anything."""
    assert same_work(one, other) == same_work(other, one)
    assert same_work(one, one) or not one.authors


@given(st.lists(st.tuples(titles, st.sampled_from([ADA, ("Someone Else",)])), max_size=8))
def test_twins_are_found_as_pairs_are(given_papers):
    """Whoever has twins has those of its twins too, and two that are one work are each other's."""
    known = [paper(title, authors, n) for n, (title, authors) in enumerate(given_papers)]
    found = twins(known)
    for one in known:
        for other in known:
            if one.id < other.id and same_work(one, other):
                assert other.id in found[one.id]
    for paper_id, others in found.items():
        assert paper_id not in others
        assert all(found[other] | {other} == others | {paper_id} for other in others)
