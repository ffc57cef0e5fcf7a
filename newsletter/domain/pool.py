"""An issue's papers as choosing needs them: what topics find, and the orders in which digests take the rest.

Prepared once and used for every reader. A paper is known by its place in the newsletter's order, and several by a
number whose bits are their places: what holds for a reader is then an operation or two on numbers, however many papers
there are. Not here: one reader's choice (``choice``).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from newsletter.domain.ranking import Candidate, newest_day
from newsletter.domain.topics import Index, Topic, parse_topic
from newsletter.domain.works import twins

_TOPICS = 1 << 16  # whose finds are kept, some hundred bytes each: with fewer different ones each is looked for once
_VOTES = 64  # numbers of upvotes asked for


class Why(StrEnum):
    """Why a paper is in a digest."""

    TOPIC = "topic"  # the reader follows it; detail is the topic
    TASTE = "taste"  # like what the reader saved; detail is how they said so, a blank, and the strongest words
    TOP = "top"  # the front's paper with the most upvotes, of the newest day
    FRONT = "front"  # on the front
    EDITOR = "editor"  # the editor pinned or added it
    POOL = "pool"  # the next best of the pool
    OURS = "ours"  # one of our own people wrote it; detail is the topic that it matches too, or ''
    ALERT = "alert"  # a saved search found it; detail is the search
    NEAREST = "nearest"  # nothing matched for long, and this comes closest; detail is the topic


@dataclass(frozen=True, slots=True)
class Pick:
    """A paper in a digest."""

    candidate: Candidate
    why: Why
    detail: str = ""
    topic: str = field(init=False, repr=False, compare=False)  # that the reader follows and that brings it, or ''
    stored: tuple[int, str, str] = field(init=False, repr=False, compare=False)  # as the ledger keeps it

    def __post_init__(self) -> None:
        """Keep what is asked of it ready: a pick is made once, and sent to many."""
        object.__setattr__(self, "topic", self.detail if self.why in (Why.TOPIC, Why.OURS) else "")
        object.__setattr__(self, "stored", (self.candidate.paper.id, self.why.value, self.detail))


@dataclass(frozen=True, slots=True)
class Found:
    """What a topic finds in a pool: the picks that it brings, by place; as bits these, or the papers it excludes."""

    picks: Mapping[int, Pick]
    brings: int
    excludes: int
    follows_author: bool


def outside(order: Sequence[Candidate], places: str) -> list[Candidate]:
    """Return those of a pool in its *order* that are not at *places*, as ``Pool.places`` gives them."""
    bits = int(places or "0", 16)
    return [candidate for place, candidate in enumerate(order) if not bits >> place & 1]


def places(bits: int) -> Iterator[int]:
    """Yield the places that *bits* are, from the first on."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


class _Bits(dict[int, int]):
    """The bit of each paper by id, none for a paper of elsewhere."""

    def __missing__(self, paper_id: int) -> int:
        return 0


class Some(Collection[int]):
    """Ids of papers of a pool, kept as bits."""

    __slots__ = ("bits", "pool")

    def __init__(self, pool: "Pool", bits: int) -> None:
        self.pool, self.bits = pool, bits

    def __contains__(self, paper_id: object) -> bool:
        return isinstance(paper_id, int) and bool(self.pool.bit[paper_id] & self.bits)

    def __iter__(self) -> Iterator[int]:
        return (self.pool.ids[place] for place in places(self.bits))

    def __len__(self) -> int:
        return self.bits.bit_count()


