"""The measurements of speed and size run to their end in a small size, and count exactly. No figure is judged."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).resolve().parents[1] / "scripts" / "bench"
SENDER = {
    "messages",
    "process_seconds",
    "to_first_message_seconds",
    "sending_seconds",
    "messages_per_second",
    "cpu_us_per_message",
    "sink_cpu_us_per_message",
    "peak_mb",
}
EVERYWHERE = {"settings", "machine", "connections"}

pytestmark = [pytest.mark.slow, pytest.mark.system("smtp-sink", "smtp-source")]


def measured(folder: Path, name: str, *options: str) -> Any:
    """Return what a measurement answers. Nothing of it may stay in its folder."""
    command = [sys.executable, str(BENCH / f"{name}.py"), "--dir", str(folder), "--timeout", "60", *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=110, check=False)
    assert done.returncode == 0
    assert list(folder.iterdir()) == []
    return json.loads(done.stdout)


def test_throughput_counts_every_contestant(tmp_path: Path) -> None:
    """In each round everybody sends as many as asked, and no two of our digests are alike."""
    options = ["--readers", "40", "--connections", "3", "--pairs", "1", "--sample", "30"]
    found = measured(tmp_path, "throughput", *options, "--set", 'newsletter.name="Figures"')
    assert set(found) == EVERYWHERE | {"readers", "messages", "rounds", "ratios"}
    assert found["settings"] == ['newsletter.name="Figures"']
    [one] = found["rounds"]
    assert {name: sent["messages"] for name, sent in one.items()} == dict.fromkeys(
        ("newsletter", "made-before", "smtp-source", "aiosmtplib", "smtplib"), 40
    )
    assert all(set(sent) == SENDER for sent in one.values())
    assert (found["messages"]["sampled"], found["messages"]["different"]) == (30, 30)
    assert found["messages"]["different_choices"] > 5
    assert {ours: set(theirs) for ours, theirs in found["ratios"].items()} == {
        "newsletter": {"smtp-source", "aiosmtplib", "smtplib"},
        "made-before": {"smtp-source", "aiosmtplib", "smtplib"},
    }


def test_personal_counts_both_lists(tmp_path: Path) -> None:
    """Both lists are sent whole, the one with the same papers for all and the other with other papers for most."""
    found = measured(tmp_path, "personal", "--readers", "40", "--connections", "3", "--pairs", "1", "--sample", "20")
    added = {"readers", "messages", "pairs", "ratio", "ratio_each", "wanted", "holds"}
    assert set(found) == EVERYWHERE | added
    [pair] = found["pairs"]
    assert {name: sent["messages"] for name, sent in pair.items()} == {"alike": 40, "personal": 40}
    choices = {name: said["different_choices"] for name, said in found["messages"].items()}
    assert choices["alike"] == 1
    assert choices["personal"] > 10


def test_distance_counts_both_senders(tmp_path: Path) -> None:
    """Everything arrives through the proxy, whole and once."""
    found = measured(tmp_path, "distance", "--readers", "30", "--connections", "3", "--pairs", "1", "--delay", "0.005")
    added = {"readers", "delay_seconds", "messages", "pairs", "ratio", "wanted", "holds"}
    assert set(found) == EVERYWHERE | added
    [pair] = found["pairs"]
    assert {name: sent["messages"] for name, sent in pair.items()} == {"newsletter": 30, "aiosmtplib": 30}


def test_memory_is_read_for_each_list(tmp_path: Path) -> None:
    """Each list is delivered to its end, and what the sender took is more than nothing."""
    found = measured(tmp_path, "memory", "--readers", "30", "60", "--connections", "2")
    assert set(found) == EVERYWHERE | {"lists", "most_mb", "most_to_least", "wanted", "holds"}
    assert [(one["readers"], one["messages"]) for one in found["lists"]] == [(30, 30), (60, 60)]
    assert all(one["peak_mb"] > 10 for one in found["lists"])


def test_a_million_in_small(tmp_path: Path) -> None:
    """What the whole list takes is told, and the database grows by the deliveries."""
    found = measured(tmp_path, "million", "--readers", "50", "--connections", "2")
    assert set(found) == EVERYWHERE | {
        "readers",
        "messages",
        "newsletter",
        "database_mb",
        "database_bytes_per_delivery",
    }
    assert found["newsletter"]["messages"] == 50
    assert found["database_bytes_per_delivery"] > 0


def test_starting_takes_the_time_to_the_first_message(tmp_path: Path) -> None:
    """A start is measured with the rows to be made, and with the rows made."""
    found = measured(tmp_path, "starting", "--readers", "500", "--times", "1")
    assert set(found) == EVERYWHERE | {"readers", "starts", "wanted_seconds", "holds"}
    assert set(found["starts"]) == {"due", "made"}
    for kind in found["starts"].values():
        [one] = kind["each"]
        assert 0 < one["connected"] <= one["first_message"] == kind["longest"] == kind["median"]
