"""An issue's papers as choosing needs them: what topics find, and the orders in which digests take the rest.

Prepared once and used for every reader. Not here: one reader's choice (``digest``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache

from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Index, Topic, parse_topic
from newsletter.domain.works import twins

_TOPICS = 1 << 16  # whose finds are kept, some hundred bytes each: with fewer different ones each is looked for once
_VOTES = 64  # numbers of upvotes asked for


class Why(StrEnum):
    """Why a paper is in a digest."""

    TOPIC = "topic"  # the reader follows it; detail is the topic
    TASTE = "taste"  # like what the reader saved; detail is how they said so, a blank, and the strongest words
    TOP = "top"  # the front's paper with the most upvotes
    FRONT = "front"  # on the front
    EDITOR = "editor"  # the editor pinned or added it
    POOL = "pool"  # the next best of the pool
    OURS = "ours"  # one of our own people wrote it; detail is the topic that it matches too, or ''
    ALERT = "alert"  # a saved search found it; detail is the search
    NEAREST = "nearest"  # nothing matched for long, and this comes closest; detail is the topic


_OF_TOPICS = frozenset({Why.TOPIC, Why.OURS})


@dataclass(frozen=True, slots=True)
class Pick:
    """A paper in a digest."""

    candidate: Candidate
    why: Why
    detail: str = ""

    @property
    def topic(self) -> str:
        """Return the topic that the reader follows and that brings the paper, '' where none does."""
        return self.detail if self.why in _OF_TOPICS else ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a topic finds in a pool, by paper id: the picks that it brings, or the papers that it excludes."""

    picks: Mapping[int, Pick]
    excluded: frozenset[int]


def outside(order: Sequence[Candidate], places: str) -> list[Candidate]:
    """Return those of a pool in its *order* that are not at *places*, as ``Pool.places`` gives them."""
    bits = int(places or "0", 16)
    return [candidate for place, candidate in enumerate(order) if not bits >> place & 1]


class Walk:
    """The ids of a pool in the order in which a digest takes them."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self.ids = tuple(c.paper.id for c in candidates)
        self.rank = {paper_id: rank for rank, paper_id in enumerate(self.ids)}


class Pool:
    """An issue's papers as choosing needs them: prepared once, used for every reader.

    ``order`` is the newsletter's, ``front`` the front's paper ids in order, ``editors`` the ids of the papers that
    the editor pinned or added, ``ours`` of those that our own people wrote. ``found`` and ``unpopular`` remember what
    they were asked.
    """

    def __init__(
        self, order: Sequence[Candidate], front: Sequence[int], editors: Collection[int], ours: Collection[int] = ()
    ) -> None:
        self.order, self.front, self.editors = tuple(order), tuple(front), frozenset(editors)
        self.ours = frozenset(ours)
        self.by_id = {c.paper.id: c for c in self.order}
        self.found = lru_cache(maxsize=_TOPICS)(self._look_for)
        self.unpopular = lru_cache(maxsize=_VOTES)(self._below)

    def places(self, paper_ids: Set[int]) -> str:
        """Return where in the pool these papers stand, '' where none does: bits from the first on, in hexadecimal."""
        bits = sum(map(self._bits.__getitem__, self._bits.keys() & paper_ids))
        return f"{bits:x}" if bits else ""

    @cached_property
    def _bits(self) -> Mapping[int, int]:
        return {paper_id: 1 << rank for paper_id, rank in self._in_order.rank.items()}

    def prepare(self) -> None:
        """Fold the papers' texts now, rather than for the first topic."""
        assert self._index is not None
        assert self.twins is not None

    def walk(self, *, alike: bool) -> Walk:
        """Return the order of the picks that no topic brings: the front first, or all *alike* in the pool's order."""
        return self._in_order if alike else self._front_first

    @cached_property
    def _in_order(self) -> Walk:
        return Walk(self.order)

    @cached_property
    def _front_first(self) -> Walk:
        taken = set(self.front)
        front = [self.by_id[i] for i in self.front if i in self.by_id]
        return Walk([*front, *(c for c in self.order if c.paper.id not in taken)])

    @cached_property
    def plain(self) -> Mapping[int, Pick]:
        """Return each paper as a pick that no topic brings, by id."""
        return {i: Pick(candidate, self._why(i)) for i, candidate in self.by_id.items()}

    def nearest(self, topics: Iterable[Topic]) -> dict[int, str]:
        """Return the papers that say anything of what *topics* ask for, the closest first, each with its topic."""
        best: dict[int, tuple[float, str]] = {}
        for topic in topics:
            for i, share in self._index.shares(topic).items():
                if i not in best or share > best[i][0]:
                    best[i] = share, topic.text
        rank = self._in_order.rank
        return {i: best[i][1] for i in sorted(best, key=lambda i: (-best[i][0], rank[i]))}

    def _why(self, paper_id: int) -> Why:
        if paper_id in self.ours:
            return Why.OURS
        if paper_id in self.editors:
            return Why.EDITOR
        if paper_id == self._top:
            return Why.TOP
        return Why.FRONT if paper_id in self.front else Why.POOL

    @cached_property
    def _top(self) -> int | None:
        """Return the front's one paper that has more upvotes than any other, None if two have as many."""
        votes = sorted(((self.by_id[i].upvotes or 0, i) for i in self.front if i in self.by_id), reverse=True)
        if not votes or not votes[0][0] or (len(votes) > 1 and votes[0][0] == votes[1][0]):
            return None
        return votes[0][1]

    @cached_property
    def _index(self) -> Index:
        return Index(candidate.paper for candidate in self.order)

    @cached_property
    def twins(self) -> Mapping[int, frozenset[int]]:
        """Return of the papers that are one work with others which these are, by id."""
        return twins(candidate.paper for candidate in self.order)

    @cached_property
    def kinds(self) -> Mapping[int, str]:
        """Return the category of each paper that counts for variety, by id: its first, the editor's choices aside."""
        first = {i: c.paper.categories[0] for i, c in self.by_id.items() if c.paper.categories}
        return {i: category for i, category in first.items() if i not in self.editors}

    def _look_for(self, topic: str) -> Found:
        wanted = parse_topic(topic)
        if wanted.excludes:
            return Found({}, frozenset(self._index.excluded_by(wanted)))
        matched = self._index.matched_by(wanted)
        picks = {i: Pick(self.by_id[i], Why.OURS if i in self.ours else Why.TOPIC, wanted.text) for i in matched}
        return Found(picks, frozenset())

    def _below(self, votes: int) -> frozenset[int]:
        counted = ((i, c.upvotes) for i, c in self.by_id.items() if i not in self.editors)
        return frozenset(i for i, upvotes in counted if upvotes is not None and upvotes < votes)
