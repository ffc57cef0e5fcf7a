"""``newsletter db``: upgrade, back up and check."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from command_line import Done, newsletter

from newsletter.storage.upgrade import HEAD, MIGRATIONS, migrate


class Care:
    """A newsletter as ``init`` makes it, and the commands that care for its database."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "newsletter.db"
        self.config = folder / "newsletter.toml"
        newsletter("init", folder)

    def __call__(self, *arguments: object) -> Done:
        """Run ``newsletter db …``."""
        return newsletter("--config", self.config, "db", *arguments)


@pytest.fixture
def db(tmp_path: Path) -> Care:
    """Return an empty newsletter."""
    return Care(tmp_path)


def test_a_database_that_is_current(db: Care) -> None:
    """There is nothing to upgrade, and so no backup."""
    done = db("upgrade", "--json")
    assert done.json == {"database": str(db.database), "from": HEAD, "version": HEAD, "backup": None}
    assert HEAD in db("upgrade").out


def test_a_database_that_is_not_there_yet(db: Care) -> None:
    """It is created; the commands that only look do not create it."""
    db.database.unlink()
    for arguments in (("check",), ("backup", db.database.with_name("copy.db"))):
        done = db(*arguments)
        assert done.status == 1
        assert str(db.database) in done.err
    assert not db.database.exists()

    assert db("upgrade", "--json").json["from"] is None
    assert db("check").status == 0


def test_a_newer_database_is_refused(db: Care) -> None:
    """An older program does not touch what a newer one made."""
    with closing(sqlite3.connect(db.database)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    done = db("upgrade")
    assert done.status == 1
    assert "9999" in done.err
    assert "newer program" in done.err


def test_backup_while_in_use(db: Care, tmp_path: Path) -> None:
    """A backup holds what was committed, though somebody else is writing."""
    with closing(sqlite3.connect(db.database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("INSERT INTO meta VALUES ('kept', 'yes')")
        writer.commit()
        writer.execute("INSERT INTO meta VALUES ('lost', 'yes')")
        done = db("backup", tmp_path / "copy.db", "--json")
        writer.rollback()

    assert (done.json["database"], done.json["backup"]) == (str(db.database), str(tmp_path / "copy.db"))
    assert done.json["rows"]["meta"] == 1
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        rows = dict(copy.execute("SELECT key, value FROM meta WHERE key IN ('kept', 'lost')").fetchall())
    assert rows == {"kept": "yes"}
    assert not list(tmp_path.glob("*.partial"))


def test_a_backup_replaces_nothing(db: Care, tmp_path: Path) -> None:
    """A file that is there stays, and a folder that is not there is named."""
    (tmp_path / "copy.db").write_text("mine")
    done = db("backup", tmp_path / "copy.db")
    assert done.status == 1
    assert str(tmp_path / "copy.db") in done.err
    assert (tmp_path / "copy.db").read_text() == "mine"

    done = db("backup", tmp_path / "nowhere" / "copy.db")
    assert done.status == 2
    assert str(tmp_path / "nowhere") in done.err


def test_a_backup_replaces_an_older_one_where_asked(db: Care, tmp_path: Path) -> None:
    """Each Monday's that of the Monday before, without a word to cron; but nothing that is no backup."""
    nightly = ("-q", "db", "backup", "--replace")
    for week in ("first", "second"):
        with closing(sqlite3.connect(db.database)) as writer:
            writer.execute("INSERT OR REPLACE INTO meta VALUES ('week', ?)", (week,))
            writer.commit()
        done = newsletter("--config", db.config, *nightly, tmp_path / "mon.db")
        assert (done.status, done.out, done.err) == (0, "", "")
    with closing(sqlite3.connect(tmp_path / "mon.db")) as copy:
        assert copy.execute("SELECT value FROM meta WHERE key = 'week'").fetchall() == [("second",)]

    for other in (db.config, db.database):
        content = other.read_bytes()
        done = newsletter("--config", db.config, *nightly, other)
        assert (done.status, other.read_bytes()) == (1, content)
        assert "is no backup to be replaced" in done.err


def test_a_sound_database(db: Care) -> None:
    """Nothing is wrong with what init makes."""
    assert db("check", "--json").json == {"database": str(db.database), "version": HEAD, "problems": []}
    assert "no damage" in db("check").out


def test_a_sound_database_of_an_older_version(db: Care) -> None:
    """It is no damage that it has not the tables of today: what brings them is named."""
    db.database.unlink()
    migrate(db.database, MIGRATIONS, "0003")
    done = db("check")
    assert done.status == 0
    assert "version 0003, no damage found" in done.out
    assert "'newsletter db upgrade'" in done.out
    assert db("upgrade", "--json").json["from"] == "0003"
    assert db("check", "--json").json["problems"] == []


def test_a_damaged_database(db: Care) -> None:
    """Damage is told, and the status is 1."""
    content = bytearray(db.database.read_bytes())
    content[8192:16384] = b"\x00" * 8192
    db.database.write_bytes(content)

    done = db("check", "--json")

    assert done.status == 1
    assert done.json["problems"]


def test_a_file_that_is_no_database(db: Care) -> None:
    """Something else by that name is refused, with the key that names it."""
    db.database.write_text("a list of things to buy, and rather more text than that\n" * 40)
    for arguments in (("check",), ("upgrade",)):
        done = db(*arguments)
        assert done.status == 1
        assert "database.url" in done.err
