"""What holds for every command: what is typed is taken or refused in a line, and every answer has one form."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from command_line import newsletter
from newsroom import Newsroom

NO_UTF8 = os.fsdecode(b"caf\xe9")


def program(
    newsroom: Newsroom, *args: str, under: Sequence[str] = (), **streams: object
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, *under* another one where given."""
    command = [*under, sys.executable, "-m", "newsletter", "--config", str(newsroom.config), *args]
    return subprocess.run(command, text=True, timeout=60, check=False, stderr=subprocess.PIPE, **streams)  # type: ignore[call-overload,no-any-return]


@pytest.mark.parametrize(
    "args",
    [
        ("subscribers", "add", "ann@example.org", "--source", NO_UTF8),
        ("subscribers", "add", "ann@example.org", "--topic", NO_UTF8),
        ("subscribers", "list", "--search", NO_UTF8),
        ("issues", "note", "2026-07-10", NO_UTF8),
    ],
)
def test_a_text_is_utf8(newsroom: Newsroom, args: tuple[str, ...]) -> None:
    """Nothing else can be stored or compared."""
    assert "is not UTF-8" in newsroom.run(*args, expect=2).err


def test_a_path_may_be_any_bytes(newsroom: Newsroom, tmp_path: Path) -> None:
    """As the file system has it; in JSON it is escaped."""
    out = tmp_path / NO_UTF8
    assert newsroom.run("subscribers", "export", "--out", str(out), "--json").json["file"] == str(out)
    assert newsroom.run("subscribers", "import", str(out), "--json").json["added"] == 0


@pytest.mark.parametrize(
    "args", [("nothing",), ("gather", "--date", "someday"), ("deliveries", "release"), ("run", "--no")]
)
def test_wrong_usage_is_a_document_too(args: tuple[str, ...]) -> None:
    """Scripts that read one document find one, whatever is wrong."""
    done = newsletter(*args, "--json")
    assert done.status == 2
    assert done.json["error"] in done.err


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_date_at_the_end_of_time_is_refused(newsroom: Newsroom, day: str) -> None:
    """Counting days from it has to end somewhere."""
    assert "from 1970 to 2200" in newsroom.run("issues", "preview", day, expect=2).err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("args", [("stats",), ("why", "nobody@example.org", "--json"), ("--help",)])
def test_an_output_that_cannot_be_written(newsroom: Newsroom, args: tuple[str, ...]) -> None:
    """It is said in one line."""
    with Path("/dev/full").open("w") as full:
        done = program(newsroom, *args, stdout=full)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "newsletter: the output cannot be written (No space left on device)",
    )


@pytest.mark.system("fiu-run")
def test_a_disk_that_fails_while_the_database_is_opened(newsroom: Newsroom) -> None:
    """After a crash the first to look at the database repairs it; where that cannot be, it can be read, not written."""
    newsroom.run("stats")
    database = newsroom.folder / "newsletter.db"
    log = database.with_name("newsletter.db-wal")
    with closing(sqlite3.connect(database)) as crashes:
        crashes.execute("INSERT INTO meta (key, value) VALUES ('one', 'more')")
        crashes.commit()
        kept = log.read_bytes()
    log.write_bytes(kept)  # closing has folded it into the database
    under = ["fiu-run", "-x", "-c", "enable name=posix/io/rw/pwrite,failinfo=5"]
    assert program(newsroom, "stats", under=under).returncode == 0
    log.write_bytes(kept)
    done = program(newsroom, "subscribers", "add", "ann@example.org", under=under)
    what, next_step = "disk I/O error; check the disk", "the next run reads what was kept and continues"
    assert (done.returncode, done.stderr) == (1, f"newsletter: database {database}: {what}; {next_step}\n")


def test_a_reader_that_went_away(newsroom: Newsroom) -> None:
    """As "head" does: no word of it."""
    left, right = os.pipe()
    os.close(left)
    done = program(newsroom, "why", "nobody@example.org", "--json", stdout=right)
    os.close(right)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_without_standard_streams(newsroom: Newsroom) -> None:
    """As some schedulers start programs."""
    command = f"exec {sys.executable} -m newsletter --config {newsroom.config} subscribers import - <&- >&-"
    done = subprocess.run(["sh", "-c", command], text=True, timeout=60, check=False, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (2, "newsletter: standard input: is closed; name a file\n")
    assert json.loads(newsroom.run("subscribers", "list", "--json").out)["total"] == 0
