"""What a digest says in words that depend on figures, dates or reasons. The words around them are the templates'."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from newsletter.domain.pool import Why
from newsletter.domain.taste import Said
from newsletter.domain.text import plain
from newsletter.domain.topics import Term, names_author, parse_topic
from newsletter.errors import UsageError
from newsletter.render.language import Language

_NAMED = 3
_MARKED = 5  # followed authors named beyond the first three: a common family name may match hundreds
_FOLLOWED = {"author", "org", "cat"}
_LIKED = (Why.FRONT, Why.POOL)


class Part(NamedTuple):
    """A piece of a line; ``followed`` where it is the name of an author whom the reader follows."""

    text: str
    followed: bool


def authors(language: Language, names: Sequence[str], followed: Iterable[str] = ()) -> list[Part]:
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
        pieces.append(Part(language.npgettext("authors", " and %(num)s more", " and %(num)s more", more), False))
    return list(_joined(pieces[1:]))


def may_name_author(topic: str) -> bool:
    """Return whether the *topic*, as its reader wrote it, can follow anybody by name."""
    return "author:" in topic.lower()


def marked(parts: Iterable[Part]) -> str:
    """Return *parts* in one line of text, the names of followed authors between asterisks."""
    return "".join(f"*{part.text}*" if part.followed else part.text for part in parts)


def by_whom(names: str, organisation: str) -> str:
    """Return whom a paper is by. What stands in brackets never leaves a dot alone at the end of a line."""
    return f"{names} ({organisation})" if names and organisation else names or organisation


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


def others(language: Language, count: int) -> str:
    """Return what a subject says of the papers after the first, with a blank before it; '' if there are none."""
    if not count:
        return ""
    return language.npgettext("papers", " and %(num)s more", " and %(num)s more", count)


def counts(language: Language, papers: int, matching: int, pool_size: int) -> str:
    """Return how many papers the digest holds, from how many they were chosen, and how many the reader follows."""
    said = language.ngettext("%(num)s paper", "%(num)s papers", papers)
    if pool_size > papers:
        said += language.gettext(", chosen from %(number)s", number=language.number(pool_size))
    if matching == papers > 1:
        return said + language.gettext("; all match what you follow")
    if matching:
        said += language.ngettext("; %(num)s matches what you follow", "; %(num)s match what you follow", matching)
    return said


def since(language: Language, first: date, issued: date) -> str:
    """Return the heading of a digest that makes up for the days from *first* on."""
    return language.gettext("The best since %(day)s", day=language.day(first, issued))


def quiet_since(language: Language, first: date, issued: date) -> str:
    """Return the heading of the mail that says that nothing matched from the day *first* on."""
    return language.gettext("Nothing that you asked for has appeared since %(day)s", day=language.day(first, issued))


def found(language: Language, papers: int) -> str:
    """Return how many papers alerts found."""
    return language.ngettext("%(num)s paper that your alerts found", "%(num)s papers that your alerts found", papers)


def days(language: Language, span: timedelta) -> str:
    """Return how many days *span* has."""
    return language.ngettext("%(num)s day", "%(num)s days", span.days)


def hours(language: Language, span: timedelta) -> str:
    """Return how many hours *span* has."""
    return language.ngettext("%(num)s hour", "%(num)s hours", int(span.total_seconds()) // 3600)


def reason(language: Language, why: Why, detail: str) -> str:
    """Return why a paper is in the digest, as the end of a line. ``detail`` is what ``Why`` says."""
    match why:
        case Why.TOPIC:
            return _topic(language, detail)
        case Why.TASTE:
            return _taste(language, detail)
        case Why.ALERT:
            return language.gettext("your alert “%(words)s”", words=_unquoted(plain(detail)))
        case Why.NEAREST if detail:
            return language.gettext("close to “%(words)s”", words=_unquoted(plain(detail)))
        case Why.OURS if detail:
            return f"{_newsletters(language, why)}, {_topic(language, detail)}"
    return _newsletters(language, why)


def says_more(why: str) -> bool:
    """Return whether a reason says more than the upvotes beside it: not where it only says that a paper is liked."""
    return why not in _LIKED


def _newsletters(language: Language, why: Why) -> str:
    """Return why a paper is in the digest that nothing which the reader said brings."""
    match why:
        case Why.OURS:
            return language.gettext("from our group")
        case Why.EDITOR:
            return language.gettext("the editor’s choice")
        case Why.TOP:
            return language.gettext("most upvoted today")
        case Why.FRONT:
            return language.gettext("among the day’s best")
    return language.gettext("among the latest papers")


def _taste(language: Language, detail: str) -> str:
    said, _, words = plain(detail).partition(" ")
    if not words:
        return language.gettext("like what you saved")
    if said == Said.SAVE:
        return language.gettext("because you saved papers on “%(words)s”", words=words)
    return language.gettext("because you asked for more on “%(words)s”", words=words)


def _topic(language: Language, text: str) -> str:
    try:
        terms = parse_topic(text).terms
    except UsageError:  # stored by an older version
        terms = ()
    shown = plain(text)
    field, _, value = shown.partition(":")
    if len(terms) == 1 and field.lower() in _FOLLOWED and value:
        return language.gettext("you follow %(name)s", name=value.strip(' "'))
    return language.gettext("matches “%(topic)s”", topic=_unquoted(shown))


def _unquoted(topic: str) -> str:
    """Return a phrase without its own quotes; what says more than one phrase as it stands."""
    inside = topic[1:-1]
    return inside if topic == f'"{inside}"' and '"' not in inside else topic
