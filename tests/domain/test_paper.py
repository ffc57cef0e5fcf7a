"""A paper's keys, and merging what several sources say of one paper."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.paper import Paper, Sighting, arxiv_key, doi_key, key_of, link_key, merge


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("2607.00001", ("2607.00001", 0)),
        ("2607.00001v12", ("2607.00001", 12)),
        (" arXiv:2607.00001v2 ", ("2607.00001", 2)),
        ("oai:arXiv.org:0704.0001v1", ("0704.0001", 1)),
        ("hep-th/0601001v3", ("hep-th/0601001", 3)),
        ("math.GT/0309136", ("math/0309136", 0)),
        ("2607.001", None),
        ("2607.00001v", None),
        ("10.1234/2607.00001", None),
        ("", None),
    ],
)
def test_arxiv_ids_are_told_from_their_version(text, key):
    """New ids and old ones, as people and feeds write them."""
    assert arxiv_key(text) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("10.1234/ABC", "10.1234/abc"),
        ("https://doi.org/10.1234/ABC", "10.1234/abc"),
        ("http://dx.doi.org/10.1234/abc", "10.1234/abc"),
        ("DOI:10.1234/abc", "10.1234/abc"),
        ("10.48550/arXiv.2607.00001", "2607.00001"),
        ("10.48550/arXiv.2607.00001v2", "2607.00001"),
        ("10.12/abc", ""),
        ("abc", ""),
    ],
)
def test_dois_are_lower_case_and_arxivs_own_are_its_ids(text, key):
    """Bare or as links of the resolver."""
    assert doi_key(text) == key


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("https://arxiv.org/abs/2607.00001v2", "2607.00001"),
        ("http://www.arxiv.org/pdf/2607.00001v2.pdf", "2607.00001"),
        ("https://export.arxiv.org/abs/hep-th/0601001", "hep-th/0601001"),
        ("https://huggingface.co/papers/2607.00001", "2607.00001"),
        ("https://doi.org/10.1234/ABC", "10.1234/abc"),
        ("https://www.lab.example/post/", "https://lab.example/post"),
        ("http://lab.example:80/post?utm_source=rss&id=7#top", "https://lab.example/post?id=7#top"),
        ("https://lab.example:8080/Post", "https://lab.example:8080/Post"),
        ("https://lab.example/post?a=&b=%C3%BC", "https://lab.example/post?a=&b=%C3%BC"),
        ("https://www./", ""),
        ("ftp://lab.example/", ""),
        ("http://[", ""),
        ("https://lab.example/?\udcff", ""),
        ("2607.00001", ""),
    ],
)
def test_links_are_canonical_or_the_paper_they_point_at(link, key):
    """So that one page under several addresses is one paper."""
    assert link_key(link) == key


PIECES = r"(doi:|https?://(dx\.|www\.)*(doi|arxiv)\.org/(abs/)?|10\.48550/arxiv\.|oai:arXiv.org:|\d{4}\.\d{5}|v\d)*"
TEXTS = (
    st.text()
    | st.text("10./:abcvw?=&#%@[]-_ ")
    | st.from_regex(r"https?://(www\.)*[a-z.\[\]@:0-9]*/[^\n]*", fullmatch=True)
    | st.from_regex(PIECES, fullmatch=True)
)


@given(TEXTS)
def test_a_key_is_its_own_key(text):
    """Canonicalising twice is canonicalising once, whatever a person typed; and a key is on one line."""
    key = key_of(text)
    assert key_of(key) == key
    assert "\n" not in key


WHEN = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
PAPERS = st.builds(
    Paper,
    title=st.sampled_from(["One", "Two"]),
    arxiv_id=st.sampled_from(["", "2607.00001", "2607.00002"]),
    doi=st.sampled_from(["", "10.1234/a", "10.1234/b"]),
    version=st.integers(0, 3),
    abstract=st.sampled_from(["", "A", "B"]),
    summary=st.sampled_from(["", "S", "T"]),
    authors=st.sampled_from([(), ("Ada One",), ("Bo Two", "Ada One")]),
    published=st.none() | WHEN,
    updated=st.none() | WHEN,
    code_stars=st.none() | st.integers(0, 3),
    link=st.sampled_from(["", "https://lab.example/a", "https://lab.example/b"]),
    withdrawn=st.booleans(),
)
SIGHTINGS = st.builds(
    Sighting,
    source=st.sampled_from(["a", "b"]),
    kind=st.sampled_from(["huggingface", "arxiv", "feed", "biorxiv", "file", "other"]),
    seen_at=WHEN,
    paper=PAPERS,
)


@given(st.lists(SIGHTINGS, min_size=1, max_size=5).flatmap(lambda s: st.tuples(st.just(s), st.permutations(s + s))))
def test_merging_knows_no_order_and_no_repetition(sightings):
    """The same sightings, shuffled and told twice, are the same paper."""
    once, shuffled = sightings
    assert merge(once) == merge(shuffled)


@given(SIGHTINGS)
def test_one_sighting_merges_to_itself(sighting):
    """Nothing is invented and nothing lost."""
    assert merge([sighting]) == sighting.paper


@given(st.lists(SIGHTINGS, min_size=1, max_size=5))
def test_nothing_known_is_lost(sightings):
    """A field that any source knows is known, in the words of one of them."""
    merged = merge(sightings)
    for name in ("title", "arxiv_id", "doi", "abstract", "summary", "authors", "link", "published", "code_stars"):
        said = [getattr(sighting.paper, name) for sighting in sightings]
        assert getattr(merged, name) in said
        assert getattr(merged, name) not in ("", (), None) or all(value in ("", (), None, 0) for value in said)


def test_the_best_source_is_believed_then_the_newest_version():
    """The archive for what a paper is, the community for what surrounds it."""
    seen = datetime(2026, 7, 15, tzinfo=UTC)
    first = Paper(title="From the archive", arxiv_id="2607.00001", version=1, summary="Theirs")
    second = Paper(title="From the archive, again", arxiv_id="2607.00001", version=2)
    liked = Paper(title="From the list", arxiv_id="2607.00001", summary="Ours", code_stars=3)
    kinds = (("arxiv", second), ("huggingface", liked), ("arxiv", first))
    merged = merge(Sighting(source=kind, kind=kind, seen_at=seen, paper=paper) for kind, paper in kinds)
    assert (merged.title, merged.version) == ("From the archive, again", 2)
    assert (merged.summary, merged.code_stars) == ("Ours", 3)
