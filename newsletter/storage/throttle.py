"""How often things were done lately, by keys that name nobody. Not here: how often they may be (``services``)."""

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlmodel import Session, case, col, delete, select

from newsletter.storage.database import upsert
from newsletter.storage.tables import LimitRow


def used(session: Session, keys: Collection[str], now: datetime) -> dict[str, tuple[int, datetime]]:
    """Return how often each of *keys* was used within a while that has not ended at *now*, and when that ends."""
    found = select(LimitRow).where(col(LimitRow.key).in_(keys), col(LimitRow.ends_at) > now)
    return {row.key: (row.used, row.ends_at) for row in session.exec(found)}


def count(session: Session, uses: Iterable[tuple[str, int, datetime]], now: datetime) -> None:
    """Count for each key so many uses more, within the while that goes on, or one from *now* until the instant."""
    over = col(LimitRow.ends_at) <= now
    for key, times, ends_at in uses:
        new = upsert(LimitRow).values(key=key, ends_at=ends_at, used=times)
        values = {
            "used": case((over, times), else_=col(LimitRow.used) + times),
            "ends_at": case((over, new.excluded.ends_at), else_=col(LimitRow.ends_at)),
        }
        session.exec(new.on_conflict_do_update(index_elements=["key"], set_=values))


def forget(session: Session, now: datetime) -> None:
    """Forget what no limit counts any more."""
    session.exec(delete(LimitRow).where(col(LimitRow.ends_at) <= now))
