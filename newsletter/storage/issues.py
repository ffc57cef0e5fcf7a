"""Issues, and the pools of sealed ones. Not here: what the editor did to a draft (``hands``)."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sql
from sqlmodel import Session, SQLModel, col, select

from newsletter.domain.issue import Arranged, Brake, Issue, Status
from newsletter.domain.paper import Listing, Paper
from newsletter.domain.ranking import Candidate
from newsletter.storage import papers
from newsletter.storage.prepared import Prepared
from newsletter.storage.tables import IssuePaperRow, IssueRow, ListingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedPool:
    """A sealed issue's papers: the pool in order, the front's ids in order, and the editor's own choices."""

    order: tuple[Candidate, ...]
    front: tuple[int, ...]
    editors: frozenset[int]


def get(session: Session, day: date) -> Issue | None:
    """Return the issue of *day*, or None."""
    row = session.exec(select(IssueRow).where(IssueRow.day == day)).first()
    return _issue(row) if row else None


def by_id(session: Session, issue_id: int) -> Issue | None:
    """Return the issue with this id, or None."""
    row = session.get(IssueRow, issue_id)
    return _issue(row) if row else None


def recent(session: Session, limit: int = 30) -> list[Issue]:
    """Return the newest issues, newest first."""
    return [_issue(row) for row in session.exec(select(IssueRow).order_by(col(IssueRow.day).desc()).limit(limit))]


_NEWEST_SEALED = Prepared(  # each chunk of readers asks
    sql(SQLModel.metadata.tables["issues"])
    .where(col(IssueRow.status) == Status.SEALED, col(IssueRow.brake) != Brake.CANCELLED)
    .order_by(col(IssueRow.day).desc())
    .limit(1)
)


def newest_sealed(session: Session) -> Issue | None:
    """Return the newest sealed issue that was not cancelled, or None."""
    row = next(_NEWEST_SEALED.execute(session, {}), None)
    return _issue(row) if row else None


def published(session: Session, *, before: date | None, limit: int) -> list[Issue]:
    """Return the newest sealed issues that nobody stopped, newest first, those dated before *before* where given."""
    query = select(IssueRow).where(IssueRow.status == Status.SEALED, IssueRow.brake == Brake.NONE)
    if before:
        query = query.where(IssueRow.day < before)
    return [_issue(row) for row in session.exec(query.order_by(col(IssueRow.day).desc()).limit(limit))]


def leads(session: Session, issue_ids: Sequence[int]) -> Mapping[int, Paper]:
    """Return the first paper of the front of each issue that has one."""
    query = select(IssuePaperRow.issue_id, IssuePaperRow.paper_id).where(
        col(IssuePaperRow.issue_id).in_(issue_ids), IssuePaperRow.front_rank == 1
    )
    first = dict(session.exec(query).all())
    found = papers.load(session, first.values())
    return {issue_id: found[paper_id] for issue_id, paper_id in first.items()}


def draft(session: Session, day: date) -> Issue:
    """Return the issue of *day*, begun as a draft where there is none."""
    found = get(session, day)
    if found:
        return found
    row = IssueRow(id=secrets.randbits(62) + 1, day=day, status=Status.DRAFT)
    session.add(row)
    session.flush()
    return _issue(row)


def keep(session: Session, issue: Issue) -> None:
    """Keep what *issue* says now."""
    row = session.get_one(IssueRow, issue.id)
    row.status, row.subject, row.note = issue.status, issue.subject, issue.note
    row.brake, row.reason = issue.brake, issue.reason
    row.sealed_at, row.edited_at, row.seal_at = issue.sealed_at, issue.edited_at, issue.seal_at
    session.add(row)
    session.flush()


def to_seal(session: Session, now: datetime) -> list[date]:
    """Return the dates of the drafts whose sealing was decided, and whose time has come by *now*."""
    due = (IssueRow.status == Status.DRAFT, col(IssueRow.seal_at).is_not(None), col(IssueRow.seal_at) <= now)
    return list(session.exec(select(col(IssueRow.day)).where(*due).order_by(col(IssueRow.day))))


def claim_mail(session: Session, issue_id: int, now: datetime) -> bool:
    """Record that the editor is mailed the draft at *now*. False where they were before."""
    row = session.get_one(IssueRow, issue_id)
    if row.mailed_at is not None:
        return False
    row.mailed_at = now
    session.add(row)
    session.flush()
    return True


def not_mailed(session: Session, issue_id: int) -> None:
    """Record that the editor was not mailed the draft after all."""
    row = session.get_one(IssueRow, issue_id)
    row.mailed_at = None
    session.add(row)
    session.flush()


