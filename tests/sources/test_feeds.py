"""Feeds of every kind: RSS and Atom, arXiv's own, and what only pretends to be one."""

import codecs
import time
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.domain.text import plain
from newsletter.errors import SourceError
from newsletter.sources.feeds import Feed, read_entries
from newsletter.sources.response import Response, Validator

RSS = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom"
 xmlns:media="http://search.yahoo.com/mrss/" xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"><channel>
<title>A lab's blog</title><link>https://lab.example/</link>{}</channel></rss>"""
ITEM = """<item><title>{title}</title><link>{link}</link><description>{text}</description>
<pubDate>{date}</pubDate>{more}</item>"""
ARXIV = """<item><title>When x&lt;y and y&gt;z</title><link>https://arxiv.org/abs/2607.00001</link>
<description>arXiv:2607.00001v{version} Announce Type: {kind} \nAbstract: We take &lt;b&gt; for a number.</description>
<guid isPermaLink="false">oai:arXiv.org:2607.00001v{version}</guid><category>cs.CL</category><category>cs.AI</category>
<pubDate>Wed, 15 Jul 2026 00:00:00 -0400</pubDate><arxiv:announce_type>{kind}</arxiv:announce_type>
<dc:creator>Ada One, Bo Two,  Cy Three</dc:creator></item>"""


def item(title="News", link="https://lab.example/1", text="", date="Wed, 15 Jul 2026 08:00:00 +0200", more=""):
    """Return one item of an RSS feed."""
    return ITEM.format(title=title, link=link, text=text, date=date, more=more)


def answer(body, **headers):
    """Return *body* as an answer of a server."""
    raw = body if isinstance(body, bytes) else body.encode()
    return Response(url="https://lab.example/feed/", status=200, headers=headers, body=raw)


def papers(body, **headers):
    """Return the papers in the feed *body*."""
    return [paper for _, paper in read_entries(answer(body, **headers))]


@pytest.fixture
def source(upstream):
    """Return the feed that the test's server has."""
    return Feed(url=upstream.url + "/feed", name="A lab's blog")


def test_an_item_is_listed_when_first_seen(upstream, fetch, source):
    """Under the feed's name, on today, in the feed's order."""
    upstream.say("/feed", RSS.format(item() + item(title="Older", link="https://lab.example/2")))
    first, second = fetch(source, since="2026-07-14").sightings
    assert (first.source, first.kind, first.paper.title) == ("A lab's blog", "feed", "News")
    assert (first.listing.day, first.listing.first_seen, first.listing.upvotes) == (date(2026, 7, 15), True, None)
    assert (first.listing.position, second.listing.position) == (1, 2)
    assert first.paper.published == datetime(2026, 7, 15, 6, tzinfo=UTC)
    assert first.paper.key == "https://lab.example/1"


def test_old_items_are_not_news(upstream, fetch, source):
    """A feed holds months; what is older than what is asked for is left out, what has no date is not."""
    old = item(title="Old", link="https://lab.example/old", date="Thu, 09 Jul 2026 08:00:00 +0000")
    undated = item(title="Undated", link="https://lab.example/u", date="some day")
    upstream.say("/feed", RSS.format(old + item() + undated))
    assert [s.paper.title for s in fetch(source, since="2026-07-15").sightings] == ["News", "Undated"]


def test_a_date_gives_what_was_published_on_it(upstream, fetch, source):
    """Listed on it; what has no date belongs to today alone."""
    before = item(title="Before", link="https://lab.example/b", date="Tue, 14 Jul 2026 08:00:00 +0000")
    upstream.say("/feed", RSS.format(item() + before + item(title="Undated", link="https://lab.example/u", date="")))
    (sighting,) = fetch(source, "2026-07-14", today=date(2026, 7, 15)).sightings
    assert (sighting.paper.title, sighting.listing.day) == ("Before", date(2026, 7, 14))
    assert [s.paper.title for s in fetch(source, "2026-07-15").sightings] == ["News", "Undated"]


def test_an_unchanged_feed_is_not_sent_again(upstream, fetch, source):
    """The validators go back and forth by URL; a dated ask neither sends nor keeps them, for it leaves entries out."""
    url = upstream.say("/feed", {"body": RSS.format(item()), "headers": {"ETag": '"1"'}}, {"status": 304})
    fetched = fetch(source, since="2026-07-15")
    assert fetched.validators == {url: Validator('"1"', "")}
    again = fetch(source, since="2026-07-15", validators=fetched.validators)
    assert again.sightings == []
    assert upstream.requests[1].headers["if-none-match"] == '"1"'
    upstream.say("/feed", {"body": RSS.format(item()), "headers": {"ETag": '"1"'}})
    assert fetch(source, "2026-07-15", validators=fetched.validators).validators == {}
    assert "if-none-match" not in upstream.requests[2].headers


