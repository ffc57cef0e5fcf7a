"""What a topic matches: the small grammar in which readers and the newsletter say what they follow.

A topic is one or more terms, all of which must match; several topics are alternatives. A term is a ``word``,
a ``"phrase"``, a ``prefix*``, ``cat:cs.CL``, ``author:Tri Dao`` or ``org:NVIDIA`` (to where another term begins that
shows itself by its mark, or quoted). A leading ``-`` excludes. Words are compared folded and singular, never inside
other words. ``docs/preferences.md`` teaches it.
"""

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from newsletter.domain.paper import Paper
from newsletter.domain.text import singular, whole_words, words
from newsletter.errors import TopicError, UsageError

_TERM = re.compile(r'\s*(-?)(?:(cat|author|org):\s*)?(?:"([^"]*)"|(\S*))', re.IGNORECASE)
_TO_THE_NEXT = re.compile(r'\s*(-?)(author|org):\s*([^"\s].*?)(?=\s+-|\s+(?:cat|author|org):|\s*"|\s*$)', re.IGNORECASE)
_UNKNOWN_FIELD = re.compile(r"([A-Za-z]+):(?!//)")
_LAST = "\U0010ffff"  # comes after all that words are made of
_LONGEST = 500  # characters, many times what anybody asks for
_TERMS = 1 << 10  # whose nearness is kept: some kilobytes each
_OPERATORS = {"AND": "all terms of a topic must match, so leave it out", "OR": "write two topics", "NOT": "write -word"}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. ``field`` is '' (title, abstract, summary, keywords), 'cat', 'author' or 'org'."""

    field: str
    words: tuple[str, ...]
    prefix: bool
    excludes: bool


@dataclass(frozen=True, slots=True)
class Topic:
    """Terms that must all hold. ``text`` is what the person wrote."""

    text: str
    terms: tuple[Term, ...]

    @property
    def excludes(self) -> bool:
        """Return whether the topic only excludes: then a paper that matches any of its terms is left out."""
        return all(term.excludes for term in self.terms)

    @property
    def follows_author(self) -> bool:
        """Return whether somebody is followed by name, which a digest always says."""
        return any(term.field == "author" and not term.excludes for term in self.terms)


@lru_cache(maxsize=1 << 14)
def parse_topic(text: str) -> Topic:
    """Return the topic that *text* says. Raises UsageError that points at the place where it cannot be read.

    White space counts as one blank, also for that place, and as nothing at either end.
    """
    written = text.strip()
    if len(written) > _LONGEST:
        long = f"{len(written)} characters, {_LONGEST} at most; write several topics"
        raise TopicError(f"topic {written[:40] + '…'!r}: {long}", "long")
    folded = " ".join(written.split())
    terms: list[Term] = []
    at = 0
    while at < len(folded):
        rest = _TO_THE_NEXT.match(folded, at) or _TERM.match(folded, at)
        assert rest is not None  # any visible character begins a term
        terms.append(_term(folded, rest))
        at = rest.end()
    if not terms:
        raise TopicError('topic is empty: write a word, a "phrase", cat:cs.CL, author:NAME or org:NAME', "empty")
    return Topic(written, tuple(terms))


def read_topics(texts: Iterable[str]) -> list[Topic]:
    """Return the topics in *texts*, without those that an older version stored and this one does not read."""
    found: list[Topic] = []
    for text in texts:
        try:
            found.append(parse_topic(text))
        except UsageError:
            continue
    return found


def _term(text: str, found: re.Match[str]) -> Term:
    minus, field, *values = found.groups()
    value = next((v for v in values if v is not None), "")
    at = found.start() + len(found[0]) - len(found[0].lstrip()) + 1
    place = f"at character {at}"
    prefix = value.endswith("*") and not field
    category = (field or "").lower() == "cat"
    bare = not field and len(values) > 1 and values[1] is not None
    if value.count('"'):
        raise TopicError(f"topic {text!r}: unbalanced quote {place}", "quote", at)
    if bare and (unknown := _UNKNOWN_FIELD.match(value)):
        said = f"topic {text!r}: unknown field {unknown[0]!r} {place}; use cat:, author: or org:"
        raise TopicError(said, "field", at, unknown[0])
    if bare and value in _OPERATORS:
        raise TopicError(f"topic {text!r}: {value} {place}: {_OPERATORS[value]}", "operator", at, value)
    if "*" in value[: -1 if prefix else None].removesuffix(".*" if category else "") and value.strip("*"):
        said = f"topic {text!r}: misplaced * {place}: it stands at the end of a word, as in quanti*"
        raise TopicError(said, "star", at)
    kept = (value.casefold().removesuffix(".*"),) if category else tuple(_term_words(value, prefix=prefix))
    if not any(kept):
        raise TopicError(f"topic {text!r}: nothing to look for {place}", "nothing", at)
    return Term((field or "").lower(), kept, prefix, bool(minus))


def _term_words(value: str, *, prefix: bool) -> list[str]:
    # A prefix is compared as it stands: its last word is not a whole one, so it has no plural.
    return whole_words(value) if prefix else words(value)


def names_author(term: Term, name: str) -> bool:
    """Return whether an ``author:`` *term* matches the author *name*: each of its words is one of the name's."""
    return set(term.words) <= set(words(name))


