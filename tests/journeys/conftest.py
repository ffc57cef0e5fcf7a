"""What these tests share: a whole small newsletter."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from newsroom import Newsroom
from returned import TODAY


@pytest.fixture
def newsroom(tmp_path: Path) -> Iterator[Newsroom]:
    """Return a newsletter without papers and readers, its mail going to ``newsroom.sink``."""
    made = Newsroom(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def mailed_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newsroom]:
    """Return a newsletter of which ann and ben had a digest, with signed return addresses."""
    made = Newsroom(tmp_path_factory.mktemp("mailed"), bounces={"address": "letters@example.org"})
    made.publish(TODAY, "Alpha", "Beta")
    made.subscribe("ann@there.example", "ben@there.example")
    made.run("run", "--date", TODAY, "--now")
    yield made
    made.close()


@pytest.fixture
def mailed(mailed_once: Newsroom, tmp_path: Path) -> Iterator[Newsroom]:
    """Return another one that stands where that one does, to go on from there."""
    made = Newsroom(tmp_path, bounces={"address": "letters@example.org"})
    for name in ("newsletter.db", "papers.jsonl"):
        shutil.copy(mailed_once.folder / name, tmp_path)
    made.sink.mails = list(mailed_once.sink.mails)
    made.run("db", "adopt")
    yield made
    made.close()
