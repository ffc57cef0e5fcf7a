"""The proofs of ``scripts/bench`` in a reduced size: what a sender may not do, whatever happens to it.

Each runs as a person would run it, and is judged by the counts that it prints: those of the receiving side. Times are
measured there too, and nothing here asserts one: machines are noisy.
"""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts/bench"

pytestmark = pytest.mark.slow


def figures(script: str, *arguments: str) -> dict[str, Any]:
    """Return what a proof prints; it holds, or its times do not."""
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *arguments, "--limit", "110"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode == 0) == found["holds"]
    return found


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_the_server_that_counts_takes_commands_in_any_grouping(tmp_path: Path, piece: int) -> None:
    """Its log is the truth of the other proofs: each message once, for whom it was, however the octets arrive."""
    log = tmp_path / "log"
    command = [sys.executable, str(SCRIPTS / "sink.py"), "--log", str(log)]
    said = b"EHLO there\r\n" + b"".join(
        b"MAIL FROM:<us@example.org>\r\nRCPT TO:<r%d@example.net>\r\nDATA\r\n"
        b"Message-ID: <%d@example.org>\r\n\r\n..\r\n.\r\n" % (n, n)
        for n in range(3)
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as connection:
            for at in range(0, len(said), piece):
                connection.sendall(said[at : at + piece])
            connection.sendall(b"QUIT\r\n")
            replies = connection.makefile("rb").read().decode().splitlines()
        server.terminate()
    codes = [reply[:3] for reply in replies if reply[3] == " "]
    assert codes == ["220", "250", *["250", "250", "354", "250"] * 3, "221"]
    taken = [event for event in map(json.loads, log.read_text().splitlines()) if event["event"] == "accepted"]
    expected = [(f"r{n}@example.net", f"<{n}@example.org>") for n in range(3)]
    assert [(event["recipient"], event["message_id"]) for event in taken] == expected


def sound(found: dict[str, Any]) -> bool:
    """Return whether nobody was lost, every message was that of its reader's delivery, and the database is whole."""
    return (found["lost"], found["foreign"], found["integrity"]) == (0, 0, "ok")


def test_kills_lose_nobody_and_repeat_one_per_connection_at_most() -> None:
    """Six kills at random moments, four connections: no kill repeats more than what was in flight."""
    found = figures("killed", "--readers", "300", "--kills", "6", "--connections", "4", "--slow", "20")
    assert sound(found)
    assert found["kills"] == 6
    assert found["most_extra_per_connection"] <= 1
    assert found["most_extra_per_kill"] <= 4
    assert found["states"] == {"accepted": 300}


def test_a_stop_loses_nobody_and_repeats_nothing() -> None:
    """Three times SIGTERM while sending: each run ends with 3, and everybody has one mail."""
    found = figures("stopped", "--readers", "300", "--stops", "3", "--slow", "20")
    assert sound(found)
    assert found["exit_statuses"] == {"3": 3}
    assert (found["extra"], found["taken"]) == (0, 300)


def test_a_run_that_fell_silent_is_replaced_and_ends_when_it_wakes() -> None:
    """After the lease another run takes over, though the first one lives; that one repeats at most what was offered."""
    found = figures("suspended", "--readers", "300", "--times", "1", "--connections", "4", "--slow", "40")
    assert sound(found)
    assert found["told_that_they_were_replaced"] == 1
    assert found["exit_statuses_of_the_woken"] == {"3": 1}
    assert found["most_extra_per_connection"] <= 1


def test_a_server_with_every_fault_loses_nobody_and_suppresses_only_the_dead() -> None:
    """Greylisting, refusals, resets, lost and malformed replies, a shutdown and tarpits, and a tenth is dead."""
    found = figures("faults", "--readers", "60", "--only", "mixed")["faults"]["mixed"]
    assert sound(found)
    assert found["waiting"] == 0
    assert found["extra"] <= found["unlearned"]
    assert found["suppressed"] == found["dead"] > 0
    assert (found["suppressed_without_cause"], found["failed_without_cause"]) == (0, 0)


@pytest.mark.parametrize(
    "way",
    [
        pytest.param("full", marks=pytest.mark.skipif(os.geteuid() != 0, reason="a disk can be mounted by root only")),
        "limited",
        pytest.param("failing", marks=pytest.mark.system("fiu-run")),
    ],
)
def test_a_failing_disk_stops_the_sender_before_it_sends_what_it_cannot_record(way: str) -> None:
    """One clear line each time, nothing that the ledger does not know, and with a good disk the next run goes on."""
    found = figures("disk", "--readers", "300", "--times", "2", "--slow", "20", "--only", way)
    if found["left_out"]:
        pytest.skip("no small disk can be mounted here")
    disk = found["ways"][way]
    assert sound(disk)
    assert disk["failures"] > 0
    assert (disk["unclear"], disk["unrecorded"]) == (0, 0)
    assert disk["extra"] <= disk["failures"] * disk["connections"]
    assert disk["states"] == {"accepted": 300}


def test_two_senders_at_once_send_nothing_twice() -> None:
    """Two runs started together, and a daemon beside cron: one works, the other ends with 4, and nobody gets two."""
    found = figures("together", "--readers", "100", "--times", "1")
    for case in (found["two runs"], found["a daemon beside cron"]):
        assert (case["lost"], case["extra"], case["foreign"]) == (0, 0, 0)
        assert set(case["exit_statuses"]) <= {"0", "4"}


def test_a_destination_that_hardly_answers_does_not_stop_the_others() -> None:
    """All the others have their mail while it is silent, and stopping the run then repeats nothing."""
    found = figures("bad_domain", "--readers", "400", "--pairs", "1")
    (pair,) = found["pairs"]
    assert pair["seconds_with"] is not None
    assert pair["extra"] == 0


def test_writers_get_in_and_are_obeyed() -> None:
    """Who unsubscribes while mail is sent is not offered one after that; after a halt comes only what was in flight."""
    found = figures("writers", "--readers", "400", "--unsubscribes", "20", "--halts", "1", "--slow", "30")
    assert sound(found)
    assert found["unsubscribed_while_sending"] == 20
    assert found["mailed_though_not_offered_before"] == 0
    assert found["most_messages_after_a_halt"] <= found["connections"]
    assert found["extra"] == 0


@pytest.mark.system("postfix", "smtp-sink")
def test_nobody_is_lost_through_a_relay_that_is_killed_too() -> None:
    """Through Debian's Postfix, which is killed once, as the sender is: everybody has the mail."""
    if os.geteuid() != 0:
        pytest.skip("Postfix can be started by root only")
    found = figures("relay", "--readers", "200", "--kills", "2")
    assert sound(found)
    assert found["killed"] == {"sender": 1, "relay": 1}
    assert found["left_in_the_relay"] == 0
