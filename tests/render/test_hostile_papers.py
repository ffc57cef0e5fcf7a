"""Whatever a paper says, it says it as text: no tag, attribute, link or slot of its own comes alive."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html
from specimen import candidate, digest, renderer

from newsletter.domain.pool import Why
from newsletter.domain.text import plain
from newsletter.render.card import web_link
from newsletter.render.digest import Reader
from newsletter.render.mathematics import readable
from newsletter.render.sentences import whole_words

READER = Reader(why_mail="Why.", unsubscribe_url="https://papers.example.org/u/T")
LINKS = ["https://arxiv.org/abs/1", "https://papers.example.org/u/T"]

markup = st.lists(
    st.sampled_from(
        [
            "<script>alert(1)</script>", "</td></tr></table>", '"', "'", ">", "<", "&", "&lt;", "&#60;script>", "-->",
            "<!--", "]]>", "<a href=javascript:alert(1)>", "onload=x", "<style>", "</style>", "</title>", "{{ 7*7 }}",
            "{% raw %}", "\ue000rank\ue001", "\ue000foot\ue001", "\r\n", "\x00", "\u202e", "<svg/onload=x>", "a", " ",
            "=?utf-8?q?=0ABcc:_x?=", "javascript:alert(1)", "https://evil.example/", "${x}", "\ud800",
        ]
    )
).map("".join)  # fmt: skip
foreign = st.one_of(markup, st.text(max_size=60))


def skeleton(document):
    """Return every tag with its attributes' names and links: what could be alive.

    A title may turn its card round, and our figures in it back.
    """
    return [
        (element.tag, sorted(set(element.attrib) - {"dir"}), element.get("href"), element.get("style"))
        for element in document.iter()
        if isinstance(element.tag, str) and (element.tag, sorted(element.items())[:1]) != ("span", [("dir", "ltr")])
    ]


def render(**said):
    """Return the digest of one paper of which the given is said."""
    paper = candidate(1, link=LINKS[0], **said)
    issue = renderer(notes={1: said["title"]}, note=" ".join(said["abstract"].splitlines()))
    return issue.digest(digest(paper, why=Why.TOPIC, detail=said["organisation"]), READER)


HARMLESS = skeleton(
    lxml_html.document_fromstring(
        render(title="A", abstract="A", authors=("A",), organisation="A", categories=("A",)).html
    )
)


def check(text):
    """Check the digest of a paper that says *text* wherever it can."""
    text = text if readable(plain(text)) else "A"  # what is only spacing of mathematics is as good as nothing
    rendered = render(title=text, abstract=text, authors=(text,), organisation=text, categories=(text,))
    document = lxml_html.document_fromstring(rendered.html)
    assert skeleton(document) == HARMLESS
    assert not any("<" in value for value in document.xpath("//@*"))  # the inliner writes them bare
    assert sorted(set(document.xpath("//@href"))) == LINKS
    assert document.xpath("string(//h3)") == (whole_words(readable(plain(text)), 300) or "Untitled")
    assert len(rendered.subject.splitlines()) == 1
    assert "\ue000" not in rendered.html + rendered.text + rendered.subject


@settings(max_examples=400)
@given(foreign)
@example("</style></title><script>alert(1)</script>")
@example("\ue000foot\ue001")
def test_no_markup_of_theirs_comes_alive(text):
    """The document of a hostile paper has exactly the tags, attributes and links of a harmless one."""
    check(text)


@pytest.mark.parametrize("corpus", ["xss/payloads.json", "blns/blns.json"])
def test_the_known_attacks_stay_text(shared, corpus):
    """All of the corpora of hostile strings, in every field."""
    file = shared / "corpora" / corpus
    if not file.is_file():
        pytest.skip(f"{file} is not there")
    for text in json.loads(file.read_text("utf-8")):
        check(text)


@pytest.mark.parametrize(
    "link",
    [
        "", "javascript:alert(1)", "data:text/html,x", "//evil.example/", "mailto:a@example.org", "file:///etc/passwd",
        "https://", "https:///x", "https://a.example/ b", "https://a.example/\nb", 'https://a.example/"x', "vbscript:x",
        "https://a.example/<b>", "https://arxiv.org@evil.example/", "https://[::1", "https://a.example/\u202e",
        "https://a.example/\ue000rank\ue001", "https://a.example/" + "a" * 1000, " https://a.example/",
    ],
)  # fmt: skip
def test_what_is_no_web_link_is_no_link(link):
    """Only http and https links that can stand in a mail as they are become links."""
    assert web_link(link) == ""
    rendered = renderer().digest(digest(candidate(1, link=link, pdf=link, code=link)), READER)
    assert lxml_html.document_fromstring(rendered.html).xpath("//@href") == LINKS[1:]


@pytest.mark.parametrize("link", ["http://a.example", "HTTPS://A.example/x?y=1&z='2'#f", "https://a.example/ü_(b)"])
def test_web_links_stay_as_they_are(link):
    """Escaped for HTML, unchanged in text."""
    rendered = renderer().digest(digest(candidate(1, link=link)), READER)
    assert set(lxml_html.document_fromstring(rendered.html).xpath("//@href")) == {link, LINKS[1]}
    assert f" {link}\n" in rendered.text


def test_a_link_is_shown_once():
    """A paper whose PDF and project are its only page has one link to it."""
    link = LINKS[0]
    rendered = renderer().digest(digest(candidate(1, link=link, pdf=link, project=link)), READER)
    assert rendered.text.count(link) == 1


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ({"title": "Alone"}, "1 among the day’s best Alone Why. Unsubscribe"),
        ({"title": ""}, "1 among the day’s best Untitled Why. Unsubscribe"),
        (
            {"title": "Many", "authors": tuple(f"Author {n}" for n in range(664))},
            "1 among the day’s best Many Author 0, Author 1, Author 2 and 661 more Why. Unsubscribe",
        ),
        (
            {"title": "Old", "published": datetime(2025, 1, 2, tzinfo=UTC), "authors": ("A", "B", "C")},
            "1 among the day’s best Old A, B, C 2 January 2025 Why. Unsubscribe",
        ),
        ({"title": "Long " * 100}, f"1 among the day’s best {'Long ' * 59}… Why. Unsubscribe"),
        (
            {"title": "نموذج لغوي", "abstract": "大規模"},
            "1 among the day’s best نموذج لغوي 大規模 Why. Unsubscribe",
        ),
    ],
)
def test_what_is_not_known_leaves_no_trace(said, seen):
    """No authors, no abstract, no links, too many authors, too long a title: the card looks intended."""
    rendered = renderer().digest(digest(candidate(1, **said)), READER)
    document = lxml_html.document_fromstring(rendered.html)
    assert " ".join(document.find("body").text_content().split()).endswith(seen)
    assert document.xpath("//h3/@dir") == (["auto"] if "نموذج" in seen else [])
    assert not [p for p in document.xpath("//p") if not p.text_content().strip()]
