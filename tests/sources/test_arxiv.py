"""arXiv's API: queries, pages, and answers that are not what they seem."""

from datetime import UTC, date, datetime
from itertools import pairwise

import pytest

from newsletter.errors import SourceError
from newsletter.sources.arxiv import ArXiv, read_feed
from newsletter.sources.response import Response

QUERY = "/api/query"
ENTRY = """<entry>
  <id>http://arxiv.org/abs/{id}</id><title>On\n  {id}</title><updated>2026-07-14T09:00:00Z</updated>
  <link href="https://arxiv.org/abs/{id}" rel="alternate" type="text/html"/><summary>Sums  of
  &lt;x&gt; &amp; y.</summary>
  <category term="cs.LG"/><category term="cs.CL"/><published>2026-07-13T09:00:00Z</published>
  <author><name>Ada One</name><arxiv:affiliation>The Lab</arxiv:affiliation></author>
  <author><name>Bo Two</name></author>
  <arxiv:primary_category term="cs.CL"/>{more}</entry>"""


def atom(*ids, total=None, more=""):
    """Return a feed of the API with entries for *ids*."""
    entries = "".join(ENTRY.format(id=one, more=more) for one in ids)
    return (
        '<?xml version="1.0" encoding="UTF-8"?><feed xmlns="http://www.w3.org/2005/Atom"'
        ' xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<opensearch:totalResults>{len(ids) if total is None else total}</opensearch:totalResults>{entries}</feed>"
    )


def answer(body):
    """Return *body* as an answer of the API."""
    return Response(url="https://a.example/api/query?x", status=200, headers={}, body=body.encode())


@pytest.fixture
def source(upstream):
    """Return the source, asking the test's server."""
    return ArXiv(categories=["cs.CL", "cs.LG"], base_url=upstream.url)


def test_an_entry_becomes_what_it_says(upstream, fetch, source):
    """Every fact in its place: id without version, the primary category first."""
    more = (
        "<arxiv:comment>12 pages</arxiv:comment><arxiv:journal_ref>J. Sums 3</arxiv:journal_ref>"
        "<arxiv:doi>10.1234/ABC 10.1234/second</arxiv:doi>"
    )
    upstream.say(QUERY, atom("2607.00001v2", more=more))
    (sighting,) = fetch(source).sightings
    paper = sighting.paper
    assert (paper.arxiv_id, paper.version, paper.title) == ("2607.00001", 2, "On 2607.00001v2")
    assert paper.abstract == "Sums of <x> & y."
    assert (paper.authors, paper.organisation) == (("Ada One", "Bo Two"), "The Lab")
    assert paper.categories == ("cs.CL", "cs.LG")
    assert paper.published == datetime(2026, 7, 13, 9, tzinfo=UTC)
    assert paper.updated == datetime(2026, 7, 14, 9, tzinfo=UTC)
    assert (paper.link, paper.pdf) == ("https://arxiv.org/abs/2607.00001", "https://arxiv.org/pdf/2607.00001")
    assert (paper.comment, paper.journal_reference, paper.doi) == ("12 pages", "J. Sums 3", "10.1234/abc")
    assert paper.keys == ("2607.00001", "10.1234/abc")
    assert not paper.withdrawn


def test_a_date_is_asked_for_and_listed_on(upstream, fetch, source):
    """What was submitted on it, and the categories as alternatives."""
    upstream.say(QUERY, atom("2607.00001v1"))
    (sighting,) = fetch(source, "2026-07-10", now=datetime(2026, 7, 15, tzinfo=UTC)).sightings
    assert (sighting.listing.day, sighting.listing.first_seen) == (date(2026, 7, 10), True)
    query = upstream.requests[0].query
    assert query["search_query"] == "(cat:cs.CL OR cat:cs.LG) AND submittedDate:[202607100000 TO 202607102359]"
    assert (query["sortBy"], query["sortOrder"]) == ("submittedDate", "descending")


def test_without_a_date_five_days_are_looked_through(upstream, fetch, source):
    """Announcements trail, so what is new today was submitted some days ago; it is listed today."""
    upstream.say(QUERY, atom("2607.00001v1"))
    (sighting,) = fetch(source, since="2026-07-15").sightings
    assert (sighting.listing.day, sighting.listing.first_seen) == (date(2026, 7, 15), True)
    assert "[202607100000 TO 202607152359]" in upstream.requests[0].query["search_query"]


def test_a_day_that_has_not_begun_is_not_asked_for(upstream, fetch, source):
    """The newsletter's zone may be ahead of arXiv's."""
    assert fetch(source, "2026-07-16", now=datetime(2026, 7, 15, 20, tzinfo=UTC)).sightings == []
    assert upstream.requests == []