@pytest.mark.parametrize(
    ("kind", "news"), [("new", True), ("cross", True), ("replace", False), ("replace-cross", False)]
)
def test_arxivs_replacements_are_not_news(upstream, fetch, source, kind, news):
    """They tell of the paper, and list it nowhere."""
    upstream.say("/feed", RSS.format(ARXIV.format(kind=kind, version=2)))
    (sighting,) = fetch(source, since="2026-07-15").sightings
    assert (sighting.listing is not None) is news
    paper = sighting.paper
    assert (paper.arxiv_id, paper.version, paper.key) == ("2607.00001", 2, "2607.00001")
    assert (paper.published is not None, paper.updated is not None) == (news, not news)


def test_arxivs_texts_are_not_html():
    """Its signs of comparison stay; the announcement before the abstract goes, and the authors come apart."""
    (paper,) = papers(RSS.format(ARXIV.format(kind="new", version=1)))
    assert (paper.title, paper.abstract) == ("When x<y and y>z", "We take <b> for a number.")
    assert paper.authors == ("Ada One", "Bo Two", "Cy Three")
    assert paper.categories == ("cs.CL", "cs.AI")
    assert (paper.link, paper.pdf) == ("https://arxiv.org/abs/2607.00001", "https://arxiv.org/pdf/2607.00001")


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("A <b>bold</b> claim", "A bold claim"),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("H<sub>2</sub>O &amp; more", "H2O & more"),
        ("<script>alert(1)</script>Still here", "Still here"),
        ("<img src=x onerror=alert(1)>Picture", "Picture"),
        ("1 < 2, x<y and y>z", "1 < 2, x<y and y>z"),
        ("AT&amp;T &lt;b&gt;", "AT&T <b>"),
        ("a\u202e\x07\n b", "a b"),
    ],
)
def test_html_is_reduced_to_what_a_reader_sees(html, text):
    """In the title and the text, in RSS and in Atom; mathematics is no markup."""
    escaped = html.replace("&", "&amp;").replace("<", "&lt;").replace("\x07", "")
    (paper,) = papers(RSS.format(item(title=escaped, text=escaped)))
    assert (paper.title, paper.abstract) == (text, text)
    atom = (
        f'<feed xmlns="http://www.w3.org/2005/Atom"><entry><title type="html">{escaped}</title>'
        f'<link href="https://lab.example/1"/><summary type="html">{escaped}</summary></entry></feed>'
    )
    (paper,) = papers(atom)
    assert (paper.title, paper.abstract) == (text, text)


def test_links_are_absolute_and_of_the_web():
    """Relative ones are joined to where the feed came from; others, and entries without any, are left out."""
    found = papers(
        RSS.format(
            item(link="/a")
            + item(link="javascript:alert(1)")
            + item(link="")
            + item(title="")
            + item(link="https://lab.example/b?utm_source=rss")
        )
    )
    assert [paper.link for paper in found] == ["https://lab.example/a", "https://lab.example/b?utm_source=rss"]
    assert found[1].key == "https://lab.example/b"


def test_a_journals_facts_are_kept():
    """Authors one by one, the DOI, an enclosed PDF and a picture."""
    more = (
        "<dc:creator>King, Jr.</dc:creator><dc:creator>Ada One</dc:creator><prism:doi>10.1234/ABC</prism:doi>"
        '<enclosure url="https://j.example/a.pdf" type="application/pdf"/>'
        '<media:thumbnail url="https://j.example/a.png"/>'
    )
    (paper,) = papers(RSS.format(item(more=more)))
    assert (paper.authors, paper.doi) == (("King, Jr.", "Ada One"), "10.1234/abc")
    assert (paper.pdf, paper.thumbnail) == ("https://j.example/a.pdf", "https://j.example/a.png")


def test_an_arxiv_link_in_any_feed_is_that_paper():
    """So that a blog's post about it and the archive's entry are one."""
    (paper,) = papers(RSS.format(item(link="https://arxiv.org/abs/2607.00001v3?x=1")))
    assert (paper.arxiv_id, paper.key) == ("2607.00001", "2607.00001")


@pytest.mark.parametrize(
    "body", [RSS.format(""), '<feed xmlns="http://www.w3.org/2005/Atom"/>', "<rss><channel/></rss>"]
)
def test_a_feed_without_items_is_a_success(body):
    """arXiv's are so on weekends."""
    assert papers(body) == []


@pytest.mark.parametrize(
    "body",
    [
        "<!doctype html><html><body>We'll be right back.</body></html>",
        "<html><body>Soon</body></html>",
        "{}",
        "\x00\x01{{{<<<",
        "no markup at all",
        "/etc/passwd",
        "<root/>",
        '<rss version="2.0"><channel><title>cut',
    ],
)
def test_what_is_no_feed_is_a_failure(body):
    """A page, JSON, a file's name, or half a feed."""
    with pytest.raises(SourceError, match=r"lab\.example/feed/: answered what is not"):
        papers(body)


