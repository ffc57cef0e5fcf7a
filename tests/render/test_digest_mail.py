"""A reader's digest as it reads: subject, head, cards and foot, in HTML and in text."""

import re
from dataclasses import replace
from datetime import date
from email.utils import parseaddr

import pytest
from lxml import html as lxml_html
from specimen import FULL, READER, candidate, digest, renderer

from newsletter.domain.pool import Why
from newsletter.render.digest import Reader
from newsletter.render.wrapping import columns


def read(source):
    """Return the parsed document, and the text that a reader sees of it, on one line."""
    document = lxml_html.document_fromstring(source)
    seen = lxml_html.document_fromstring(source)
    for hidden in seen.xpath("//head | //*[@class='preheader'] | //comment()"):
        hidden.drop_tree()
    return document, " ".join(seen.text_content().split())


def preheader(source):
    """Return what a list of mails shows behind the subject, without the padding."""
    return re.sub(r"[\u034f\u200c\u00a0]", "", read(source)[0].xpath("string(//*[@class='preheader'])")).strip()


def titles(document):
    """Return the titles of the cards in order."""
    return [" ".join(heading.text_content().split()) for heading in document.xpath("//h3")]


def test_a_card_says_everything_that_is_known():
    """Title, authors, organisation, date, figures, categories, summary, reason and links are all there, in order."""
    document, seen = read(renderer().digest(digest(FULL, why=Why.TOPIC, detail="cat:cs.CL"), READER).html)
    card = seen[seen.index("1 ▲") :]
    expected = (
        "1 ▲ 1,234 upvotes you follow cs.CL ReadItBack: Checking a Summary Against Its Source "
        "Ada One, Ben Two, Cy Three and 2 more (Example University) "
        "28 June · 1 comment · cs.CL, cs.LG "
        "A checker reads each sentence back to the source. It finds most of what was made up. "
        "PDF · Discussion · Code ★ 4,321 · Project"
    )
    assert card.startswith(expected)
    links = [(a.text_content(), a.get("href")) for a in document.xpath("//h3/following-sibling::p//a")]
    assert links == [
        ("PDF", "https://arxiv.org/pdf/2606.00007"),
        ("Discussion", "https://talk.example.org/2606.00007"),
        ("Code", "https://code.example.org/readitback"),
        ("Project", "https://readitback.example.org/"),
    ]
    assert document.xpath("//h3/a/@href") == ["https://arxiv.org/abs/2606.00007"]


def test_the_text_part_says_the_same():
    """The text part has the same content in the same order, numbered, each link at the end of a line of its own."""
    text = renderer().digest(digest(FULL, why=Why.TOPIC, detail="cat:cs.CL"), READER).text
    assert text[text.index("    ▲") :].startswith("""\
    ▲ 1,234 upvotes · you follow cs.CL
 1. ReadItBack: Checking a Summary Against Its Source
    Ada One, Ben Two, Cy Three and 2 more (Example University)
    28 June · 1 comment · cs.CL, cs.LG

    A checker reads each sentence back to the source. It finds most of
    what was made up.

    Abstract       https://arxiv.org/abs/2606.00007
    PDF            https://arxiv.org/pdf/2606.00007
    Discussion     https://talk.example.org/2606.00007
    Code ★ 4,321   https://code.example.org/readitback
    Project        https://readitback.example.org/
""")


def test_both_parts_hold_the_same_papers_in_the_same_order():
    """Twelve papers are numbered from 1 to 12 in both parts."""
    rendered = renderer().digest(digest(*(candidate(n) for n in range(21, 33))), READER)
    document, _ = read(rendered.html)
    expected = [f"Paper number {n}" for n in range(21, 33)]
    assert titles(document) == expected
    numbered = re.findall(r"^ ?(\d+)\. (.*)$", rendered.text, re.MULTILINE)
    assert numbered == [(str(rank), title) for rank, title in enumerate(expected, 1)]
    ranks = document.xpath("//p/b[../following-sibling::h3]/text()")
    assert [rank.strip() for rank in ranks] == [str(rank) for rank in range(1, 13)]


