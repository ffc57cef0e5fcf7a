"""``newsletter init``: ready to run at once, and never over what is there."""

import os
import pty
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from command_line import newsletter

from newsletter.cli.init import command
from newsletter.config import load as config
from newsletter.domain.subscriber import parse_zone
from newsletter.services.setup import PROVIDERS, machine_zone
from newsletter.storage.upgrade import HEAD, version

FILES = {"newsletter.toml", "newsletter.db", "secret"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider(tmp_path: Path, provider: str) -> None:
    """What is written for a provider loads as it stands, with the server and the limits of that provider."""
    folder = tmp_path / "letters"
    done = newsletter("init", folder, "--provider", provider, "--sender", "Papers <papers@lab.example>")

    assert done.status == 0, done.err
    assert {path.name for path in folder.iterdir()} == FILES
    settings = config.load(folder / "newsletter.toml")
    assert settings.newsletter.sender == "Papers <papers@lab.example>"
    assert settings.newsletter.reply_to == "papers@lab.example"
    smtp = settings.smtp.model_dump()
    assert PROVIDERS[provider].settings == {key: smtp[key] for key in PROVIDERS[provider].settings}
    assert (settings.smtp.security == "none") == (provider == "local")


@pytest.mark.parametrize("provider", [name for name in PROVIDERS if name != "local"])
def test_a_login_is_prepared(tmp_path: Path, provider: str) -> None:
    """Taking the '#' from the two lines of the login and writing the password file is all that is left to do."""
    done = newsletter("init", tmp_path, "--provider", provider)
    file = tmp_path / "newsletter.toml"
    text = file.read_text("utf-8")
    assert PROVIDERS[provider].advice in text
    assert "which are placeholders, and smtp.host, " in done.out

    text = text.replace("#username = ", "username = ").replace("#password_file = ", "password_file = ")
    file.write_text(text, "utf-8")
    (tmp_path / tomllib.loads(text)["smtp"]["password_file"]).write_text("open sesame\n")

    assert list(config.load(file).passwords.values()) == ["open sesame"]


def test_the_command_names_every_provider() -> None:
    """The choices on the command line are the providers that there are."""
    choices = next(p for p in command.params if p.name == "provider").type.choices  # type: ignore[attr-defined]
    assert list(choices) == list(PROVIDERS)


def test_ready_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder at hand, without a word more: a secret of its own, an empty database, the next three commands."""
    monkeypatch.chdir(tmp_path)
    done = newsletter("init")

    assert (done.status, done.err) == (0, "")
    assert {path.name for path in tmp_path.iterdir()} == FILES
    assert [line.strip() for line in done.out.splitlines()[-3:]] == [
        "newsletter subscribers add you@example.org",
        "newsletter run --now",
        "newsletter cron install",
    ]
    assert "placeholders" in done.out
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    (secret,) = config.load().secrets
    assert len(secret) >= 32
    assert version(tmp_path / "newsletter.db") == HEAD
    assert newsletter("db", "check").status == 0


@pytest.mark.parametrize("words", [("-q", "init"), ("init", "--quiet")])
def test_quiet_is_quiet(tmp_path: Path, words: tuple[str, ...]) -> None:
    """Who asks for less is told nothing that they did not ask for, and has the same files."""
    done = newsletter(*words, tmp_path)
    assert (done.status, done.out, done.err) == (0, "", "")
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_two_secrets_differ(tmp_path: Path) -> None:
    """A secret is drawn, not copied."""
    newsletter("init", tmp_path / "one")
    newsletter("init", tmp_path / "two")
    assert (tmp_path / "one/secret").read_text() != (tmp_path / "two/secret").read_text()


def test_json(tmp_path: Path) -> None:
    """For a script the answer is where everything lies."""
    done = newsletter("init", tmp_path, "--json")
    assert done.json == {
        "dir": str(tmp_path),
        "config": str(tmp_path / "newsletter.toml"),
        "secret": str(tmp_path / "secret"),
        "database": str(tmp_path / "newsletter.db"),
    }


def test_elsewhere_the_next_commands_name_the_configuration(tmp_path: Path) -> None:
    """What is printed can be copied, also where the folder's name has a blank in it."""
    done = newsletter("init", tmp_path / "my letters")
    assert f"newsletter --config '{tmp_path}/my letters/newsletter.toml' run --now" in done.out


@pytest.mark.parametrize("name", [*sorted(FILES), "newsletter.db-wal"])
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    """Any of the files that is there already ends it with 2, named, and nothing else is written."""
    (tmp_path / name).write_text("mine")
    done = newsletter("init", tmp_path)
    assert done.status == 2
    assert str(tmp_path / name) in done.err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "mine")]


