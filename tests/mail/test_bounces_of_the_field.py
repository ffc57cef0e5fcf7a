"""Hundreds of reports of real servers, where the labelled set is at hand: how many are read rightly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.mail.bounces import read

HERE = Path(__file__).resolve().parents[2]
CORPORA = HERE.parent / "shared" / "corpora"
pytestmark = pytest.mark.skipif(not (CORPORA / "bounces").is_dir(), reason="the labelled reports are not here")


def test_the_figures_hold() -> None:
    """Nearly all that are gone are found, nearly none that are not; nothing anywhere in the corpora raises."""
    bench = [
        sys.executable,
        str(HERE / "scripts/bench/bounces.py"),
        "--corpora",
        str(CORPORA / "bounces"),
        "--rounds",
        "1",
    ]
    done = subprocess.run(bench, stdout=subprocess.PIPE, text=True, check=True, timeout=110)
    found = json.loads(done.stdout)
    holds = {name: held for name, held in found["holds"].items() if name != "reports_per_second"}
    assert all(holds.values()), found
    assert found["newsletter"]["others_called_permanent"] < found["flufl.bounce"]["others_called_permanent"]
    assert found["read_without_exception"] > 500


def test_mails_that_are_no_bounces() -> None:
    """Mails of people are taken for nothing else."""
    for file in (CORPORA / "bounces" / "not-bounces").glob("*.eml"):
        assert read(file.read_bytes()).recipients == ()
