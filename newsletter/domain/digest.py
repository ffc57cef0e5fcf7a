"""What one reader gets of an issue: choosing the picks, each with its reason.

Pure: the same pool, preferences, history and scores give the same picks. Worked example: with the front A B C, a pool
A B C D E, topics ("rag",) of which only E speaks, the exclusion ("-audio",) which strikes B, A already sent, and
room for three, the picks are E (matches "rag"), C (front) and D (the next of the pool, in A's place).

The same reader, who has saved papers, with room for five and a pool that goes on F G H I: the scores F 1.5, G 0.5 and
C -0.3, all others none. E is first, then what the taste says, F and G, then D, H, I in the newsletter's order and C
last. D, F, G and H are of one category, and room for four is left behind E: no more than two of them, F and G. So the
picks are E (topic), F and G (taste), I and C (front); D and H are left out for the sake of variety.

Choosing is done for every reader, so it costs what the digest holds, not what the pool holds: what a topic finds is
looked for once per issue, and the pool is walked only until the digest is full.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import islice
from operator import itemgetter

from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Index, Topic, parse_topic
from newsletter.domain.variety import varied
from newsletter.domain.works import twins

WEEK = timedelta(days=7)  # what a weekly reader's own rhythm leaves out at most
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


class WhyNot(StrEnum):
    """Why a paper of the pool is not in a digest."""

    SENT = "sent"  # the reader had it
    EXCLUDED = "excluded"  # detail is the topic that excludes it
    VOTES = "votes"  # fewer upvotes than asked for
    TWIN = "twin"  # the same work is in it, or was sent, under another title
    VARIETY = "variety"  # enough of its category, which nobody asked for; detail is the category
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

    def nearest(self, topics: Iterable[Topic], barred: Collection[int], count: int) -> list[Pick]:
        """Return the papers, but those *barred*, that come closest to any of *topics*, with it; then in order."""
        asked = [topic for topic in topics if not topic.excludes]
        found = [
            (-share, place, Pick(self.by_id[i], Why.NEAREST, text if share else ""))
            for place, (i, matcher) in enumerate(self._index.matchers.items())
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


NO_SCORES: Mapping[int, float] = {}


def choose(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Collection[int],
    scores: Mapping[int, float] = NO_SCORES,
    since: date | None = None,
    by_day: bool = False,
    only_topics: bool = False,
) -> Digest:
    """Return the digest of a reader who was already sent the papers ``sent``.

    Papers of the reader's topics come first, those of followed authors before all others, and those of one topic
    together. Then come those whose ``scores`` (by paper
    id, of the reader's learned taste) are above nothing, the highest first, as also among the papers of topics; then
    the front, then the rest of the pool, each in order; and last those whose scores are below nothing. ``by_day``,
    behind the best paper they stand by the days of their listing. With ``since`` the reader missed issues: the whole
    pool counts alike, as the fronts missed are in it. With ``only_topics`` there is nothing but what a topic finds, and
    nothing else is named; unless no topic asks for anything.

    Papers that a topic excludes, or with fewer upvotes than ``min_upvotes`` where a source counts any, are left out;
    the editor's choices are never held back for want of votes. Of papers that are one work under two titles the first
    is taken, and none where the reader had one.

    Of what neither a topic nor the editor brings, no more than half is of one category (``variety``); but a reader
    without topics and scores who missed nothing gets the front as it was sealed.
    """
    choice = _Choice(pool, topics, max_papers, min_upvotes, sent, scores, since is not None, only_topics)
    picks = _together(choice.picks())
    if by_day:
        picks[1:] = sorted(picks[1:], key=lambda pick: listed_on(pick.candidate))
    return Digest(picks=tuple(picks), since=since, barred=choice.unlisted(picks))


class _Choice:
    """One reader's choice among a pool: what is barred, what topics bring, and the order of the rest."""

    def __init__(
        self,
        pool: Pool,
        topics: Sequence[Topic],
        max_papers: int,
        min_upvotes: int,
        sent: Collection[int],
        scores: Mapping[int, float],
        alike: bool,
        only_topics: bool,
    ) -> None:
        self._pool, self._room, self._scores = pool, max_papers, scores
        self._only_topics = only_topics and any(not topic.excludes for topic in topics)
        self._walk = pool.walk(alike=alike)
        self._is_own = bool(topics or scores or alike)  # not the newsletter's front as it is
        self.followed: dict[int, Pick] = {}
        self._by_name: set[int] = set()  # of authors whom the reader follows
        barred = pool.unpopular(min_upvotes).union(sent)
        # Of several that match the first is the reason, but an author before all others.
        weightiest_first = sorted(topics, key=lambda topic: not topic.follows_author) if len(topics) > 1 else topics
        for topic in reversed(weightiest_first):
            found = pool.found(topic.text)
            self.followed.update(found.picks)
            barred |= found.excluded
            if topic.follows_author:
                self._by_name.update(found.picks)
        if pool.twins:
            barred = barred.union(*(pool.twins[i] for i in pool.twins.keys() & set(sent)))
        self.barred = barred

    def picks(self) -> list[Pick]:
        """Return the picks in their order, those of topics first."""
        asked, others = self.asked(), self.others()
        room = max(self._room - len(asked), 0)
        chosen = varied(others, room, self._pool.kinds) if self._is_own else list(islice(others, room))
        return [self.followed[i] for i in asked[: self._room]] + [self.pick(i) for i in chosen]

    def unlisted(self, picks: Iterable[Pick]) -> frozenset[int]:
        """Return what is not even to be named beside *picks*: what is barred, and what is the same work as one."""
        if self._only_topics:
            return self.barred.union(self._pool.by_id.keys() - self.followed.keys())
        if not self._pool.twins:
            return self.barred
        return self.barred.union(*(self._pool.twins.get(pick.candidate.paper.id, ()) for pick in picks))

    def is_unasked(self, paper_id: int) -> bool:
        """Return whether nothing but topics counts, and none brings the paper."""
        return self._only_topics and paper_id not in self.barred and paper_id not in self.followed

    def asked(self) -> list[int]:
        """Return the papers of topics in the order in which they are taken, each work once."""
        found = sorted(self.followed.keys() - self.barred, key=self._walk.rank.__getitem__)
        if self._scores:
            found.sort(key=self._dislike)
        if self._by_name:
            found.sort(key=lambda paper_id: paper_id not in self._by_name)
        return list(self._once(found)) if self._pool.twins else found

    def others(self) -> Iterator[int]:
        """Yield the papers that no topic brings in the order in which they are taken, each work once."""
        if self._only_topics:
            return iter(())
        walk: Iterable[int] = sorted(self._walk.ids, key=self._dislike) if self._scores else self._walk.ids
        barred, followed = self.barred, self.followed
        found = (i for i in walk if i not in barred and i not in followed)
        return self._once(found, self.asked()) if self._pool.twins else found

    def pick(self, paper_id: int) -> Pick:
        """Return a paper that no topic brings as a pick."""
        plain = self._pool.plain[paper_id]
        return Pick(plain.candidate, Why.TASTE) if self._scores.get(paper_id, 0.0) > 0 else plain

    def _dislike(self, paper_id: int) -> float:
        return -self._scores.get(paper_id, 0.0)

    def _once(self, paper_ids: Iterable[int], taken: Iterable[int] = ()) -> Iterator[int]:
        pairs = self._pool.twins
        gone = {twin for i in taken for twin in pairs.get(i, ())}
        for paper_id in paper_ids:
            if paper_id not in gone:
                gone.update(pairs.get(paper_id, ()))
                yield paper_id


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
    scores: Mapping[int, float] = NO_SCORES,
    since: date | None = None,
    only_topics: bool = False,
) -> list[LeftOut]:
    """Return the papers of *pool* that ``choose`` leaves out for the same reader, each with its reason.

    For whoever looks at one reader's digest: it costs what the pool holds. Those without room come last, as they
    would have been picked.
    """
    choice = _Choice(pool, topics, max_papers, min_upvotes, sent, scores, since is not None, only_topics)
    fitting = [*choice.asked(), *choice.others()]
    picked = {pick.candidate.paper.id for pick in choice.picks()}
    last = max((place for place, i in enumerate(fitting) if i in picked), default=0)
    fits = set(fitting)
    barred = [i for i in pool.walk(alike=since is not None).ids if i not in fits]
    out = [_barred(pool, paper_id, topics, sent, choice) for paper_id in barred]
    return out + [_unfit(pool, i, passed=place < last) for place, i in enumerate(fitting) if i not in picked]


def _barred(pool: Pool, paper_id: int, topics: Sequence[Topic], sent: Collection[int], choice: _Choice) -> LeftOut:
    candidate = pool.by_id[paper_id]
    if paper_id in sent:
        return LeftOut(candidate, WhyNot.SENT)
    if topic := next((t for t in topics if paper_id in pool.found(t.text).excluded), None):
        return LeftOut(candidate, WhyNot.EXCLUDED, topic.text)
    if choice.is_unasked(paper_id):
        return LeftOut(candidate, WhyNot.TOPIC)
    if paper_id not in choice.barred or pool.twins.get(paper_id, frozenset()) & set(sent):
        return LeftOut(candidate, WhyNot.TWIN)
    return LeftOut(candidate, WhyNot.VOTES, str(candidate.upvotes))


def _unfit(pool: Pool, paper_id: int, *, passed: bool) -> LeftOut:
    """Return a paper that might have been taken, and was passed over for another one or came too late."""
    candidate = pool.by_id[paper_id]
    return LeftOut(candidate, WhyNot.VARIETY, pool.kinds[paper_id]) if passed else LeftOut(candidate, WhyNot.ROOM)