BOMB = '<!DOCTYPE rss [<!ENTITY a "bang"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "iso-8859-1"])
@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        f'<?xml version="1.0"?>\n<!-- a comment -->{BOMB}',
        BOMB.lower(),
        '<!DOCTYPE rss SYSTEM "a>b" [<!ENTITY a "x">]>',
        "<!DOCTYPE rss [<!ELEMENT rss ANY>]>",
        '<!-- <a> <!ENTITY a "x"> -->',
        '<?pi <a>?><!DOCTYPE rss PUBLIC "x" "y"[ ]>',
        f"garbage {BOMB}",
        '<!ENTITY a "x">',
    ],
)
def test_declared_entities_are_refused_in_any_encoding(head, encoding):
    """Before a parser sees them, however they are hidden."""
    with pytest.raises(SourceError, match=r"lab\.example/feed/: answered what is not a feed, or XML that declares"):
        papers((head + RSS.format(item(title="&amp;b;"))).encode(encoding))


@pytest.mark.parametrize("name", ["utf-7", "cp037", "punycode", "zlib", "unicode_escape", "no-such-encoding"])
def test_odd_encodings_hide_nothing(name):
    """Such a name is not believed: the feed is read as UTF-8, or not at all."""
    hidden = (
        b'<?xml version="1.0" encoding="' + name.encode() + b'"?>+ADwAIQ-DOCTYPE rss +AFsAPAAh-ENTITY a "x"+AD4AXQA+-'
    )
    with pytest.raises(SourceError):
        papers(hidden + RSS.format(item()).encode())
    declared = f'<?xml version="1.0" encoding="{name}"?>' + RSS.format(item(title="Grüße"))
    assert papers(declared)[0].title == "Grüße"


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ('<?xml version="1.0" encoding="ISO-8859-1"?>' + RSS, {}),
        (RSS, {"content-type": "text/xml; charset=iso-8859-1"}),
        (RSS, {"content-type": 'text/xml; charset="windows-1252"'}),
    ],
)
def test_encodings_are_taken_from_where_they_stand(body, headers):
    """The declaration, or the server's word."""
    raw = body.format(item(title="Grüße")).encode("iso-8859-1")
    assert [paper.title for _, paper in read_entries(answer(raw, **headers))] == ["Grüße"]


def test_byte_order_marks_are_believed_first():
    """Whatever the declaration says."""
    body = '<?xml version="1.0" encoding="iso-8859-1"?>' + RSS.format(item(title="Grüße"))
    for raw in (codecs.BOM_UTF8 + body.encode(), body.encode("utf-16"), body.encode("utf-32")):
        assert papers(raw)[0].title == "Grüße"


def test_an_old_document_type_is_no_attack():
    """RSS 0.91 names one without declaring anything; and a post may write about entities."""
    head = '<?xml version="1.0"?><!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://x.example/rss.dtd">'
    (paper,) = papers(head + RSS.format(item(text="<![CDATA[<pre><!DOCTYPE a [<!ENTITY b]> explained</pre>]]>")))
    assert "explained" in paper.abstract


def test_a_feed_is_not_asked_for_one_paper(look_up, source):
    """It cannot be."""
    assert look_up(source, "2607.00001") is None


def test_a_large_feed_is_read_apart():
    """In a process of its own, with the same result: dates, authors, and no entry lost."""
    items = "".join(item(link=f"https://lab.example/{n}", text="word " * 50) for n in range(1000))
    found = papers(RSS.format(items))
    assert len(found) == 1000
    assert found[999] == papers(RSS.format(item(link="https://lab.example/999", text="word " * 50)))[0]


@pytest.mark.slow
def test_a_feed_that_takes_for_ever_is_given_up():
    """Some shapes cost the square of their size: the process that reads them has little time."""
    categories = "".join(f"<category>{n}</category>" for n in range(60_000))
    began = time.monotonic()
    with pytest.raises(SourceError, match="cannot be read: it takes more time or memory than a feed should"):
        papers(RSS.format(item(more=categories)))
    assert time.monotonic() - began < 15


NAMES = ["title", "link", "pubDate", "author", "guid", "category", "enclosure", "a:b"]


@given(st.text() | st.text("<>&;/![]-\"' axy?=:\n"), st.sampled_from(NAMES))
def test_no_item_does_harm(text, name):
    """Whatever stands in an element, there is a plain paper, none, or a recorded failure."""
    body = RSS.format(item(more=f"<{name}>{text}</{name}>")).encode("utf-8", "surrogatepass")
    try:
        found = papers(body)
    except SourceError:
        return
    for paper in found:
        assert paper.link.startswith(("http://", "https://"))
        assert paper.title == plain(paper.title)
