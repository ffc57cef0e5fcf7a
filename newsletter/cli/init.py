"""``newsletter init``."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.setup import SetUp


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter init",
        'newsletter init letters --sender "Daily Papers <papers@example.org>"',
        "newsletter init /etc/newsletter --provider relay",
    ),
)
@click.argument("dir", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option(
    "--provider",
    type=click.Choice(["local", "gmail", "m365", "ses", "relay"]),
    default="local",
    show_default=True,
    help="Who takes the mail; local is a mail server on this machine.",
)
@click.option("--sender", metavar="'NAME <ADDRESS>'", help="From whom the mails come.")
@click.pass_obj
def command(terminal: Terminal, dir: Path, provider: str, sender: str | None) -> None:
    """Write a commented configuration, a secret and an empty database into DIR (here, unless named).

    Nothing that is there already is overwritten.
    """
    from newsletter.services.setup import machine_zone, set_up

    if sender is None and sys.stdin.isatty() and sys.stderr.isatty() and not terminal.json:
        sender = click.prompt("From whom do the mails come (Name <address>)?", default="", err=True, show_default=False)
    made = set_up(dir, provider=provider, sender=sender or "", zone=machine_zone(), now=terminal.now())
    document = {"dir": made.dir, "config": made.config, "secret": made.secret, "database": made.database}
    steps = _next_steps(made, provider, named=bool(sender))
    terminal.answer(document, "" if terminal.quiet else "\n".join(steps))


def _next_steps(made: "SetUp", provider: str, *, named: bool) -> list[str]:
    newsletter = "newsletter"
    if made.dir != Path.cwd():
        newsletter += f" --config {shlex.quote(str(made.config))}"
    edits = [] if named else ["newsletter.sender and reply_to, which are placeholders"]
    if provider != "local":
        edits.append("smtp.host, username and password_file")
    return [
        f"Wrote {made.config}, the secret and an empty database beside it.",
        *([f"First look at {', and '.join(edits)}, in that file."] if edits else []),
        "Next:",
        f"  {newsletter} subscribers add you@example.org",
        f"  {newsletter} run --now",
        f"  {newsletter} cron install",
    ]