@pytest.mark.parametrize(
    ("why", "detail", "expected"),
    [
        (Why.TOPIC, '"speculative decoding"', "matches “speculative decoding”"),
        (Why.TOPIC, "rag graph", "matches “rag graph”"),
        (Why.TOPIC, '"a b" "c d"', 'matches “"a b" "c d"”'),
        (Why.TOPIC, "author:Tri Dao", "you follow Tri Dao"),
        (Why.TOPIC, 'org:"Example University"', "you follow Example University"),
        (Why.TOPIC, "cat:cs.CL", "you follow cs.CL"),
        (Why.TOPIC, "cat:cs.CL rag", "matches “cat:cs.CL rag”"),
        (Why.TOPIC, '"unbalanced', 'matches “"unbalanced”'),
        (Why.TOPIC, "<b>bold</b>", "matches “<b>bold</b>”"),
        (Why.EDITOR, "", "the editor’s choice"),
        (Why.FRONT, "", "among the day’s best"),
        (Why.POOL, "", "among the latest papers"),
    ],
)
def test_every_card_says_why_it_is_there(why, detail, expected):
    """The reason stands in both parts in words, and what the reader follows is quoted, never markup."""
    rendered = renderer().digest(digest(candidate(1), why=why, detail=detail), READER)
    document, seen = read(rendered.html)
    assert f"1 {expected} Paper number 1" in seen
    assert f"\n    {expected}\n" in rendered.text + "\n"
    assert [bold.text_content().strip() for bold in document.xpath("//b")] == ["1"]


@pytest.mark.parametrize(
    ("why", "html", "text"),
    [
        (Why.FRONT, "1 ▲ 12 upvotes Paper number 1", "\n    ▲ 12 upvotes\n 1. Paper number 1\n"),
        (Why.POOL, "1 ▲ 12 upvotes Paper number 1", "\n    ▲ 12 upvotes\n 1. Paper number 1\n"),
        (
            Why.TOP,
            "1 ▲ 12 upvotes most upvoted today Paper number 1",
            "\n    ▲ 12 upvotes · most upvoted today\n 1. Paper number 1\n",
        ),
    ],
)
def test_beside_upvotes_stands_only_what_says_more(why, html, text):
    """That a paper is liked is seen by its upvotes: on nine cards of ten there is nothing to add."""
    rendered = renderer().digest(digest(candidate(1, upvotes=12), why=why), READER)
    assert html in read(rendered.html)[1]
    assert text in rendered.text
    assert "\n\n\n\n" not in rendered.text


def test_a_long_reason_behind_the_upvotes_is_wrapped():
    """In the text part the line above a title keeps its width, and the upvotes stay together."""
    said = digest(candidate(1, upvotes=12), why=Why.TOPIC, detail=" ".join(["lengthy"] * 12))
    text = renderer().digest(said, READER).text
    above = text[text.index("    ▲ 12 upvotes · matches “lengthy") : text.index(" 1. Paper number 1")].splitlines()
    assert len(above) == 2
    assert all(line.startswith("    ") and columns(line) <= 72 for line in above)


def test_one_paper_for_two_readers_has_each_ones_rank_and_reason():
    """Cards are rendered once, yet rank and reason are each reader's own."""
    issue = renderer()
    one, two = candidate(1), candidate(2)
    issue.digest(digest(one, two), READER)
    _, seen = read(issue.digest(digest(two, one, why=Why.TOPIC, detail="rag"), READER).html)
    assert "1 matches “rag” Paper number 2" in seen
    assert "2 matches “rag” Paper number 1" in seen


