"""Why readers left, as far as they said."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, func, select

from newsletter.storage.database import upsert
from newsletter.storage.tables import DepartureRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What a reader said who left: one of the reasons that the page offers, and words of their own; '' for neither."""

    at: datetime
    reason: str
    words: str

    def __str__(self) -> str:
        return ": ".join(text for text in (self.reason, self.words) if text)


def record(session: Session, subscriber_id: int, said: Departure) -> None:
    """Keep what a reader *said*, in the place of what they said when they left before."""
    new = {"at": said.at, "reason": said.reason, "words": said.words}
    row = upsert(DepartureRow).values(subscriber_id=subscriber_id, **new)
    session.exec(row.on_conflict_do_update(index_elements=["subscriber_id"], set_=new))


def of(session: Session, subscriber_id: int) -> Departure | None:
    """Return what a reader said when they last left, None where it was nothing."""
    row = session.get(DepartureRow, subscriber_id)
    return Departure(at=row.at, reason=row.reason, words=row.words) if row else None


def counts(session: Session) -> dict[str, int]:
    """Return how many gave each reason, the most frequent first; '' counts who said words of their own alone."""
    query = select(DepartureRow.reason, func.count()).group_by(DepartureRow.reason)
    found = dict(session.exec(query).all())
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def erase(session: Session, subscriber_id: int) -> None:
    """Forget why a reader left."""
    session.exec(delete(DepartureRow).where(col(DepartureRow.subscriber_id) == subscriber_id))