class Pool:
    """An issue's papers as choosing needs them: prepared once, used for every reader.

    ``order`` is the newsletter's, ``front`` the front's paper ids in order, ``editors`` the ids of the papers that
    the editor pinned or added, ``ours`` of those that our own people wrote. ``ids`` are by place, ``bit`` by id.
    ``found`` and ``unpopular`` remember what they were asked.
    """

    def __init__(
        self, order: Sequence[Candidate], front: Sequence[int], editors: Collection[int], ours: Collection[int] = ()
    ) -> None:
        self.order, self.front, self.editors = tuple(order), tuple(front), frozenset(editors)
        self.ours = frozenset(ours)
        self.ids = tuple(c.paper.id for c in self.order)
        self.by_id = dict(zip(self.ids, self.order, strict=True))
        self.bit = _Bits((paper_id, 1 << place) for place, paper_id in enumerate(self.ids))
        self.everything = (1 << len(self.ids)) - 1
        self.found = lru_cache(maxsize=_TOPICS)(self._look_for)
        self.unpopular = lru_cache(maxsize=_VOTES)(self._below)

    def bits(self, paper_ids: Collection[int]) -> int:
        """Return where in the pool these papers, each given once, stand, as bits."""
        return sum(map(self.bit.__getitem__, paper_ids))

    def places(self, paper_ids: Collection[int]) -> str:
        """Return where in the pool these papers stand, '' where none does: bits from the first on, in hexadecimal."""
        bits = paper_ids.bits if isinstance(paper_ids, Some) and paper_ids.pool is self else self.bits(paper_ids)
        return f"{bits:x}" if bits else ""

    def prepare(self) -> None:
        """Fold the papers' texts now, rather than for the first topic."""
        assert self._index is not None
        assert self.twins is not None

    @cached_property
    def in_front(self) -> tuple[Sequence[int], int]:
        """Return the places of the front's papers in the front's order, and as bits."""
        found = [self.bit[i].bit_length() - 1 for i in self.front if i in self.bit]
        return found, sum(1 << place for place in found)

    @cached_property
    def plain(self) -> Sequence[Pick]:
        """Return each paper as a pick that no topic brings, by place."""
        return [Pick(candidate, self.why(i)) for i, candidate in self.by_id.items()]

    @cached_property
    def liked(self) -> Sequence[Pick]:
        """Return each paper as a pick of a reader's taste, by place."""
        return [Pick(candidate, Why.TASTE) for candidate in self.order]

    def nearest(self, topics: Iterable[Topic]) -> dict[int, str]:
        """Return what says anything of what *topics* ask for, by place, the closest first, each with its topic."""
        best: dict[int, tuple[float, str]] = {}
        for topic in topics:
            for i, share in self._index.shares(topic).items():
                if i not in best or share > best[i][0]:
                    best[i] = share, topic.text
        closest = sorted((-share, self.bit[i].bit_length() - 1, topic) for i, (share, topic) in best.items())
        return {place: topic for _, place, topic in closest}

    def why(self, paper_id: int) -> Why:
        """Return why a paper of the pool is in a digest that nothing brings it to which the reader said."""
        if paper_id in self.ours:
            return Why.OURS
        if paper_id in self.editors:
            return Why.EDITOR
        if paper_id == self._top:
            return Why.TOP
        return Why.FRONT if paper_id in self.front else Why.POOL

    @cached_property
    def _top(self) -> int | None:
        """Return the front's one paper that has more upvotes than any other, None if two have as many.

        None too where it is of an earlier day: then nothing may be called the most upvoted of today.
        """
        votes = sorted(((self.by_id[i].upvotes or 0, i) for i in self.front if i in self.by_id), reverse=True)
        if not votes or not votes[0][0] or (len(votes) > 1 and votes[0][0] == votes[1][0]):
            return None
        newest = newest_day(c.first_listed for c in self.order)
        return votes[0][1] if self.by_id[votes[0][1]].first_listed == newest else None

    @cached_property
    def _index(self) -> Index:
        return Index(candidate.paper for candidate in self.order)

    @cached_property
    def twins(self) -> Mapping[int, int]:
        """Return of the papers that are one work with others, by place, which these are, as bits."""
        pairs = twins(candidate.paper for candidate in self.order)
        return {place: self.bits(pairs[i]) for place, i in enumerate(self.ids) if i in pairs}

    @cached_property
    def twinned(self) -> int:
        """Return the papers that are one work with others, as bits."""
        return sum(1 << place for place in self.twins)

    @cached_property
    def kinds(self) -> Mapping[int, str]:
        """Return the category of each paper that counts for variety, by place: its first, not of the editor's own."""
        first = {place: c.paper.categories[0] for place, c in enumerate(self.order) if c.paper.categories}
        return {place: category for place, category in first.items() if self.ids[place] not in self.editors}

    def _look_for(self, topic: str) -> Found:
        wanted = parse_topic(topic)
        if wanted.excludes:
            return Found({}, 0, self.bits(frozenset(self._index.excluded_by(wanted))), follows_author=False)
        brings = self.bits(frozenset(self._index.matched_by(wanted)))
        picks = {place: Pick(self.order[place], self._asked(place), wanted.text) for place in places(brings)}
        return Found(picks, brings, 0, wanted.follows_author)

    def _asked(self, place: int) -> Why:
        return Why.OURS if self.ids[place] in self.ours else Why.TOPIC

    def _below(self, votes: int) -> int:
        counted = ((i, c.upvotes) for i, c in self.by_id.items() if i not in self.editors)
        return self.bits({i for i, upvotes in counted if upvotes is not None and upvotes < votes})
