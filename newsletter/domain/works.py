"""Which papers are one work under two titles, so that a digest brings it once.

Sources that share a key are one paper already (``paper``). What is left are a preprint and its published version, or
two uploads, under keys of their own. Decided by titles and authors alone, and rather too seldom than too often: a
paper that comes twice is a nuisance, one that never comes is a loss.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from newsletter.domain.paper import Paper
from newsletter.domain.text import words

_SPEAKS_FOR_ITSELF = 4  # words of a title that no two works share by chance
_ALIKE = 0.75  # of all words of two titles, those that both have
_FEWEST = 2  # words of a title that may be the beginning of another


class _Titled(NamedTuple):
    paper_id: int
    title: tuple[str, ...]
    authors: frozenset[str]


def same_work(one: Paper, other: Paper) -> bool:
    """Return whether two papers are one work: the same title, or nearly, by the same people.

    Case, accents, punctuation and plurals do not count. Titles are the same if their words are; by themselves they
    say so with four words or more, shorter ones where an author is the same. Where at least half of the authors of
    one are those of the other, it is enough that three quarters of the words are, or that one title is how the other
    begins. Titles that differ in a number are never one work: part I is not part II.
    """
    return _same(_titled(one), _titled(other))


def twins(papers: Iterable[Paper]) -> Mapping[int, frozenset[int]]:
    """Return of each paper that has any the others that are the same work, by id."""
    known = [_titled(paper) for paper in papers]
    alike: dict[object, list[_Titled]] = defaultdict(list)
    for one in known:
        for mark in (one.title, *one.authors):
            alike[mark].append(one)
    found: dict[int, set[int]] = {}
    pairs = ((a, b) for some in alike.values() for n, a in enumerate(some) for b in some[:n] if _same(a, b))
    for a, b in pairs:
        work = {a.paper_id, b.paper_id} | found.get(a.paper_id, set()) | found.get(b.paper_id, set())
        found |= dict.fromkeys(work, work)
    return {paper_id: frozenset(work - {paper_id}) for paper_id, work in found.items()}


def _titled(paper: Paper) -> _Titled:
    return _Titled(paper.id, tuple(words(paper.title)), frozenset(" ".join(words(name)) for name in paper.authors))


def _same(one: _Titled, other: _Titled) -> bool:
    both = one.authors & other.authors
    if one.title == other.title:
        return len(one.title) >= _SPEAKS_FOR_ITSELF or bool(both)
    if 2 * len(both) < max(1, min(len(one.authors), len(other.authors))):
        return False
    return _numbers(one.title) == _numbers(other.title) and _nearly(one.title, other.title)


def _nearly(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    short, long = sorted((one, other), key=len)
    if len(short) >= _FEWEST and long[: len(short)] == short:
        return True
    return len({*short} & {*long}) >= _ALIKE * len({*short} | {*long})


def _numbers(title: tuple[str, ...]) -> set[str]:
    return {word for word in title if any(map(str.isdecimal, word)) or not word.strip("ivx")}
