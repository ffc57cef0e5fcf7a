"""What one reader gets of an issue: choosing the picks, each with its reason.

Pure: the same pool, preferences and history give the same picks. Worked example: with the front A B C, a pool
A B C D E, topics ("rag",) of which only E speaks, the exclusion ("-audio",) which strikes B, A already sent, and
room for three, the picks are E (matches "rag"), C (front) and D (the next of the pool, in A's place).

Choosing is done for every reader, so it costs what the digest holds, not what the pool holds: what a topic finds is
looked for once per issue, and the pool is walked only until the digest is full.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import islice
from operator import itemgetter

from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Matcher, Topic, parse_topic

WEEK = timedelta(days=7)  # what a weekly reader's own rhythm leaves out at most
_TOPICS = 1024  # whose finds are kept: readers share the popular ones
_VOTES = 64  # numbers of upvotes asked for


class Why(StrEnum):
    """Why a paper is in a digest."""

    TOPIC = "topic"  # the reader follows it; detail is the topic
    TOP = "top"  # the front's paper with the most upvotes
    FRONT = "front"  # on the front
    EDITOR = "editor"  # the editor pinned or added it
    POOL = "pool"  # the next best of the pool
    OURS = "ours"  # one of our own people wrote it; detail is the topic that it matches too, or ''
    ALERT = "alert"  # a saved search found it; detail is the search
    NEAREST = "nearest"  # nothing matched for long, and this comes closest; detail is the topic


class WhyNot(StrEnum):
    """Why a paper of the pool is not in a digest."""

    SENT = "sent"  # the reader had it
    EXCLUDED = "excluded"  # detail is the topic that excludes it
    VOTES = "votes"  # fewer upvotes than asked for
    ROOM = "room"  # the digest was full
    TOPIC = "topic"  # the reader wants only what a topic finds, and none did


@dataclass(frozen=True, slots=True)
class Pick:
    """A paper in a digest."""

    candidate: Candidate
    why: Why
    detail: str = ""

    @property
    def topic(self) -> str:
        """Return the topic that the reader follows and that brings the paper, '' where none does."""
        return self.detail if self.why in {Why.TOPIC, Why.OURS} else ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A paper of the pool that is not in a digest."""

    candidate: Candidate
    why: WhyNot
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What one reader sees of an issue.

    ``since`` is set where it makes up for days without mail: the first of them. ``missed`` tells whether mail should
    have come in between, or the reader's own rhythm left them out. ``also`` are papers named without a card, and
    ``more`` how many others there are; ``barred`` are the papers that the reader is not to be shown at all.
    """

    picks: tuple[Pick, ...]
    left_out: tuple[LeftOut, ...] = ()
    since: date | None = None
    missed: bool = True
    also: tuple[Candidate, ...] = ()
    more: int = 0
    barred: frozenset[int] = frozenset()


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

    def places(self, paper_ids: Iterable[int]) -> str:
        """Return where in the pool these papers stand, '' where none does: bits from the first on, in hexadecimal."""
        bits = sum(1 << self._in_order.rank[i] for i in paper_ids if i in self.by_id)
        return f"{bits:x}" if bits else ""

    def prepare(self) -> None:
        """Fold the papers' texts now, rather than for the first topic."""
        assert len(self._matchers) == len(self.order)

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

    def nearest(self, topics: Iterable[Topic], barred: Collection[int], count: int) -> list[Pick]:
        """Return the papers, but those *barred*, that come closest to any of *topics*, with it; then in order."""
        asked = [topic for topic in topics if not topic.excludes]
        found = [
            (-share, place, Pick(self.by_id[i], Why.NEAREST, text if share else ""))
            for place, (i, matcher) in enumerate(self._matchers)
            if i not in barred
            for share, text in [max(((matcher.share(t), t.text) for t in asked), default=(0.0, ""))]
        ]
        return [pick for _, _, pick in sorted(found, key=itemgetter(0, 1))[:count]]

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
    def _matchers(self) -> list[tuple[int, Matcher]]:
        return [(i, Matcher(candidate.paper)) for i, candidate in self.by_id.items()]

    def _look_for(self, topic: str) -> Found:
        wanted = parse_topic(topic)
        if wanted.excludes:
            return Found({}, frozenset(i for i, matcher in self._matchers if matcher.excluded_by(wanted)))
        matched = (i for i, matcher in self._matchers if matcher.matches(wanted))
        picks = {i: Pick(self.by_id[i], Why.OURS if i in self.ours else Why.TOPIC, wanted.text) for i in matched}
        return Found(picks, frozenset())

    def _below(self, votes: int) -> frozenset[int]:
        counted = ((i, c.upvotes) for i, c in self.by_id.items() if i not in self.editors)
        return frozenset(i for i, upvotes in counted if upvotes is not None and upvotes < votes)