def seal(session: Session, issue: Issue, arranged: Arranged, editors: Iterable[int], now: datetime) -> Issue:
    """Seal *issue* with the pool and front of *arranged*; it can never be edited again."""
    sealed = replace(issue, status=Status.SEALED, sealed_at=now)
    keep(session, sealed)
    front = {c.paper.id: rank for rank, c in enumerate(arranged.front, 1)}
    chosen = set(editors)
    in_pool = {c.paper.id for c in arranged.pool}
    pool = [*arranged.pool, *(c for c in arranged.front if c.paper.id not in in_pool)]
    session.add_all(
        IssuePaperRow(
            issue_id=issue.id,
            paper_id=candidate.paper.id,
            pool_rank=rank,
            front_rank=front.get(candidate.paper.id),
            editors=candidate.paper.id in chosen,
            upvotes=candidate.upvotes,
            comments=candidate.comments,
            first_listed=candidate.first_listed,
        )
        for rank, candidate in enumerate(pool, 1)
    )
    session.flush()
    return sealed


def pool(session: Session, issue: Issue) -> SealedPool:
    """Return the papers of a sealed issue as they stood when it was sealed."""
    rows = session.exec(
        select(IssuePaperRow).where(IssuePaperRow.issue_id == issue.id).order_by(col(IssuePaperRow.pool_rank))
    ).all()
    found = papers.load(session, (row.paper_id for row in rows))
    front = sorted((row.front_rank, row.paper_id) for row in rows if row.front_rank is not None)
    return SealedPool(
        order=tuple(_candidate(row, found[row.paper_id], issue.date) for row in rows),
        front=tuple(paper_id for _, paper_id in front),
        editors=frozenset(row.paper_id for row in rows if row.editors),
    )


def _candidate(row: IssuePaperRow, paper: Any, day: date) -> Candidate:
    said = Listing(source="", day=day, upvotes=row.upvotes, comments=row.comments, position=row.pool_rank)
    return Candidate(paper=paper, listings=(said,), first_listed=row.first_listed)


def front_sizes(session: Session, issue_ids: Sequence[int]) -> Mapping[int, int]:
    """Return how many papers the front of each issue has."""
    query = select(IssuePaperRow.issue_id, func.count()).where(
        col(IssuePaperRow.issue_id).in_(issue_ids), col(IssuePaperRow.front_rank).is_not(None)
    )
    return dict(session.exec(query.group_by(col(IssuePaperRow.issue_id))).all())


def fronts_before(session: Session, day: date) -> frozenset[int]:
    """Return the papers that were in the front of an issue dated before *day*."""
    query = (
        select(IssuePaperRow.paper_id)
        .join(IssueRow, col(IssueRow.id) == col(IssuePaperRow.issue_id))
        .where(col(IssuePaperRow.front_rank).is_not(None), IssueRow.day < day)
    )
    return frozenset(session.exec(query))


def pooled_before(session: Session, day: date) -> frozenset[int]:
    """Return the papers that the last sealed issue before *day* knew, one without papers aside."""
    with_papers = (
        select(col(IssueRow.id))
        .where(col(IssueRow.id).in_(select(IssuePaperRow.issue_id)), IssueRow.day < day)
        .order_by(col(IssueRow.day).desc())
    )
    last = session.exec(with_papers.limit(1)).first()
    return frozenset(session.exec(select(IssuePaperRow.paper_id).where(IssuePaperRow.issue_id == last)))


def _issue(row: IssueRow | Any) -> Issue:
    return Issue(
        id=row.id,
        date=row.day,
        status=Status(row.status),
        subject=row.subject,
        note=row.note,
        brake=Brake(row.brake),
        reason=row.reason,
        sealed_at=row.sealed_at,
        edited_at=row.edited_at,
        seal_at=row.seal_at,
    )


def that_may_bring(session: Session, paper_ids: Iterable[int], window: timedelta) -> set[int]:
    """Return the sealed issues in whose digests one of these papers may have been.

    It is in their pools, or was listed within *window* before them, which is how far back a digest may reach.
    """
    found, days = set[int](), set[date]()
    for part in papers.chunks(sorted(paper_ids)):
        pooled = select(col(IssuePaperRow.issue_id)).where(col(IssuePaperRow.paper_id).in_(part))
        found |= set(session.exec(pooled.distinct()))
        days |= set(session.exec(select(col(ListingRow.day)).where(col(ListingRow.paper_id).in_(part)).distinct()))
    reached = sorted({day + timedelta(n) for day in days for n in range(window.days)})
    for some in papers.chunks(reached):
        found |= set(
            session.exec(select(col(IssueRow.id)).where(IssueRow.status == Status.SEALED, col(IssueRow.day).in_(some)))
        )
    return found


def closed_days(session: Session, first: date, last: date) -> frozenset[date]:
    """Return the dates from *first* to *last* that are recorded as having no issue."""
    query = select(col(IssueRow.day)).where(
        col(IssueRow.status).in_((Status.EMPTY, Status.SKIPPED)), IssueRow.day >= first, IssueRow.day <= last
    )
    return frozenset(session.exec(query))
