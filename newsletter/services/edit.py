"""Issues: what one shows, draft or sealed; sealing it, the stop button, and corrections.

``show`` is the one way to see an issue. Not here: editing a draft (``draft``), the order of a pool
(``domain/ranking.py``) and finding a paper that was not gathered (``gather.look_up``).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlmodel import Session

from newsletter.domain.issue import Arranged, Brake, Correction, Hand, Issue, Status, arrange
from newsletter.domain.people import Person
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import plain
from newsletter.domain.topics import Topic
from newsletter.errors import IllegalMoveError, NotFoundError, UsageError
from newsletter.storage import changes, corrections, hands, issues, papers
from newsletter.storage.claims import in_vain, withdraw
from newsletter.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How the newsletter picks: its sources' shares in order, its topics and people, and how much."""

    shares: Mapping[str, int]
    topics: Sequence[Topic]
    max_papers: int
    lookback_days: int
    people: Collection[Person] = ()
    send_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """An issue with its papers. ``arrived`` are the papers of a draft that came since the editor last touched it."""

    issue: Issue
    hand: Hand
    arranged: Arranged
    arrived: frozenset[int]
    corrections: tuple[Correction, ...] = ()


def show(session: Session, policy: Policy, day: date) -> Shown:
    """Return the issue of *day*, or the draft that it would be now. Nothing is stored.

    Raises NotFoundError for a date that has neither an issue nor any paper.
    """
    issue = issues.get(session, day)
    if issue and issue.status is Status.SEALED:
        sealed = issues.pool(session, issue)
        by_id = {c.paper.id: c for c in sealed.order}
        return Shown(
            issue=issue,
            hand=hands.of(session, issue.id),
            arranged=Arranged(pool=sealed.order, front=tuple(by_id[i] for i in sealed.front)),
            arrived=frozenset(),
            corrections=tuple(corrections.of_issue(session, issue.id)),
        )
    if issue and issue.status is not Status.DRAFT:
        return Shown(issue=issue, hand=Hand(), arranged=Arranged(pool=(), front=()), arrived=frozenset())
    hand = hands.of(session, issue.id) if issue else Hand()
    arranged = arranged_now(session, policy, day, hand)
    if issue is None and not arranged.pool:
        raise NotFoundError(f"no issue of {day}, and no papers for one; 'newsletter gather' fetches them")
    issue = issue or Issue(id=0, date=day, status=Status.DRAFT)
    return Shown(issue=issue, hand=hand, arranged=arranged, arrived=_arrived(session, issue, arranged))


def arranged_now(session: Session, policy: Policy, day: date, hand: Hand) -> Arranged:
    """Return the pool and front that an issue of *day* would have now."""
    candidates = papers.listed(session, day - timedelta(days=policy.lookback_days - 1), day)
    known = {c.paper.id for c in candidates}
    unlisted = papers.load(session, hand.chosen - known)
    candidates += [Candidate(paper=p, listings=(), first_listed=day) for p in unlisted.values()]
    return arrange(
        candidates,
        hand,
        day=day,
        earlier_fronts=issues.fronts_before(session, day),
        shares=policy.shares,
        topics=policy.topics,
        max_papers=policy.max_papers,
        people=policy.people,
    )


def _arrived(session: Session, issue: Issue, arranged: Arranged) -> frozenset[int]:
    if issue.edited_at is None:
        return frozenset()
    seen = papers.first_seen(session, [c.paper.id for c in arranged.pool])
    return frozenset(i for i, at in seen.items() if at > issue.edited_at)