class Matcher:
    """A paper prepared for many topics: its texts folded once."""

    def __init__(self, paper: Paper) -> None:
        said = [whole_words(part) for part in (paper.title, paper.abstract, paper.summary, *paper.keywords)]
        # A bar between them, for no phrase goes from one text on to the next.
        self._whole = " " + " | ".join(" ".join(part) for part in said)
        self._text = " " + " | ".join(" ".join(map(singular, part)) for part in said) + " "
        self._categories = [c.casefold() for c in paper.categories]
        self._authors = [set(words(author)) for author in paper.authors]
        self._organisation = " " + " ".join(words(paper.organisation)) + " "

    def matches(self, topic: Topic) -> bool:
        """Return whether every term of *topic* holds; a topic that only excludes never matches."""
        return not topic.excludes and all(self._holds(t) != t.excludes for t in topic.terms)

    def excluded_by(self, topic: Topic) -> bool:
        """Return whether *topic* only excludes, and one of its terms is found."""
        return topic.excludes and any(self._holds(t) for t in topic.terms)

    @property
    def said(self) -> set[str]:
        """Return every word that a ``word`` or "phrase" may find, singular."""
        return set(self._text.split())

    @property
    def whole(self) -> set[str]:
        """Return every word as it stands, which a ``prefix*`` may begin."""
        return set(self._whole.split())

    @property
    def classes(self) -> set[str]:
        """Return its categories, and the archives that these are of."""
        parts = [c.split(".") for c in self._categories]
        return {".".join(some[: n + 1]) for some in parts for n in range(len(some))}

    @property
    def names(self) -> set[str]:
        """Return every word of its authors' names."""
        return set[str]().union(*self._authors)

    @property
    def places(self) -> set[str]:
        """Return every word of its organisation."""
        return set(self._organisation.split())

    def _holds(self, term: Term) -> bool:
        if term.field == "cat":
            return any(c == term.words[0] or c.startswith(term.words[0] + ".") for c in self._categories)
        if term.field == "author":
            return any(set(term.words) <= author for author in self._authors)
        phrase = " ".join(term.words)
        if term.field == "org":
            return f" {phrase} " in self._organisation
        return f" {phrase}" in self._whole if term.prefix else f" {phrase} " in self._text

    def share(self, topic: Topic) -> float:
        """Return how near the paper comes to *topic*: the share of its asking terms' words that are found, 0 to 1.

        Another category of the same archive is half of the one asked for.
        """
        asked = [term for term in topic.terms if not term.excludes]
        return sum(map(self.part, asked)) / len(asked) if asked else 0.0

    def part(self, term: Term) -> float:
        """Return how near the paper comes to one asking *term*, 0 to 1."""
        if self._holds(term):
            return 1.0
        if term.field == "cat":
            archive = term.words[0].partition(".")[0]
            return 0.5 * any(c.partition(".")[0] == archive for c in self._categories)
        single = [Term(term.field, (word,), term.prefix, False) for word in term.words]
        return sum(map(self._holds, single)) / (len(single) + 1)


