"""Daily Papers: lists of days, pages, and items of every quality."""

import json
from datetime import UTC, date, datetime

import pytest

from newsletter.errors import SourceError
from newsletter.sources.huggingface import HuggingFace

LIST = "/api/daily_papers"


def item(arxiv_id="2607.00001", **paper):
    """Return one item of a list, its paper changed by *paper*."""
    return {
        "paper": {
            "id": arxiv_id,
            "title": "A short\n  title",
            "summary": "What we did &\nwhy a < b.",
            "authors": [{"name": "Ada One"}, {"name": "Bo Two", "hidden": True}, {"name": "Cy Three", "hidden": False}],
            "publishedAt": "2026-07-13T17:30:00.000Z",
            "upvotes": 12,
            **paper,
        },
        "numComments": 3,
        "submittedBy": {"fullname": "Dee Four"},
        "organization": {"name": "lab", "fullname": "The Lab"},
        "thumbnail": "https://cdn.example/t.png",
    }


RICH = {
    "ai_summary": "Shorter.",
    "ai_keywords": ["trees", "forests"],
    "githubRepo": "https://github.com/lab/x",
    "githubStars": 77,
    "projectPage": "https://lab.example/x",
}


@pytest.fixture
def source(upstream):
    """Return the source, asking the test's server."""
    return HuggingFace(base_url=upstream.url + "/")


def test_an_item_becomes_what_it_says(upstream, fetch, source):
    """Every fact in its place: votes on the paper, comments outside, hidden authors out."""
    upstream.say(LIST, json.dumps([item(**RICH)]))
    (sighting,) = fetch(source).sightings
    paper, listing = sighting.paper, sighting.listing
    assert (sighting.source, sighting.kind) == ("huggingface", "huggingface")
    assert (paper.title, paper.abstract) == ("A short title", "What we did & why a < b.")
    assert (paper.arxiv_id, paper.key) == ("2607.00001", "2607.00001")
    assert paper.authors == ("Ada One", "Cy Three")
    assert (paper.summary, paper.keywords, paper.organisation) == ("Shorter.", ("trees", "forests"), "The Lab")
    assert paper.published == datetime(2026, 7, 13, 17, 30, tzinfo=UTC)
    assert (paper.link, paper.pdf) == ("https://arxiv.org/abs/2607.00001", "https://arxiv.org/pdf/2607.00001")
    assert paper.discussion == "https://huggingface.co/papers/2607.00001"
    assert (paper.code, paper.code_stars, paper.project) == ("https://github.com/lab/x", 77, "https://lab.example/x")
    assert (paper.thumbnail, paper.withdrawn) == ("https://cdn.example/t.png", False)
    assert (listing.day, listing.first_seen, listing.position) == (date(2026, 7, 15), False, 1)
    assert (listing.upvotes, listing.comments, listing.submitter) == (12, 3, "Dee Four")


def test_each_day_is_asked_and_keeps_its_own_list(upstream, fetch, source):
    """Days that have not begun in UTC are not asked: there is no list of them."""
    upstream.say(LIST, json.dumps([item()]), "[]", json.dumps([item("2607.00002")]))
    found = fetch(source, since="2026-07-13", now=datetime(2026, 7, 15, 1, tzinfo=UTC)).sightings
    assert [(s.paper.arxiv_id, s.listing.day.day) for s in found] == [("2607.00001", 13), ("2607.00002", 15)]
    assert [request.query["date"] for request in upstream.requests] == ["2026-07-13", "2026-07-14", "2026-07-15"]
    assert fetch(source, "2026-07-16", now=datetime(2026, 7, 15, 23, tzinfo=UTC)).sightings == []
    assert len(upstream.requests) == 3