def test_a_dangling_link_is_there_too(tmp_path: Path) -> None:
    """Nothing is written through a link that leads nowhere."""
    (tmp_path / "secret").symlink_to(tmp_path / "elsewhere")
    assert newsletter("init", tmp_path).status == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_second_init_changes_nothing(tmp_path: Path) -> None:
    """Said twice by mistake, it leaves what the first one wrote."""
    newsletter("init", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert newsletter("init", tmp_path).status == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("sender", ["Papers", "papers@", "Papers <papers at lab.example>"])
def test_a_sender_without_an_address(tmp_path: Path, sender: str) -> None:
    """A sender that could not be mailed from is refused before anything is written."""
    done = newsletter("init", tmp_path / "new", "--sender", sender)
    assert done.status == 2
    assert repr(sender) in done.err
    assert not (tmp_path / "new").exists()


def test_quotes_in_the_name(tmp_path: Path) -> None:
    """A name that needs quotes in a mail comes through the file unchanged."""
    sender = '"Papers, daily (ünïted)" <papers@lab.example>'
    newsletter("init", tmp_path, "--sender", sender)
    assert config.load(tmp_path / "newsletter.toml").newsletter.sender == sender


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where there can be no folder, one line says so."""
    (tmp_path / "file").touch()
    done = newsletter("init", tmp_path / "file" / "folder")
    assert done.status == 2
    assert str(tmp_path / "file") in done.err
    assert done.err.count("\n") == 1


def test_on_a_terminal_the_sender_is_asked_for(tmp_path: Path) -> None:
    """A person is asked who sends; the question is no part of the answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "init", str(tmp_path / "new")],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    )
    os.close(theirs)
    asked = b""
    while b"?" not in asked:
        asked += os.read(ours, 1000)
    os.write(ours, b"Papers <papers@lab.example>\n")
    out, _ = process.communicate(timeout=60)
    os.close(ours)

    assert process.returncode == 0
    assert config.load(tmp_path / "new/newsletter.toml").newsletter.sender == "Papers <papers@lab.example>"
    assert b"?" not in out
    assert b"placeholders" not in out


@pytest.mark.parametrize(
    ("target", "zone"),
    [
        ("/usr/share/zoneinfo/Europe/Zurich", "Europe/Zurich"),
        ("../usr/share/zoneinfo/America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        ("/usr/share/zoneinfo/posix/Asia/Shanghai", "Asia/Shanghai"),
        ("/usr/share/zoneinfo/Etc/UTC", "UTC"),
        ("/usr/share/zoneinfo/Mars/Olympus", "UTC"),
        ("/somewhere/else", "UTC"),
        (None, "UTC"),
    ],
)
def test_the_machines_zone(tmp_path: Path, target: str | None, zone: str) -> None:
    """The zone is the one that /etc/localtime points at, if it has a name."""
    link = tmp_path / "localtime"
    if target:
        link.symlink_to(target)
    assert machine_zone(link) == zone


def test_this_machines_zone_is_written(tmp_path: Path) -> None:
    """Whatever this machine's zone is, the configuration names it."""
    newsletter("init", tmp_path)
    written = config.load(tmp_path / "newsletter.toml").newsletter.time_zone
    assert written == parse_zone(machine_zone())
