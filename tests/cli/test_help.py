"""``--help``: every command shows how it is used, and none takes long to say so."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from command_line import newsletter

from newsletter.cli.main import cli

# Importing any of these costs more than all of --help may take.
HEAVY = ("aiosmtplib", "alembic", "apscheduler", "feedparser", "httpx2", "jinja2", "lxml", "pydantic", "tabulate")
HEAVY += ("sqlalchemy", "sqlmodel", "starlette", "uvicorn")

TOP = cli.list_commands(click.Context(cli))


def paths(name: str) -> Iterator[tuple[str, ...]]:
    """Return the command *name* and, if it is a group, each of its own."""
    yield (name,)
    context = click.Context(cli)
    command = cli.get_command(context, name)
    if isinstance(command, click.Group):
        yield from ((name, sub) for sub in command.list_commands(context))


@pytest.mark.parametrize("name", TOP)
def test_every_command_shows_examples(name: str) -> None:
    """Each says in a line what it does and shows at least one example of itself, which names no other command."""
    for path in paths(name):
        done = newsletter(*path, "--help")
        assert (done.status, done.err) == (0, ""), path
        _, _, examples = done.out.partition("\n  Examples:\n")
        assert f"newsletter {' '.join(path)}" in examples, path
        assert "--json" in done.out, path


def test_the_newsletter_itself() -> None:
    """Without a command, or with --help, it lists them all."""
    out = newsletter("--help").out
    assert [name for name in TOP if f"\n  {name} " not in out] == []
    assert "Examples:" in out
    assert newsletter("-h").out == out


@pytest.mark.parametrize("name", ["", *TOP])
def test_nothing_heavy_is_imported(name: str) -> None:
    """The help of a command, and of all below it, comes without the libraries that its work needs."""
    program = f"""
import contextlib, io, json, sys
from newsletter.cli.main import main
for path in {[list(path) for path in paths(name)] if name else [[]]!r}:
    sys.argv = ["newsletter", *path, "--help"]
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
        main()
print(json.dumps(sorted({{m.partition(".")[0] for m in sys.modules}})))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert [module for module in json.loads(done.stdout) if module in HEAVY] == []


def test_a_wrong_command_is_a_wrong_usage() -> None:
    """A slip is answered with 2, on standard error."""
    done = newsletter("subscribe")
    assert (done.status, done.out) == (2, "")
    assert "subscribe" in done.err
