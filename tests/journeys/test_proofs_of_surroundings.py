"""Proofs in a reduced size: what a sender may not do, whatever servers, disks and relays do to it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from proving import SCRIPTS, figures, sound

pytestmark = pytest.mark.slow


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


def test_a_server_with_every_fault_loses_nobody_and_suppresses_only_the_dead() -> None:
    """Greylisting, refusals, resets, lost and malformed replies, a shutdown and tarpits, and a tenth is dead."""
    found = figures("faults", "--readers", "60", "--only", "mixed")["faults"]["mixed"]
    assert sound(found)
    assert found["waiting"] == 0
    assert found["extra"] <= found["unlearned"]
    assert found["suppressed"] == found["dead"] > 0
    assert (found["suppressed_without_cause"], found["failed_without_cause"]) == (0, 0)


@pytest.mark.parametrize(
    ("way", "times"),
    [
        pytest.param(
            "full", 1, marks=pytest.mark.skipif(os.geteuid() != 0, reason="a disk can be mounted by root only")
        ),
        ("limited", 1),
        pytest.param("failing", 2, marks=pytest.mark.system("fiu-run")),
    ],
)
def test_a_failing_disk_stops_the_sender_before_it_sends_what_it_cannot_record(way: str, times: int) -> None:
    """One clear line each time, nothing that the ledger does not know, and with a good disk the next run goes on."""
    found = figures("disk", "--readers", "300", "--times", str(times), "--slow", "20", "--only", way)
    if found["left_out"]:
        pytest.skip("no small disk can be mounted here")
    disk = found["ways"][way]
    assert sound(disk)
    assert disk["failures"] > 0
    assert (disk["unclear"], disk["unrecorded"]) == (0, 0)
    assert disk["extra"] <= disk["failures"] * disk["connections"]
    assert disk["states"] == {"accepted": 300}


def test_a_destination_that_hardly_answers_does_not_stop_the_others() -> None:
    """All the others have their mail while it is silent, and stopping the run then repeats nothing."""
    found = figures("bad_domain", "--readers", "400", "--pairs", "1")
    (pair,) = found["pairs"]
    assert pair["seconds_with"] is not None
    assert pair["extra"] == 0


@pytest.mark.system("postfix", "smtp-sink")
def test_nobody_is_lost_through_a_relay_that_is_killed_too() -> None:
    """Through Debian's Postfix, which is killed once, as the sender is: everybody has the mail."""
    if os.geteuid() != 0:
        pytest.skip("Postfix can be started by root only")
    found = figures("relay", "--readers", "200", "--kills", "2")
    assert sound(found)
    assert found["killed"] == {"sender": 1, "relay": 1}
    assert found["left_in_the_relay"] == 0
