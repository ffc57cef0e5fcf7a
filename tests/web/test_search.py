"""Searching on the pages, the feeds, and the API: what everybody may find."""

import json
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree, html
from newsroom import Newsroom
from served import Site

from newsletter.web.server import serving

DAY = "2026-07-15"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = '<script>alert(1)</script>" onload="x'
ODD = [
    "C++",
    "a AND (",
    '"not closed',
    "NEAR(",
    "title:x",
    "-",
    "*",
    "' OR 1=1 --",
    "{}",
    "\x00",
    "ａ",
    "year:9999999",
    "cat:",
]
API = Path(__file__).resolve().parents[2] / "docs/api.md"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Papers of two days, one of them hostile, an issue of the second, and the pages."""
    room = Newsroom(tmp_path_factory.mktemp("found"), web={"requests_per_minute": 0})
    room.publish("2026-07-14", "Speculative decoding, revisited", authors=["Tri Example"], categories=["cs.CL"])
    room.publish(DAY, "Quantised caches", HOSTILE, categories=["cs.LG"])
    room.publish(DAY, *(f"Study {number}" for number in range(45)))
    room.run("gather", "--date", "2026-07-14")
    room.run("run", "--date", DAY, "--now")
    with (
        room.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield Site(room, app, url, client)
    room.close()


def page(answer):
    """Return a page, parsed, and that it came well."""
    assert answer.status_code == 200, answer.text
    return html.fromstring(answer.text)


def titles(answer):
    """Return the titles of the results."""
    return [each.text_content().strip() for each in page(answer).xpath("//ol[@class='results']//h2")]


def test_papers_are_found_by_words_phrases_and_names(found):
    """And what is to be left out is left out."""
    ask = found.client.get
    assert titles(ask("/search?q=caches")) == ["Quantised caches"]
    assert titles(ask('/search?q="speculative decoding"')) == ["Speculative decoding, revisited"]
    assert titles(ask("/search?q=author:Example")) == ["Speculative decoding, revisited"]
    assert titles(ask("/search?q=cat:cs.LG -caches")) == [HOSTILE]
    assert len(titles(ask("/search?q=year:2026&sort=date"))) == 20
    assert titles(ask("/search?q=year:1999")) == []
    assert titles(ask("/search?q=nothing+like+it")) == []
    assert page(ask("/search")).xpath("//input[@name='q']")


def test_who_finds_nothing_is_told_what_to_do(found):
    """A page without results says more than their number."""
    assert "Try fewer words" in found.client.get("/search?q=zeppelin").text
    assert "Try fewer words" not in found.client.get("/search").text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("-word", "A search needs something to look for"),
        ("-year:2026 ***", "A search needs something to look for"),
        ("year:abc", "A year has four digits"),
        ("caches -year:20", None),
        ("zeppelin -year:20", "Try fewer words"),
        ("year:1999", "Try fewer words"),
    ],
)
def test_who_looks_for_nothing_is_told_what_a_search_needs(found, said, told):
    """Fewer words would not help: what is only left out finds nothing, and neither does a year that is none."""
    (status,) = page(found.client.get("/search", params={"q": said})).xpath("//p[@role='status']/text()")
    assert (told or "1 paper") in status


def test_an_order_that_there_is_not_is_the_usual_one(found):
    """An old or mistyped address still shows results."""
    usual, other = (found.client.get(f"/search?q=study{query}") for query in ("", "&sort=nope"))
    assert titles(other) == titles(usual) != []


def test_a_search_leads_to_its_feeds_and_to_the_list(found):
    """New ones come by mail or by a feed; the form to sign up has the topic."""
    shown = page(found.client.get('/search?q="speculative decoding"'))
    feeds = {
        link.get("type"): link.get("href")
        for link in shown.xpath("//link[@rel='alternate'][contains(@href, 'search')]")
    }
    assert "search.atom" in feeds["application/atom+xml"]
    (by_mail,) = [link.get("href") for link in shown.xpath("//a") if "subscribe?topic" in link.get("href")]
    form = page(found.client.get(by_mail))
    assert form.xpath("//*[@name='topics']")[0].text_content().strip() == '"speculative decoding"'


@pytest.mark.parametrize("path", ["/search", "/feeds/search.atom", "/feeds/search.json", "/api/papers"])
def test_no_search_is_refused(found, path):
    """Nothing that somebody types is syntax, and nothing of it is live."""
    for said in (*ODD, HOSTILE):
        answer = found.client.get(path, params={"q": said})
        assert answer.status_code == 200, said
        if path != "/search":
            continue
        shown = html.fromstring(answer.text)
        assert not shown.xpath("//script")
        assert not [one for one in shown.iter() for name in one.attrib if name.startswith("on")]


def test_pages_that_there_are_not_are_not_found(found):
    """No numbers of one's own; who asks by a program is told of an order too."""
    for query in ("page=0", "page=x", "page=99999999999999999999", "sort=random"):
        assert found.client.get(f"/search?q=a&{query}").status_code == (200 if query.startswith("sort") else 404)
        answer = found.client.get(f"/api/papers?q=a&{query}")
        assert (answer.status_code, query.partition("=")[0] in answer.json()["error"]) == (422, True)
    assert "relevance, date, upvotes" in found.client.get("/api/papers?sort=nope").json()["error"]
    assert found.client.get("/api/issues?before=nope").status_code == 422


