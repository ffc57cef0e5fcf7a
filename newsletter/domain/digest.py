"""What one reader gets of an issue: choosing the picks, each with its reason.

Pure: the same pool, preferences and history give the same picks. Worked example: with the front A B C, a pool
A B C D E, topics ("rag",) of which only E speaks, the exclusion ("-audio",) which strikes B, A already sent, and
room for three, the picks are E (matches "rag"), C (front) and D (the next of the pool, in A's place).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from newsletter.domain.ranking import Candidate
from newsletter.domain.topics import Matcher, Topic


class Why(StrEnum):
    """Why a paper is in a digest."""

    TOPIC = "topic"  # the reader follows it; detail is the topic
    FRONT = "front"  # on the front
    EDITOR = "editor"  # the editor pinned or added it
    POOL = "pool"  # the next best of the pool


class WhyNot(StrEnum):
    """Why a paper of the pool is not in a digest."""

    SENT = "sent"  # the reader had it
    EXCLUDED = "excluded"  # detail is the topic that excludes it
    VOTES = "votes"  # fewer upvotes than asked for
    ROOM = "room"  # the digest was full


@dataclass(frozen=True, slots=True)
class Pick:
    """A paper in a digest."""

    candidate: Candidate
    why: Why
    detail: str = ""


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
    have come in between, or the reader's own rhythm left them out.
    """

    picks: tuple[Pick, ...]
    left_out: tuple[LeftOut, ...]
    since: date | None = None
    missed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """An issue's papers as choosing needs them: prepared once, used for every reader."""

    order: tuple[Candidate, ...]  # the newsletter's
    front: tuple[int, ...]  # paper ids, in order
    editors: frozenset[int]  # paper ids that the editor pinned or added
    matchers: Mapping[int, Matcher]


def prepare(order: Sequence[Candidate], front: Sequence[int], editors: Collection[int]) -> Pool:
    """Return the Pool of an issue whose candidates stand in the newsletter's order."""
    matchers = {c.paper.id: Matcher(c.paper) for c in order}
    return Pool(order=tuple(order), front=tuple(front), editors=frozenset(editors), matchers=matchers)


def choose(
    pool: Pool,
    *,
    topics: Sequence[Topic],
    max_papers: int,
    min_upvotes: int,
    sent: Collection[int],
    since: date | None = None,
) -> Digest:
    """Return the digest of a reader who was already sent the papers ``sent``.

    Papers of the reader's topics come first, then the front, then the rest of the pool, each in order. With
    ``since`` the reader missed issues: the whole pool counts alike, as the fronts missed are in it. Papers that a
    topic excludes, or with fewer upvotes than ``min_upvotes`` where a source counts any, are left out; the
    editor's choices are never held back for want of votes.
    """
    wanted: list[Pick] = []
    left: list[LeftOut] = []
    for candidate in pool.order if since else _front_first(pool):
        verdict = _verdict(pool, candidate, topics, min_upvotes, sent)
        (wanted if isinstance(verdict, Pick) else left).append(verdict)  # type: ignore[arg-type]
    wanted.sort(key=lambda pick: pick.why is not Why.TOPIC)
    left.extend(LeftOut(p.candidate, WhyNot.ROOM) for p in wanted[max_papers:])
    return Digest(picks=tuple(wanted[:max_papers]), left_out=tuple(left), since=since)


def _front_first(pool: Pool) -> list[Candidate]:
    by_id = {c.paper.id: c for c in pool.order}
    front = [by_id[i] for i in pool.front if i in by_id]
    taken = set(pool.front)
    return [*front, *(c for c in pool.order if c.paper.id not in taken)]


def _verdict(
    pool: Pool, candidate: Candidate, topics: Sequence[Topic], min_upvotes: int, sent: Collection[int]
) -> Pick | LeftOut:
    paper_id = candidate.paper.id
    if paper_id in sent:
        return LeftOut(candidate, WhyNot.SENT)
    matcher = pool.matchers[paper_id]
    if out := next((t for t in topics if matcher.excluded_by(t)), None):
        return LeftOut(candidate, WhyNot.EXCLUDED, out.text)
    if paper_id not in pool.editors and candidate.upvotes is not None and candidate.upvotes < min_upvotes:
        return LeftOut(candidate, WhyNot.VOTES, str(candidate.upvotes))
    if followed := next((t for t in topics if matcher.matches(t)), None):
        return Pick(candidate, Why.TOPIC, followed.text)
    if paper_id in pool.editors:
        return Pick(candidate, Why.EDITOR)
    return Pick(candidate, Why.FRONT if paper_id in pool.front else Why.POOL)
