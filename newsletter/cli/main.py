"""The command ``newsletter``: its options, its commands, and how every error ends."""

import json
import os
import sys
from pathlib import Path

import click

from newsletter import __version__
from newsletter.cli.terminal import Group, Terminal, examples
from newsletter.errors import NewsletterError

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
    "deliveries": ("newsletter.cli.deliveries", "The ledger."),
    "why": ("newsletter.cli.why", "Why this reader got that mail, or none."),
    "cron": ("newsletter.cli.cron", "The crontab line."),
    "db": ("newsletter.cli.db", "Upgrade, back up and check the database."),
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
    terminal = Terminal()
    try:
        sys.exit(cli.main(obj=terminal, standalone_mode=True))
    except NewsletterError as error:
        if terminal.json:
            click.echo(json.dumps({"error": str(error)}, ensure_ascii=False))
        click.echo(f"newsletter: {error}", err=True)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
