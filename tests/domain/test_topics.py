"""The small grammar of topics: what it matches, and what it refuses."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.domain.topics import Index, Matcher, parse_topic, read_topics
from newsletter.errors import UsageError

PAPER = Paper(
    title="Retrieval-Augmented Models for Queries",
    abstract="We learn a policy (multi-agent) from müsli logs. It needs no bias terms. The class of losses is small.",
    summary="A cache for language models.",
    keywords=("KV caches", "Mixture of Experts"),
    authors=("Tri Dao", "Jürgen Müller-Lüdenscheidt", "李 明"),
    organisation="NVIDIA Research",
    categories=("cs.CL", "stat.ML"),
)


def matches(topic: str, paper: Paper = PAPER) -> bool:
    """Return whether *paper* is of *topic*."""
    return Matcher(paper).matches(parse_topic(topic))


def excluded(topic: str, paper: Paper = PAPER) -> bool:
    """Return whether *topic* leaves *paper* out."""
    return Matcher(paper).excluded_by(parse_topic(topic))


@pytest.mark.parametrize(
    "topic",
    [
        "retrieval",
        "RETRIEVAL",
        "model",
        "models",
        "query",
        "queries",
        "cache",
        "caches",
        "losses",
        "loss",
        "classes",
        "musli",
        "MÜSLI",
        "agent",
        '"retrieval augmented model"',
        '"language model"',
        '"mixture of experts"',
        "retrie*",
        "ag*",
        '"multi ag*"',
        "𝐑𝐞𝐭𝐫𝐢𝐞𝐯𝐚𝐥",
        "cat:cs.CL",
        "cat:CS.cl",
        "cat:cs",
        "cat:cs.*",
        "cat: stat.ML",
        'cat:"cs.CL" retrieval',
        "author:Tri Dao",
        "author:dao",
        "author: dao tri",
        'author:"Tri Dao" retrieval',
        'author: "Tri Dao" retrieval',
        "author:muller",
        "author:李",
        "org:nvidia",
        "org:NVIDIA Research",
        'retrieval org:"NVIDIA" policy',
        "retrieval policy",
        "retrieval -survey",
        "author:Tri Dao -survey",
        "author:Tri Dao cat:cs.CL",
        'org:NVIDIA Research "language model"',
        "author:Müller-Lüdenscheidt",
    ],
)
def test_what_matches(topic):
    """Words folded and singular, phrases, beginnings, categories, people and organisations; all terms must hold."""
    assert matches(topic)


@pytest.mark.parametrize(
    "topic",
    [
        "augment",  # never inside another word
        "trieval",
        '"models retrieval"',
        '"queries we learn"',  # no phrase goes from the title on to the abstract
        "cat:cs.C",
        "cat:cs.CL.x",
        "cat:math",
        "author:Trisha",
        "author:Dao Müller",
        "author:nvidia",
        "org:research labs",
        "org:tri dao",
        "retrieval survey",
        "retrieval -policy",
        "author:Tri Dao -policy",
        "author:Tri Dao cat:math",
        "retrieval -cat:cs",
        "-survey",  # what only excludes matches nothing
    ],
)
def test_what_does_not_match(topic):
    """A topic asks for all of its terms, and for whole words."""
    assert not matches(topic)


def test_a_topic_that_only_excludes_leaves_out():
    """Any of its terms is enough; one that also asks for something leaves nothing out."""
    assert excluded("-retrieval")
    assert excluded("-survey -policy")
    assert excluded("-org:NVIDIA")
    assert excluded("-author:Tri Dao")
    assert excluded('-"language model"')
    assert not excluded("-survey")
    assert not excluded("retrieval -policy")
    assert not excluded("retrieval")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "topic is empty"),
        ("   ", "topic is empty"),
        ('"open', "unbalanced quote at character 1"),
        ('rag "open', "unbalanced quote at character"),
        ("rag -", "nothing to look for at character"),
        ("cat:", "nothing to look for at character 1"),
        ("rag author:", "nothing to look for"),
        ('org:""', "nothing to look for"),
        ("*", "nothing to look for"),
        ("+++", "nothing to look for"),
        ("*trieval", r"misplaced \* at character 1: it stands at the end of a word"),
        ("rag re*al", r"misplaced \* at character 5"),
        ("author:Da*", r"misplaced \* at character 1"),
        ("rag title:cache", "unknown field 'title:' at character 5; use cat:, author: or org:"),
        ("rag AND cache", "AND at character 5: all terms of a topic must match"),
        ("rag OR cache", "OR at character 5: write two topics"),
        ("NOT rag", "NOT at character 1: write -word"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, said):
    """One line, so that the person finds what to mend."""
    with pytest.raises(UsageError, match=said):
        parse_topic(text)


def test_a_topic_keeps_what_the_person_wrote():
    """It is shown as the reason of a pick."""
    assert parse_topic('  "Language Models"  cat:cs.CL ').text == '"Language Models"  cat:cs.CL'


def test_white_space_of_any_kind_and_length_is_one_blank():
    """Also within a phrase and a name; the place that is pointed at is that of the topic as it is shown."""
    assert parse_topic('author:Tri \t\n  Dao   "kv    cache"').terms == parse_topic('author:Tri Dao "kv cache"').terms
    with pytest.raises(UsageError, match=r"topic 'rag title:cache': unknown field 'title:' at character 5;"):
        parse_topic("  rag     title:cache")


def test_a_topic_of_more_than_500_characters_is_refused_in_one_line():
    """The line shows how it begins; blanks at either end do not count, those within do."""
    assert parse_topic("  " + "a" * 500 + "  ").terms
    with pytest.raises(UsageError, match=r"^topic 'a{40}…': 501 characters, 500 at most; write several topics$"):
        parse_topic("a" * 501)


@pytest.mark.parametrize("text", ["author:a" + " " * 8000 + "b", "author:a " * 4000, "-" * 50_000, '"a" ' * 9000])
def test_no_topic_takes_long_to_read(text):
    """Nobody holds up the newsletter with a topic, read or refused."""
    begun = process_time()
    with pytest.raises(UsageError, match="500 at most"):
        parse_topic(text)
    assert process_time() - begun < 2


def test_a_stored_topic_that_is_not_read_any_more_stops_nobody():
    """The others of its reader hold."""
    assert [topic.text for topic in read_topics(["retrieval", "word " * 200, '"open', "cat:cs.CL"])] == [
        "retrieval",
        "cat:cs.CL",
    ]


def test_an_empty_paper_matches_no_word():
    """Nor does it stumble over missing people."""
    assert not matches("anything", Paper(title=""))
    assert not matches("author:dao", Paper(title=""))


@given(st.text(max_size=40))
def test_any_text_is_a_topic_or_refused(text):
    """Nothing that a person types breaks the reader."""
    try:
        topic = parse_topic(text)
    except UsageError:
        return
    assert topic.terms
    assert isinstance(Matcher(PAPER).matches(topic), bool)


@given(st.lists(st.sampled_from(["alpha", "beta", "gammas", "delta"]), min_size=1, max_size=4))
def test_every_phrase_of_a_title_matches_it(said):
    """Whatever follows whatever, in any case and number."""
    paper = Paper(title=" ".join(said).title())

    assert matches(f'"{" ".join(said)}"', paper)
    assert all(matches(word, paper) for word in said)
    assert matches(" ".join(reversed(said)), paper)


_WORDS = st.sampled_from(["cache", "model", "language", "tri", "dao", "nvidia", "research", "big"])
_SAID = st.lists(_WORDS, max_size=5).map(" ".join)
_ASKED = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "-"]),
    st.sampled_from(["", "author:", "org:"]),
    st.lists(_WORDS, min_size=1, max_size=3).map(lambda some: f'"{" ".join(some)}"'),
) | st.sampled_from(["cat:cs.CL", "cat:cs.LG", "cat:cs", "-cat:cs.C", "mod*", '"big mod*"', "-mod*", "la*"])


@given(st.lists(st.tuples(_SAID, _SAID, _SAID), max_size=4), st.lists(_ASKED, min_size=1, max_size=3))
def test_an_index_knows_how_near_papers_come_as_each_of_them_does(said: list[tuple[str, ...]], asked: list[str]):
    """Counting through who says which word comes to the same, whatever is said and asked for."""
    papers = [
        Paper(id=i, title=title, authors=(author, "Big Dao"), organisation=place, categories=("cs.CL",))
        for i, (title, author, place) in enumerate(said)
    ]
    topic = parse_topic(" ".join(asked))
    one_by_one = {paper.id: share for paper in papers if (share := Matcher(paper).share(topic))}
    index = Index(papers)
    assert dict(index.shares(topic)) == pytest.approx(one_by_one)
    assert index.matched_by(topic) == [paper.id for paper in papers if Matcher(paper).matches(topic)]
    assert index.excluded_by(topic) == [paper.id for paper in papers if Matcher(paper).excluded_by(topic)]
