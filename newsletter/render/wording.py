"""What a digest says in words that depend on figures, dates or reasons. The words around them are the templates'."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import NamedTuple

from newsletter.domain.digest import Why
from newsletter.domain.text import plain
from newsletter.domain.topics import Term, names_author, parse_topic
from newsletter.errors import UsageError
from newsletter.render.formats import counted, day, number

_NAMED = 3
_MARKED = 5  # followed authors named beyond the first three: a common family name may match hundreds
_FOLLOWED = {"author", "org", "cat"}


class Part(NamedTuple):
    """A piece of a line; ``followed`` where it is the name of an author whom the reader follows."""

    text: str
    followed: bool


def authors(names: Sequence[str], followed: Iterable[str] = ()) -> list[Part]:
    """Return the line of authors: the first three of *names*, whoever the reader follows, and how many more there are.

    ``followed`` are topics as the reader wrote them, of which those with an ``author:`` count; a name is followed if
    the topic would match it. The parts joined are the line; there are none without names.
    """
    terms = [term for topic in followed for term in _author_terms(topic)]
    marked = {i for i, name in enumerate(names) if any(names_author(term, name) for term in terms)} if terms else set()
    beyond = sorted(i for i in marked if i >= _NAMED)[:_MARKED]
    shown = [*range(min(_NAMED, len(names))), *beyond]
    pieces = [piece for i in shown for piece in (Part(", ", False), Part(names[i], i in marked))]
    if more := len(names) - len(shown):
        pieces.append(Part(f" and {number(more)} more", False))
    return list(_joined(pieces[1:]))


def marked(parts: Iterable[Part]) -> str:
    """Return *parts* in one line of text, the names of followed authors between asterisks."""
    return "".join(f"*{part.text}*" if part.followed else part.text for part in parts)


def _author_terms(topic: str) -> list[Term]:
    try:
        return [term for term in parse_topic(topic).terms if term.field == "author" and not term.excludes]
    except UsageError:  # stored by an older version
        return []


def _joined(pieces: Iterable[Part]) -> Iterator[Part]:
    """Yield *pieces*, those between two names that are followed as one."""
    plainly = ""
    for piece in pieces:
        if not piece.followed:
            plainly += piece.text
            continue
        if plainly:
            yield Part(plainly, False)
        yield piece
        plainly = ""
    if plainly:
        yield Part(plainly, False)


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


def found(papers: int) -> str:
    """Return how many papers alerts found."""
    return f"{counted(papers, 'paper')} that your alerts found"


def reason(why: Why, detail: str) -> str:
    """Return why a paper is in the digest, as the end of a line. ``detail`` is the reader's topic or alert."""
    match why:
        case Why.TOPIC:
            return _topic(detail)
        case Why.OURS if detail:
            return f"{_PLAIN[why]}, {_topic(detail)}"
        case Why.ALERT:
            return f"your alert “{_unquoted(plain(detail))}”"
        case Why.NEAREST if detail:
            return f"close to “{_unquoted(plain(detail))}”"
        case _:
            return _PLAIN[why]


_PLAIN = {
    Why.EDITOR: "the editor’s choice",
    Why.TOP: "most upvoted today",
    Why.FRONT: "on the front page",
    Why.POOL: "among the latest papers",
    Why.OURS: "from our group",
    Why.NEAREST: "among the latest papers",
}


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
