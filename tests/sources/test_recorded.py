"""Every recorded answer of the real upstreams holds what it is known to hold; what is broken is a clear failure."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from newsletter.domain.text import plain
from newsletter.errors import SourceError
from newsletter.sources import arxiv, biorxiv, feeds, huggingface
from newsletter.sources.biorxiv import BioRxiv
from newsletter.sources.feeds import Feed
from newsletter.sources.file import PaperFile
from newsletter.sources.huggingface import HuggingFace
from newsletter.sources.response import Response


def answer(path):
    """Return the recorded body as an answer."""
    return Response(url=f"https://recorded.example/{path.name}", status=200, headers={}, body=path.read_bytes())


def check(papers):
    """Every paper is plain, and has a title, a key and links of the web."""
    for paper in papers:
        assert paper.title == plain(paper.title) != ""
        assert paper.abstract == plain(paper.abstract)
        assert paper.key
        for link in (paper.link, paper.pdf, paper.discussion, paper.project, paper.code, paper.thumbnail):
            assert link == "" or link.startswith(("http://", "https://"))


def test_every_daily_list_is_read_whole(shared):
    """Item by item against the raw JSON: none lost, votes and hidden authors as recorded."""
    days = sorted((shared / "recorded/hf_daily_papers").glob("*.json"))
    assert len(days) == 46
    hidden = 0
    for day in days:
        raw = json.loads(day.read_bytes())
        papers = [huggingface.read_paper(item) for item in huggingface.read_list(answer(day))]
        assert [paper.arxiv_id for paper in papers] == [item["paper"]["id"] for item in raw]
        for paper, item in zip(papers, raw, strict=True):
            shown = [author["name"] for author in item["paper"]["authors"] if not author.get("hidden")]
            assert list(paper.authors) == [plain(name) for name in shown if plain(name)]
            assert paper.published is not None
            hidden += len(item["paper"]["authors"]) - len(shown)
        check(papers)
    assert hidden > 0


def test_a_recorded_day_through_the_source(replay, fetch):
    """Two papers in the middle of July, listed with their votes; the weekend before has none."""
    source = HuggingFace(base_url=replay())
    found = fetch(source, "2026-07-15").sightings
    assert (found[0].paper.arxiv_id, found[0].listing.position) == ("2607.11886", 1)
    assert len(found) == 2
    assert all(s.listing.upvotes is not None and s.listing.comments is not None for s in found)
    assert fetch(source, "2026-07-12", since="2026-07-11").sightings == []


def test_the_list_without_a_date_and_a_search_are_read_too(shared):
    """The same shape of item everywhere."""
    for name, count in (
        ("hf_daily_papers_raw/limit30_no_date_2026-06-12.json", 30),
        ("hf_papers_search/q_kazakh.json", 9),
    ):
        papers = [huggingface.read_paper(item) for item in huggingface.read_list(answer(shared / "recorded" / name))]
        assert len(papers) == count
        check(papers)


@pytest.mark.parametrize(
    "name",
    [
        "hf_daily_papers_malformed/2024-12-12.json",
        "hf_daily_papers_malformed/2025-01-10.json",
        "hf_daily_papers_raw/error_not_found.json",
    ],
)
def test_malformed_lists_are_failures(shared, upstream, fetch, name):
    """Texts for objects, and an error that was saved as an answer."""
    upstream.say("/api/daily_papers", (shared / "recorded" / name).read_bytes())
    with pytest.raises(SourceError, match=r"/api/daily_papers: (none of its|answered no list)"):
        fetch(HuggingFace(base_url=upstream.url))


def test_a_day_of_arxiv_is_read_whole(shared):
    """405 entries with what is known of them."""
    body = answer(shared / "recorded/arxiv_api_atom/day_2025-12-17_cs_all_405_entries.xml")
    page = arxiv.read_feed(body)
    papers = page.papers
    assert (len(papers), page.total) == (405, 405)
    assert sum(bool(paper.comment) for paper in papers) == 200
    assert sum(bool(paper.doi) for paper in papers) == 16
    assert sum(bool(paper.journal_reference) for paper in papers) == 19
    assert sum(paper.version > 1 for paper in papers) == 20
    assert sum("$" in paper.abstract for paper in papers) == 25
    assert max(len(paper.authors) for paper in papers) == 99
    assert {paper.published.date() for paper in papers} == {date(2025, 12, 17)}
    assert not any(paper.withdrawn for paper in papers)
    check(papers)


COUNTS = {
    "id_0000.0000_s0": 0,
    "id_0808.05394_1707.08567_s0": 1,
    "id_0808.05394_s0": 0,
    "id_1605.08386_s0": 1,
    "id_1707.08567_s0": 1,
    "id_2104.12255v1_s0": 1,
    "id_2312.00752": 1,
    "id_astro-ph_0601001_s0": 1,
    "id_quant-ph_0201082v1_s0": 1,
    "q_glacier_m2": 2,
    "q_testing_s0_m100": 100,
    "q_testing_s0_m10_": 10,
    "q_testing_s0_m15": 15,
    "q_testing_s10": 10,
    "q_testing_s20": 10,
    "q_testing_s30": 10,
    "q_testing_s40": 10,
    "q_testing_s50": 10,
    "q_testing_s5_m10": 10,
    "q_testing_s5_m15": 15,
    "q_testing_s9": 15,
    "q_transformer": 5,
}


def test_every_answer_of_arxivs_api_is_read(shared):
    """As many papers as it has entries; the one error is a failure that gives arXiv's reason."""
    folder = shared / "recorded/arxiv_api_atom"
    assert len(list(folder.iterdir())) == len(COUNTS) + 2
    for start, count in COUNTS.items():
        (path,) = folder.glob(f"{start}*")
        papers = arxiv.read_feed(answer(path)).papers
        assert (start, len(papers)) == (start, count)
        check(papers)
    (error,) = folder.glob("*.http400.xml")
    with pytest.raises(SourceError, match="incorrect id format for abc"):
        arxiv.read_feed(answer(error))


