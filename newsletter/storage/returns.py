"""What came back, as it was read: one row for each address of each report."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, func, select

from newsletter.storage.database import upsert
from newsletter.storage.tables import ReturnRow

_FACTS = ("came_at", "kind", "subscriber_id", "delivery_id", "address", "status", "reason", "said", "effect", "subject")

_SHOWN = ("came_at", "kind", "effect", "address", "status", "reason", "said", "subject")


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """What a report says of an address, and what followed. ``content`` is set where nobody understood the mail."""

    came_at: datetime
    kind: str
    effect: str
    subscriber_id: int | None = None
    delivery_id: int | None = None
    address: str = ""
    status: str = ""
    reason: str = ""
    said: str = ""
    subject: str = ""
    content: str | None = None
    id: int = 0

    @property
    def summary(self) -> str:
        """Return what it says, on one line."""
        what = self.kind if self.kind != "bounce" else self.reason
        return f"{what}: {self.said}" if self.said else what

    @property
    def document(self) -> dict[str, Any]:
        """Return it as JSON gives it."""
        named = {name: getattr(self, name) for name in ("id", *_SHOWN)}
        return named | {"delivery": f"{self.delivery_id:016x}" if self.delivery_id else None}


def keep(session: Session, fingerprint: str, one: Return) -> Return | None:
    """Keep what came back, and return it with its number; None where the same report was read before."""
    new = {name: getattr(one, name) for name in (*_FACTS, "content")} | {"fingerprint": fingerprint}
    kept = upsert(ReturnRow).values(new).on_conflict_do_nothing().returning(col(ReturnRow.id))
    number = session.execute(kept).scalar()
    return replace(one, id=number) if number else None


def is_known(session: Session, fingerprint: str) -> bool:
    """Return whether a report was read before."""
    return session.exec(select(ReturnRow.id).where(col(ReturnRow.fingerprint) == fingerprint)).first() is not None


def of_reader(
    session: Session, subscriber_id: int, since: datetime, *, effect: str | None = None, limit: int = 100
) -> list[Return]:
    """Return what came back from a reader since then, the newest first, of one effect where given."""
    theirs = (col(ReturnRow.subscriber_id) == subscriber_id, col(ReturnRow.came_at) >= since)
    rows = select(ReturnRow).where(*theirs)
    if effect:
        rows = rows.where(col(ReturnRow.effect) == effect)
    rows = rows.order_by(col(ReturnRow.came_at).desc(), col(ReturnRow.id).desc())
    return [_return(row) for row in session.exec(rows.limit(limit))]


def page(session: Session, *, kind: str | None, effect: str | None, limit: int) -> list[Return]:
    """Return what came back, the newest first, of one kind and one effect where given."""
    query = select(ReturnRow).order_by(col(ReturnRow.id).desc()).limit(limit)
    if kind:
        query = query.where(col(ReturnRow.kind) == kind)
    if effect:
        query = query.where(col(ReturnRow.effect) == effect)
    return [_return(row) for row in session.exec(query)]


def get(session: Session, return_id: int) -> Return | None:
    """Return what came back by its number, or None."""
    row = session.get(ReturnRow, return_id)
    return _return(row) if row else None


def counts(session: Session, since: datetime) -> dict[tuple[str, str], int]:
    """Return how many came back since then, by kind and effect."""
    kind, effect = col(ReturnRow.kind), col(ReturnRow.effect)
    query = select(kind, effect, func.count()).where(col(ReturnRow.came_at) >= since).group_by(kind, effect)
    return {(of, what): count for of, what, count in session.exec(query)}


def told(session: Session, effect: str, since: datetime) -> Sequence[tuple[str, int]]:
    """Return the reasons of what had *effect* since then, with how many had each, the most first."""
    reason = col(ReturnRow.reason)
    wanted = (col(ReturnRow.came_at) >= since, col(ReturnRow.effect) == effect)
    query = select(reason, func.count()).where(*wanted).group_by(reason).order_by(func.count().desc())
    return [(said, count) for said, count in session.exec(query)]


def erase(session: Session, subscriber_id: int) -> int:
    """Forget what came back from a reader; return how much."""
    return session.exec(delete(ReturnRow).where(col(ReturnRow.subscriber_id) == subscriber_id)).rowcount


def _return(row: ReturnRow) -> Return:
    facts = {name: getattr(row, name) for name in _FACTS}
    return Return(**facts, content=row.content, id=row.id or 0)
