"""What a reader's library of references says that they follow: its authors, and what its titles and keywords repeat."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from newsletter.domain.text import plain, words
from newsletter.domain.topics import parse_topic
from newsletter.errors import UsageError

CITED = 3  # times, at least
_MOST = 10  # authors, and topics
_NAMELESS = {"others", "et al", "anonymous"}
_QUOTES = re.compile(r'[";*]')
# Of titles, words that no phrase worth following has.
_LITTLE = frozenset(
    words(
        "a about all an and are as at be by can do does for from how in into is it its new need not of on or our over"
        " that the their this to toward towards under up use using via we what when which with without you your"
    )
)


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry of a library. Authors are written as papers have them: Tri Dao."""

    title: str
    authors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


def proposals(references: Sequence[Reference], known: Collection[str]) -> list[tuple[str, int]]:
    """Return topics that *references* suggest, each with how many of them do: authors first, the most cited first.

    None that is among the *known* topics.
    """
    have = {parsed for text in known if (parsed := _terms(text))}
    found = [*_authors(references), *_subjects(references)]
    return [(text, count) for text, count in found if (terms := _terms(text)) and terms not in have]


def _terms(text: str) -> object:
    try:
        return parse_topic(text).terms
    except UsageError:
        return ()


def _authors(references: Iterable[Reference]) -> list[tuple[str, int]]:
    """Return who is cited often. A name in initials counts for the one whole name that it may stand for."""
    cited: Counter[tuple[str, ...]] = Counter()
    written: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for reference in references:
        for key, name in {_key(name): name for name in reference.authors}.items():
            cited[key] += 1
            written[key][name] += 1
    whole = {key for key in cited if len(key) > 1 and any(len(word) > 1 for word in key[:-1])}
    by_short: dict[tuple[str, str], list[tuple[str, ...]]] = defaultdict(list)
    for key in whole:
        by_short[key[0][:1], key[-1]].append(key)
    for key in cited.keys() - whole:
        if len(key) > 1 and len(meant := by_short[key[0], key[-1]]) == 1:
            cited[meant[0]] += cited[key]
    often = [(key, count) for key, count in cited.most_common() if count >= CITED and key in whole]
    return [(f"author:{written[key].most_common(1)[0][0]}", count) for key, count in often[:_MOST]]


def _key(name: str) -> tuple[str, ...]:
    found = tuple(words(name))
    return () if " ".join(found) in _NAMELESS else found


def _subjects(references: Iterable[Reference]) -> list[tuple[str, int]]:
    """Return what keywords name and titles repeat: phrases, without those that are part of another one as frequent."""
    said: Counter[tuple[str, ...]] = Counter()
    for reference in references:
        named = {tuple(words(keyword)) for keyword in reference.keywords}
        said.update({*named, *_phrases(reference.title)} - {()})
    often = [(phrase, count) for phrase, count in said.most_common() if count >= CITED and len(phrase) <= 4]
    whole = [
        (phrase, count)
        for phrase, count in often
        if not any(_is_part(phrase, other) and count <= others for other, others in often)
    ]
    return [(_topic(phrase), count) for phrase, count in whole[:_MOST]]


def _phrases(title: str) -> set[tuple[str, ...]]:
    found = words(title)
    runs = (tuple(found[at : at + size]) for size in (2, 3) for at in range(len(found) - size + 1))
    return {run for run in runs if not _LITTLE.intersection(run) and all(len(w) > 1 and not w.isdigit() for w in run)}


def _is_part(phrase: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return phrase != other and f" {' '.join(phrase)} " in f" {' '.join(other)} "


def _topic(phrase: Sequence[str]) -> str:
    return phrase[0] if len(phrase) == 1 else f'"{" ".join(phrase)}"'


def reference(title: str, authors: Iterable[str], keywords: Iterable[str]) -> Reference:
    """Return a reference of foreign texts: each on one line, without what a topic could not hold."""
    return Reference(
        _clean(title), tuple(filter(None, map(_clean, authors))), tuple(filter(None, map(_clean, keywords)))
    )


def _clean(text: str) -> str:
    return plain(_QUOTES.sub(" ", text[:1000]))
