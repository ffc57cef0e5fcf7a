"""The machine's pace: one request in three seconds, one at a time, whoever asks."""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise

import pytest

from newsletter.errors import SourceError
from newsletter.sources import pace

ASK = """
import asyncio, pathlib, sys
from newsletter.sources.client import Client
async def turn():
    async with Client(user_agent="x", allow_private_address=True, pace_dir=pathlib.Path(sys.argv[2])) as client:
        for _ in range(int(sys.argv[3])):
            await client.get(sys.argv[1], paced=True)
asyncio.run(turn())
"""


def turns(count, folder, budget=30.0, name="host"):
    """Take turns one after another, beside each other; return when each began and ended."""
    log = []

    async def one():
        async with pace.turn(name, asyncio.get_running_loop().time() + budget, folder):
            log.append(time.monotonic())
            await asyncio.sleep(0.05)
            log.append(time.monotonic())

    async def all_of_them():
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(all_of_them())
    return log


def test_the_first_turn_does_not_wait(tmp_path):
    """Nothing was asked before, so nothing is waited for."""
    began = time.monotonic()
    turns(1, tmp_path)
    assert time.monotonic() - began < 1


def test_the_next_turn_waits_from_the_end_of_the_last(tmp_path):
    """Two tasks take turns, and meanwhile the event loop runs."""
    _, end, begin, _ = turns(2, tmp_path)
    assert pace.INTERVAL - 0.01 <= begin - end < pace.INTERVAL + 1


def test_hosts_do_not_wait_for_each_other(tmp_path):
    """Each has a pace of its own, whatever its name is made of."""
    began = time.monotonic()
    for name in ("a", "b", "../c/d", "[::1]-80"):
        turns(1, tmp_path, name=name)
    assert time.monotonic() - began < 1
    assert len(list(tmp_path.iterdir())) == 4


def test_a_turn_that_cannot_come_in_time_is_not_waited_for(tmp_path):
    """Neither behind somebody at work nor through the pause."""
    turns(1, tmp_path)
    began = time.monotonic()
    with pytest.raises(SourceError, match="papers-newsletter-pace-host: other programs' requests take all the time"):
        turns(1, tmp_path, budget=1.0)
    assert time.monotonic() - began < 1


def test_a_long_request_keeps_the_next_one_out(tmp_path):
    """One connection at a time, however slow."""

    async def hold_and_ask():
        now = asyncio.get_running_loop().time()
        async with pace.turn("host", now + 9, tmp_path), pace.turn("host", now + 0.3, tmp_path):
            pass

    with pytest.raises(SourceError, match="other programs"):
        asyncio.run(hold_and_ask())


@pytest.mark.parametrize("noted", ["", "nonsense", "nan", "9" * 99, "99999999999.000", "-1.000"])
def test_a_strange_note_costs_one_interval_at_most(tmp_path, noted):
    """A clock set back, or a file that somebody else wrote."""
    turns(1, tmp_path)
    next(tmp_path.iterdir()).write_text(noted)
    began = time.monotonic()
    turns(1, tmp_path)
    assert time.monotonic() - began < pace.INTERVAL + 1


def test_links_and_odd_files_are_not_touched(tmp_path):
    """The folder is everyone's, so what lies there may be a trap."""
    treasure = tmp_path / "treasure"
    treasure.write_text("gold")
    lock = tmp_path / "papers-newsletter-pace-host"
    for plant in (lock.symlink_to, lock.hardlink_to):
        plant(treasure)
        with pytest.raises(SourceError, match=f"{lock}: .*; remove it"):
            turns(1, tmp_path)
        lock.unlink()
    for plant in (lock.mkdir, lambda: os.mkfifo(lock)):
        plant()
        with pytest.raises(SourceError, match=f"{lock}: .*; remove it"):
            turns(1, tmp_path)
        lock.rmdir() if lock.is_dir() else lock.unlink()
    assert treasure.read_text() == "gold"


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    """Such as another user's, or one in a folder that is not there."""
    lock = tmp_path / "nowhere/papers-newsletter-pace-host"
    with pytest.raises(SourceError, match=f"{lock}: cannot be opened to keep the pace"):
        turns(1, lock.parent)


def test_no_folder_for_temporary_files_is_a_failure_of_the_source(monkeypatch):
    """The others are still asked."""
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(SourceError, match="TMPDIR"):
        turns(1, None)


def test_a_lock_file_that_was_cleaned_away_keeps_its_meaning(tmp_path):
    """A turn on the removed file does not let two in: who comes next makes a new one and locks that."""
    turns(1, tmp_path)
    next(tmp_path.iterdir()).unlink()
    turns(1, tmp_path)
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o666]


@pytest.mark.slow
def test_two_programs_share_the_pace(upstream, tmp_path):
    """Read from the server's log: two processes, three requests, three seconds between any two, no connection kept."""
    url = upstream.say("/x", b"good")
    command = [sys.executable, "-c", ASK, url, tmp_path]
    for program in [subprocess.Popen([*command, times]) for times in ("2", "1")]:
        assert program.wait(timeout=60) == 0
    times = [request.time for request in upstream.requests]
    assert len(times) == 3
    assert min(later - earlier for earlier, later in pairwise(times)) >= pace.INTERVAL
    assert {request.headers["connection"] for request in upstream.requests} == {"close"}


@pytest.mark.slow
def test_a_turn_that_comes_too_late_does_not_hide_the_trouble(upstream, get):
    """What went wrong before is what a person needs to know."""
    url = upstream.say("/x", {"status": 500})
    with pytest.raises(SourceError, match=r"/x: answered 500 \(Internal Server Error\); the next run"):
        get(url, budget=2, paced=True)
