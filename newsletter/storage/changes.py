"""What was changed, by whom and from where; of a draft also how it stood before. Not here: the undoing (``edit``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from newsletter.storage.tables import CAN_BE_UNDONE, ChangeRow


@dataclass(frozen=True, slots=True)
class By:
    """Who changed something, and from where: '' for whoever has the command line."""

    who: str
    origin: str = ""


COMMAND_LINE = By("command line")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that was changed. ``undoable`` while what stood before it is kept."""

    id: int
    at: datetime
    by: By
    what: str
    undoable: bool = False


def record(
    session: Session,
    by: By,
    what: str,
    now: datetime,
    *,
    issue_id: int | None = None,
    before: Mapping[str, Any] | None = None,
) -> int:
    """Keep that *by* did *what*, and of a draft how it stood *before*. Return the change's id."""
    kept = None if before is None else dict(before)
    row = ChangeRow(at=now, who=by.who, origin=by.origin, what=what, issue_id=issue_id, before=kept)
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def recent(session: Session, limit: int, before: int | None = None) -> list[Change]:
    """Return the newest changes, newest first, those with ids below *before* where given."""
    query = select(ChangeRow).order_by(col(ChangeRow.id).desc()).limit(limit)
    rows = session.exec(query if before is None else query.where(col(ChangeRow.id) < before))
    return [_change(row) for row in rows]


def undoable(session: Session, issue_id: int, limit: int = 1) -> list[Change]:
    """Return the newest changes of a draft that can be undone, newest first."""
    return [_change(row) for row in session.exec(_undoable(issue_id).limit(limit))]


def take_back(session: Session, issue_id: int) -> tuple[Change, Mapping[str, Any]] | None:
    """Return the newest change of a draft that can be undone, with what stood before; it cannot be undone again."""
    row = session.exec(_undoable(issue_id).limit(1)).first()
    if row is None or row.before is None:
        return None
    change, before = _change(row), row.before
    row.before = None
    session.add(row)
    session.flush()
    return change, before


def forget(session: Session, issue_id: int) -> None:
    """Forget what stood before in an issue that is no draft any more."""
    for row in session.exec(_undoable(issue_id)):
        row.before = None
        session.add(row)
    session.flush()


def _undoable(issue_id: int) -> Any:
    return select(ChangeRow).where(CAN_BE_UNDONE, ChangeRow.issue_id == issue_id).order_by(col(ChangeRow.id).desc())


def _change(row: ChangeRow) -> Change:
    assert row.id is not None
    return Change(id=row.id, at=row.at, by=By(row.who, row.origin), what=row.what, undoable=row.before is not None)