class Index:
    """Papers prepared for very many topics: of each word is known who says it, so that few are looked at closely."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        self.matchers = {paper.id: Matcher(paper) for paper in papers}
        said = self._who((i, matcher.said) for i, matcher in self.matchers.items())
        authors = self._who((i, matcher.names) for i, matcher in self.matchers.items())
        places = self._who((i, matcher.places) for i, matcher in self.matchers.items())
        classes = self._who((i, matcher.classes) for i, matcher in self.matchers.items())
        self._by_field = {"": said, "author": authors, "org": places, "cat": classes}
        self._whole = self._who((i, matcher.whole) for i, matcher in self.matchers.items())
        self._sorted = sorted(self._whole)
        self._parts = lru_cache(maxsize=_TERMS)(self._parts_of)

    @staticmethod
    def _who(said: Iterable[tuple[int, set[str]]]) -> dict[str, set[int]]:
        who: dict[str, set[int]] = defaultdict(set)
        for paper_id, some in said:
            for word in some:
                who[word].add(paper_id)
        return who

    def matched_by(self, topic: Topic) -> list[int]:
        """Return the papers that *topic* matches, by id in their order."""
        return [i for i in self._possible(topic) if self.matchers[i].matches(topic)]

    def excluded_by(self, topic: Topic) -> list[int]:
        """Return the papers that *topic* excludes, by id in their order."""
        possible = self.matchers if len(topic.terms) > 1 else self._possible(topic)
        return [i for i in possible if self.matchers[i].excluded_by(topic)]

    def _possible(self, topic: Topic) -> Iterable[int]:
        """Return who says all words that the topic's terms name; all of them where it names none."""
        named = [term for term in topic.terms if not term.excludes or topic.excludes]
        if not named:
            return self.matchers
        return sorted(set[int].intersection(*chain.from_iterable(map(self._saying, named))))

    def _saying(self, term: Term) -> Iterator[set[int]]:
        """Yield who says each word of *term*; of a prefix, who says any word that it begins."""
        if not term.prefix:
            who = self._by_field[term.field]
            yield from (who.get(word, set()) for word in term.words)
            return
        start = term.words[-1]
        first, last = bisect_left(self._sorted, start), bisect_left(self._sorted, start + _LAST)
        yield set[int]().union(*map(self._whole.__getitem__, self._sorted[first:last]))

    def shares(self, topic: Topic) -> Mapping[int, float]:
        """Return how near papers come to *topic*, as ``Matcher.share`` has it, without those that say nothing of it."""
        asked = [term for term in topic.terms if not term.excludes]
        total: dict[int, float] = defaultdict(float)
        for term in asked:
            for paper_id, part in self._parts(term).items():
                total[paper_id] += part / len(asked)
        return total

    def _parts_of(self, term: Term) -> Mapping[int, float]:
        """Return how near papers come to *term*: by whom says how many of its words, wherever words are indexed."""
        if term.prefix or term.field == "cat":
            return {i: part for i, matcher in self.matchers.items() if (part := matcher.part(term))}
        saying = self._by_field[term.field]
        counts = Counter(chain.from_iterable(saying.get(word, ()) for word in term.words))
        whole = len(term.words)
        return {i: self.matchers[i].part(term) if n == whole else n / (whole + 1) for i, n in counts.items()}
