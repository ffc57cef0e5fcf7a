"""``newsletter cron``: one line in the user's crontab, the rest of which stays byte for byte."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Done, newsletter
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import UsageError
from newsletter.services.crontab import Job, fields, with_line

# What crontab(1) does, with a file for the spool: no crontab is an error to -l, and "-" replaces it all.
CRONTAB = """#!/bin/sh
spool={spool}
case $1 in
-l) test -e "$spool" || {{ echo "no crontab for me" >&2; exit 1; }}; cat "$spool" ;;
-) cat >"$spool" ;;
*) exit 2 ;;
esac
"""


class Cron:
    """A user's crontab, and a configuration to run."""

    def __init__(self, folder: Path) -> None:
        self.spool = folder / "spool"
        self.program = folder / "bin" / "crontab"
        self.program.parent.mkdir()
        self.becomes(CRONTAB.format(spool=shlex.quote(str(self.spool))))
        self.config = folder / "newsletter.toml"
        newsletter("init", folder)

    def becomes(self, script: str) -> None:
        """Make *script* the program crontab."""
        self.program.write_text(script)
        self.program.chmod(0o755)

    def __call__(self, *arguments: str) -> Done:
        """Run ``newsletter cron …``."""
        return newsletter("--config", self.config, "cron", *arguments)

    @property
    def line(self) -> bytes:
        """Return the line as it is installed every five minutes."""
        return Job(self.config, sys.executable).line("5m")


@pytest.fixture
def cron(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cron:
    """Return a user who has no crontab yet."""
    made = Cron(tmp_path)
    monkeypatch.setenv("PATH", f"{made.program.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return made


def test_from_nothing_and_back(cron: Cron) -> None:
    """The first line of a first crontab, shown, and taken away again."""
    assert cron("show", "--json").json == {"installed": False, "line": cron.line.decode()}
    assert cron("remove", "--json").json == {"installed": False, "line": None}
    assert not cron.spool.exists()

    assert cron("install", "--json").json == {"installed": True, "line": cron.line.decode()}
    assert cron.spool.read_bytes() == cron.line + b"\n"
    assert cron("show", "--json").json == {"installed": True, "line": cron.line.decode()}

    assert cron("remove", "--json").json == {"installed": False, "line": cron.line.decode()}
    assert cron.spool.read_bytes() == b""


def test_the_line(cron: Cron) -> None:
    """Every five minutes this very Python runs this very configuration."""
    command = shlex.join([sys.executable, "-m", "newsletter", "--config", str(cron.config), "run"])
    said = f"*/5 * * * * {command} # papers-newsletter {cron.config}"
    assert cron.line.decode() == said
    assert said in cron("install").out


@pytest.mark.parametrize(
    "before",
    [
        b"MAILTO=me@example.org\n# mine\n0 1 * * * /usr/bin/backup --quiet\n\n",
        b"0 1 * * * no-newline-at-the-end",
        b"0 1 * * * one\n0 2 * * * no-newline-at-the-end",
        b"# DOS\r\n0 1 * * * dir\r\n",
        b"# na\xefve Latin-1 \xff\xfe\n0 1 * * * date +\\%F\n",
        b"\n\n\n",
        b" \t",
        b"0 1 * * * /python -m newsletter --config /other.toml run # papers-newsletter /other.toml\n",
    ],
)
def test_the_rest_stays_byte_for_byte(cron: Cron, before: bytes) -> None:
    """Installing adds one line, doing so again or at another pace changes that line alone, removing takes it away."""
    cron.spool.write_bytes(before)
    for every in ("5m", "5m", "15m"):
        assert cron("install", "--every", every).status == 0
        after = cron.spool.read_bytes()
        line = Job(cron.config, sys.executable).line(every) + b"\n"
        assert after.count(line) == 1
        assert after.replace(line, b"") == before
    assert cron("remove").status == 0
    assert cron.spool.read_bytes() == before


@given(st.binary(max_size=200), st.sampled_from(["1m", "7m", "2h"]))
def test_any_crontab_stays(before: bytes, every: str) -> None:
    """Whatever bytes are there, the line is a line of its own among them, and is replaced where it stands."""
    job = Job(Path("/srv/newsletter.toml"), "/usr/bin/python3")
    once = with_line(before, job, job.line("5m"))
    again = with_line(once, job, job.line(every))
    assert once.replace(job.line("5m") + b"\n", b"") == before
    assert again == once.replace(job.line("5m"), job.line(every))


def test_a_line_that_was_moved_and_doubled(cron: Cron) -> None:
    """The first of several stays where the user moved it, the others go."""
    cron.spool.write_bytes(b"one\n" + cron.line + b"\r\ntwo\n" + cron.line + b"\nthree\n")
    cron("install")
    assert cron.spool.read_bytes() == b"one\n" + cron.line + b"\ntwo\nthree\n"


def test_what_is_right_is_not_written_again(cron: Cron) -> None:
    """A crontab that needs no change is not touched."""
    cron("install")
    before = cron.spool.stat().st_mtime_ns
    cron("install")
    assert cron.spool.stat().st_mtime_ns == before


def test_two_newsletters_of_one_user(cron: Cron, tmp_path: Path) -> None:
    """Each has its line, and removing one leaves the other."""
    newsletter("init", tmp_path / "second")
    second = tmp_path / "second" / "newsletter.toml"
    cron("install")
    newsletter("--config", second, "cron", "install")
    assert cron.spool.read_bytes().count(b"\n") == 2
    cron("remove")
    assert cron.spool.read_bytes() == Job(second, sys.executable).line("5m") + b"\n"


def test_what_cron_makes_of_the_line(tmp_path: Path) -> None:
    """After cron has taken the backslash from the percent signs, the shell runs exactly that file, quoted."""
    folder = tmp_path / "100% o'clock $HOME"
    folder.mkdir()
    python = tmp_path / "my python"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    line = Job(folder / "newsletter.toml", str(python)).line("5m").decode()
    assert not re.search(r"(?<!\\)%", line)
    command = line.removeprefix("*/5 * * * * ").replace("\\%", "%")

    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["-m", "newsletter", "--config", f"{folder}/newsletter.toml", "run"]


def test_a_path_that_cron_cannot_take() -> None:
    """A line break would end the line."""
    with pytest.raises(UsageError, match="line break"):
        Job(Path("/srv/new\nletter.toml"), "/usr/bin/python3").line("5m")


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1m", "* * * * *"),
        ("5m", "*/5 * * * *"),
        ("59m", "*/59 * * * *"),
        ("1h", "0 * * * *"),
        ("6h", "0 */6 * * *"),
        ("23h", "0 */23 * * *"),
    ],
)
def test_how_often(every: str, expected: str) -> None:
    """Minutes and hours become cron's fields."""
    assert fields(every) == expected


