"""A newer program upgrades the database while an older one works with it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from newsroom import Newsroom

from newsletter.services.alone import alone
from newsletter.storage.faults import StorageError
from newsletter.storage.upgrade import OutdatedError

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)


@pytest.fixture
def opened(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter whose database is of this version."""
    newsroom.run("stats")
    return newsroom


def test_a_run_that_began_before_an_upgrade_does_no_work_after_it(opened: Newsroom) -> None:
    """The version is looked at in the transaction that takes the lease, not only when the program starts."""
    with opened.app(NOW) as app:
        with closing(sqlite3.connect(app.database.path)) as other, other:
            other.execute("UPDATE alembic_version SET version_num = '9999'")
            other.execute("DROP TABLE deliveries")
        with pytest.raises(OutdatedError, match="was upgraded to version 9999"), alone(app.service(lambda: NOW)):
            pytest.fail("it works on tables that it does not know")


def test_a_place_for_lock_files_that_cannot_be_one_is_said_in_a_line(opened: Newsroom) -> None:
    """What stands in the way is named."""
    folder = opened.folder / "newsletter.db.owners"
    if folder.exists():
        folder.rmdir()
    folder.write_text("not a folder")
    with (
        opened.app(NOW) as app,
        pytest.raises(StorageError, match=r"newsletter\.db\.owners"),
        alone(app.service(lambda: NOW)),
    ):
        pytest.fail("nobody could tell that it lives")
