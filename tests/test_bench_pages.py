"""What measures reading runs to its end in a small size. No figure is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench"

pytestmark = pytest.mark.slow


def measured(folder: Path, name: str, *options: str) -> Any:
    """Return what a measurement answers. Nothing of it may stay in its folder."""
    command = [sys.executable, str(BENCH / f"{name}.py"), "--dir", str(folder), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=110, check=False)
    assert done.returncode == 0
    assert list(folder.iterdir()) == []
    return json.loads(done.stdout)


def test_searches_are_timed(tmp_path: Path) -> None:
    """In every order, on two pages, and by both yardsticks."""
    found = measured(tmp_path, "search", "--papers", "200", "--times", "1")
    assert found["searches"] % 6 == 0
    assert found["yardsticks"].keys() == {"like_cpu_ms", "ranked_cpu_ms"}


def test_pages_are_timed(tmp_path: Path) -> None:
    """Every request is answered, and a page's size is known."""
    options = ["--papers", "50", "--readers", "40", "--delivery", "0", "--rate", "10", "--seconds", "2"]
    found = measured(tmp_path, "pages", *options)
    assert (found["alone"]["requests"], found["alone"]["not_answered_with_200"]) == (20, 0)
    assert found["page_kb"].keys() == found["alone"]["p95_ms_by_page"].keys() >= {"front", "day", "unsubscribe"}


@pytest.mark.system("smtp-sink")
def test_a_delivery_beside_the_pages_is_compared_with_one_alone_and_with_the_yardstick(tmp_path: Path) -> None:
    """Everybody due is delivered to each time, or the measurement would end with an error."""
    options = ["--papers", "50", "--readers", "200", "--delivery", "100", "--rate", "20", "--seconds", "2"]
    found = measured(tmp_path, "pages", *options, "--pairs", "1")["while_sending"]
    assert found["speed_kept_each"] == [found["speed_kept"]]
    assert found["yardstick_each"] == [found["yardstick"]]
    assert found["not_answered_with_200"] == 0