@pytest.mark.parametrize(
    ("papers", "why", "pool_size", "expected"),
    [
        (1, Why.FRONT, 1, "1 paper"),
        (3, Why.FRONT, 3, "3 papers"),
        (3, Why.FRONT, 1200, "3 papers, chosen from 1,200"),
        (1, Why.TOPIC, 9, "1 paper, chosen from 9; 1 matches what you follow"),
        (2, Why.TOPIC, 9, "2 papers, chosen from 9; all match what you follow"),
    ],
)
def test_the_head_says_how_many_and_from_how_many(papers, why, pool_size, expected):
    """Name, date and counts head the mail, in both parts."""
    rendered = renderer(pool_size=pool_size).digest(
        digest(*(candidate(n) for n in range(1, papers + 1)), why=why, detail="rag"), READER
    )
    document, seen = read(rendered.html)
    assert seen.startswith(f"Daily Papers Thursday, 9 July 2026 {expected} 1 ")
    assert rendered.text.startswith(f"Daily Papers\nThursday, 9 July 2026\n{'-' * 72}\n\n{expected}\n\n")
    assert [heading.tag for heading in document.xpath("//h1|//h2|//h3")] == ["h1", "h2"] + ["h3"] * papers


@pytest.mark.parametrize(
    ("since", "expected"), [(date(2026, 6, 29), "29 June"), (date(2025, 12, 29), "29 December 2025")]
)
def test_a_digest_that_makes_up_for_silent_days_says_so(since, expected):
    """After an outage the head names the first day without mail; on an ordinary day it says nothing of it."""
    issue = renderer()
    rendered = issue.digest(digest(candidate(1), since=since), READER)
    assert f"The best since {expected} No digest reached you in between" in read(rendered.html)[1]
    assert f"\nThe best since {expected}\nNo digest reached you in between" in rendered.text
    ordinary = issue.digest(digest(candidate(1)), READER)
    assert "since" not in read(ordinary.html)[1]
    assert "since" not in ordinary.text


def test_the_editors_words_stand_in_head_and_card():
    """The note on the issue keeps its paragraphs, the note on a paper stands in its card, in both parts."""
    issue = renderer(note="First thought,\non two lines.\n\n\nSecond <i>thought</i>.", notes={1: "Mind the appendix."})
    rendered = issue.digest(digest(candidate(1), candidate(2)), READER)
    document, seen = read(rendered.html)
    paragraphs = [p.text_content() for p in document.xpath("//div[@class='note']/p")]
    assert paragraphs == ["From the editor", "First thought, on two lines.", "Second <i>thought</i>."]
    assert seen.count("Editor: Mind the appendix.") == 1
    assert "From the editor\n\n    First thought, on two lines.\n\n    Second <i>thought</i>.\n" in rendered.text
    assert rendered.text.count("    Editor: Mind the appendix.\n") == 1


def test_the_foot_names_all_that_there_is():
    """Why, when next, preferences, archive, unsubscribing and the postal address, in both parts."""
    issue = renderer(archive_url="https://papers.example.org/archive", postal_address="Street 1\n8000 Zürich")
    rendered = issue.digest(digest(candidate(1)), READER)
    document, seen = read(rendered.html)
    assert seen.endswith(
        "You get this because you subscribed on 3 July 2026. Next digest: Friday, 10 July, 08:00 (Europe/Zurich) "
        "Change your preferences Read earlier issues Unsubscribe Street 18000 Zürich"
    )
    assert [a.get("href") for a in document.xpath("//td[@class='foot']//a")] == [
        "https://papers.example.org/p/TOKEN",
        "https://papers.example.org/archive",
        "https://papers.example.org/u/TOKEN",
    ]
    foot = """
You get this because you subscribed on 3 July 2026.
Next digest: Friday, 10 July, 08:00 (Europe/Zurich)

Change your preferences:
https://papers.example.org/p/TOKEN

Read earlier issues:
https://papers.example.org/archive

Unsubscribe:
https://papers.example.org/u/TOKEN

Street 1
8000 Zürich"""
    assert rendered.text.endswith("\n-- " + foot)


