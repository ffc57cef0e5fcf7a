"""Papers as sources list them, what was found out about them, and when sources were asked."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from newsletter.storage.tables.columns import growing, instant, json_of, partial


class PaperRow(SQLModel, table=True):
    """A paper as merged from its sightings. Ids grow and are never reused: of two that are joined the older stays."""

    __tablename__ = "papers"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: int | None = Field(
        default=None,
        sa_column=growing(),
    )
    title: str
    facts: dict[str, Any] = json_of({})
    withdrawn: bool = False
    first_seen_at: datetime = instant(nullable=False)


class PaperKeyRow(SQLModel, table=True):
    """An arXiv id, a DOI or a canonical link: each names one paper."""

    __tablename__ = "paper_keys"
    key: str = Field(primary_key=True)
    paper_id: int = Field(index=True)


class PaperRedirectRow(SQLModel, table=True):
    """A paper that turned out to be another one, so that links and ledgers still find it."""

    __tablename__ = "paper_redirects"
    old_id: int = Field(primary_key=True)
    paper_id: int = Field(index=True)


class SightingRow(SQLModel, table=True):
    """What one source last said of a paper."""

    __tablename__ = "sightings"
    paper_id: int = Field(primary_key=True)
    source: str = Field(primary_key=True)
    kind: str
    seen_at: datetime = instant(nullable=False)
    facts: dict[str, Any] = json_of({})


class ListingRow(SQLModel, table=True):
    """One source's view of a paper on one day."""

    __tablename__ = "listings"
    __table_args__ = (Index("ix_listings_day", "day"), Index("ix_listings_paper", "paper_id"))
    source: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    paper_id: int = Field(primary_key=True)
    upvotes: int | None = None
    comments: int | None = None
    position: int = 0
    submitter: str = ""
    first_seen: bool = False


class SearchOrderRow(SQLModel, table=True):
    """What a search needs of a paper beside its words: the most upvotes ever, which state of its words this is, and the
    opening of its summary, None until it is worked out.

    Triggers keep it, and the full-text indexes ``search_words``, ``search_titles`` and ``search_upvoted`` beside it.
    """

    __tablename__ = "search_order"
    __table_args__ = (partial("ix_search_order_unopened", "paper_id", where=text("opening IS NULL")),)
    paper_id: int = Field(primary_key=True)
    upvotes: int
    version: int
    opening: str | None = None


class EditionRow(SQLModel, table=True):
    """One row, whose number grows with whatever changes a page that is the same for everyone. Triggers keep it."""

    __tablename__ = "editions"
    id: int = Field(primary_key=True)
    number: int


class SummaryRow(SQLModel, table=True):
    """What a language model said of a paper. Without text it was asked in vain, ``failures`` times."""

    __tablename__ = "summaries"
    __table_args__ = (Index("ix_summaries_asked", "asked_at"),)
    paper_id: int = Field(primary_key=True)
    model: str
    text: str = ""
    asked_at: datetime = instant(nullable=False)
    made_at: datetime | None = instant()
    failures: int = 0
    error: str | None = None


class FetchRow(SQLModel, table=True):
    """When a source was last asked, for a date by name or ('') for what is current, and what came of it."""

    __tablename__ = "fetches"
    source: str = Field(primary_key=True)
    asked: str = Field(primary_key=True)
    attempted_at: datetime = instant(nullable=False)
    succeeded_at: datetime | None = instant()
    retry_at: datetime | None = instant()
    failures: int = 0
    error: str | None = None
    papers: int = 0
    new: int = 0


class ValidatorRow(SQLModel, table=True):
    """What a server gave to ask again whether a resource changed."""

    __tablename__ = "validators"
    source: str = Field(primary_key=True)
    url: str = Field(primary_key=True)
    etag: str = ""
    last_modified: str = ""
