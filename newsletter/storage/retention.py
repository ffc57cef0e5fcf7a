"""What is given up when its time has come, some at a time: rows of the ledger, abstracts, and what went wrong once.

Each function is one short transaction, to be called until it returns 0. Not here: when (``services/retention``).
"""

from collections import Counter
from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import func, literal_column
from sqlalchemy import select as sql
from sqlmodel import Session, col, delete, exists, select, update

from newsletter.domain.delivery import SENT, Status
from newsletter.storage import had
from newsletter.storage.database import listed, upsert
from newsletter.storage.tables import (
    ChangeRow,
    DeliveryRow,
    FetchRow,
    IssueRow,
    PaperRow,
    ProblemRow,
    ReturnRow,
    SightingRow,
    TotalRow,
)

_D = DeliveryRow
_ENDED = [Status.ACCEPTED, Status.FAILED, Status.EXPIRED, Status.WITHDRAWN, Status.SKIPPED]


def ledger_size(session: Session) -> int:
    """Return how many deliveries are kept one by one."""
    return session.exec(select(func.count()).select_from(_D)).one()


def oldest_issue(session: Session, until: date) -> tuple[int, date] | None:
    """Return the oldest issue dated and sealed until *until* of which an ended delivery is kept, None without one.

    What is sent today of a past date is young.
    """
    after = datetime.combine(until + timedelta(days=1), time(), UTC)
    kept = exists().where(col(_D.issue_id) == col(IssueRow.id), col(_D.status).in_(_ENDED))
    query = select(IssueRow).where(col(IssueRow.day) <= until, col(IssueRow.sealed_at) < after, kept)
    issue = session.exec(query.order_by(col(IssueRow.day)).limit(1)).first()
    return (issue.id, issue.day) if issue else None


def total(session: Session, issue_id: int, day: date, limit: int) -> int:
    """Make totals of up to *limit* deliveries of an issue of *day* that ended, and remember whom they brought what."""
    which = (col(_D.issue_id) == issue_id, col(_D.status).in_(_ENDED))
    facts = sql(col(_D.id), col(_D.subscriber_id), col(_D.status), col(_D.picks))
    rows = session.execute(facts.where(*which).limit(limit)).all()
    had.keep(session, day, {reader: [pick[0] for pick in picks] for _, reader, status, picks in rows if status in SENT})
    for status, count in Counter(status for _, _, status, _ in rows).items():
        new = upsert(TotalRow).values(issue_id=issue_id, status=status, deliveries=count)
        more = {"deliveries": col(TotalRow.deliveries) + new.excluded.deliveries}
        session.exec(new.on_conflict_do_update(index_elements=["issue_id", "status"], set_=more))
    those = delete(_D).where(col(_D.id).in_(listed("ids")))
    session.connection().execute(those, {"ids": [row[0] for row in rows]})
    return len(rows)


def drop_abstracts(session: Session, before: datetime, limit: int) -> int:
    """Drop the abstracts of papers first seen before *before*; their titles, people and links stay."""
    abstract = func.json_extract(col(PaperRow.facts), literal_column("'$.abstract'"))
    old = select(PaperRow.id).where(col(PaperRow.first_seen_at) < before, abstract.is_not(None)).limit(limit)
    ids = list(session.exec(old))
    for table, key in ((PaperRow, col(PaperRow.id)), (SightingRow, col(SightingRow.paper_id))):
        without = func.json_remove(col(table.facts), literal_column("'$.abstract'"))
        session.exec(update(table).where(key.in_(ids)).values(facts=without))
    return len(ids)


def drop_logs(session: Session, before: datetime) -> int:
    """Drop what was solved before *before*, what sources were asked of past dates, what was changed, and reports."""
    solved = delete(ProblemRow).where(col(ProblemRow.solved_at) < before)
    asked = delete(FetchRow).where(col(FetchRow.asked) != "", col(FetchRow.attempted_at) < before)
    reports = (col(ReturnRow.came_at) < before, col(ReturnRow.content).is_not(None))
    changed = delete(ChangeRow).where(col(ChangeRow.at) < before, col(ChangeRow.before).is_(None))
    gone = sum(session.exec(what).rowcount for what in (solved, asked, changed))
    return gone + session.exec(update(ReturnRow).where(*reports).values(content=None)).rowcount


def totals(session: Session, issue_id: int | None = None) -> dict[str, int]:
    """Return how many deliveries, by state, are kept as numbers only: of one issue, or of all."""
    query = select(TotalRow.status, func.sum(TotalRow.deliveries)).group_by(col(TotalRow.status))
    if issue_id is not None:
        query = query.where(col(TotalRow.issue_id) == issue_id)
    return {status: int(count) for status, count in session.exec(query)}


def months_of_totals(session: Session, issue_ids: Collection[int]) -> list[int]:
    """Return the months of those of these issues of which deliveries are kept as totals only."""
    days = sql(col(IssueRow.day)).join(TotalRow, col(TotalRow.issue_id) == col(IssueRow.id))
    rows = session.connection().execute(days.where(col(IssueRow.id).in_(listed("issues"))), {"issues": list(issue_ids)})
    return sorted({had.month_of(day) for (day,) in rows})