def test_the_foot_names_nothing_that_there_is_not():
    """A newsletter without pages, archive, known next date and postal address promises none of them."""
    plain = Reader(why_mail="You asked for it & more.", reply_to="editors@example.org")
    rendered = renderer().digest(digest(candidate(1)), plain)
    document, seen = read(rendered.html)
    assert seen.endswith("You asked for it & more. To unsubscribe, reply “stop” to editors@example.org")
    assert document.xpath("//a/@href") == ["mailto:editors@example.org?subject=stop"]
    assert rendered.text.endswith(
        "\n-- \nYou asked for it & more.\n\nTo unsubscribe, reply “stop” to:\neditors@example.org"
    )


def test_unsubscribing_by_mail_where_there_are_no_pages():
    """With an address for what comes back, the foot says where to send a mail."""
    mailto = "mailto:bounces+TOKEN@example.org?subject=unsubscribe"
    rendered = renderer().digest(
        digest(candidate(1)), Reader(why_mail="Why.", unsubscribe_mailto=mailto, reply_to="editors@example.org")
    )
    document, seen = read(rendered.html)
    assert seen.endswith("Why. Unsubscribe by mail")
    assert document.xpath("//a/@href") == [mailto]
    assert rendered.text.endswith("To unsubscribe, send an empty mail to:\nbounces+TOKEN@example.org")
    assert parseaddr(rendered.text.splitlines()[-1])[1] == "bounces+TOKEN@example.org"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Read It Back"], "Daily Papers · 9 July: Read It Back"),
        (["Read It Back", "B"], "Daily Papers · 9 July: Read It Back and 1 more"),
        (["Read It Back", *"BCDEFGHIJ"], "Daily Papers · 9 July: Read It Back and 9 more"),
        (
            ["A long title of many words " * 20, "B"],
            f"Daily Papers · 9 July: {'A long title of many words ' * 2}A long title of many … and 1 more",
        ),
    ],
)
def test_the_subject_says_what_is_inside(names, expected):
    """It names the first paper, whole where it fits and never cut inside a word, and how many more there are."""
    papers = [candidate(n, title=name) for n, name in enumerate(names, 1)]
    rendered = renderer().digest(digest(*papers), READER)
    assert rendered.subject == expected
    assert len(rendered.subject) <= 110
    assert read(rendered.html)[0].findtext("head/title").strip() == expected


def test_the_editors_subject_is_taken_as_it_is():
    """What the editor wrote replaces the template's, on one line; the preheader begins with the first title."""
    rendered = renderer(subject="Two papers\nthat disagree").digest(digest(candidate(1), candidate(2)), READER)
    assert rendered.subject == "Two papers that disagree"
    assert preheader(rendered.html) == "Paper number 1 · Paper number 2"


def test_the_preheader_continues_the_subject():
    """It names the next papers, or quotes the only one, and no mail program shows it in the mail or what follows."""
    issue = renderer()
    source = issue.digest(digest(*(candidate(n) for n in (1, 2, 3, 4, 5))), READER).html
    (hidden,) = read(source)[0].xpath("//body/*[1]")
    assert preheader(source) == "Paper number 2 · Paper number 3 · Paper number 4"
    assert len(hidden.text_content()) > 200
    assert "display:none" in hidden.get("style")
    assert "mso-hide:all" in hidden.get("style")
    assert preheader(issue.digest(digest(FULL), READER).html).startswith("A checker reads each sentence back")


