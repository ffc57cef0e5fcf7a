"""Corrections of sealed issues, and whom a mail has not told of them yet.

Told is who has a delivery that carries the correction and counts as sent, so that one that failed or came too late
leaves it to the next. Not here: making the delivery that carries it (``due``).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import ColumnElement
from sqlalchemy import select as sql
from sqlmodel import Session, col, select

from newsletter.domain.delivery import ON_ITS_WAY
from newsletter.domain.issue import Correction, Issue
from newsletter.storage.database import cursor, listed
from newsletter.storage.tables import CORRECTS, CorrectionRow, DeliveryRow, IssueRow, stored

_C, _D = CorrectionRow, DeliveryRow
_MADE = "SELECT id, issue_id FROM corrections WHERE made_at >= ?"


def add(session: Session, issue: Issue, text: str, now: datetime) -> None:
    """Keep a correction of *issue*."""
    session.add(CorrectionRow(issue_id=issue.id, text=text, made_at=now))


def of_issue(session: Session, issue_id: int) -> list[Correction]:
    """Return the corrections of an issue, the oldest first."""
    return _found(session, col(_C.issue_id) == issue_id)


def load(session: Session, correction_ids: Iterable[int]) -> dict[int, Correction]:
    """Return corrections by id."""
    wanted = sorted(set(correction_ids))
    return {c.id: c for c in _found(session, col(_C.id).in_(wanted))} if wanted else {}


def _found(session: Session, which: ColumnElement[bool]) -> list[Correction]:
    query = select(_C, col(IssueRow.day)).join(IssueRow, col(IssueRow.id) == col(_C.issue_id))
    return [
        Correction(id=row.id or 0, issue_date=day, text=row.text, made_at=row.made_at)
        for row, day in session.exec(query.where(which).order_by(col(_C.id)))
    ]


def owed(session: Session, reader_ids: Collection[int], since: datetime | None = None) -> dict[int, tuple[int, ...]]:
    """Return the corrections, made *since* or ever, of issues that these readers had and no mail told them of."""
    made = cursor(session).execute(_MADE, (stored(since) if since else "",)).fetchall() if reader_ids else []
    if not made:  # nearly always
        return {}
    readers = {"readers": list(reader_ids)}
    sent = (col(_D.subscriber_id).in_(listed("readers")), col(_D.status).in_(ON_ITS_WAY))
    had = sql(col(_D.subscriber_id), col(_D.issue_id)).where(*sent, col(_D.issue_id).in_(listed("issues")))
    told = sql(col(_D.subscriber_id), col(_D.corrections)).where(*sent, CORRECTS)
    left: dict[int, set[int]] = defaultdict(set)
    for reader, issue in session.connection().execute(had, {**readers, "issues": sorted({of for _, of in made})}):
        left[reader].update(correction for correction, of in made if of == issue)
    for reader, carried in session.connection().execute(told, readers):
        left[reader].difference_update(carried or ())
    return {reader: tuple(sorted(corrections)) for reader, corrections in left.items() if corrections}