@pytest.mark.parametrize("every", ["", "0m", "60m", "24h", "5", "m", "5s", "1d", "-5m", "5m ", "٥m", "1.5h", "005m"])
def test_how_often_is_wrong(cron: Cron, every: str) -> None:
    """Anything else is a wrong usage that says what is right, and the crontab stays."""
    done = cron("install", "--every", every)
    assert done.status == 2
    assert repr(every) in done.err
    assert "1m to 59m" in done.err
    assert not cron.spool.exists()


def test_without_a_crontab_program(cron: Cron, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no cron, one line says what else keeps the time."""
    cron.program.unlink()
    monkeypatch.setenv("PATH", str(cron.program.parent))
    for arguments in (("show",), ("install",), ("remove",)):
        done = cron(*arguments)
        assert done.status == 1
        assert "no program 'crontab'" in done.err
        assert "newsletter serve" in done.err
        assert done.err.count("\n") == 1


def test_a_crontab_that_cannot_be_read_is_not_replaced(cron: Cron) -> None:
    """Only 'no crontab' counts as an empty one; who may not use cron is told so."""
    cron.becomes(f"#!/bin/sh\n[ $1 = -l ] || touch {cron.spool}\necho 'You are not allowed to use this' >&2; exit 1\n")
    done = cron("install")
    assert done.status == 1
    assert "not allowed" in done.err
    assert not cron.spool.exists()


def test_a_crontab_that_is_refused(cron: Cron) -> None:
    """What cron says to a crontab that it does not take is passed on."""
    cron.becomes("#!/bin/sh\n[ $1 = -l ] && exit\ncat >/dev/null\necho 'errors in crontab file' >&2; exit 1\n")
    done = cron("install")
    assert done.status == 1
    assert "errors in crontab file" in done.err


def test_busybox(cron: Cron) -> None:
    """BusyBox says it in other words when there is no crontab yet."""
    script = CRONTAB.format(spool=shlex.quote(str(cron.spool)))
    cron.becomes(script.replace("no crontab for me", "crontab: can't open 'me': No such file or directory"))
    assert cron("install").status == 0
    assert cron.spool.read_bytes() == cron.line + b"\n"


def test_a_wrong_configuration_is_not_installed(cron: Cron) -> None:
    """What could not run is not put under cron."""
    cron.config.write_text("colour = 1\n")
    assert cron("install").status == 2
    assert not cron.spool.exists()
