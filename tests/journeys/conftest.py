"""What these tests share: a whole small newsletter."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from newsroom import Newsroom


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    """Return a newsletter without papers and readers, its mail going to ``newsroom.sink``."""
    made = Newsroom(tmp_path)
    yield made
    made.close()