def test_results_come_some_at_a_time(found):
    """With links that lead on, and back."""
    first = page(found.client.get("/search?q=study"))
    assert first.xpath("//a[@rel='next']")[0].get("href").endswith("/search?q=study&page=2")
    last = found.client.get("/search?q=study&page=3")
    assert len(titles(last)) == 8
    assert not page(last).xpath("//a[@rel='next']")
    assert page(last).xpath("//a[@rel='prev']")
    assert page(last).xpath("//ol[@class='results']")[0].get("start") == "41"


@pytest.mark.parametrize("path", ["issues", "search", "category/cs.CL", "topic/author:Example"])
def test_a_feed_is_whole_and_is_not_sent_twice(found, path):
    """In both forms, with whole links; who has it is told so, until something changes."""
    query = "?q=caches" if path == "search" else ""
    atom = found.client.get(f"/feeds/{path}.atom{query}")
    assert atom.headers["content-type"].startswith("application/atom+xml")
    (entry,) = etree.fromstring(atom.content).iter(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}id").startswith("https://papers.example.org/")
    document = found.client.get(f"/feeds/{path}.json{query}").json()
    assert [item["url"] for item in document["items"]] == [entry.findtext(f"{ATOM}id")]
    tag = {"If-None-Match": f"W/{atom.headers['etag']}"}
    assert found.client.get(f"/feeds/{path}.atom{query}", headers=tag).status_code == 304
    since = {"If-Modified-Since": atom.headers["last-modified"]}
    assert found.client.get(f"/feeds/{path}.atom{query}", headers=since).status_code == 304
    found.room.run("issues", "correct", DAY, f"There was no {path}.")
    assert found.client.get(f"/feeds/{path}.atom{query}", headers=tag).status_code == 200


def test_what_feeds_carry_of_others_is_inert(found):
    """A title is text in both."""
    for path in ("/feeds/issues.json", "/feeds/search.json?q=alert"):
        for item in found.client.get(path).json()["items"]:
            assert not html.fragment_fromstring(item["content_html"], create_parent=True).xpath(
                "//script | //*[@onload]"
            )


def test_the_api_answers_as_it_is_described(found):
    """Each path of its description is there, and every answer has what its schema requires."""
    described = found.client.get("/api/openapi.json").json()
    asked = {
        "/api/papers": "/api/papers?q=caches",
        "/api/papers/{key}": "/api/papers/2607.00002",
        "/api/issues": "/api/issues",
        "/api/issues/{day}": f"/api/issues/{DAY}",
    }
    assert asked.keys() == described["paths"].keys()
    for path, url in asked.items():
        answer = found.client.get(url)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "*")
        content = described["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
        name = content["schema"]["$ref"].rpartition("/")[2]
        fits(answer.json(), described["components"]["schemas"][name])


def fits(value, schema):
    """Hold *value* against the part of JSON Schema that the description uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    named = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(kinds[name] for name in named)), (value, schema)
    if isinstance(value, dict):
        assert set(schema["required"]) <= value.keys()
        for name, of in schema["properties"].items():
            fits(value[name], of)
    for each in value if isinstance(value, list) else ():
        fits(each, schema["items"])


def test_what_the_api_has_not_is_said_in_json(found):
    """Whatever is asked for."""
    papers, issues = ("/api/papers/9999.99999", "/api/papers/%0A0"), ("/api/issues/2026-13-45", "/api/issues/x")
    for path in ("/api", "/api/", "/api/nothing", *papers, *issues):
        answer = found.client.get(path)
        assert answer.status_code == 404
        assert answer.json()["error"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60), st.text(max_size=20), st.sampled_from(["/api/papers", "/search", "/feeds/search.atom"]))
def test_whatever_is_asked_is_answered(found, said, sort, path):
    """There is no fault of ours to be found by typing."""
    answer = found.client.get(f"{path}?q={quote(said)}&sort={quote(sort)}&page={quote(said)}")
    assert answer.status_code in {200, 422 if path == "/api/papers" else 404}
    assert found.client.get(f"/api/papers/{quote(said)}").status_code in {200, 404}
    assert found.client.get(f"/feeds/topic/{quote(said)}.atom").status_code in {200, 404}


def test_the_examples_of_the_documentation_work(found):
    """Each of its requests is answered, and names the fields that it shows."""
    asked = [line.split()[-1] for line in API.read_text().splitlines() if line.strip().startswith("curl ")]
    assert len(asked) >= 4
    for url in asked:
        answer = found.client.get(url.strip("'").removeprefix("https://papers.example.org"))
        assert answer.status_code == 200, url
        assert json.loads(answer.text)


def test_an_empty_newsletter_has_feeds_too(site):
    """Without entries, and valid."""
    feed = etree.fromstring(site.client.get("/feeds/issues.atom").content)
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) == datetime(1970, 1, 1, tzinfo=UTC)
    assert site.client.get("/feeds/search.json").json()["items"] == []


def test_without_an_address_of_its_own_a_newsletter_has_no_feeds(newsroom):
    """Their ids would be whatever name was asked for; no page leads to them."""
    newsroom.configure(newsletter={"base_url": ""})
    newsroom.publish(DAY, "Alpha")
    newsroom.run("run", "--date", DAY, "--now")
    with (
        newsroom.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        pages = [client.get(path) for path in ("/", "/archive", "/search?q=alpha")]
        assert [(one.status_code, "feeds/" in one.text) for one in pages] == [(200, False)] * 3
        assert "Alpha" in pages[0].text
        assert client.get("/feeds/issues.atom", headers={"Host": "evil.example"}).status_code == 404
