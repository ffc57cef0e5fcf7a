"""Which papers are one work under two titles, so that a digest brings it once.

Sources that share a key are one paper already (``paper``). What is left are a preprint and its published version, or
two uploads, under keys of their own. Decided by titles and authors alone, and rather too seldom than too often: a
paper that comes twice is a nuisance, one that never comes is a loss.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, combinations, islice
from typing import NamedTuple

from newsletter.domain.paper import Paper
from newsletter.domain.text import folded, words

_SPEAKS_FOR_ITSELF = 4  # words of a title that no two works share by chance
_ALIKE = 0.75  # of all words of two titles, those that both have
_FEWEST = 2  # words before a colon or dash that may be a whole title elsewhere
_SUBTITLE = re.compile(r"[:：—]|\s[-–]+\s")  # a hyphen within a word opens none
_OF_ANY_JOURNAL = frozenset(
    """a about abstract acknowledgement and announcement an appendix author book comment commentary conclusion content
    correction corrigendum discussion editor editorial erratum for foreword from guest in introduction issue keynote
    letter message news note obituary of on opinion our overview paper perspective poster preface proceeding program
    reply report response retraction review section session special summary table talk the this to tutorial update
    volume welcome with workshop""".split()  # noqa: SIM905
)  # words of which many titles are made that are no work's own, singular
_COMMON = 50  # papers: a title or name that more of them have, such as Anonymous, tells nothing
_COMPARISONS = 100_000  # a tenth of a second or two; a pool of honest papers needs some hundreds


class _Titled(NamedTuple):
    paper_id: int
    title: tuple[str, ...]
    opening: int  # words before the subtitle, all where there is none
    numbers: frozenset[str]
    authors: frozenset[str]


def same_work(one: Paper, other: Paper) -> bool:
    """Return whether two papers are one work: the same title, or nearly, by the same people.

    Case, accents, punctuation and plurals do not count. Where both name authors, one at least is in common. Titles
    are the same if their words are, of which there are four or more. Where at least half of the longer list of authors
    are in the other, it is enough that fewer words are the same, or three quarters of them, or that one title is how
    the other begins: with four words or more, or up to its colon or dash. Titles that differ in a number are never one
    work: part I is not part II. Nor are those that could stand in any journal: *Editorial*, *Introduction to this
    special issue*.
    """
    return _same(_titled(one), _titled(other))


def twins(papers: Iterable[Paper]) -> Mapping[int, frozenset[int]]:
    """Return of each paper that has any the others that are the same work, by id.

    Only pairs: what two others have in common with a third makes no work of the two. A title or an author of more
    than fifty papers brings nobody together.
    """
    found: dict[int, set[int]] = defaultdict(set)
    for a, b in islice(_possible([_titled(paper) for paper in papers]), _COMPARISONS):
        if _same(a, b):
            found[a.paper_id].add(b.paper_id)
            found[b.paper_id].add(a.paper_id)
    return {paper_id: frozenset(others) for paper_id, others in found.items()}


class Titles:
    """Papers of whose titles is asked, of very many others, which of them they may be the same as.

    A sieve before ``same_work``, of some microseconds a title: it lets through what shares three words with a paper
    by their first letters, or all where either has fewer. Words that a tenth of the papers say do not count.
    """

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._papers = list(papers)
        said = [_beginnings(paper.title) for paper in self._papers]
        counts = Counter(chain.from_iterable(said))
        most = max(len(said) // 10, _COMMON // 10)
        self._who: dict[str, int] = defaultdict(int)
        self._few = [0, 0, 0]  # who has no word that counts, one, two
        for place, some in enumerate(said):
            own = [one for one in some if counts[one] <= most]
            for one in own:
                self._who[one] |= 1 << place
            if len(own) < len(self._few):
                self._few[len(own)] |= 1 << place
        self._common = {one for one, count in counts.items() if count > most}

    def like(self, title: str) -> list[Paper]:
        """Return the papers that the one with this *title* may be."""
        one = two = three = 0  # who shares so many words, and more
        own = _beginnings(title) - self._common
        for who in filter(None, map(self._who.get, own)):
            three |= two & who
            two |= one & who
            one |= who
        found = (two & self._few[2]) | (one & self._few[1]) | ((0, one, two)[len(own)] if len(own) < 3 else three)
        return [self._papers[place] for place in range(found.bit_length()) if found >> place & 1]


def _beginnings(title: str) -> frozenset[str]:
    """Return the first letters of the words of *title* that have as many: case, accents and plurals aside."""
    return frozenset(word[:4] for word in folded(title).split() if len(word) > 3)


def _possible(papers: Iterable[_Titled]) -> Iterator[tuple[_Titled, _Titled]]:
    """Yield the pairs that share a title or an author, first those that share what few have."""
    sharing: dict[object, list[_Titled]] = defaultdict(list)
    for one in papers:
        for mark in (one.title, *sorted(one.authors)):
            sharing[mark].append(one)
    for some in sorted(sharing.values(), key=len):
        if len(some) <= _COMMON:
            yield from combinations(some, 2)


def _titled(paper: Paper) -> _Titled:
    title = tuple(words(paper.title))
    opening = len(words(_SUBTITLE.split(paper.title, maxsplit=1)[0]))
    numbers = frozenset(word for word in title if any(map(str.isdecimal, word)) or not word.strip("ivx"))
    authors = frozenset(" ".join(words(name)) for name in paper.authors) - {""}
    return _Titled(paper.id, title, opening, numbers, authors)


def _same(one: _Titled, other: _Titled) -> bool:
    both = one.authors & other.authors
    if not both and one.authors and other.authors:
        return False
    if _OF_ANY_JOURNAL.issuperset(one.title) or _OF_ANY_JOURNAL.issuperset(other.title):
        return False
    if one.title == other.title and len(one.title) >= _SPEAKS_FOR_ITSELF:
        return True
    if 2 * len(both) < max(1, len(one.authors), len(other.authors)):
        return False
    return one.numbers == other.numbers and (_begins(one, other) or _begins(other, one) or _nearly(one, other))


def _begins(one: _Titled, other: _Titled) -> bool:
    """Return whether the title of *one* is how that of the *other* begins, and long enough or all but its subtitle."""
    size = len(one.title)
    enough = size >= _SPEAKS_FOR_ITSELF or (size >= _FEWEST and size == other.opening)
    return enough and other.title[:size] == one.title


def _nearly(one: _Titled, other: _Titled) -> bool:
    return len({*one.title} & {*other.title}) >= _ALIKE * len({*one.title} | {*other.title})
