"""The log of a process that runs for long."""

import logging

import pytest

from newsletter.cli import logs


def test_no_address_stands_in_the_log(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server says names readers; of an address the log keeps the domain."""
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logs.begin(verbose=False)
    logging.getLogger("test").warning("mx.example: %s", "550 5.1.1 <Ann.Lee+x@example.net>: no such user")
    written = capsys.readouterr().err
    assert "550 5.1.1 <…@example.net>: no such user" in written
    assert "Ann" not in written
