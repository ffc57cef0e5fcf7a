"""Statements that are made once and executed by the driver, with the types of their columns.

SQLAlchemy looks at a statement anew whenever it is executed, which takes ten times what SQLite does for one row. For
what many ask for one at a time (leaving by the one click of a mail program), and for what is asked of each chunk of
readers and hardly ever finds anything.
"""

from collections import namedtuple
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Executable, Select
from sqlalchemy.dialects.sqlite import dialect
from sqlalchemy.types import TypeEngine
from sqlmodel import Session

from newsletter.storage.database import cursor

_SQLITE = dialect()


class Prepared:
    """One statement. What it is given are its named parameters; other values in it stay as they are."""

    def __init__(self, statement: Executable) -> None:
        made = statement.compile(dialect=_SQLITE)  # type: ignore[attr-defined]
        self._text = str(made)
        self._said = dict(made.params)
        self._takes = [(name, _of_sqlite(made.binds[name].type).bind_processor(_SQLITE)) for name in made.positiontup]
        found = list(statement.selected_columns) if isinstance(statement, Select) else []
        self._gives = [_of_sqlite(column.type).result_processor(_SQLITE, None) for column in found]
        self._row: Any = namedtuple("Row", [column.key for column in found])  # type: ignore[misc]

    def execute(self, session: Session, values: Mapping[str, Any]) -> Iterator[Any]:
        """Execute it in the transaction of *session*, and return the rows that it gives."""
        said = {**self._said, **values}
        given = [does(said[name]) if does else said[name] for name, does in self._takes]
        return map(self._read, cursor(session).execute(self._text, given))

    def _read(self, row: tuple[Any, ...]) -> Any:
        return self._row(*[does(one) if does else one for does, one in zip(self._gives, row, strict=True)])


def _of_sqlite(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return kind.dialect_impl(_SQLITE)
