"""The measurements of choosing and of ranking run to their end in a small size. No figure is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench"
RECORDED = Path(__file__).resolve().parents[2] / "shared" / "recorded"

pytestmark = pytest.mark.slow


def measured(name: str, *options: str) -> Any:
    """Return what a measurement answers."""
    command = [sys.executable, str(BENCH / f"{name}.py"), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=110, check=False)
    assert done.returncode == 0
    return json.loads(done.stdout)


def test_choosing_counts_what_it_looked_for() -> None:
    """No topic is looked for more often than once, whoever wishes for it."""
    found = measured("choose", "--readers", "1000", "--papers", "60", "--topics", "50")
    assert (found["readers"], found["papers"]) == (1000, 60)
    assert found["topics_looked_for"] <= 50
    assert found["different_choices_of_a_thousand"] > 500
    assert found["learned"]["microseconds"] > 0
    assert set(found) >= {"choosing_us", "composing_us", "readers_per_second", "memory_mb", "yardstick_us", "ratio"}


def test_ranking_is_skipped_without_the_recorded_days(tmp_path: Path) -> None:
    """And says so in one line."""
    command = [sys.executable, str(BENCH / "ranking.py"), "--recorded", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == f"skipped: no recorded days in {tmp_path}\n"


def test_ranking_compares_all_contestants() -> None:
    """Each kind of interest with every contestant."""
    pytest.importorskip("sklearn")
    if not RECORDED.is_dir():
        pytest.skip("no recorded days")
    found = measured("ranking", "--recorded", str(RECORDED), "--readers", "1", "--days", "3")
    assert set(found["figures"]) == {"category", "author", "keywords", "all"}
    assert {name for one in found["figures"].values() for name in one} == {"taste", "svm", "popularity", "random"}
