"""A paper as its card shows it: what a template calls ``card``.

Here is decided what is said of a paper and how much of it; how it looks is the template's business. Everything
foreign passes through here, and leaves on one line, of bounded length, readable where it was TeX, with web links only.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

from newsletter.domain.paper import Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import plain
from newsletter.render import wording
from newsletter.render.language import Language
from newsletter.render.mathematics import readable
from newsletter.render.sentences import first_sentences, whole_words
from newsletter.render.summary import summary
from newsletter.render.wrapping import shorten

_TITLE = 300  # characters; the longest real ones have about 250
_SHORT_TITLE = 32
_LINE = 160  # a title without a card
_READ = 6000  # of a text, at most: what follows in the longest of feeds is no abstract any more
_NAME = 80
_LINK = 1000
_CATEGORIES = 3
_OPENING = 140  # of a summary, in a preheader and on a short card

# In a label's quotes they are harmless, but the inliner writes them bare, and not all who filter mail know quotes.
_ANGLES = str.maketrans("<>", "‹›")
# Letters of Hebrew, Arabic and kin; what comes before the first letter of a title says nothing of its direction.
_FROM_THE_RIGHT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\U00010800-\U00010fff\U0001e800-\U0001efff]")
_RIGHT_TO_LEFT = re.compile(rf"[\W\d_]*{_FROM_THE_RIGHT.pattern}")
_PART = r"[^\s<>\"\\`^{|}#\[\]]"  # RFC 3986: brackets stand around addresses of hosts only
_WEB = re.compile(rf"https?://{_PART}+(#{_PART}*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One of a card's links. ``stars`` is 0 where nobody counted them."""

    label: str
    url: str
    stars: int = 0

    @property
    def mixed(self) -> bool:
        """Return whether any letter of the label runs from the right."""
        return bool(_FROM_THE_RIGHT.search(self.label))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What a card says. Texts are '' and counts 0 where there is nothing to say."""

    id: int  # our number of the paper
    title: str
    short_title: str  # names the paper in the labels of its links
    url: str
    names: tuple[str, ...]  # of all authors, for ``wording.authors``
    authors: str  # the first three, and how many more
    organisation: str
    published: str
    votes: str  # how many upvotes, in words
    upvotes: int
    comments: int
    categories: tuple[str, ...]
    facts: tuple[str, ...]  # its figures: date, votes, comments, categories
    summary: str
    opening: str  # how the summary begins
    machine_made: bool  # the summary, by a language model
    note: str  # the editor's
    links: tuple[Link, ...]
    image: str  # a link
    direction: str  # of its title: "rtl" or "ltr"

    @property
    def byline(self) -> list[str]:
        """Return whom the paper is by."""
        return [text for text in (self.authors, self.organisation) if text]

    @property
    def figures(self) -> str:
        """Return the facts as pages show them, on one line that is broken between them only."""
        return _figures(self.facts)

    @property
    def mixed(self) -> bool:
        """Return whether any letter of its texts runs from the right: then each has a direction of its own."""
        texts = (self.title, *self.names, self.organisation, self.note, self.summary)
        return any(map(_FROM_THE_RIGHT.search, texts))

    @property
    def by_whom(self) -> str:
        """Return the byline on one line."""
        return wording.by_whom(self.authors, self.organisation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """What a list of many papers says of one, as a card names it. Making it takes less than making a card."""

    title: str
    url: str
    by_whom: str
    figures: str
    opening: str
    direction: str


def card(candidate: Candidate, note: str, today: date, language: Language) -> Card:
    """Return what an issue of *today* shows of *candidate*, with the editor's *note* on it."""
    paper = candidate.paper
    title, links, names = _title(paper, language), _links(paper, language), _texts(paper.authors)
    published, votes, said = _published(paper, today, language), _votes(candidate, language), _summary(paper)
    upvotes, comments, categories = candidate.upvotes or 0, candidate.comments or 0, _categories(paper)
    return Card(
        id=paper.id,
        title=title,
        short_title=_short(title).translate(_ANGLES),
        url=links[0].url if links else "",
        names=names,
        authors=_authors(names, language),
        organisation=_organisation(paper),
        published=published,
        votes=votes,
        upvotes=upvotes,
        comments=comments,
        categories=categories,
        facts=_facts(language, published, votes, comments, categories),
        summary=said,
        opening=first_sentences(said, _OPENING),
        machine_made=bool(paper.machine_summary) and not plain(paper.summary),
        note=plain(note),
        links=links,
        image=web_link(paper.thumbnail),
        direction=_direction(title),
    )


