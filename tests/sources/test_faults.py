"""Every fault of an upstream ends, in time and in memory: each source's turn in a process of its own, measured."""

import json
import subprocess
import sys
import urllib.request

import pytest

from newsletter.sources.client import BUDGET

pytestmark = pytest.mark.slow

LASTING = ["429", "406", "500", "503", "empty", "garbage", "html", "truncate"]
LASTING += ["drop", "slow", "drip", "huge", "loop", "local"]
PASSING = ["429:2", "406:2", "500:2", "503:2", "empty:2", "truncate:2", "drop:2", "slow:1"]
PATHS = ("/api/daily_papers", "/api/query", "/details", "/rss")
PROGRAM = """
import asyncio, json, pathlib, resource, sys, time
from datetime import UTC, date, datetime
from newsletter.errors import SourceError
from newsletter.sources.arxiv import ArXiv
from newsletter.sources.base import Ask
from newsletter.sources.biorxiv import BioRxiv
from newsletter.sources.client import Client
from newsletter.sources.feeds import Feed
from newsletter.sources.huggingface import HuggingFace

async def turn(source, day):
    began = time.monotonic()
    try:
        who, pace_dir = "papers-newsletter/0 (+tests)", pathlib.Path(sys.argv[2])
        async with Client(user_agent=who, allow_private_address=True, budget=28, pace_dir=pace_dir) as client:
            ask = Ask(now=datetime.now(UTC), today=day, days=(day,), dated=True)
            what = len((await source.fetch(client, ask)).sightings)
    except SourceError as error:
        what = str(error)
    return what, time.monotonic() - began

async def main(url):
    return await asyncio.gather(
        turn(HuggingFace(base_url=url), date(2026, 7, 15)),
        turn(ArXiv(categories=["cs.CL"], base_url=url), date(2025, 12, 17)),
        turn(BioRxiv(base_url=url), date(2026, 7, 15)),
        turn(Feed(url=url + "/rss/cs.CL"), date(2026, 4, 27)),
    )

turns = asyncio.run(main(sys.argv[1]))
# Not getrusage: what it says of a child begins with what its parent had.
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([turns, peak / 1024]))
"""


def start(url, folder):
    """Start one turn of each source against *url*."""
    return subprocess.Popen([sys.executable, "-c", PROGRAM, url, folder], stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def programs(replay, tmp_path_factory):
    """Return one program for each fault, all started at once, for most of their time is waiting."""
    urls = {fault: replay(*(f"{path}={fault}" for path in PATHS)) for fault in [*LASTING, *PASSING]}
    return {fault: start(url, tmp_path_factory.mktemp("pace")) for fault, url in urls.items()}


def ended(program):
    """Return what came of each turn and in how many seconds, and the peak of memory in megabytes."""
    return json.loads(program.communicate(timeout=90)[0])


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_ends_in_success(programs, fault):
    """Wrong once or twice, then right: all four sources give what was recorded."""
    turns, _ = ended(programs[fault])
    assert [what for what, _ in turns] == [2, 55, 3, 3]


@pytest.mark.parametrize("fault", LASTING)
def test_a_lasting_fault_ends_in_a_recorded_failure(programs, fault):
    """Within its budget, here of half a minute, and 200 MB, in one line that says where."""
    turns, memory = ended(programs[fault])
    for what, seconds in turns:
        assert isinstance(what, str)
        assert what.startswith("127.0.0.1")
        assert "\n" not in what
        assert seconds < 32
    assert memory < 200
    assert BUDGET <= 45


def test_the_request_log_shows_arxivs_pace(replay, tmp_path):
    """Two programs at once: three seconds between any two requests to arXiv's API."""
    url = replay()
    running = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, url, tmp_path], stdout=subprocess.PIPE) for _ in range(2)
    ]
    for program in running:
        program.communicate(timeout=90)
    with urllib.request.urlopen(url + "/__log") as answer:
        log = json.load(answer)
    times = sorted(entry["time"] for entry in log if entry["path"].startswith("/api/query"))
    assert len(times) == 2
    assert times[1] - times[0] >= 3
    assert {entry["headers"]["User-Agent"] for entry in log} == {"papers-newsletter/0 (+tests)"}
