"""What these tests share: a database of the newest version."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.storage.database import Database
from newsletter.storage.upgrade import upgrade


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty database that the migrations made once; to be copied, since making one takes a while."""
    path = tmp_path_factory.mktemp("empty") / "newsletter.db"
    upgrade(path, datetime(2026, 7, 1, tzinfo=UTC))
    return path


@pytest.fixture
def database(empty: Path, tmp_path: Path) -> Iterator[Database]:
    """Return an empty database of one's own."""
    opened = Database(Path(shutil.copy(empty, tmp_path / "newsletter.db")))
    yield opened
    opened.close()
