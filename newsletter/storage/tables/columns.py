"""Kinds of columns: instants, ids, JSON; and how SQLite writes what goes past them."""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, Index, Integer, TypeDecorator
from sqlmodel import Field


class Instant(TypeDecorator[datetime]):
    """A UTC instant that stays UTC: SQLite forgets zones, so it goes in without one and comes out with it."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* in UTC without its zone; an instant without a zone is a fault of the program."""
        if value is None:
            return None
        assert value.tzinfo is not None, "an instant needs its zone"
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as the UTC instant that it is."""
        return value.replace(tzinfo=UTC) if value else None


def stored(instant: datetime) -> str:
    """Return *instant* (aware) as SQLite keeps it, for statements that go past the column types."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


@lru_cache(maxsize=4096)
def instant_of(kept: str) -> datetime:
    """Return the instant that SQLite keeps as *kept*. Remembered: those of one chunk are mostly the same."""
    return datetime.fromisoformat(kept + "+00:00")


day_of = lru_cache(maxsize=4096)(date.fromisoformat)


def instant(*, nullable: bool = True) -> Any:
    """Return the column of an instant."""
    return Field(default=None, sa_column=Column(Instant(), nullable=nullable))


def big_id() -> Any:
    """Return the column of an id that is drawn."""
    return Field(sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False))


def json_of(default: Any) -> Any:
    """Return a column of JSON, *default* where nothing is said."""
    return Field(default=default, sa_column=Column(JSON, nullable=False))


def growing() -> Any:
    """Return the column of an id that grows and is never used again."""
    return Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def partial(name: str, *columns: Any, where: Any) -> Index:
    """Return an index of the rows *where* a condition holds."""
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)
