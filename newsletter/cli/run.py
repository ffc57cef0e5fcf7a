"""``newsletter run``: the line for cron."""

from datetime import date

import click

from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Command, Terminal, examples


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter run",
        "newsletter run --now",
        "newsletter run --date 2026-07-10 --now --json",
        "newsletter run --dry-run",
    ),
)
@click.option("--date", "day", type=DAY, help="The issue's date; today in the newsletter's zone by default.")
@click.option("--now", "at_once", is_flag=True, help="Seal and send now, not at the newsletter's and readers' hours.")
@click.option("--dry-run", is_flag=True, help="Gather, and say what would be sealed and sent.")
@click.option("--wait", is_flag=True, help="Wait for another run to end.")
@click.pass_obj
def command(terminal: Terminal, /, day: date | None, at_once: bool, dry_run: bool, wait: bool) -> None:
    """Gather the day's papers, seal the issue when its time has come, and send what is due.

    Safe to call every few minutes, to repeat, to overlap and to kill. Under cron it prints nothing unless
    something needs a person, or what is not done where --now asked for it; on a terminal it shows how far sending is.
    """
    from newsletter.cli.report import exit_status, lines, rehearsed, unfinished
    from newsletter.cli.sending import sending
    from newsletter.services.run import run

    with terminal.app() as app, sending(terminal, app, wait=wait) as (service, owner, watch, loop):
        outcome = loop(run(service, owner, day=day, at_once=at_once, dry_run=dry_run, watch=watch))
    if dry_run:  # asked for to be read
        terminal.answer(outcome.document, lambda: rehearsed(outcome))
    else:
        otherwise = unfinished(outcome) if at_once else ""
        terminal.report(outcome.document, lambda: lines(outcome), outcome.problems, otherwise=otherwise)
    raise SystemExit(exit_status(outcome))
