"""What anyone may look up: days with papers, the most upvoted of some days, and the issues that had a paper."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.domain.issue import Brake, Status
from newsletter.storage.tables import IssuePaperRow, IssueRow, ListingRow, PaperRow


@dataclass(frozen=True, slots=True)
class Appearance:
    """An issue that had a paper. ``rank`` is its place in the front, 0 where it was only named."""

    day: date
    rank: int


def newest_day(session: Session) -> date | None:
    """Return the newest day on which anything was listed."""
    return session.exec(select(func.max(col(ListingRow.day)))).one()


def around(session: Session, first: date, last: date) -> tuple[date | None, date | None]:
    """Return the newest day with listings before *first*, and the oldest after *last*."""
    before = session.exec(select(func.max(col(ListingRow.day))).where(col(ListingRow.day) < first)).one()
    after = session.exec(select(func.min(col(ListingRow.day))).where(col(ListingRow.day) > last)).one()
    return before, after


def most_upvoted(session: Session, first: date, last: date, *, limit: int, offset: int) -> list[int]:
    """Return the papers listed from *first* to *last* that are not withdrawn, those with the most upvotes first."""
    query = _shown(select(col(ListingRow.paper_id)), first, last).group_by(col(ListingRow.paper_id))
    votes = func.coalesce(func.max(col(ListingRow.upvotes)), -1)
    query = query.order_by(votes.desc(), func.min(col(ListingRow.day)).desc(), col(ListingRow.paper_id))
    return list(session.exec(query.limit(limit).offset(offset)))


def count_listed(session: Session, first: date, last: date) -> int:
    """Return how many papers were listed from *first* to *last* and are not withdrawn."""
    counted: int = session.exec(_shown(select(func.count(col(ListingRow.paper_id).distinct())), first, last)).one()
    return counted


def _shown(query: Any, first: date, last: date) -> Any:
    of_paper = col(PaperRow.id) == col(ListingRow.paper_id)
    kept = (col(ListingRow.day) >= first, col(ListingRow.day) <= last, col(PaperRow.withdrawn).is_(False))
    return query.join(PaperRow, of_paper).where(*kept)


def appearances(session: Session, paper_id: int, limit: int) -> list[Appearance]:
    """Return the newest issues in the archive that had a paper, newest first."""
    query = (
        select(col(IssueRow.day), col(IssuePaperRow.front_rank))
        .join(IssuePaperRow, col(IssuePaperRow.issue_id) == col(IssueRow.id))
        .where(col(IssuePaperRow.paper_id) == paper_id)
        .where(IssueRow.status == Status.SEALED, IssueRow.brake == Brake.NONE)
    )
    rows = session.exec(query.order_by(col(IssueRow.day).desc()).limit(limit))
    return [Appearance(day, rank or 0) for day, rank in rows]
