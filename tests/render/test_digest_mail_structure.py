"""How a digest is built: groups, the lead paper, what is named without a card, and what happens when it grows long."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain

import pytest
from lxml import html as lxml_html
from specimen import DAY, FULL, READER, candidate, digest, renderer

from newsletter.domain.digest import Digest, Named
from newsletter.domain.paper import Listing
from newsletter.domain.pool import Pick, Why
from newsletter.render.digest import LARGEST, IssueRenderer, Masthead
from newsletter.render.environment import environment
from newsletter.render.foot import TEXT


def outline(source):
    """Return the headings in order, as (level, text)."""
    found = lxml_html.document_fromstring(source).xpath("//h1|//h2|//h3|//h4")
    return [(heading.tag, " ".join(heading.text_content().split())) for heading in found]


def lines(source):
    """Return the text and the link of each paper that has a line."""
    items = lxml_html.document_fromstring(source).xpath("//li")
    return [(" ".join(item.text_content().split()), *item.xpath(".//a/@href")) for item in items]


def hrefs(source):
    """Return how often the HTML leads to each place."""
    return Counter(lxml_html.document_fromstring(source).xpath("//a[starts-with(@href, 'http')]/@href"))


def links(text):
    """Return how often the text names each place."""
    return Counter(re.findall(r"https?://\S+", text))


def followed(*papers):
    """Return a digest of (paper, topic), '' where no topic brought it."""
    picks = (Pick(candidate(n), Why.TOPIC, topic) if topic else Pick(candidate(n), Why.FRONT) for n, topic in papers)
    return Digest(picks=tuple(picks))


def naming(candidates, digest):
    """Return *digest* with *candidates* named where they have no card."""
    return replace(digest, named=Named(tuple(candidates)))


def test_topics_that_bring_several_papers_make_groups():
    """Each has a heading of its own, single finds share one, and what nobody asked for has the last."""
    picks = followed((1, "rag"), (2, "rag"), (3, "author:Ada One"), (4, "agents"), (5, ""))
    rendered = renderer().digest(picks, READER)
    assert outline(rendered.html)[2:] == [
        ("h2", "Matches “rag”"),
        ("h3", "Paper number 1"),
        ("h3", "Paper number 2"),
        ("h2", "What you follow"),
        ("h3", "Paper number 3"),
        ("h3", "Paper number 4"),
        ("h2", "The newsletter’s choice"),
        ("h3", "Paper number 5"),
    ]
    assert re.findall(r"^(.+)\n-+\n\n .+\n +\d", rendered.text, re.MULTILINE) == [
        "Matches “rag”", "What you follow", "The newsletter’s choice"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "picks",
    [
        followed((1, ""), (2, "")),
        followed((1, "rag"), (2, "rag")),
        followed((1, "rag"), (2, "x"), (3, "rag")),  # stored before there were groups
        followed((1, "x"), (2, "rag"), (3, "rag"), (4, "agents")),
    ],
)
def test_one_group_is_none(picks):
    """A digest without topics, or of one topic, or in another order, has no headings between its cards."""
    assert [level for level, _ in outline(renderer().digest(picks, READER).html)].count("h2") == 1


def test_a_week_is_grouped_by_day():
    """The best paper leads, the others follow under the days of their listing."""
    listed = [
        replace(candidate(n), listings=(Listing(source="list", day=DAY - timedelta(days=ago), upvotes=9),))
        for n, ago in ((1, 1), (2, 3), (3, 3), (4, 0))
    ]
    week = replace(digest(*listed, since=date(2026, 7, 3)), missed=False)
    headings = [text for level, text in outline(renderer().digest(week, READER).html) if level == "h2"]
    assert headings[2:] == ["The best of the week", "Monday, 6 July 2026", "Thursday, 9 July 2026"]


def test_what_has_no_card_is_named():
    """One linked line each, then a count; in both parts, and never more than that."""
    also = [candidate(8, link="https://arxiv.org/abs/2607.00008", upvotes=1234), candidate(9, title="A <b> C")]
    also += [candidate(1), *(candidate(n) for n in range(20, 61))]
    rendered = renderer().digest(naming(also, digest(candidate(1))), READER)
    assert outline(rendered.html)[-1] == ("h2", "Also today")
    expected = [("Paper number 8 ▲ 1,234", "https://arxiv.org/abs/2607.00008"), ("A <b> C",)]
    expected += [(f"Paper number {n}",) for n in range(20, 58)]
    assert [(text.replace("\xa0", " "), *link) for text, *link in lines(rendered.html)] == expected
    assert "and 3 more papers" in rendered.html
    assert rendered.text.count("\nAlso today\n") == 1
    assert "\n    Paper number 8 (▲ 1,234)\n    https://arxiv.org/abs/2607.00008\n\n    A <b> C\n" in rendered.text
    assert "\n    and 3 more papers\n\n\n-- \n" in rendered.text


def test_where_nothing_is_left_nothing_is_said_of_it():
    """No heading, no empty list."""
    rendered = renderer().digest(digest(candidate(1)), READER)
    assert "Also today" not in rendered.html + rendered.text
    assert lines(rendered.html) == []


@pytest.mark.parametrize(("papers", "also"), [(100, 47), (60, 47), (100, 0)])
def test_a_long_digest_is_never_clipped(papers, also):
    """Past 90 KB the last papers have a line instead of a card in both parts, and the mail links to the rest."""
    issue = renderer(view_url="https://papers.example.org/archive/2026-07-09")
    said = {"summary": "It says a good deal about what was found, in many words. " * 8}
    ours = [candidate(n, link=f"https://arxiv.org/abs/2607.{n:05}", **said) for n in range(1, papers + 1)]
    named = tuple(candidate(n, link=f"https://arxiv.org/abs/2607.{n:05}") for n in range(201, 201 + also))
    rendered = issue.digest(naming(named, digest(*ours)), READER)
    assert len(rendered.html.encode()) <= LARGEST
    shown = {title for level, title in outline(rendered.html) if level == "h3"}
    assert shown | {text for text, *_ in lines(rendered.html)} >= {f"Paper number {n}" for n in range(1, papers + 1)}
    assert ("see the whole issue on the web" in rendered.html) == bool(also)
    assert "Unsubscribe" in rendered.html
    cards = [text for level, text in outline(rendered.html) if level == "h3"]
    assert re.findall(r"^ *\d+\. (.*)", rendered.text, re.MULTILINE) == cards
    assert links(rendered.text) == hrefs(rendered.html)
    assert "\n\n\n\n" not in rendered.text


def test_a_long_digest_as_text_alone_is_whole():
    """No mail program clips it: every paper has its card."""
    said = {"summary": "It says a good deal about what was found, in many words. " * 8}
    picks = digest(*(candidate(n, **said) for n in range(1, 101)))
    masthead = Masthead(name="Daily Papers", date=DAY, pool_size=100)
    issue = IssueRenderer(environment(None), masthead, {}, str.encode)
    text = b"".join(chain(*issue.edition(picks, 0, only_text=True).parts[TEXT])).decode()
    assert re.findall(r"^ *(\d+)\. ", text, re.MULTILINE) == [str(n) for n in range(1, 101)]
    assert "The rest of this digest" not in text


def test_both_parts_lead_to_the_same_places():
    """Each link stands in both equally often; filters count a link that only one of two alternatives has."""
    imprint = {"base_url": "https://papers.example.org", "view_url": "https://papers.example.org/archive/2026-07-09"}
    named = [candidate(n) for n in range(20, 64)]
    rendered = renderer(**imprint).digest(naming(named, digest(FULL, *(candidate(n) for n in range(1, 16)))), READER)
    assert hrefs(rendered.html) == links(rendered.text)


def test_what_came_on_days_before_is_told_apart():
    """Under "Also today" stands what the newest day brought, in its order; a number of votes may be larger below."""
    before = [candidate(n, upvotes=upvotes) for n, upvotes in ((4, 60), *((n, 1) for n in range(5, 44)))]
    also = [candidate(2, upvotes=5), candidate(3, upvotes=1)]
    also += [replace(one, first_listed=DAY - timedelta(days=1)) for one in before]
    rendered = renderer().digest(naming(also, digest(candidate(1))), READER)
    assert outline(rendered.html)[-2:] == [("h2", "Also today"), ("h2", "From the days before")]
    text = rendered.text[rendered.text.index("Also today") :]
    told = re.sub(r"\n+", "\n", text).splitlines()
    assert told[:6] == [
        "Also today", "--------------------", "    Paper number 2 (▲ 5)", "    Paper number 3 (▲ 1)",
        "From the days before", "--------------------"
    ]  # fmt: skip
    assert told[6:44] == ["    Paper number 4 (▲ 60)", *(f"    Paper number {n} (▲ 1)" for n in range(5, 42))]
    assert told[44:46] == ["    and 2 more papers", "-- "]


def test_only_lines_of_days_before_are_not_called_todays():
    """Where all that came today has a card, what is left is of the days before, and is called so in both parts."""
    before = replace(candidate(2), first_listed=DAY - timedelta(days=1))
    rendered = renderer().digest(naming([before], digest(candidate(1))), READER)
    assert outline(rendered.html)[-1] == ("h2", "From the days before")
    assert "Also today" not in rendered.html + rendered.text
    assert "\n\n\n\n" not in rendered.text


def test_the_lead_paper_has_its_picture_where_images_are_wanted():
    """Only the first paper, only if asked for, with a text in its place; what is no web link is no picture."""
    said = {"thumbnail": "https://images.example.org/1.png", "link": "https://arxiv.org/abs/2607.00001"}
    pictured = [candidate(n, **said) for n in (1, 2)]
    shown = lxml_html.document_fromstring(renderer(images=True).digest(digest(*pictured), READER).html)
    assert [(img.get("src"), img.get("alt")) for img in shown.xpath("//img")] == [
        ("https://images.example.org/1.png", "Picture of Paper number 1")
    ]
    assert shown.xpath("//a[img]/@href") == [said["link"]]
    assert "<img" not in renderer().digest(digest(*pictured), READER).html
    odd = candidate(3, thumbnail="data:image/png;base64,x")
    assert "<img" not in renderer(images=True).digest(digest(odd), READER).html


def test_a_followed_author_is_named_and_marked():
    """Whoever the reader follows stands in the line of authors, however far down the list, for that reader only."""
    issue = renderer()
    mine = issue.digest(digest(FULL, why=Why.TOPIC, detail="author:Eve Five"), READER)
    assert "Ada One, Ben Two, Cy Three, <strong>Eve Five</strong> and 1 more" in mine.html
    assert "Ada One, Ben Two, Cy Three, *Eve Five* and 1 more" in mine.text
    assert "Eve Five" not in issue.digest(digest(FULL), READER).html


def test_logo_font_and_accent_are_the_newsletters():
    """What the operator sets is in the mail; the logo says nothing that the name beside it does not."""
    said = {"accent": "#8a1c1c", "font": "Verdana,sans-serif", "logo": "https://papers.example.org/logo.png"}
    source = renderer(**said).digest(digest(candidate(1)), READER).html
    document = lxml_html.document_fromstring(source)
    assert [(img.get("src"), img.get("alt")) for img in document.xpath("//img")] == [(said["logo"], "")]
    assert "#8a1c1c" in source
    assert "Verdana,sans-serif" in document.xpath("//h3/@style")[0]
    assert "Georgia" not in " ".join(document.xpath("//@style"))


def test_classes_that_nothing_asks_for_are_left_out():
    """What dark and narrow screens name stays; a paper that looks like markup keeps its words."""
    source = renderer().digest(digest(candidate(1, title='A class="x" <p class="y"> of papers')), READER).html
    style = source[source.index("<style>") : source.index("</style>")]
    document = lxml_html.document_fromstring(source)
    assert {name for value in document.xpath("//@class") for name in value.split()} <= set(
        re.findall(r"\.([a-z-]+)", style)
    )
    assert document.xpath("string(//h3)") == 'A class="x" <p class="y"> of papers'


def test_a_right_to_left_title_turns_its_card():
    """Its figures and links stand where its title does."""
    document = lxml_html.document_fromstring(renderer().digest(digest(candidate(1, title="نموذج لغوي")), READER).html)
    assert [cell.get("dir") for cell in document.xpath("//td[h3]")] == ["rtl"]
    plain = lxml_html.document_fromstring(renderer().digest(digest(candidate(1)), READER).html)
    assert [cell.get("dir") for cell in plain.xpath("//td[h3]")] == [None]


def test_figures_beside_a_right_to_left_title_keep_their_order():
    """They are words of ours: "1 July" must not be read as "July 1"."""
    document = lxml_html.document_fromstring(
        renderer().digest(digest(candidate(1, title="نموذج لغوي", upvotes=9)), READER).html
    )
    assert document.xpath("string(//span[@dir='ltr'])") == "▲ 9 upvotes"


def test_an_ellipsis_goes_with_the_word_before_it():
    """It would stand on a line alone where that word ends one."""
    said = "words that never come to an end " * 20
    found = renderer().digest(digest(*(candidate(n, summary=said) for n in range(1, 15))), READER)
    shown = lxml_html.document_fromstring(found.html).xpath("//td[h3]/p[contains(., 'never')]/text()")
    assert len(shown) == 14
    assert all(text.endswith("\u00a0…") for text in shown[12:])


@pytest.mark.parametrize(("papers", "summaries"), [(14, 14), (25, 25), (26, 12)])
def test_a_card_far_down_says_how_its_summary_begins_as_long_as_there_is_room(papers, summaries):
    """Its first sentence; a digest of so many papers that it would be clipped has short cards without."""
    said = "A first sentence about what was found. " + "And a second one of some length, which is left out. " * 3
    found = renderer().digest(digest(*(candidate(n, summary=said) for n in range(1, papers + 1))), READER)
    document = lxml_html.document_fromstring(found.html)
    shown = [p.text_content() for p in document.xpath("//td[h3]/p") if "A first sentence" in p.text_content()]
    assert len(shown) == summaries
    assert all(text.startswith("A first sentence about what was found.") for text in shown)
    assert found.text.count("A first sentence") == papers