def choose(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Collection[int],
    since: date | None = None,
    by_day: bool = False,
    only_topics: bool = False,
) -> Digest:
    """Return the digest of a reader who was already sent the papers ``sent``.

    Papers of the reader's topics come first, those of one topic together, then the front, then the rest of the pool,
    each in order; ``by_day``, behind the best paper they stand by the days of their listing. With ``since`` the reader
    missed issues: the whole pool counts alike, as the fronts missed are in it. With ``only_topics`` there is nothing
    but what a topic finds, and nothing else is named; unless no topic asks for anything. Papers that a
    topic excludes, or with fewer upvotes than ``min_upvotes`` where a source counts any, are left out; the
    editor's choices are never held back for want of votes.
    """
    picks, barred = _best(
        pool, topics=topics, max_papers=max_papers, min_upvotes=min_upvotes, sent=sent, alike=since is not None
    )
    if only_topics and any(not topic.excludes for topic in topics):
        picks, barred = _only(pool, picks, topics, barred)
    picks = _together(picks)
    if by_day:
        picks[1:] = sorted(picks[1:], key=lambda pick: listed_on(pick.candidate))
    return Digest(picks=tuple(picks), since=since, barred=barred)


def _best(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Collection[int],
    alike: bool,
) -> tuple[list[Pick], frozenset[int]]:
    """Return the picks in their order, those of topics first, and the papers that are barred."""
    walk, barred = pool.walk(alike=alike), pool.unpopular(min_upvotes).union(sent)
    followed: dict[int, Pick] = {}
    # Of several that match the first is the reason, but an author before all others.
    weightiest_first = sorted(topics, key=lambda topic: not topic.follows_author)
    for topic in reversed(weightiest_first):
        found = pool.found(topic.text)
        followed.update(found.picks)
        barred |= found.excluded
    of_topics = sorted(followed.keys() - barred, key=walk.rank.__getitem__)
    picks = [followed[i] for i in of_topics[:max_papers]]
    others = (i for i in walk.ids if i not in barred and i not in followed)
    picks += [pool.plain[i] for i in islice(others, max_papers - len(picks))]
    return picks, barred


def _only(
    pool: Pool, picks: Iterable[Pick], topics: Sequence[Topic], barred: Collection[int]
) -> tuple[list[Pick], frozenset[int]]:
    """Return what remains of *picks* where nothing else than *topics* counts, and what is barred then."""
    found = {i for topic in topics for i in pool.found(topic.text).picks}
    return [p for p in picks if p.candidate.paper.id in found], frozenset(pool.by_id.keys() - found).union(barred)


def listed_on(candidate: Candidate) -> date:
    """Return the newest day on which *candidate* was listed."""
    return max((listing.day for listing in candidate.listings), default=candidate.first_listed)


def _together(picks: list[Pick]) -> list[Pick]:
    """Return *picks* with those of one topic behind its best, those of topics that bring one paper too, others last."""
    sizes = Counter(pick.topic for pick in picks if pick.topic)
    if not sizes:
        return picks
    groups: dict[str | None, list[Pick]] = {}
    for pick in picks:
        own = None if not pick.topic else pick.topic if sizes[pick.topic] > 1 else ""
        groups.setdefault(own, []).append(pick)
    return [pick for group in groups.values() for pick in group]


def left_out(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Collection[int],
    since: date | None = None,
    only_topics: bool = False,
) -> list[LeftOut]:
    """Return the papers of *pool* that ``choose`` leaves out for the same reader, each with its reason.

    For whoever looks at one reader's digest: it costs what the pool holds. Those without room come last, as they
    would have been picked.
    """
    fitting, _ = _best(
        pool,
        topics=topics,
        max_papers=len(pool.order),
        min_upvotes=min_upvotes,
        sent=sent,
        alike=since is not None,
    )
    fits = {pick.candidate.paper.id for pick in fitting}
    barred = [i for i in pool.walk(alike=since is not None).ids if i not in fits]
    out = [_barred(pool, paper_id, topics, sent) for paper_id in barred]
    if only_topics and any(not topic.excludes for topic in topics):
        wanted, unasked = _only(pool, fitting, topics, ())
        out += [LeftOut(pick.candidate, WhyNot.TOPIC) for pick in fitting if pick.candidate.paper.id in unasked]
        fitting = wanted
    return out + [LeftOut(pick.candidate, WhyNot.ROOM) for pick in fitting[max_papers:]]


def _barred(pool: Pool, paper_id: int, topics: Sequence[Topic], sent: Collection[int]) -> LeftOut:
    candidate = pool.by_id[paper_id]
    if paper_id in sent:
        return LeftOut(candidate, WhyNot.SENT)
    if topic := next((t for t in topics if paper_id in pool.found(t.text).excluded), None):
        return LeftOut(candidate, WhyNot.EXCLUDED, topic.text)
    return LeftOut(candidate, WhyNot.VOTES, str(candidate.upvotes))
