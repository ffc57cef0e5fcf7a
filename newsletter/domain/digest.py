"""What one reader gets of an issue: choosing the picks, each with its reason.

Pure: the same pool, preferences, history and scores give the same picks. Worked example: with the front A B C, a pool
A B C D E, topics ("rag",) of which only E speaks, the exclusion ("-audio",) which strikes B, A already sent, and
room for three, the picks are E (matches "rag"), C (front) and D (the next of the pool, in A's place).

The same reader, who has saved papers, with room for five and a pool that goes on F G H I: the scores F 1.5, G 0.5 and
C -0.3, all others none. E is first, then what the taste says, F and G, then D, H, I in the newsletter's order and C
last. D, F, G and H are of one category, and room for four is left behind E: no more than two of them, F and G. So the
picks are E (topic), F and G (taste), I and C (front); D and H are left out for the sake of variety.

How it is done for very many readers stands in ``choice``.
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from newsletter.domain.choice import Choice
from newsletter.domain.pool import Pick, Pool
from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Topic

WEEK = timedelta(days=7)  # what a weekly reader's own rhythm leaves out at most


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """Papers that digests name where they have no card, newest first. Many share one, and it equals itself alone."""

    candidates: tuple[Candidate, ...] = ()


NOTHING_ELSE = Named()


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


@dataclass(slots=True, kw_only=True)  # not frozen: each reader has one or two, and freezing takes time
class Digest:
    """What one reader sees of an issue.

    ``since`` is set where it makes up for days without mail: the first of them. ``missed`` tells whether mail should
    have come in between, or the reader's own rhythm left them out. ``named`` are the papers that have a line where
    they have no card; ``barred`` are the papers that the reader is not to be shown at all.
    """

    picks: tuple[Pick, ...]
    left_out: tuple[LeftOut, ...] = ()
    since: date | None = None
    missed: bool = True
    named: Named = NOTHING_ELSE
    barred: Collection[int] = frozenset()


NO_SCORES: Mapping[int, float] = {}


def choose(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Set[int],
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
    choice = Choice(pool, topics, max_papers, min_upvotes, sent, scores, since is not None, only_topics)
    picks = choice.picks()
    if by_day:
        picks[1:] = sorted(picks[1:], key=lambda pick: listed_on(pick.candidate))
    return Digest(picks=tuple(picks), since=since, barred=choice.unlisted(picks))


def closest(pool: Pool, *, topics: Sequence[Topic], max_papers: int, min_upvotes: int, sent: Set[int]) -> list[Pick]:
    """Return the papers that come closest to what a reader asks for, none where no topic asks for anything.

    What ``choose`` bars is barred here too, and each work comes once.
    """
    if all(topic.excludes for topic in topics):
        return []
    return Choice(pool, topics, max_papers, min_upvotes, sent, NO_SCORES, alike=True, only_topics=True).closest(topics)


def listed_on(candidate: Candidate) -> date:
    """Return the newest day on which *candidate* was listed."""
    return max((listing.day for listing in candidate.listings), default=candidate.first_listed)


def left_out(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Set[int],
    scores: Mapping[int, float] = NO_SCORES,
    since: date | None = None,
    only_topics: bool = False,
) -> list[LeftOut]:
    """Return the papers of *pool* that ``choose`` leaves out for the same reader, each with its reason.

    For whoever looks at one reader's digest: it costs what the pool holds. Those without room come last, as they
    would have been picked.
    """
    choice = Choice(pool, topics, max_papers, min_upvotes, sent, scores, since is not None, only_topics)
    fitting = choice.fitting()
    picked = pool.bits({pick.candidate.paper.id for pick in choice.picks()})
    last = max((at for at, place in enumerate(fitting) if picked >> place & 1), default=0)
    fits = sum(1 << place for place in fitting)
    barred = [_barred(pool, place, topics, sent, choice) for place in choice.in_issue(pool.everything & ~fits)]
    passed = [(place, at < last) for at, place in enumerate(fitting) if not picked >> place & 1]
    return barred + [_unfit(pool, place, passed=is_passed) for place, is_passed in passed]


def _barred(pool: Pool, place: int, topics: Sequence[Topic], sent: Set[int], choice: Choice) -> LeftOut:
    candidate = pool.order[place]
    if pool.ids[place] in sent:
        return LeftOut(candidate, WhyNot.SENT)
    if topic := next((t for t in topics if pool.found(t.text).excludes >> place & 1), None):
        return LeftOut(candidate, WhyNot.EXCLUDED, topic.text)
    if choice.is_unasked(place):
        return LeftOut(candidate, WhyNot.TOPIC)
    if not choice.barred >> place & 1 or pool.twins.get(place, 0) & pool.bits(sent):
        return LeftOut(candidate, WhyNot.TWIN)
    return LeftOut(candidate, WhyNot.VOTES, str(candidate.upvotes))


def _unfit(pool: Pool, place: int, *, passed: bool) -> LeftOut:
    """Return a paper that might have been taken, and was passed over for another one or came too late."""
    candidate = pool.order[place]
    return LeftOut(candidate, WhyNot.VARIETY, pool.kinds[place]) if passed else LeftOut(candidate, WhyNot.ROOM)