def opening(paper: Paper) -> str:
    """Return how the summary of *paper* begins."""
    return first_sentences(_summary(paper), _OPENING)


def brief(candidate: Candidate, begins: str | None, url: str, today: date, language: Language) -> Brief:
    """Return the same in brief, the title leading to *url*. *begins* is ``opening``, None where it is not known yet."""
    paper = candidate.paper
    title, names = _title(paper, language), _texts(paper.authors)
    published, votes = _published(paper, today, language), _votes(candidate, language)
    return Brief(
        title=title,
        url=url,
        by_whom=wording.by_whom(_authors(names, language), _organisation(paper)),
        figures=_figures(_facts(language, published, votes, candidate.comments or 0, _categories(paper))),
        opening=opening(paper) if begins is None else begins,
        direction=_direction(title),
    )


def line(candidate: Candidate, language: Language) -> Link:
    """Return *candidate* as one linked line: its title, and its page or ''."""
    links = _links(candidate.paper, language)
    return Link(label=_title(candidate.paper, language, _LINE), url=links[0].url if links else "")


def whole(text: str) -> str:
    """Return a text of a paper's (its abstract) as people read it, for a page with room for all of it."""
    return _read(plain(text))


def web_link(text: str) -> str:
    """Return *text* if it is an http(s) link that can stand in a mail as it is, else ''."""
    if len(text) > _LINK or not _WEB.fullmatch(text) or plain(text) != text:
        return ""
    try:
        url = urlsplit(text)
    except ValueError:
        return ""
    # A name before the host makes a link look like one to somewhere else.
    return text if url.hostname and "@" not in url.netloc else ""


def _summary(paper: Paper) -> str:
    own = plain(paper.summary) or plain(paper.machine_summary)
    return summary(_read(own), _read(plain(paper.abstract)))


def _published(paper: Paper, today: date, language: Language) -> str:
    return language.day(paper.published.date(), today) if paper.published else ""


def _authors(names: tuple[str, ...], language: Language) -> str:
    return wording.marked(wording.authors(language, names))


def _organisation(paper: Paper) -> str:
    return shorten(plain(paper.organisation), _NAME)


def _votes(candidate: Candidate, language: Language) -> str:
    upvotes = candidate.upvotes or 0
    return language.ngettext("▲ %(num)s upvote", "▲ %(num)s upvotes", upvotes) if upvotes else ""


def _categories(paper: Paper) -> tuple[str, ...]:
    return _texts(paper.categories)[:_CATEGORIES]


def _direction(title: str) -> str:
    return "rtl" if _RIGHT_TO_LEFT.match(title) else "ltr"


def _read(text: str) -> str:
    return readable(shorten(text, _READ))


def _title(paper: Paper, language: Language, limit: int = _TITLE) -> str:
    return whole_words(_read(plain(paper.title)), limit) or language.gettext("Untitled")


def _facts(language: Language, published: str, votes: str, comments: int, categories: Iterable[str]) -> tuple[str, ...]:
    said = language.ngettext("%(num)s comment", "%(num)s comments", comments) if comments else ""
    return tuple(text for text in (published, votes, said, ", ".join(categories)) if text)


def _figures(facts: Iterable[str]) -> str:
    return " · ".join(fact.replace(" ", "\u00a0") for fact in facts)


def _links(paper: Paper, language: Language) -> tuple[Link, ...]:
    found = (
        Link(label=language.gettext("Abstract"), url=web_link(paper.link)),
        Link(label=language.gettext("PDF"), url=web_link(paper.pdf)),
        Link(label=language.gettext("Discussion"), url=web_link(paper.discussion)),
        Link(label=language.gettext("Code"), url=web_link(paper.code), stars=paper.code_stars or 0),
        Link(label=language.gettext("Project"), url=web_link(paper.project)),
    )
    distinct: dict[str, Link] = {}
    for link in found:
        if link.url:
            distinct.setdefault(link.url, link)
    return tuple(distinct.values())


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(short for text in texts if (short := shorten(plain(text), _NAME)))


def _short(title: str) -> str:
    """Return the name that a title gives its paper before a colon, else its first words."""
    name = title.partition(": ")[0]
    return name if len(name) <= _SHORT_TITLE else shorten(title, _SHORT_TITLE)
