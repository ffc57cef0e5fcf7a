"""What a card says of a paper, whatever the paper says."""

import json
import unicodedata
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from specimen import DAY, FULL, candidate

from newsletter.domain.paper import Paper
from newsletter.domain.text import plain
from newsletter.render.card import Card, Link, card, line, opening
from newsletter.render.language import Language

ENGLISH = Language()


def texts(said: Card) -> list[str]:
    """Return everything that it says."""
    return [said.title, said.short_title, said.authors, said.organisation, said.published, said.summary, *said.names,
            *said.categories, *(link.label for link in said.links)]  # fmt: skip


def test_a_card_says_what_is_known():
    """The upstream's own summary, every link, and all the figures."""
    said = card(FULL, "Read  this\nfirst.", DAY, ENGLISH)

    assert said.title == "ReadItBack: Checking a Summary Against Its Source"
    assert said.short_title == "ReadItBack"
    assert said.url == "https://arxiv.org/abs/2606.00007"
    assert said.names == ("Ada One", "Ben Two", "Cy Three", "Di Four", "Eve Five")
    assert said.byline == ["Ada One, Ben Two, Cy Three and 2 more", "Example University"]
    assert said.by_whom == "Ada One, Ben Two, Cy Three and 2 more (Example University)"
    assert said.facts == ("28 June", "▲ 1,234 upvotes", "1 comment", "cs.CL, cs.LG")
    assert said.summary == "A checker reads each sentence back to the source. It finds most of what was made up."
    assert [link.label for link in said.links] == ["Abstract", "PDF", "Discussion", "Code", "Project"]
    assert [link.stars for link in said.links] == [0, 0, 0, 4321, 0]
    assert said.note == "Read this first."


def test_a_card_of_nothing_says_nothing():
    """No authors, no abstract, no links, no figures."""
    said = card(candidate(1, title="\u202e \x00"), "", DAY, ENGLISH)

    assert said.title == said.short_title == "Untitled"
    assert (said.url, said.authors, said.summary, said.note, said.image) == ("", "", "", "", "")
    assert (said.byline, said.facts, said.links, said.names) == ([], (), (), ())


def test_mathematics_is_readable_in_title_and_summary():
    """And in the line that a paper without a card has."""
    paper = candidate(
        1, title=r"An $\mathcal{O}(n^2)$ bound", abstract=r"It is 54\% of $T_c$.", link="https://a.example/"
    )

    said = card(paper, "", DAY, ENGLISH)
    assert said.title == "An 𝒪(n²) bound"
    assert said.summary == "It is 54% of $T_c$."
    assert line(paper, ENGLISH) == Link(label="An 𝒪(n²) bound", url="https://a.example/")


def test_a_title_of_five_hundred_characters_is_cut_at_a_word():
    """Never inside a formula; the line has less room than the card."""
    paper = candidate(1, title="Speculative " * 24 + "and $T_c + " + "T_q + " * 40 + "T_w$")

    said = card(paper, "", DAY, ENGLISH)
    assert said.title == "Speculative " * 24 + "and …"
    assert line(paper, ENGLISH).label == "Speculative " * 13 + "…"
    assert len(said.short_title) <= 40


def test_six_hundred_authors_are_three_and_a_number():
    """Their names are at hand for a reader who follows one."""
    said = card(candidate(1, authors=tuple(f"Author {n}" for n in range(664))), "", DAY, ENGLISH)

    assert said.authors == "Author 0, Author 1, Author 2 and 661 more"
    assert len(said.names) == 664


@pytest.mark.parametrize(
    "title",
    [
        "نموذج لغوي كبير",
        "大規模言語モデルの研究",
        "Cafe\u0301 à la carte",
        "👩‍👩‍👧 families",
        "<b>Bold</b> & <script>",
        "{{ 7*7 }}",
    ],
)
def test_titles_of_any_script_stay_as_they_are(title):
    """Joined emoji, combining marks and what looks like markup included; escaping is the template's business."""
    said = card(candidate(1, title=title, abstract=title, authors=(title,), organisation=title), "", DAY, ENGLISH)
    assert (said.title, said.summary, said.names, said.organisation) == (title, title, (title,), title)
    assert said.direction == ("rtl" if unicodedata.bidirectional(title[0]) == "AL" else "ltr")


def test_the_year_is_named_where_it_is_another():
    """A paper of last year."""
    said = card(candidate(1, published=datetime(2025, 1, 2, tzinfo=UTC)), "", date(2026, 7, 9), ENGLISH)
    assert said.published == "2 January 2025"


def test_a_models_summary_is_labelled_and_comes_after_the_upstreams():
    """And before the sentences of the abstract."""
    made = {"machine_summary": "A model’s words.", "abstract": "We show it."}
    assert card(candidate(1, **made), "", DAY, ENGLISH).summary == "A model’s words."
    assert card(candidate(1, **made), "", DAY, ENGLISH).machine_made
    own = card(candidate(1, summary="The upstream’s words.", **made), "", DAY, ENGLISH)
    assert (own.summary, own.machine_made) == ("The upstream’s words.", False)


def sound(text: str) -> None:
    """Check the card of a paper that says *text* wherever it can."""
    paper = candidate(1, title=text, abstract=text * 3, summary="", authors=(text,) * 9, organisation=text,
                      categories=(text,) * 9, link=text, pdf=text, discussion=text, code=text, project=text,
                      thumbnail=text, upvotes=3, comments=2)  # fmt: skip
    said = card(paper, text, DAY, ENGLISH)
    for shown in texts(said):
        assert shown == plain(shown)
        assert len(shown) <= 480
        assert len(shown.splitlines()) <= 1
    assert all(link.url.lower().startswith(("http://", "https://")) for link in said.links)
    assert len(said.title) <= 300
    assert said.title
    assert len(line(paper, ENGLISH).label) <= 160


@pytest.mark.parametrize("corpus", ["xss/payloads.json", "blns/blns.json"])
def test_hostile_texts_in_every_field_are_bounded_plain_and_one_line(shared, corpus):
    """All of the corpora."""
    for text in json.loads((shared / "corpora" / corpus).read_text("utf-8")):
        sound(text)


@settings(max_examples=200)
@given(st.text(max_size=200) | st.text("$\\{}^_ab 1.\u202e\ue000\u0301\u200d中", max_size=800))
def test_any_text_in_every_field_is_bounded_plain_and_one_line(text):
    """Controls, direction marks, private-use characters, lone surrogates."""
    sound(text)


LONG = (
    "Reading is slow, and much of it is done twice. Readers have long asked for help with that. We present a method "
    "that reads each sentence back to its source, in $O(n^2)$ steps. It finds most of what was made up, e.g. names and "
    "dates. Code will be released."
)


@pytest.mark.parametrize(
    ("said", "begins"),
    [
        ({"abstract": LONG},
         "Reading is slow, and much of it is done twice. Readers have long asked for help with that."),
        ({"abstract": LONG, "summary": "A checker reads each sentence back. It finds most of it."},
         "A checker reads each sentence back. It finds most of it."),
        ({"abstract": "With $O(n^2)$ steps and no end " + "and more " * 30},
         "With O(n²) steps and no end" + " and more" * 12 + " …"),
        ({}, ""),
    ],
)  # fmt: skip
def test_openings_are_those_that_databases_keep(said: dict[str, str], begins: str):
    """Where this changes, a migration has to take away those that were worked out before: nothing else does."""
    assert opening(Paper(title="A title", **said)) == begins