def test_a_long_day_is_paged_until_a_short_page(upstream, fetch, source):
    """The list moves meanwhile, so that a paper comes on two pages: it counts once."""
    ids = [f"2607.{n:05}" for n in range(150)]
    pages = [ids[:100], ids[99:]]
    upstream.say(LIST, *(json.dumps([item(one) for one in page]) for page in pages))
    found = fetch(source).sightings
    assert [s.paper.arxiv_id for s in found] == ids
    assert [(r.query["p"], r.query["limit"]) for r in upstream.requests] == [("0", "100"), ("1", "100")]
    assert [s.listing.position for s in found][:100] == list(range(1, 101))


def test_a_server_that_repeats_its_page_does_not_hold_us(upstream, fetch, source):
    """One that ignores the page number gives the same hundred for ever."""
    upstream.say(LIST, json.dumps([item(f"2607.{n:05}") for n in range(100)]))
    assert len(fetch(source).sightings) == 100
    assert len(upstream.requests) == 2


def test_an_empty_day_is_a_success(upstream, fetch, source):
    """Weekends have no list."""
    upstream.say(LIST, "[]")
    assert fetch(source).sightings == []


@pytest.mark.parametrize(
    "body",
    [
        '{"error": "not here"}',
        '"[]"',
        "null",
        "17",
        "[",
        "<html></html>",
        "[" * 100_000,
        '["a", "b"]',
        "[[]]",
        '[{"paper": null}]',
        '[{"paper": {"id": "2607.00001"}}]',
        '[{"paper": {"title": "No id"}}]',
        '[{"paper": {"id": 7, "title": "A number"}}]',
        '[{"paper": {"id": "../../etc", "title": "No arXiv id"}}]',
    ],
    ids=range(14),
)
def test_what_is_no_list_of_papers_is_a_failure(upstream, fetch, source, body):
    """An error saved as an answer, texts for objects, or a format that changed."""
    upstream.say(LIST, body)
    with pytest.raises(SourceError, match="/api/daily_papers: "):
        fetch(source)


def test_one_broken_item_costs_only_itself(upstream, fetch, source):
    """The others are news all the same, in their places."""
    upstream.say(LIST, json.dumps([{"paper": {"title": "No id"}}, "text", item()]))
    (sighting,) = fetch(source).sightings
    assert sighting.listing.position == 3


def test_wrong_types_and_bad_links_are_left_out(upstream, fetch, source):
    """What is not what it should be is as if it were not there."""
    wrong = {
        "summary": ["no text"],
        "authors": "Ada",
        "publishedAt": "yesterday",
        "upvotes": "many",
        "ai_keywords": ["good", 7, None, ""],
        "githubRepo": "javascript:alert(1)",
        "githubStars": -1,
        "projectPage": "/relative",
        "withdrawnAt": "2026-07-14",
    }
    broken = item(**wrong) | {"numComments": 2**40, "submittedBy": [], "organization": "x", "thumbnail": "//t"}
    upstream.say(LIST, json.dumps([broken]))
    (sighting,) = fetch(source).sightings
    paper, listing = sighting.paper, sighting.listing
    assert (paper.abstract, paper.authors, paper.published) == ("", (), None)
    assert (paper.keywords, paper.code, paper.code_stars, paper.project) == (("good",), "", None, "")
    assert (paper.thumbnail, paper.organisation, paper.withdrawn) == ("", "", True)
    assert (listing.upvotes, listing.comments, listing.submitter) == (None, None, "")


def test_a_paper_is_looked_up_by_its_id(upstream, look_up, source):
    """As the API gives it alone: without a listing, and None where there is none."""
    upstream.say("/api/papers/2607.00001", json.dumps(item()["paper"]))
    sighting = look_up(source, "2607.00001")
    assert (sighting.paper.title, sighting.listing) == ("A short title", None)
    assert look_up(source, "2607.00002") is None
    assert look_up(source, "10.1234/abc") is None
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("body", ["[]", '{"error": "x"}', "null"])
def test_a_look_up_of_another_shape_is_a_failure(upstream, look_up, source, body):
    """Not the same as a paper that is not there."""
    upstream.say("/api/papers/2607.00001", body)
    with pytest.raises(SourceError, match="is not a paper"):
        look_up(source, "2607.00001")
