"""A disk without room: what is there can be read, and what cannot be done is said in a line that is true."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from newsroom import Newsroom

from newsletter.domain.subscriber import Status
from newsletter.services import subscribe

ANN, BOB = "ann@example.org", "bob@example.org"
LOOKS = ("subscribers list", f"subscribers show {ANN}", f"why {ANN}", "stats", "deliveries list", "subscribers export")


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with one reader, and what was written folded into the file as every process leaves it."""
    newsroom.subscribe(ANN)
    assert not (newsroom.folder / "newsletter.db-shm").exists()
    return newsroom


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Put the folder on a small disk of its own, and return what fills that."""
    mount = ("mount", "-t", "tmpfs", "-o", "size=4m", "none", str(tmp_path))
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")

    def fill() -> None:
        with (tmp_path / "fill").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"x" * 4096):
                pass

    yield fill
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def limited(room: Newsroom, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may let no file grow, which to SQLite is as a disk without room."""
    words = [sys.executable, "-m", "newsletter", "--config", str(room.config), *command.split()]
    shell = ["sh", "-c", 'ulimit -f 0; exec "$@" | cat', "sh", *words]
    return subprocess.run(shell, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", LOOKS)
def test_what_is_there_can_be_read(small: Callable[[], None], room: Newsroom, command: str) -> None:
    """Whatever only looks answers as ever; nothing is left beside the database that would mislead the next one."""
    before = room.run(*command.split()).out
    small()
    assert room.run(*command.split()).out == before


def test_what_cannot_be_done_is_not_said_to_be_safe(small: Callable[[], None], room: Newsroom) -> None:
    """Who could not be put on the list is to be put there again; with room, all works as before."""
    small()
    said = room.run("subscribers", "add", BOB, expect=1).err
    assert "the disk is full" in said
    assert "do again what did not get done" in said
    assert "nothing is lost" not in said
    assert "disk is full" in room.run("web", expect=1).err
    assert "fail  disk" in room.run("doctor", expect=None).out
    (room.folder / "fill").unlink()
    room.run("subscribers", "add", BOB)
    with room.app() as app:
        assert [subscribe.find(app.database, email).status for email in (ANN, BOB)] == [Status.ACTIVE] * 2


def test_reading_needs_no_growing_file(room: Newsroom) -> None:
    """The same where no disk can be mounted: who reads needs no room at all."""
    done = limited(room, "subscribers list")
    assert ANN in done.stdout, done.stderr
    assert limited(room, f"subscribers add {BOB}").stderr.count("\n") == 1
