"""When sources were asked and what came of it, and what their servers gave to ask again."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from newsletter.storage.tables import FetchRow, ValidatorRow

SUMMARIES = "[summaries]"  # is asked like a source, and is none


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """When a source was asked and what came of it. ``error`` is None after a success."""

    attempted_at: datetime
    succeeded_at: datetime | None = None
    retry_at: datetime | None = None
    failures: int = 0
    error: str | None = None
    papers: int = 0
    new: int = 0


def last_fetch(session: Session, source: str, asked: str) -> Fetch | None:
    """Return what came of the last time that *source* was asked for *asked*, a date or '' for what is current."""
    row = session.get(FetchRow, (source, asked))
    return Fetch(**row.model_dump(exclude={"source", "asked"})) if row else None


def keep_fetch(session: Session, source: str, asked: str, fetch: Fetch) -> None:
    """Remember what came of asking *source*."""
    session.merge(FetchRow(source=source, asked=asked, **asdict(fetch)))


def validators(session: Session, source: str) -> dict[str, tuple[str, str]]:
    """Return what the servers of *source* gave to ask again: by URL, the ETag and the Last-Modified."""
    rows = session.exec(select(ValidatorRow).where(ValidatorRow.source == source))
    return {row.url: (row.etag, row.last_modified) for row in rows}


def keep_validators(session: Session, source: str, given: Mapping[str, tuple[str, str]]) -> None:
    """Remember what the servers of *source* gave, in the transaction that stores what they said."""
    for url, (etag, last_modified) in given.items():
        session.merge(ValidatorRow(source=source, url=url, etag=etag, last_modified=last_modified))


def newest_fetches(session: Session, sources: Iterable[str]) -> dict[str, Fetch]:
    """Return what came of the last time that each of these *sources* was asked, whatever for."""
    of_them = select(FetchRow).where(col(FetchRow.source).in_(list(sources)))
    rows = session.exec(of_them.order_by(col(FetchRow.attempted_at)))
    return {row.source: Fetch(**row.model_dump(exclude={"source", "asked"})) for row in rows}