def test_nothing_new_is_a_short_mail():
    """Where there is nothing for a reader, the mail says so between head and foot; also for a digest of no picks."""
    issue = renderer(pool_size=52)
    rendered = issue.nothing(READER)
    assert rendered.subject == "Daily Papers · 9 July: nothing new for you"
    _, seen = read(rendered.html)
    said = "Of the 52 papers at hand, none is both new to you and what you asked for."
    assert seen.startswith(f"Daily Papers Thursday, 9 July 2026 Nothing new for you today {said} You get this")
    assert f"\n\nNothing new for you today\n\n{said[:68]}\nfor." in rendered.text
    assert "https://papers.example.org/u/TOKEN" in rendered.text
    assert issue.digest(digest(), READER) == rendered
    assert "No new papers appeared." in renderer(pool_size=0).nothing(READER).text


def test_every_line_of_the_text_fits_a_terminal():
    """No line takes more than 72 columns but one with a link, and no link is broken, in any script."""
    link = "https://example.org/" + "a" * 150
    papers = [
        candidate(1, title="Word " * 100, abstract="Some words and more. " * 40, link=link),
        candidate(2, title="W" * 500, authors=("N" * 200,), organisation="O" * 200),
        candidate(3, title="大規模言語モデル" * 12, abstract="本論文では、推論を高速化する。" * 20),
        candidate(4, title="نموذج لغوي كبير " * 20, summary="e\u0301" * 100 + " 👩‍👩‍👧‍👦" * 60),
        candidate(5, summary=f"Code at {link} and elsewhere."),
    ]
    text = renderer(note="Much to say. " * 30).digest(digest(*papers), READER).text
    long = [line for line in text.splitlines() if columns(line) > 72]
    assert long == [f"    Abstract       {link}", f"    {link}"]


def test_an_ordinary_digest_is_small():
    """Ten papers with everything take at most 45 KB of HTML, and need no image, script, form or remote font."""
    papers = [
        candidate(
            n,
            upvotes=50,
            comments=3,
            title=f"Paper {n}: " + "with a title of some length " * 3,
            abstract="The abstract goes on for a while, sentence after sentence. " * 20,
            authors=("Firstname Lastname",) * 12,
            organisation="An Organisation With a Long Name",
            categories=("cs.CL", "cs.LG", "cs.AI"),
            link=f"https://arxiv.org/abs/2607.{n:05}",
            pdf=f"https://arxiv.org/pdf/2607.{n:05}",
            discussion=f"https://talk.example.org/papers/2607.{n:05}",
            code=f"https://code.example.org/organisation/repository-{n}",
            project=f"https://organisation.example.org/projects/{n}",
        )
        for n in range(1, 11)
    ]
    source = renderer().digest(digest(*papers), READER).html
    assert len(source.encode()) <= 45_000
    document, _ = read(source)
    assert not document.xpath("//img | //script | //form | //link | //*[@src] | //*[@background]")
    assert "@import" not in source
    assert "url(" not in source
    assert document.get("lang") == "en"
    assert {table.get("role") for table in document.xpath("//table")} == {"presentation"}


def test_each_slot_of_a_card_and_a_frame_has_a_line_of_its_own():
    """What is one reader's own never shares a line of the source with what is everyone's."""
    issue = renderer().issue
    issue.digest(digest(candidate(1), since=date(2026, 7, 1)), READER)
    mails = issue._cards.slotted()
    mails += [around for frame in issue._frames.values() for part in frame for around in part if around.names]
    assert {"cards", "also", "rank", "reason"} <= {name for slotted in mails for name in slotted.names}
    for slotted in mails:
        marked = slotted.fill({name: f"\x00{name}\x00".encode() for name in slotted.names}).decode()
        lines = [line.strip() for line in marked.splitlines() if "\x00" in line]
        assert lines == [f"\x00{line.strip(chr(0))}\x00" for line in lines]


def test_a_weekly_digest_does_not_read_like_an_outage():
    """Where the reader's own rhythm left days out, the mail says that it comes once a week."""
    week = replace(digest(candidate(1), since=date(2026, 7, 3)), missed=False)
    rendered = renderer().digest(week, READER)
    for said in (rendered.text, read(rendered.html)[1]):
        assert "Your digest comes once a week" in said
        assert "No digest reached you" not in said
