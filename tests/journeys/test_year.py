"""A year, reduced: ``scripts/bench/year.py`` lives through a whole one."""

from pathlib import Path

import pytest
from year import Year


@pytest.mark.slow
def test_every_mail_of_a_fortnight_is_explained_and_none_is_missing_or_double(tmp_path: Path) -> None:
    """Counted where mail arrives, through outages, a restore, an upgrade and a rotation of the secret."""
    year = Year(tmp_path, days=14, readers=10)
    try:
        year.live()
        assert year.judge() == []
        assert {"outage", "restore", "upgrade", "rotation", "left", "bounced", "moved"} <= year.events.keys()
        assert len(year.room.sink.mails) > 40
    finally:
        year.close()
