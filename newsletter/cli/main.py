"""The command ``newsletter``: its options, its commands, and how every error ends."""

import errno
import json
import os
import sys
from io import TextIOWrapper
from pathlib import Path

import click

from newsletter import __version__
from newsletter.cli.terminal import Group, Terminal, examples
from newsletter.errors import NewsletterError

_BROKEN = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}
_UNWRITABLE = _BROKEN | {errno.EPIPE}

_COMMANDS = {
    "init": ("newsletter.cli.init", "Write a configuration, a secret and an empty database."),
    "demo": ("newsletter.cli.demo", "The whole path on bundled papers, into an inbox on this machine."),
    "gather": ("newsletter.cli.gather", "Fetch papers."),
    "papers": ("newsletter.cli.papers", "What was gathered."),
    "issues": ("newsletter.cli.issues", "Edit issues, look before sending, stop."),
    "subscribers": ("newsletter.cli.subscribers", "The list."),
    "deliver": ("newsletter.cli.deliver", "Send what is due until nothing is."),
    "run": ("newsletter.cli.run", "Gather, edit, seal, deliver: the line for cron."),
    "serve": ("newsletter.cli.serve", "The same by its own clock, with the web pages."),
    "web": ("newsletter.cli.web", "The web pages alone."),
    "desk": ("newsletter.cli.desk", "The editor's desk: its password, and what was changed."),
    "deliveries": ("newsletter.cli.deliveries", "The ledger."),
    "bounces": ("newsletter.cli.bounces", "What comes back: bounces, complaints, commands by mail."),
    "why": ("newsletter.cli.why", "Why this reader got that mail, or none."),
    "cron": ("newsletter.cli.cron", "The crontab line."),
    "db": ("newsletter.cli.db", "Upgrade, back up, restore and check the database."),
    "secret": ("newsletter.cli.secret", "Replace the secret that signs links."),
    "doctor": ("newsletter.cli.doctor", "Look for what would go wrong."),
    "stats": ("newsletter.cli.stats", "How many readers, issues and deliveries."),
}


@click.group(
    cls=Group,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("newsletter init", "newsletter subscribers add you@example.org", "newsletter run --now"),
)
@click.version_option(__version__, prog_name="newsletter")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="The configuration to use.")
@click.pass_context
def cli(context: click.Context, config: Path | None) -> None:
    """A newsletter for research papers: gathers each day's papers and mails every reader their digest."""
    context.ensure_object(Terminal).config = config


def main() -> None:
    """Run the command line. Errors that a person can act on are one line and an exit status."""
    if isinstance(sys.stdout, TextIOWrapper):  # None where it is closed
        sys.stdout.reconfigure(errors="backslashreplace")  # a path's bytes may be no UTF-8
    try:
        sys.exit(_run())
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename:
            raise
        # Whoever read our output has seen enough, or its disk is full; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno != errno.EPIPE:
            click.echo(f"newsletter: the output cannot be written ({error.strerror})", err=True)
        sys.exit(1)


def _run() -> int:
    """Return the exit status. With --json an error is the one document on standard output."""
    try:
        return cli.main(obj=Terminal(), standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        said, status = error.format_message(), error.exit_code
    except NewsletterError as error:
        said, status = str(error), error.exit_status
        click.echo(f"newsletter: {said}", err=True)
    except OSError as error:
        if error.errno not in _BROKEN or not error.filename:
            raise
        # Such as a lock file beside the database.
        said, status = f"{error.filename}: {error.strerror}; check the disk; the next run continues", 1
        click.echo(f"newsletter: {said}", err=True)
    except click.Abort:
        click.echo("Aborted!", err=True)
        return 1
    if "--json" in sys.argv:  # the terminal may not know yet
        click.echo(json.dumps({"error": said}, ensure_ascii=False))
    return status
