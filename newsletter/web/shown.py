"""Papers as public pages show them: like those of the mail, but that a title leads to the paper's own page here."""

import re
from dataclasses import replace
from datetime import date
from functools import lru_cache
from urllib.parse import quote

from newsletter.domain.paper import Paper, arxiv_key
from newsletter.domain.ranking import Candidate
from newsletter.render import card
from newsletter.render.card import Brief, Card, Link
from newsletter.web.pages import Pages

# A DOI may have any character; one that browsers or proxies would change on its way goes by our number.
_SAFE = re.compile(r"10\.\d{4,9}(?:/(?!\.{1,2}(?:/|$))[\w.:;()-]+)+", re.ASCII)
_REMEMBERED = 2_000  # cards, of a few KB each: the newest and the most upvoted are on many pages
_NUMBER = re.compile(r"[0-9]{1,18}")


def name_of(paper: Paper) -> str:
    """Return what names *paper* in addresses: its arXiv id, its DOI, or its number here."""
    key = paper.arxiv_id or next(iter(paper.keys), "")
    return key if arxiv_key(key) or _SAFE.fullmatch(key) else str(paper.id)


def named_by(name: str) -> str:
    """Return what *name*, from an address, is called where papers are found."""
    return f"#{name}" if _NUMBER.fullmatch(name) else name


def page_of(paper: Paper) -> str:
    """Return where the paper's own page is, below the first page."""
    return f"papers/{quote(name_of(paper), safe='/:;()')}"


def address(paper: Paper, pages: Pages) -> str:
    """Return the path of the paper's own page."""
    return f"{pages.root}/{page_of(paper)}"


@lru_cache(_REMEMBERED)  # by all that it says, so that it is always what was asked for
def shown_card(candidate: Candidate, note: str, today: date, pages: Pages) -> Card:
    """Return the card of *candidate*, with the editor's *note*: its title leads to its own page, its links outside.

    It has no picture: a page fetches nothing from elsewhere.
    """
    said, own = card.card(candidate, note, today, pages.language), address(candidate.paper, pages)
    return replace(said, url=own, links=(Link(label=said.title, url=own), *said.links), image="")


def shown_brief(candidate: Candidate, begins: str | None, today: date, pages: Pages) -> Brief:
    """Return the same of *candidate* in brief, whose summary *begins* so, if that is known."""
    return card.brief(candidate, begins, address(candidate.paper, pages), today, pages.language)


def shown_line(candidate: Candidate, pages: Pages) -> Link:
    """Return *candidate* as a line, which leads to its own page."""
    return replace(card.line(candidate, pages.language), url=address(candidate.paper, pages))
