"""``newsletter bounces``: what the operator sees of what comes back."""

from pathlib import Path

import pytest
from command_line import newsletter
from returned import COMPLAINT, dsn, reply


def test_explain_says_what_each_report_says(tmp_path: Path) -> None:
    """Without a configuration and a database: a line for each mail and each address, and exactly these keys in JSON."""
    gone, away, angry = tmp_path / "gone.eml", tmp_path / "away.eml", tmp_path / "angry.eml"
    gone.write_bytes(dsn("550 5.1.1 no such user"))
    away.write_bytes(reply("Back on Monday.", subject="Out of office"))
    angry.write_bytes(COMPLAINT)
    done = newsletter("bounces", "explain", gone, away, angry, "--json")
    assert done.status == 0
    assert done.json == [
        {
            "file": str(gone),
            "kind": "bounce",
            "recipients": [
                {"address": "ann@there.example", "status": "5.1.1", "permanent": True, "reason": "no such address"}
            ],
        },
        {"file": str(away), "kind": "auto-reply", "recipients": []},
        {
            "file": str(angry),
            "kind": "complaint",
            "recipients": [{"address": "ann@there.example", "status": "", "permanent": False, "reason": "complained"}],
        },
    ]
    told = newsletter("bounces", "explain", gone).out
    assert "ann@there.example: 5.1.1 no such address (permanent): smtp; 550 5.1.1 no such user" in told


def test_explain_reads_standard_input_and_names_what_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash is standard input; a file that is not there is one line and status 2."""
    file = tmp_path / "gone.eml"
    file.write_bytes(dsn("550 5.1.1 no such user"))
    with file.open() as content:
        monkeypatch.setattr("sys.stdin", content)
        assert "no such address" in newsletter("bounces", "explain", "-").out
    done = newsletter("bounces", "explain", tmp_path / "nothing.eml")
    assert (done.status, done.out) == (2, "")
    assert "nothing.eml: cannot be read" in done.err
