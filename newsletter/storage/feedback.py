"""What readers said of papers. Not here: what is learned from it (``services/learning``)."""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import String, cast, func
from sqlalchemy import select as sql
from sqlmodel import Session, col, delete, select

from newsletter.domain.pool import Why
from newsletter.domain.taste import REMEMBERED, Feedback, Said
from newsletter.storage import papers
from newsletter.storage.database import listed, upsert
from newsletter.storage.prepared import Prepared
from newsletter.storage.tables import DeliveryRow, FeedbackRow


def say(session: Session, subscriber_id: int, paper_id: int, said: Said, now: datetime) -> None:
    """Keep what a reader says of a paper, in the place of what they said of it before."""
    new = {"subscriber_id": subscriber_id, "paper_id": paper_id, "said": said.value, "said_at": now}
    same = ["subscriber_id", "paper_id"]
    session.exec(upsert(FeedbackRow).values(new).on_conflict_do_update(index_elements=same, set_=new))


_F = FeedbackRow
_THEIRS = col(_F.subscriber_id).in_(listed("readers"))
_SAID_BY = Prepared(sql(col(_F.subscriber_id), col(_F.paper_id), col(_F.said), col(_F.said_at)).where(_THEIRS))


def of(session: Session, subscriber_ids: Collection[int]) -> dict[int, list[Feedback]]:
    """Return what these readers said, by reader, the newest first and no more than counts; papers by today's ids."""
    rows = list(_SAID_BY.execute(session, {"readers": list(subscriber_ids)}))
    today = papers.resolve(session, (row.paper_id for row in rows)) if rows else {}
    found: dict[int, dict[int, Feedback]] = defaultdict(dict)
    for row in sorted(rows, key=lambda row: (row.said_at, row.paper_id), reverse=True):
        theirs, paper_id = found[row.subscriber_id], today[row.paper_id]
        if len(theirs) < REMEMBERED:  # two papers that were joined have one last word
            theirs.setdefault(paper_id, Feedback(paper_id, Said(row.said), row.said_at))
    return {reader: list(said.values()) for reader, said in found.items()}


def saved(session: Session, subscriber_id: int) -> list[Feedback]:
    """Return all that a reader saved, the newest first; papers by today's ids."""
    query = select(FeedbackRow).where(col(FeedbackRow.subscriber_id) == subscriber_id)
    rows = session.exec(query.where(col(FeedbackRow.said) == Said.SAVE).order_by(col(FeedbackRow.said_at).desc())).all()
    today = papers.resolve(session, (row.paper_id for row in rows))
    found: dict[int, Feedback] = {}
    for row in rows:
        found.setdefault(today[row.paper_id], Feedback(today[row.paper_id], Said.SAVE, row.said_at))
    return list(found.values())


def last_word(session: Session, subscriber_id: int, paper_id: int) -> Said | None:
    """Return what a reader last said of a paper, None where nothing."""
    rows = _rows_on(session, subscriber_id, paper_id)
    return Said(max(rows, key=lambda row: row.said_at).said) if rows else None


def unsay(session: Session, subscriber_id: int, paper_id: int) -> None:
    """Forget what a reader said of a paper, under whatever id it had."""
    gone = [row.paper_id for row in _rows_on(session, subscriber_id, paper_id)]
    theirs = (col(FeedbackRow.subscriber_id) == subscriber_id, col(FeedbackRow.paper_id).in_(gone))
    session.exec(delete(FeedbackRow).where(*theirs))


_COUNTS = Prepared(
    sql(col(_F.subscriber_id), func.count().label("papers")).where(_THEIRS).group_by(col(_F.subscriber_id))
)


def counts(session: Session, subscriber_ids: Collection[int]) -> dict[int, int]:
    """Return of how many papers each of these readers said something that counts; who said nothing is left out."""
    found = _COUNTS.execute(session, {"readers": list(subscriber_ids)})
    return {reader: min(count, REMEMBERED) for reader, count in found}


def most_said(session: Session, since: datetime, limit: int) -> dict[int, dict[Said, int]]:
    """Return of which papers readers said most since *since*: what, and how many, by paper; the most first."""
    said = select(col(FeedbackRow.paper_id), col(FeedbackRow.said), func.count())
    lately = said.where(col(FeedbackRow.said_at) >= since).group_by(col(FeedbackRow.paper_id), col(FeedbackRow.said))
    found: dict[int, dict[Said, int]] = defaultdict(dict)
    for paper_id, what, count in session.exec(lately):
        found[paper_id][Said(what)] = count
    most = sorted(found, key=lambda paper_id: (-sum(found[paper_id].values()), paper_id))
    return {paper_id: found[paper_id] for paper_id in most[:limit]}


def any_at_all(session: Session) -> bool:
    """Return whether anybody said anything."""
    return session.exec(select(FeedbackRow.paper_id).limit(1)).first() is not None


def erase(session: Session, subscriber_id: int) -> int:
    """Forget all that a reader said, also where a digest gives it as its reason; return of how many papers."""
    theirs = (col(DeliveryRow.subscriber_id) == subscriber_id, cast(col(DeliveryRow.picks), String).contains("\n"))
    for row in session.exec(select(DeliveryRow).where(*theirs)):
        row.picks = [[paper, why, "" if why == Why.TASTE else detail] for paper, why, detail in row.picks]
    return session.exec(delete(FeedbackRow).where(col(FeedbackRow.subscriber_id) == subscriber_id)).rowcount


def _rows_on(session: Session, subscriber_id: int, paper_id: int) -> list[FeedbackRow]:
    """Return what a reader said of a paper under each id that it had."""
    rows = session.exec(select(FeedbackRow).where(col(FeedbackRow.subscriber_id) == subscriber_id)).all()
    today = papers.resolve(session, (paper_id, *(row.paper_id for row in rows)))
    return [row for row in rows if today[row.paper_id] == today[paper_id]]
