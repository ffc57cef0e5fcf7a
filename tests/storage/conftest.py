"""What these tests share: a database of the newest version."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_database import put_database

from newsletter.storage.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty database of one's own."""
    put_database(tmp_path / "newsletter.db")
    opened = Database(tmp_path / "newsletter.db")
    yield opened
    opened.close()
