"""bioRxiv and medRxiv: numbers as texts, dates without zeros, and many pages."""

import json
from datetime import UTC, date, datetime

import pytest

from newsletter.errors import SourceError
from newsletter.sources.biorxiv import BioRxiv


def item(doi="10.64898/2026.07.01.000001", **changes):
    """Return one preprint as the API gives it."""
    return {
        "title": "Cells  count",
        "authors": "One, A. B.; van Two, C.; Consortium",
        "author_corresponding_institution": "The Lab",
        "doi": doi,
        "date": "2026-7-5",
        "version": "1",
        "type": "new results",
        "category": "cell biology",
        "abstract": "They do.",
        "published": "NA",
        **changes,
    }


def page(*items, total=None, status="ok", **message):
    """Return one answer of the API."""
    count = {"count": str(len(items)), "total": str(len(items) if total is None else total), "cursor": 0}
    return json.dumps({"messages": [{"status": status, **count, **message}], "collection": list(items)})


@pytest.fixture
def source(upstream):
    """Return the source, asking the test's server."""
    return BioRxiv(base_url=upstream.url)


def path(first="2026-07-15", last="2026-07-15", cursor=0, server="biorxiv"):
    """Return the path of one page."""
    return f"/details/{server}/{first}/{last}/{cursor}/json"


def test_a_preprint_becomes_what_it_says(upstream, fetch, source):
    """Names the natural way round, in order; the date is padded; listed on the date asked for."""
    upstream.say(path(), page(item()))
    (sighting,) = fetch(source).sightings
    paper = sighting.paper
    assert (paper.title, paper.abstract, paper.version) == ("Cells count", "They do.", 1)
    assert paper.authors == ("A. B. One", "C. van Two", "Consortium")
    assert (paper.organisation, paper.categories) == ("The Lab", ("cell biology",))
    assert paper.published == paper.updated == datetime(2026, 7, 5, tzinfo=UTC)
    assert (paper.key, paper.link) == ("10.64898/2026.07.01.000001", "https://doi.org/10.64898/2026.07.01.000001")
    assert paper.pdf == "https://www.biorxiv.org/content/10.64898/2026.07.01.000001v1.full.pdf"
    assert (paper.journal_reference, paper.withdrawn) == ("", False)
    assert (sighting.listing.day, sighting.listing.first_seen) == (date(2026, 7, 15), True)


def test_without_a_date_the_last_two_days_are_looked_through(upstream, fetch, source):
    """A posted preprint reaches the API a day later; it is listed today."""
    upstream.say(path("2026-07-13"), page(item()))
    (sighting,) = fetch(source, since="2026-07-15").sightings
    assert sighting.listing.day == date(2026, 7, 15)


def test_medrxiv_is_the_other_server(upstream, fetch):
    """The same API, another name in the path and in the links."""
    upstream.say(path(server="medrxiv"), page(item()))
    (sighting,) = fetch(BioRxiv(server="medrxiv", name="medrxiv", base_url=upstream.url)).sightings
    assert sighting.source == "medrxiv"
    assert sighting.paper.pdf.startswith("https://www.medrxiv.org/")


def test_pages_go_by_what_the_server_counts(upstream, fetch, source):
    """Thirty a page or a hundred, whatever the documentation says."""
    ids = [f"10.64898/{n}" for n in range(1, 6)]
    upstream.say(path(), page(*map(item, ids[:2]), total=5))
    upstream.say(path(cursor=2), page(*map(item, ids[2:4]), total=5))
    upstream.say(path(cursor=4), page(*map(item, ids[4:]), total=5))
    assert [s.paper.doi for s in fetch(source).sightings] == ids


def test_of_several_versions_the_newest_counts(upstream, fetch, source):
    """In one place, with the date of the first; alone, a later version does not know that date."""
    second, third = item(version="2", date="2026-07-08"), item(version="3", date="2026-07-09", title="Cells add up")
    upstream.say(path(), page(third, item(), second, item("10.64898/x", version="4")))
    one, other = (s.paper for s in fetch(source).sightings)
    assert (one.title, one.version, one.published.day, one.updated.day) == ("Cells add up", 3, 5, 9)
    assert (other.published, other.updated.day) == (None, 5)


@pytest.mark.parametrize("changes", [{"title": "WITHDRAWN: Cells count"}, {"type": "withdrawn"}])
def test_withdrawal_is_read(upstream, fetch, source, changes):
    """From the title, as the server words it."""
    upstream.say(path(), page(item(**changes)))
    assert fetch(source).sightings[0].paper.withdrawn


def test_a_day_without_posts_is_a_success(upstream, fetch, source):
    """The server says so in words."""
    upstream.say(path(), json.dumps({"messages": [{"status": "no posts found"}], "collection": []}))
    assert fetch(source).sightings == []


@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "{}",
        "null",
        "not JSON",
        '{"messages": [], "collection": []}',
        '{"messages": [{}], "collection": {}}',
        page(status="error: bad date"),
        page({"title": "No DOI"}),
        page("text"),
        page(total=3),
    ],
    ids=range(10),
)
def test_other_shapes_are_failures(upstream, fetch, source, body):
    """Also a page that is empty where the total says more."""
    upstream.say(path(), body)
    with pytest.raises(SourceError, match="/details/biorxiv"):
        fetch(source)


def test_an_empty_answer_is_asked_again(upstream, fetch, source):
    """It was seen: status 200 and no body."""
    upstream.say(path(), b"", page(item()))
    assert len(fetch(source).sightings) == 1


def test_wrong_types_are_left_out(upstream, fetch, source):
    """What is not what it should be is as if it were not there; one broken item costs only itself."""
    wrong = {name: [1] for name in ("authors", "date", "version", "type", "category", "abstract", "published")}
    upstream.say(path(), page(item(**wrong), {"doi": "10.1/x", "title": 7}))
    (sighting,) = fetch(source).sightings
    assert (sighting.paper.authors, sighting.paper.published, sighting.paper.version) == ((), None, 0)


def test_a_preprint_is_looked_up_by_its_doi(upstream, look_up, source):
    """In its latest version; None where the server has none, and other keys are not asked for."""
    doi = "10.64898/2026.07.01.000001"
    upstream.say(f"/details/biorxiv/{doi}/na/json", page(item(), item(version="2", title="Again")))
    nothing = json.dumps({"messages": [{"status": "no posts found"}], "collection": []})
    upstream.say("/details/biorxiv/10.1234/abc/na/json", nothing)
    sighting = look_up(source, doi)
    assert (sighting.paper.title, sighting.listing) == ("Again", None)
    assert look_up(source, "10.1234/abc") is None
    assert look_up(source, "2607.00001") is None
    assert len(upstream.requests) == 2