FEEDS = {
    "arxiv_rss/atom_cs.AI_2025-08-20_cut.xml": (7, 0),
    "arxiv_rss/cs_ai_2026-04-27_first3.xml": (3, 0),
    "arxiv_rss/cs_cl_2026-04-27_first3.xml": (3, 0),
    "arxiv_rss/cs_lg_2026-04-27_first3.xml": (3, 0),
    "arxiv_rss/multi_csLG_csAI_csCL_statML_2026-09-24_new_cross_replace.xml": (3, 1),
    "arxiv_rss_merged/2025-10-02.xml": (35, 18),
    "arxiv_rss_merged/2025-10-03.xml": (44, 17),
    "arxiv_rss_merged/2025-10-06.xml": (26, 8),
}


@pytest.mark.parametrize(("name", "counts"), FEEDS.items())
def test_every_feed_of_arxiv_is_read(shared, upstream, fetch, name, counts):
    """All entries, with authors and without the announcement; replacements are listed nowhere."""
    path = shared / "recorded" / name
    upstream.say("/feed", path.read_bytes())
    raw = path.read_text()
    last = datetime.fromisoformat(f"{Path(name).stem:.10}" if "merged" in name else "2025-08-20").date()
    found = fetch(Feed(url=upstream.url + "/feed"), "2026-09-24", since=last.isoformat()).sightings
    replaced = [sighting for sighting in found if sighting.listing is None]
    assert (len(found), len(replaced)) == counts
    assert len(replaced) == raw.count("announce_type>replace")
    papers = [sighting.paper for sighting in found]
    assert all(paper.authors and paper.arxiv_id and paper.version for paper in papers)
    assert not any("Announce Type" in paper.abstract for paper in papers)
    check(papers)


def test_every_answer_of_biorxiv_is_read(shared):
    """What is on the page, and how much the server says there is."""
    for name, papers, total in (
        ("details_2026-07-15_cut3.json", 3, 3),
        ("details_cancer-biology_2026-09-07_excerpt2of18.json", 2, 18),
    ):
        page = biorxiv.read_page(answer(shared / "recorded/biorxiv" / name), "biorxiv")
        assert (len(page.papers), page.total) == (papers, total)
        check(page.papers)
        assert page.papers[0].published in {datetime(2026, 7, 15, tzinfo=UTC), datetime(2026, 9, 7, tzinfo=UTC)}


def test_biorxiv_through_the_source(replay, fetch):
    """Three preprints, names the natural way round."""
    found = fetch(BioRxiv(base_url=replay()), "2026-07-15").sightings
    assert [s.paper.version for s in found] == [1, 1, 3]
    assert found[0].paper.authors == ("T. Ghafari", "A. J. Quinn", "O. Jensen")


def test_an_arxiv_feed_through_the_source(replay, fetch):
    """With its ETag, so that the second time there is nothing to send."""
    source = Feed(url=f"{replay()}/rss/cs.CL")
    first = fetch(source, "2026-04-27", since="2026-04-27")
    assert len(first.sightings) == 3
    assert fetch(source, "2026-04-27", since="2026-04-27", validators=first.validators).sightings == []


@pytest.mark.parametrize("name", ["arxiv_oai_pmh", "openalex", "semantic_scholar", "hf_daily_papers_raw", "biorxiv"])
def test_what_is_no_feed_is_told_so(shared, name):
    """Other upstreams' answers, XML and JSON."""
    for path in (shared / "recorded" / name).iterdir():
        with pytest.raises(SourceError):
            feeds.read_entries(answer(path))


@pytest.mark.parametrize("read", [feeds.read_entries, arxiv.read_feed])
def test_xml_bombs_are_refused(shared, read):
    """Each a failure at once, in little memory; none opens a file or a connection."""
    bombs = [path for path in (shared / "corpora/xml-bombs").iterdir() if path.suffix != ".txt"]
    assert len(bombs) == 13
    for path in bombs:
        with pytest.raises(SourceError):
            read(answer(path))


def test_the_bundled_papers_are_in_the_format_of_the_file(fetch):
    """Some sixty on five days, as the demo plays them."""
    path = Path(__file__).resolve().parents[2] / "newsletter/demo/papers.jsonl"
    found = fetch(PaperFile(path=path), "2026-07-10", since="2026-07-06").sightings
    assert 50 <= len(found) <= 70
    assert {sighting.listing.day for sighting in found} == {date(2026, 7, day) for day in range(6, 11)}
    check([sighting.paper for sighting in found])
