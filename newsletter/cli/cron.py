"""``newsletter cron``: the line in the user's crontab."""

import sys
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.crontab import Job


@click.group(cls=Group, epilog=examples("newsletter cron install", "newsletter cron show", "newsletter cron remove"))
def group() -> None:
    """Let cron run the newsletter: one line in your crontab, the rest of which stays as it is."""


@group.command(epilog=examples("newsletter cron show"))
@click.pass_obj
def show(terminal: Terminal) -> None:
    """Show the line, whether it is installed or not."""
    from newsletter.services import crontab

    job = _job(terminal)
    found = crontab.installed(job)
    line = (found or job.line("5m")).decode(errors="replace")
    text = line if found else f"Not installed; 'newsletter cron install' would add\n  {line}"
    terminal.answer({"installed": bool(found), "line": line}, text)


@group.command(epilog=examples("newsletter cron install", "newsletter cron install --every 15m"))
@click.option("--every", metavar="TIME", default="5m", show_default=True, help="How often: 1m to 59m, or 1h to 23h.")
@click.pass_obj
def install(terminal: Terminal, every: str) -> None:
    """Put the line into your crontab, or change how often it runs."""
    from newsletter.services import crontab

    line = crontab.install(_job(terminal), every).decode(errors="replace")
    terminal.answer({"installed": True, "line": line}, f"Installed\n  {line}")


@group.command(epilog=examples("newsletter cron remove"))
@click.pass_obj
def remove(terminal: Terminal) -> None:
    """Take the line out of your crontab."""
    from newsletter.services import crontab

    found = crontab.remove(_job(terminal))
    line = found.decode(errors="replace") if found else None
    terminal.answer({"installed": False, "line": line}, f"Removed\n  {line}" if line else "There was no such line.")


def _job(terminal: Terminal) -> "Job":
    from newsletter.config import load as config
    from newsletter.services.crontab import Job

    return Job(config.load(terminal.config).file, sys.executable)