@pytest.mark.slow
def test_pages_are_put_together_and_empty_ones_asked_again(upstream, fetch, source):
    """Submissions meanwhile move the pages, so ids repeat; a page is empty now and then without a reason."""
    source._page = 2
    pages = [("2607.00003v1", "2607.00002v1"), (), ("2607.00002v1", "2607.00001v1")]
    upstream.say(QUERY, *(atom(*page, total=4) for page in pages))
    found = fetch(source, since="2026-07-15").sightings
    assert [s.paper.arxiv_id for s in found] == ["2607.00003", "2607.00002", "2607.00001"]
    assert [s.listing.position for s in found] == [1, 2, 3]
    assert [r.query["start"] for r in upstream.requests] == ["0", "2", "2"]
    times = [request.time for request in upstream.requests]
    assert min(later - earlier for earlier, later in pairwise(times)) >= 3


def test_no_entries_are_a_success(upstream, fetch, source):
    """A day without submissions, or a look-up of an unknown id."""
    upstream.say(QUERY, atom())
    assert fetch(source).sightings == []


def test_more_than_the_api_gives_is_said_at_once(upstream, fetch, source):
    """Not after thirty thousand."""
    upstream.say(QUERY, atom("2607.00001v1", total=30_001))
    with pytest.raises(SourceError, match="30001 papers, more than it gives; name fewer categories"):
        fetch(source)


def test_an_error_of_the_api_is_told_in_its_words():
    """It comes as an entry, with whatever status."""
    body = atom("x").replace("http://arxiv.org/abs/x", "https://arxiv.org/api/errors#bad")
    with pytest.raises(SourceError, match=r"a\.example/api/query: answered an error: Sums of <x> & y\."):
        read_feed(answer(body))


@pytest.mark.parametrize(
    "body",
    ["<rss/>", "<html><body>Soon</body></html>", "{}", "<feed", "\x00", atom("nonsense"), "<feed/>"],
    ids=range(7),
)
def test_what_is_no_feed_is_a_failure(body):
    """A page, JSON, half an answer, or entries that are no papers."""
    with pytest.raises(SourceError, match=r"a\.example/api/query: "):
        read_feed(answer(body))


@pytest.mark.parametrize("subset", ["<!ENTITY a 'b'>", "", '<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;'])
def test_document_types_are_refused(subset):
    """An answer of the API has none; what declares entities is an attack."""
    with pytest.raises(SourceError):
        read_feed(answer(atom("2607.00001v1").replace("<feed", f"<!DOCTYPE feed [{subset}]><feed", 1)))


def test_one_broken_entry_costs_only_itself(upstream, fetch, source):
    """And is not asked for again and again."""
    upstream.say(QUERY, atom("2607.00002v1", "nonsense", "2607.00001v1"))
    assert [s.paper.arxiv_id for s in fetch(source).sightings] == ["2607.00002", "2607.00001"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("comment", "withdrawn"),
    [
        ("This paper has been withdrawn by the authors due to an error", True),
        ("Withdrawn", True),
        ("The article is withdrawn", True),
        ("This submission has been temporarily withdrawn", True),
        ("The authors have withdrawn this", True),
        ("Submitted to a workshop, later withdrawn from it", False),
        ("We study withdrawn papers", False),
        ("12 pages", False),
    ],
)
def test_withdrawal_is_read_from_the_comment(comment, withdrawn):
    """As authors word it; a mention of the word alone is none."""
    page = read_feed(answer(atom("2607.00001v2", more=f"<arxiv:comment>{comment}</arxiv:comment>")))
    assert page.papers[0].withdrawn is withdrawn


def test_a_paper_is_looked_up_by_its_id(upstream, look_up, source):
    """Old ids too; what is no arXiv id is not asked for."""
    upstream.say(QUERY, atom("hep-th/0601001v3"))
    sighting = look_up(source, "hep-th/0601001")
    assert (sighting.paper.arxiv_id, sighting.paper.version, sighting.listing) == ("hep-th/0601001", 3, None)
    assert upstream.requests[0].query["id_list"] == "hep-th/0601001"
    assert look_up(source, "10.1234/abc") is None
    assert len(upstream.requests) == 1


def test_a_busy_day_is_parsed_whole():
    """A busy day has some four hundred entries of two thousand characters."""
    entry = ENTRY.replace("</summary>", "word " * 400 + "</summary>")
    body = atom(*(f"2607.{n:05}v1" for n in range(405))).replace(ENTRY, entry)
    assert len(read_feed(answer(body)).papers) == 405
