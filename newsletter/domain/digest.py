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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain, islice

from newsletter.domain.pool import Pick, Pool, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Topic
from newsletter.domain.variety import varied

WEEK = timedelta(days=7)  # what a weekly reader's own rhythm leaves out at most


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

    def closest(self, topics: Iterable[Topic]) -> list[Pick]:
        """Return as many of those that come closest as there is room for."""
        near = self._pool.nearest(topics)
        fitting = (i for i in chain(near, self._walk.ids) if i not in self.barred)
        once = islice(self._once(dict.fromkeys(fitting)), self._room)
        return [Pick(self._pool.by_id[i], Why.NEAREST, near.get(i, "")) for i in once]

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


def closest(
    pool: Pool, *, topics: Sequence[Topic], max_papers: int, min_upvotes: int, sent: Collection[int]
) -> list[Pick]:
    """Return the papers that come closest to what a reader asks for, none where no topic asks for anything.

    What ``choose`` bars is barred here too, and each work comes once.
    """
    if all(topic.excludes for topic in topics):
        return []
    return _Choice(pool, topics, max_papers, min_upvotes, sent, NO_SCORES, alike=True, only_topics=True).closest(topics)


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
