"""What a digest says in words that depend on figures, dates or reasons. The words around them are the templates'."""

from collections.abc import Sequence
from datetime import date

from newsletter.domain.digest import Why
from newsletter.domain.text import plain
from newsletter.domain.topics import parse_topic
from newsletter.errors import UsageError
from newsletter.render.formats import counted, day, number

_NAMED = 3
_FOLLOWED = {"author", "org", "cat"}


def authors(names: Sequence[str]) -> str:
    """Return the first three of *names*, and how many more there are."""
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {number(more)} more" if more > 0 else "")


def others(count: int) -> str:
    """Return what a subject says of the papers after the first, with a blank before it; '' if there are none."""
    return f" and {number(count)} more" if count else ""


def counts(papers: int, matching: int, pool_size: int) -> str:
    """Return how many papers the digest holds, from how many they were chosen, and how many the reader follows."""
    chosen = f", chosen from {number(pool_size)}" if pool_size > papers else ""
    follow = "match" + ("es" if matching == 1 else "") + " what you follow"
    if matching == papers > 1:
        return f"{counted(papers, 'paper')}{chosen}; all {follow}"
    return f"{counted(papers, 'paper')}{chosen}" + (f"; {number(matching)} {follow}" if matching else "")


def since(first: date, issued: date) -> str:
    """Return the heading of a digest that makes up for the days from *first* on."""
    return f"The best since {day(first, issued)}"


def reason(why: Why, detail: str) -> str:
    """Return why a paper is in the digest, as the end of a line. ``detail`` is the reader's topic."""
    match why:
        case Why.TOPIC:
            return _topic(detail)
        case Why.EDITOR:
            return "the editor’s choice"
        case Why.FRONT:
            return "on the front page"
        case Why.POOL:
            return "among the latest papers"


def _topic(text: str) -> str:
    try:
        terms = parse_topic(text).terms
    except UsageError:  # stored by an older version
        terms = ()
    shown = plain(text)
    field, _, value = shown.partition(":")
    if len(terms) == 1 and field.lower() in _FOLLOWED and value:
        return "you follow " + value.strip(' "')
    return f"matches “{_unquoted(shown)}”"


def _unquoted(topic: str) -> str:
    """Return a phrase without its own quotes; what says more than one phrase as it stands."""
    inside = topic[1:-1]
    return inside if topic == f'"{inside}"' and '"' not in inside else topic
