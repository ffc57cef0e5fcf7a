"""Which papers readers were sent in digests that the ledger does not keep one by one any more: an octet or two a paper.

One row for each reader and month of issues, that has the papers' ids in order, each as how far it is from the one
before, seven bits to an octet. Not here: when the ledger gives its rows up (``retention``).
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

from sqlalchemy import select as sql
from sqlmodel import Session, col, delete, select

from newsletter.storage.database import listed, upsert
from newsletter.storage.tables import HadRow


def packed(paper_ids: Iterable[int]) -> bytes:
    """Return *paper_ids*, which are positive, as they are kept."""
    content, before = bytearray(), 0
    for paper_id in sorted(set(paper_ids)):
        step, before = paper_id - before, paper_id
        while step > 127:
            content.append(step & 127 | 128)
            step >>= 7
        content.append(step)
    return bytes(content)


def unpacked(content: bytes) -> list[int]:
    """Return the papers that *content* keeps."""
    found, paper_id, step, bits = [], 0, 0, 0
    for octet in content:
        step |= (octet & 127) << bits
        bits += 7
        if octet < 128:
            paper_id += step
            found.append(paper_id)
            step = bits = 0
    return found


def month_of(day: date) -> int:
    """Return the month of *day*, by which rows are kept."""
    return day.year * 100 + day.month


def keep(session: Session, day: date, sent: Mapping[int, Collection[int]]) -> None:
    """Remember what readers were *sent* of an issue of *day*, by reader."""
    month = month_of(day)
    query = sql(col(HadRow.subscriber_id), col(HadRow.papers))
    query = query.where(col(HadRow.month) == month, col(HadRow.subscriber_id).in_(listed("readers")))
    before = {i: unpacked(papers) for i, papers in session.connection().execute(query, {"readers": list(sent)})}
    rows = [
        {"month": month, "subscriber_id": i, "papers": packed([*before.get(i, ()), *papers])}
        for i, papers in sent.items()
        if papers
    ]
    if rows:
        new = upsert(HadRow)
        same = ["month", "subscriber_id"]
        session.connection().execute(
            new.on_conflict_do_update(index_elements=same, set_={"papers": new.excluded.papers}), rows
        )


def of(session: Session, reader_ids: Collection[int], months: Collection[int]) -> dict[int, set[int]]:
    """Return what these readers were sent in issues of *months*, by reader; papers by the ids that they had then."""
    query = sql(col(HadRow.subscriber_id), col(HadRow.papers))
    query = query.where(col(HadRow.month).in_(list(months)), col(HadRow.subscriber_id).in_(listed("readers")))
    found: defaultdict[int, set[int]] = defaultdict(set)
    for reader, papers in session.connection().execute(query, {"readers": list(reader_ids)}):
        found[reader].update(unpacked(papers))
    return dict(found)


def all_of(session: Session, reader_id: int) -> list[int]:
    """Return all that is remembered of one reader."""
    rows = session.exec(select(HadRow.papers).where(col(HadRow.subscriber_id) == reader_id))
    return sorted({paper for papers in rows for paper in unpacked(papers)})


def drop(session: Session, before: date, limit: int) -> int:
    """Forget some of the months that ended before *before*. Return how many rows."""
    old = select(HadRow.month, HadRow.subscriber_id).where(col(HadRow.month) < month_of(before)).limit(limit)
    rows = session.exec(old).all()
    for month in {month for month, _ in rows}:
        readers = [reader for of_month, reader in rows if of_month == month]
        those = (col(HadRow.month) == month, col(HadRow.subscriber_id).in_(listed("readers")))
        session.connection().execute(delete(HadRow).where(*those), {"readers": readers})
    return len(rows)
