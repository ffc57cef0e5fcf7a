"""A database that is not where the configuration says: mistyped, moved, or not mounted."""

from pathlib import Path

import pytest
from command_line import newsletter
from newsroom import Newsroom

COMMANDS = (
    "run", "serve", "web", "gather", "deliver", "stats", "doctor", "db check", "why ann@example.org", "issues list",
    "subscribers list", "subscribers add ann@example.org", "subscribers export", "deliveries list", "papers list",
)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the configuration of a newsletter that ``init`` made, whose folder of data somebody moved."""
    newsletter("init", tmp_path, "--sender", "Papers <papers@example.org>")
    file = tmp_path / "newsletter.toml"
    url = f'url = "sqlite:///{tmp_path}/data/newsletter.db"'
    file.write_text(file.read_text("utf-8").replace('#url = "sqlite:///newsletter.db"', url), "utf-8")
    return file


@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_begins_an_empty_list(config: Path, command: str) -> None:
    """It says in one line that there is no database, where, and what to do, and makes neither file nor folder."""
    done = newsletter("--config", config, *command.split())
    said = done.err or next(line for line in done.out.splitlines() if line.startswith("fail  database"))
    assert done.status == 1
    assert f"there is no database {config.parent}/data/newsletter.db" in said
    assert "database.url" in said
    assert "db restore" in said
    assert said.count("\n") <= 1
    assert not (config.parent / "data").exists()


def test_who_wants_an_empty_one_says_so(config: Path) -> None:
    """By the command that is for it; from then on all is as after ``init``."""
    assert "created" in newsletter("--config", config, "db", "upgrade").out
    assert newsletter("--config", config, "subscribers", "list", "--json").json["total"] == 0


def test_a_backup_is_put_where_none_is(config: Path, tmp_path: Path) -> None:
    """As what is said promises."""
    assert newsletter("--config", config, "db", "restore", tmp_path / "newsletter.db").status == 0
    assert newsletter("--config", config, "db", "check").status == 0


def test_right_after_init_every_command_works(tmp_path: Path) -> None:
    """With the database that it made."""
    newsletter("init", tmp_path, "--sender", "Papers <papers@example.org>")
    done = newsletter("--config", tmp_path / "newsletter.toml", "subscribers", "add", "ann@example.org")
    assert (done.status, done.err) == (0, "")


def test_a_database_that_is_made_is_told_once(newsroom: Newsroom) -> None:
    """Whoever wrote the configuration by hand gets one from whichever command comes first, which says so."""
    database = newsroom.folder / "newsletter.db"
    database.unlink()
    first, second = newsroom.run("run", "--json"), newsroom.run("run", "--json")
    assert first.err == f"There was no database {database}: made an empty one\n"
    assert first.json["status"] == "done"
    assert second.err == ""
