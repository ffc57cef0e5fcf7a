"""Learning what a reader likes: a small linear model over the words of papers, in numpy, from the extra ``taste``.

Another model may stand in its place: whatever learns from what a reader said, gives each paper of the corpus a number
above nothing where it is liked, and says by which words (``Corpus.learn``, ``Taste.scores``, ``Taste.because``).

A paper is a vector of its marks (``domain.taste``), weighted by how rare they are, beside its place among the main
directions of the corpus, in which words that go together lie together: so the first paper saved already speaks for
others that say it in other words. A reader is the sum of the papers they spoke of, each with its weight. What a paper
scores is its product with that, in standard deviations over the corpus, as far as it is above what any paper might be.

How much each paper of the corpus is like one that somebody spoke of is the same for all readers: it is worked out once
(``Corpus.likeness``), and a reader costs a sum of as many rows as they spoke of papers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from newsletter.domain.paper import Paper
from newsletter.domain.taste import Feedback, Said, as_written, marks, weight

_DIRECTIONS = 24  # main ones of the corpus
_SMALL = 200  # papers, of which each word is known
_TURNS = 12
_SAMPLE = 800  # papers that they are found among
_GENERAL = 0.5  # what they count beside the words themselves
_REJECTED = 0.2  # what a paper that is not liked counts beside one that is
_FLOOR = 0.5  # standard deviations within which a score says nothing
_EXPLAIN = 2  # words at most that explain a pick
_KNOWN = 1 << 12  # papers of other days that are kept, some kilobytes each
_MARKED = 1 << 10  # papers whose marks are looked at one by one
_WRITTEN = 1 << 14  # words as papers write them
_LIKENESSES = 4_000_000  # numbers that are kept of how papers are like others: 16 MB

_Floats = NDArray[np.float32]
_Places = NDArray[np.intp]


class Words(NamedTuple):
    """The marks of one paper, as places in the vocabulary, with their values."""

    places: _Places
    values: _Floats

    def times(self, wanted: _Floats) -> _Floats:
        """Return the value of each mark times what is *wanted* of it."""
        return self.values * wanted[self.places]


class Shelf(NamedTuple):
    """Papers of a corpus that are to be scored together, and where they stand in it."""

    ids: NDArray[np.int64]
    rows: _Places


class Corpus:
    """Papers of these days, prepared once: which words are rare, and which go together."""

    def __init__(self, papers: Iterable[Paper]) -> None:
        self._papers = {paper.id: paper for paper in papers}
        said = [marks(paper) for paper in self._papers.values()]
        counts = Counter(mark for one in said for mark in one)
        self._rarity = {mark: float(np.log((1 + len(said)) / (1 + count))) + 1 for mark, count in counts.items()}
        self._rarest = max(self._rarity.values(), default=1.0)
        fewest = 1 if len(said) < _SMALL else 2  # what only one of many papers says is like nothing
        self.vocabulary = [mark for mark, count in counts.items() if count >= fewest]
        self.place = {mark: place for place, mark in enumerate(self.vocabulary)}
        self._row = {paper_id: row for row, paper_id in enumerate(self._papers)}
        self._rows = [self._weighed(one) for one in said]
        self._known: dict[int, Words] = {}
        self.marked = lru_cache(maxsize=_MARKED)(lambda paper_id: frozenset(self.words(paper_id).places.tolist()))
        self.written = lru_cache(maxsize=_WRITTEN)(lambda mark, paper_id: as_written(mark, self._papers[paper_id]))
        self.likeness = lru_cache(maxsize=max(_LIKENESSES // max(len(said), 1), 16))(self._likeness)

    def _weighed(self, said: Mapping[str, int]) -> Words:
        """Return a paper's marks with their weights, as a vector of length 1 were all of them in the vocabulary."""
        values = {mark: (1 + np.log(times)) * self._rarity.get(mark, self._rarest) for mark, times in said.items()}
        length = float(np.linalg.norm(list(values.values()))) or 1.0
        found = [(self.place[mark], value / length) for mark, value in values.items() if mark in self.place]
        return Words(np.array([p for p, _ in found], dtype=np.intp), np.array([v for _, v in found], dtype=np.float32))

    @cached_property
    def _all(self) -> tuple[_Places, Words]:
        """Return the words of all papers behind one another, and of which paper each is."""
        of = np.repeat(np.arange(len(self._rows)), [len(one.places) for one in self._rows])
        places = np.concatenate([one.places for one in self._rows])
        return of, Words(places, np.concatenate([one.values for one in self._rows]))

    def _product(self, wanted: _Floats) -> _Floats:
        """Return the product of each paper with *wanted*, a number for each mark."""
        of, words = self._all
        return np.bincount(of, words.times(wanted), len(self._rows)).astype(np.float32)

    @cached_property
    def _mean(self) -> tuple[_Floats, _Floats, float]:
        """Return the mean of the papers by mark, its product with each of them, and with itself."""
        _, words = self._all
        total = np.bincount(words.places, words.values, len(self.vocabulary))
        mean = (total / len(self._rows)).astype(np.float32)
        return mean, self._product(mean), float(mean @ mean)

    @property
    def mean(self) -> _Floats:
        """Return how much of each mark the papers have in the mean."""
        return self._mean[0]

    @cached_property
    def _sayings(self) -> tuple[_Places, _Places, _Floats]:
        """Return for each mark where its papers begin, and, mark after mark, which these are and how much they say it.

        Few papers have any one mark: so a product with a paper costs what its marks cost, not what all papers do.
        """
        of, words = self._all
        order = np.argsort(words.places, kind="stable")
        begins = np.concatenate([[0], np.cumsum(np.bincount(words.places, minlength=len(self.vocabulary)))])
        return begins.astype(np.intp), of[order], words.values[order]

    def _lexical(self, words: Words) -> _Floats:
        """Return the product of each paper with one, both as they differ from the mean."""
        mean, of_mean, itself = self._mean
        begins, of, values = self._sayings
        sizes = begins[words.places + 1] - begins[words.places]
        at = np.arange(sizes.sum()) + np.repeat(begins[words.places] - (np.cumsum(sizes) - sizes), sizes)
        product = np.bincount(of[at], values[at] * np.repeat(words.values, sizes), len(self._rows)).astype(np.float32)
        return product - of_mean - float(words.times(mean).sum()) + itself

    @cached_property
    def _directions(self) -> tuple[_Floats, _Floats]:
        """Return the main directions by mark, and where each paper lies among them."""
        sample = range(min(_SAMPLE, len(self._rows)))
        alike = np.array([self._lexical(self._rows[row])[: len(sample)] for row in sample], dtype=np.float32)
        parts = _main(alike)
        by_mark = np.zeros((len(self.vocabulary), parts.shape[1]), dtype=np.float32)
        for row in sample:
            by_mark[self._rows[row].places] += np.outer(self._rows[row].values, parts[row])
        by_mark -= np.outer(self._mean[0], parts.sum(axis=0))
        return by_mark, np.array([self._lies(one, by_mark) for one in self._rows], dtype=np.float32)

    def _lies(self, words: Words, by_mark: _Floats) -> _Floats:
        lies = words.values @ by_mark[words.places] - self._mean[0] @ by_mark
        return np.asarray(lies / max(float(np.linalg.norm(lies)), 1e-9), dtype=np.float32)

    @cached_property
    def _scales(self) -> tuple[float, float]:
        """Return how much papers of the corpus differ from one another by words, and by directions."""
        some = range(0, len(self._rows), max(len(self._rows) // 64, 1))
        by_mark, lies = self._directions
        lexical = np.std([self._lexical(self._rows[row]) for row in some])
        general = np.std([lies @ self._lies(self._rows[row], by_mark) for row in some])
        return float(lexical) or 1.0, float(general) or 1.0

    def _likeness(self, paper_id: int) -> _Floats:
        """Return how much each paper of the corpus is like a known one, in the mean nothing."""
        words, (by_mark, lies), (lexical, general) = self.words(paper_id), self._directions, self._scales
        found = self._lexical(words) / lexical + _GENERAL / general * (lies @ self._lies(words, by_mark))
        if (row := self._row.get(paper_id)) is not None and len(found) > 1:
            found[row] = (found.sum() - found[row]) / (len(found) - 1)  # that it is like itself says nothing
        return np.asarray(found - found.mean(), dtype=np.float32)

    def words(self, paper_id: int) -> Words:
        """Return the words of a paper of the corpus or one that was made known."""
        row = self._row.get(paper_id)
        return self._known[paper_id] if row is None else self._rows[row]

    def add(self, papers: Iterable[Paper]) -> None:
        """Make known papers that readers spoke of and that are not of these days."""
        self._known |= {paper.id: self._weighed(marks(paper)) for paper in papers}

    def forget(self) -> None:
        """Make room where too many papers were made known: those of one chunk of readers are known anew."""
        if len(self._known) > _KNOWN:
            self._known.clear()

    def prepare(self) -> None:
        """Find the directions now, rather than for the first reader."""
        assert self._scales

    def __len__(self) -> int:
        return len(self._rows)

    def knows(self, paper_id: int) -> bool:
        """Return whether a paper is of these days or was made known."""
        return paper_id in self._row or paper_id in self._known

    def holds(self, paper_ids: Iterable[int]) -> bool:
        """Return whether all these papers are of these days."""
        return self._row.keys() >= set(paper_ids)

    def shelf(self, paper_ids: Iterable[int]) -> Shelf:
        """Return papers to be scored together: those that are of the corpus."""
        ids = [paper_id for paper_id in paper_ids if paper_id in self._row]
        return Shelf(np.array(ids, dtype=np.int64), np.array([self._row[i] for i in ids], dtype=np.intp))

    def learn(self, said: Sequence[Feedback], now: datetime) -> "Taste":
        """Return what a reader's words say of all papers at *now*. Papers that are not known do not count."""
        return Taste(self, [one for one in said if self.knows(one.paper_id)], now)


class Taste:
    """What one reader likes."""

    def __init__(self, corpus: Corpus, said: Sequence[Feedback], now: datetime) -> None:
        self._corpus, self._said = corpus, said
        weights = [weight(one, now) for one in said]
        self._shares = [np.float32(w if w > 0 else _REJECTED * w) for w in weights]

    def scores(self, shelf: Shelf) -> dict[int, float]:
        """Return what papers score; those of which nothing is to be said are left out."""
        if not self._said:
            return {}
        found = np.zeros(len(self._corpus), dtype=np.float32)
        for share, one in zip(self._shares, self._said, strict=True):
            found += share * self._corpus.likeness(one.paper_id)
        spread = math.sqrt(float(found @ found) / len(found))
        if spread < 1e-9:
            return {}
        own = found[shelf.rows] / spread
        # Who only liked papers disliked none, and the other way round.
        liking, disliking = max(self._shares) > 0, min(self._shares) < 0
        told = np.abs(own) if liking and disliking else own if liking else -own
        telling = np.flatnonzero(told > _FLOOR)
        sure = own[telling]
        return dict(zip(shelf.ids[telling].tolist(), (sure - np.copysign(_FLOOR, sure)).tolist(), strict=True))

    def because(self, paper_id: int) -> str:
        """Return why a paper is liked: ``save`` or ``more``, a blank, and its strongest words as it writes them."""
        words = self._corpus.words(paper_id)
        best = self._strongest(words.places, words.times(self._wanted), _EXPLAIN)
        having = [one for one in self._said if one.said is not Said.LESS and self._has(one.paper_id, best[:1])]
        how = Said.SAVE if any(one.said is Said.SAVE for one in having) else Said.MORE
        return f"{how} {' and '.join(self._corpus.written(mark, paper_id) for mark in best)}".rstrip()

    def strongest(self, count: int) -> tuple[list[str], list[str]]:
        """Return the marks that count most for a paper, and those that count most against one."""
        places, signs = np.arange(len(self._wanted)), (1, -1)
        likes, dislikes = (
            self._strongest(places, sign * self._wanted, count)
            if any(sign * share > 0 for share in self._shares)
            else []
            for sign in signs
        )
        return likes, dislikes

    @cached_property
    def _wanted(self) -> _Floats:
        found = np.zeros(len(self._corpus.vocabulary), dtype=np.float32)
        for share, one in zip(self._shares, self._said, strict=True):
            words = self._corpus.words(one.paper_id)
            found[words.places] += share * words.values
        # What any paper says tells nothing of what is liked.
        return found - np.float32(sum(self._shares)) * self._corpus.mean

    def _strongest(self, places: _Places, values: _Floats, count: int) -> list[str]:
        """Return the marks with the highest values above nothing, the strongest first, none that another one holds."""
        order = [n for n in np.argsort(-values, kind="stable")[: 4 * count] if values[n] > 0]
        found = [self._corpus.vocabulary[places[n]] for n in order]
        held = {word for one in found if " " in one for word in one.split()}
        return [one for one in found if one not in held][:count]

    def _has(self, paper_id: int, wanted: Sequence[str]) -> bool:
        return all(self._corpus.place[mark] in self._corpus.marked(paper_id) for mark in wanted)


def _main(alike: _Floats) -> _Floats:
    """Return the main directions among things that are *alike* so much, each as shares of the things.

    By turning a few directions towards the main ones again and again, which takes a seventh of looking for all. They
    begin anywhere, but always at the same place: the same papers give the same scores.
    """
    found = np.random.default_rng(0).standard_normal((len(alike), min(_DIRECTIONS + 8, len(alike)))).astype(np.float32)
    for _ in range(_TURNS):
        found, _rest = np.linalg.qr(alike @ found)
    strengths, turned = np.linalg.eigh(found.T @ alike @ found)
    kept = [n for n in np.argsort(strengths)[::-1][:_DIRECTIONS] if strengths[n] > 1e-4]
    return np.asarray(found @ turned[:, kept] / np.sqrt(strengths[kept]), dtype=np.float32)
