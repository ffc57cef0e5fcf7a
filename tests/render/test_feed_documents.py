"""Feeds, read again by what people read feeds with."""

import json
from datetime import UTC, datetime

import feedparser
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from newsletter.render.feeds import Entry, Feed, atom, json_feed

AT = datetime(2026, 7, 9, 6, 30, tzinfo=UTC)


def entry(number: int = 1, **said: object) -> Entry:
    """Return an entry; what is not said is ordinary."""
    facts = {"title": f"Paper {number}", "url": f"https://a.example/papers/{number}", "updated": AT, "html": "<p>x</p>"}
    return Entry(**{**facts, **said})  # type: ignore[arg-type]


def feed(*entries: Entry, **said: object) -> Feed:
    """Return a feed of *entries*."""
    links = {"page": "https://a.example/", "atom": "https://a.example/feed.atom", "json": "https://a.example/feed.json"}
    facts = {"title": "Daily Papers", "author": "Daily Papers", "language": "en", **links}
    return Feed(**{**facts, "entries": entries, **said})  # type: ignore[arg-type]


def test_both_feeds_say_the_same():
    """Title, page, language, and of each entry its link, dates, authors, tags and content."""
    made = feed(
        entry(1, authors=("Ada",), tags=("cs.CL",), summary="Short.", html="<p>1 &lt; 2 &amp; <b>so</b></p>"),
        entry(2, updated=AT.replace(hour=9), published=AT),
        next_atom="https://a.example/feed.atom?page=2",
        next_json="https://a.example/feed.json?page=2",
    )
    read = feedparser.parse(atom(made))
    assert not read.bozo
    assert (read.feed.title, read.feed.link, read.feed.id) == ("Daily Papers", made.page, made.atom)
    assert (read.feed.updated, read.feed.language) == ("2026-07-09T09:30:00Z", "en")
    assert [e.link for e in read.entries] == ["https://a.example/papers/1", "https://a.example/papers/2"]
    assert read.entries[0].content[0].value == "<p>1 &lt; 2 &amp; <b>so</b></p>"
    assert (read.entries[0].author, read.entries[0].tags[0].term) == ("Ada", "cs.CL")
    said = json.loads(json_feed(made))
    assert (said["version"], said["next_url"]) == ("https://jsonfeed.org/version/1.1", made.next_json)
    assert said["items"][0]["content_html"] == "<p>1 &lt; 2 &amp; <b>so</b></p>"
    assert (said["items"][1]["date_published"], said["items"][1]["date_modified"]) == (
        "2026-07-09T06:30:00Z", "2026-07-09T09:30:00Z",
    )  # fmt: skip


def test_a_feed_without_entries_is_a_feed():
    """What is new comes into it later."""
    assert not feedparser.parse(atom(feed())).bozo
    assert json.loads(json_feed(feed()))["items"] == []


@given(
    text=st.text(max_size=60) | st.sampled_from(["]]><x>", "<script>alert(1)</script>", "&amp;", "\x00\ud800\ufffe"])
)
@settings(max_examples=100, deadline=None)
def test_whatever_a_source_says_a_feed_is_well_formed(text: str):
    """Texts are texts: no element of ours comes from them."""
    made = feed(entry(title=text, summary=text, authors=(text,), tags=(text,)), title=text, subtitle=text)
    root = etree.fromstring(atom(made))
    assert {etree.QName(one).localname for one in root.iter()} <= {
        *("feed", "id", "title", "subtitle", "updated", "author", "name", "link", "entry", "category"),
        *("summary", "content"),
    }
    assert json.loads(json_feed(made))["items"][0]["url"] == "https://a.example/papers/1"
