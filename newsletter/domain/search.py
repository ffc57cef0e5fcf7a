"""What somebody looks for among the papers: the grammar of topics, read forgivingly, with years beside it.

A search is never refused: a quote that is not closed ends with the text, AND, OR and NOT are left out, and what holds
no letter and no figure looks for nothing. Not here: how papers are found (``storage/search.py``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from newsletter.domain.paper import arxiv_key, doi_key, key_of
from newsletter.domain.text import plain
from newsletter.domain.topics import parse_topic
from newsletter.errors import UsageError

LONGEST = 300  # characters that are read
_TERMS = 16  # that are looked for: each costs milliseconds where a hundred thousand papers have it
_PREFIX = 3  # characters; what begins with fewer is found everywhere
_YEARS = 50  # in a range
_TERM = re.compile(r'\s*(-?)(?:(cat|author|org|year):\s*)?(?:"([^"]*)"?|([^\s"]*))', re.IGNORECASE)
_TO_THE_NEXT = re.compile(
    r'\s*(-?)(author|org):\s*([^"\s].*?)(?=\s+-|\s+(?:cat|author|org|year):|\s*"|\s*$)', re.IGNORECASE
)
_RANGE = re.compile(r"(\d{4})(?:-(\d{4}))?", re.ASCII)
_OPERATORS = {"AND", "OR", "NOT"}


class Sort(StrEnum):
    """What is shown first."""

    RELEVANCE = "relevance"
    DATE = "date"
    UPVOTES = "upvotes"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One condition. ``field`` is '' (anywhere), 'cat', 'author', 'org' or 'year', whose text is its years.

    ``no_year`` marks a word that was written as a year.
    """

    field: str
    text: str
    phrase: bool = False
    prefix: bool = False
    excludes: bool = False
    no_year: bool = False


@dataclass(frozen=True, slots=True)
class Search:
    """Conditions that must all hold. ``text`` is what was written, on one line."""

    text: str
    terms: tuple[Wanted, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return whether it asks for nothing; leaving something out is not asking for anything."""
        return all(term.excludes for term in self.terms)

    @property
    def misses_year(self) -> bool:
        """Return whether something stands in the place of a year that is none; it is looked for as a word."""
        return any(term.no_year and not term.excludes for term in self.terms)

    @property
    def topic(self) -> str:
        """Return the topic that finds the same among new papers, '' where there is none."""
        if all(term.excludes or term.field == "year" for term in self.terms):
            return ""
        said = " ".join(_topic_term(term) for term in self.terms if term.field != "year")
        try:
            parse_topic(said)
        except UsageError:
            return ""
        return said


def parse_search(text: str) -> Search:
    """Return the search that *text* says."""
    written = plain(text[:LONGEST])
    return Search(written, tuple(dict.fromkeys(_terms(written)))[:_TERMS])


def _terms(text: str) -> Iterator[Wanted]:
    at = 0
    while at < len(text):
        found = _TO_THE_NEXT.match(text, at) or _TERM.match(text, at)
        assert found is not None  # it matches nothing, if need be
        if found.end() > at and (term := _term(found)):
            yield term
        at = max(found.end(), at + 1)


def _term(found: re.Match[str]) -> Wanted | None:
    minus, field, *values = found.groups()
    quoted, bare = (values[0], values[1]) if len(values) > 1 else (None, values[0])
    value, field = (bare if quoted is None else quoted) or "", (field or "").lower()
    if not any(map(str.isalnum, value)) or (not field and quoted is None and value in _OPERATORS):
        return None
    if field == "year":
        return _years(value, excludes=bool(minus))
    prefix = quoted is None and field == "" and value.endswith("*") and len(value.strip("*")) >= _PREFIX
    text = value.removesuffix(".*") if field == "cat" else _named(value)
    return Wanted(field, text.strip("*").strip(), quoted is not None, prefix, bool(minus))


def _named(value: str) -> str:
    """Return the arXiv id or the DOI that *value* names, also as a link or with a version, else *value*."""
    key = key_of(value)
    return key if arxiv_key(key) or doi_key(key) else value


def _years(value: str, *, excludes: bool) -> Wanted | None:
    found = _RANGE.fullmatch(value)
    if not found:
        return Wanted("", value, excludes=excludes, no_year=True)
    first, last = sorted((int(found[1]), int(found[2] or found[1])))
    years = " ".join(f"{year:04}" for year in range(first, min(last, first + _YEARS) + 1))
    return Wanted("year", years, excludes=excludes)


def _topic_term(term: Wanted) -> str:
    bare = not term.field and not term.phrase and ":" not in term.text
    said = term.text + "*" * term.prefix if bare or term.field == "cat" else f'"{term.text}"'
    return "-" * term.excludes + (f"{term.field}:" if term.field else "") + said
