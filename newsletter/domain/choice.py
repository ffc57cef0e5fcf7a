"""One reader's choice among a pool: what is barred, what topics bring, and the order of the rest.

What the rule is stands in ``digest.choose``. This is done for every reader, so it costs what the digest holds, not what
the pool holds: what a topic finds is looked for once per issue, papers are the bits of numbers, and the pool is walked
only until the digest is full.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain, islice

from newsletter.domain.pool import Pick, Pool, Some, Why, places
from newsletter.domain.topics import Topic
from newsletter.domain.variety import varied

_IN_NO_FRONT: tuple[Sequence[int], int] = ((), 0)


class Choice:
    """One reader's choice. Papers are known by their places in the pool, and several by bits."""

    __slots__ = (
        *("barred", "_by_name", "_followed", "_found", "_front", "_in_front", "_is_own", "_only_topics"),
        *("_pool", "_room", "_scores"),
    )

    def __init__(
        self,
        pool: Pool,
        topics: Sequence[Topic],
        max_papers: int,
        min_upvotes: int,
        sent: Set[int],
        scores: Mapping[int, float],
        alike: bool,
        only_topics: bool,
    ) -> None:
        self._pool, self._room, self._scores = pool, max_papers, scores
        self._front, self._in_front = _IN_NO_FRONT if alike else pool.in_front
        self._is_own = bool(topics or scores or alike)  # not the newsletter's front as it is
        self._found = [pool.found(topic.text) for topic in topics]
        self._followed = self._by_name = 0  # what topics bring, and what follows an author whom the reader follows
        had = pool.bits(sent)
        barred = had | pool.unpopular(min_upvotes)
        for found in self._found:
            self._followed |= found.brings
            barred |= found.excludes
            if found.follows_author:
                self._by_name |= found.brings
        for place in places(had & pool.twinned):
            barred |= pool.twins[place]
        self.barred = barred
        self._only_topics = only_topics and any(not topic.excludes for topic in topics)

    def picks(self) -> list[Pick]:
        """Return the picks in their order, those of topics first and together."""
        asked = list(islice(self.asked(), self._room))
        left = self._room - len(asked)
        others = self.others(asked) if left else iter(())
        chosen = varied(others, left, self._pool.kinds) if self._is_own else islice(others, left)
        if not asked:
            return [self._pick(place) for place in chosen]
        return _together([self._asked_for(place) for place in asked]) + [self._pick(place) for place in chosen]

    def fitting(self) -> list[int]:
        """Return all that might be picked, in the order in which it is taken."""
        asked = list(self.asked())
        return asked + list(self.others(asked))

    def unlisted(self, picks: Iterable[Pick]) -> Some:
        """Return what is not even to be named beside *picks*: what is barred, and what is the same work as one."""
        pool, bits = self._pool, self.barred
        if self._only_topics:
            bits |= pool.everything & ~self._followed
        elif pool.twinned:
            taken = sum(pool.bit[pick.candidate.paper.id] for pick in picks)
            for place in places(taken & pool.twinned):
                bits |= pool.twins[place]
        return Some(pool, bits)

    def is_unasked(self, place: int) -> bool:
        """Return whether nothing but topics counts, and none brings the paper."""
        return self._only_topics and not (self.barred | self._followed) >> place & 1

    def asked(self) -> Iterator[int]:
        """Yield the papers of topics in the order in which they are taken, each work once."""
        bits = self._followed & ~self.barred
        if not bits:
            return iter(())
        by_name = bits & self._by_name
        ordered = chain(self._ordered(by_name), self._ordered(bits ^ by_name)) if by_name else self._ordered(bits)
        return self._once(ordered) if bits & self._pool.twinned else ordered

    def others(self, asked: Iterable[int]) -> Iterator[int]:
        """Yield the papers that no topic brings in the order in which they are taken, each work once, none *asked*."""
        if self._only_topics:
            return iter(())
        ordered = self._ordered(self._pool.everything & ~(self.barred | self._followed))
        return self._once(ordered, asked) if self._pool.twinned else ordered

    def closest(self, topics: Iterable[Topic]) -> list[Pick]:
        """Return as many of those that come closest as there is room for."""
        pool, near = self._pool, self._pool.nearest(topics)
        ordered = chain(near, self._ordered(pool.everything))
        fitting = (place for place in dict.fromkeys(ordered) if not self.barred >> place & 1)
        once = islice(self._once(fitting), self._room)
        return [Pick(pool.order[place], Why.NEAREST, near.get(place, "")) for place in once]

    def in_issue(self, bits: int) -> Iterator[int]:
        """Return the papers *bits* in the order of the issue: the front first, unless all are alike."""
        return chain(self._of_front(bits), places(bits & ~self._in_front)) if self._front else places(bits)

    def _ordered(self, bits: int) -> Iterator[int]:
        """Return the papers *bits* in the order in which they are taken: by what the reader's taste says first."""
        in_issue = self.in_issue(bits)
        return iter(sorted(in_issue, key=self._dislike)) if self._scores else in_issue

    def _of_front(self, bits: int) -> Iterator[int]:
        return (place for place in self._front if bits >> place & 1)

    def _dislike(self, place: int) -> float:
        return -self._scores.get(self._pool.ids[place], 0.0)

    def _once(self, ordered: Iterable[int], taken: Iterable[int] = ()) -> Iterator[int]:
        pairs, gone = self._pool.twins, 0
        for place in taken:
            gone |= pairs.get(place, 0)
        for place in ordered:
            if not gone >> place & 1:
                gone |= pairs.get(place, 0)
                yield place

    def _asked_for(self, place: int) -> Pick:
        """Return a paper that topics bring: of several the first is the reason, but an author before all others."""
        by_name = self._by_name >> place & 1
        for found in self._found:
            if place in found.picks and (found.follows_author or not by_name):
                return found.picks[place]
        raise LookupError(place)

    def _pick(self, place: int) -> Pick:
        if self._scores and self._scores.get(self._pool.ids[place], 0.0) > 0:
            return self._pool.liked[place]
        return self._pool.plain[place]


def _together(picks: list[Pick]) -> list[Pick]:
    """Return *picks* with those of one topic behind its best, those of topics that bring one paper too."""
    sizes: dict[str, int] = {}
    for pick in picks:
        sizes[pick.detail] = sizes.get(pick.detail, 0) + 1
    if len(sizes) in {1, len(picks)}:
        return picks
    groups: dict[str, list[Pick]] = {}
    for pick in picks:
        groups.setdefault(pick.detail if sizes[pick.detail] > 1 else "", []).append(pick)
    return [pick for group in groups.values() for pick in group]