def seal(session: Session, policy: Policy, day: date, now: datetime) -> Issue:
    """Seal the issue of *day*, or record it as empty, once and for good.

    Empty is a date on which nothing is in the pool that the last sealed issue did not know; with ``send_empty`` it is
    sealed without papers instead, so that readers are told. One that is not a draft any more is returned as it is.
    """
    issue = issues.draft(session, day)
    if issue.status is not Status.DRAFT:
        return issue
    hand = hands.of(session, issue.id)
    arranged = arranged_now(session, policy, day, hand)
    if _nothing_new(session, arranged, hand, day):
        reason = "nothing was listed" + (" that the last issue did not know" if arranged.pool else "")
        if not policy.send_empty:
            return _close(session, issue, Status.EMPTY, reason)
        issue, arranged = replace(issue, reason=reason), Arranged(pool=(), front=())
    changes.forget(session, issue.id)
    return issues.seal(session, issue, arranged, hand.chosen, now)


def is_empty(session: Session, policy: Policy, day: date) -> bool:
    """Return whether *day* would be recorded as empty now."""
    issue = issues.get(session, day)
    hand = hands.of(session, issue.id) if issue else Hand()
    return _nothing_new(session, arranged_now(session, policy, day, hand), hand, day)


def _nothing_new(session: Session, arranged: Arranged, hand: Hand, day: date) -> bool:
    if any(c.paper.id in hand.chosen for c in arranged.front):
        return False  # the editor wants an issue
    return not arranged.front or {c.paper.id for c in arranged.pool} <= issues.pooled_before(session, day)


def skip(session: Session, day: date, reason: str) -> Issue:
    """Close the draft of *day* without an issue. Return it; one that is not a draft is returned as it is."""
    issue = issues.draft(session, day)
    return _close(session, issue, Status.SKIPPED, reason) if issue.status is Status.DRAFT else issue


def _close(session: Session, issue: Issue, status: Status, reason: str) -> Issue:
    closed = replace(issue, status=status, reason=reason)
    issues.keep(session, closed)
    return closed


def halt(database: Database, day: date, reason: str) -> Issue:
    """Stop sending the issue of *day*, at once and in every process, until resumed."""
    return _brake(database, day, Brake.HALTED, plain(reason))


def resume(database: Database, day: date) -> Issue:
    """Go on sending a halted issue."""
    return _brake(database, day, Brake.NONE, "")


def cancel(database: Database, day: date, now: datetime) -> Issue:
    """Send the issue of *day* to nobody who was not reached yet. This is final."""
    issue = _brake(database, day, Brake.CANCELLED, "cancelled")
    while ids := _in_vain(database, now):
        with database.write() as session:
            withdraw(session, now, ids)
    return issue


def _in_vain(database: Database, now: datetime) -> list[int]:
    with database.read() as session:
        return in_vain(session, now, gone=True)


def correct(database: Database, day: date, text: str, now: datetime) -> None:
    """Say what was wrong in the sealed issue of *day*, for good; the same words twice are one correction.

    Raises NotFoundError, UsageError without words, IllegalMoveError for what was not sent.
    """
    said = plain(text)
    if not said:
        raise UsageError("correction: say what was wrong, and what is right")
    with database.write() as session:
        issue = issues.get(session, day)
        if issue is None:
            raise NotFoundError(f"no issue of {day}; 'newsletter issues list' shows which there are")
        if issue.status is not Status.SEALED:
            draft = "; edit it instead" if issue.status is Status.DRAFT else ""
            raise IllegalMoveError(f"the issue of {day} is {issue.status}, and nobody had it{draft}")
        if said not in {known.text for known in corrections.of_issue(session, issue.id)}:
            corrections.add(session, issue, said, now)


def _brake(database: Database, day: date, brake: Brake, reason: str) -> Issue:
    with database.write() as session:
        issue = issues.get(session, day)
        if issue is None:
            raise NotFoundError(f"no issue of {day}")
        if issue.status is not Status.SEALED:
            raise IllegalMoveError(f"the issue of {day} is {issue.status}; only a sealed one is being sent")
        if issue.brake is Brake.CANCELLED:
            raise IllegalMoveError(f"the issue of {day} was cancelled, which is final")
        if brake is Brake.NONE and issue.brake is not Brake.HALTED:
            raise IllegalMoveError(f"the issue of {day} is not halted")
        braked = replace(issue, brake=brake, reason=reason)
        issues.keep(session, braked)
        return braked
