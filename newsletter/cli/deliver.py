"""``newsletter deliver``: send what is due."""

from datetime import date

import click

from newsletter.cli.parameters import DAY
from newsletter.cli.terminal import Command, Terminal, examples


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter deliver",
        "newsletter deliver --issue 2026-07-10",
        "newsletter deliver --retry-failed",
        "newsletter deliver --json",
    ),
)
@click.option("--issue", "day", type=DAY, help="Only the issue of this date.")
@click.option("--retry-failed", is_flag=True, help="Send also what failed for good, and end a pause of the route.")
@click.option("--wait", is_flag=True, help="Wait for another run to end.")
@click.pass_obj
def command(terminal: Terminal, /, day: date | None, retry_failed: bool, wait: bool) -> None:
    """Send what is due until nothing is: waits for pauses up to a minute, not for deferrals.

    On a terminal it shows how far it is: sent, how many a second, waiting, the time left, failed, and deferred by
    destination; and why, while no server takes mail. --json ends with the totals of the issue.
    """
    from newsletter.cli.report import exit_status, lines
    from newsletter.cli.sending import sending
    from newsletter.services.run import deliver

    with terminal.app() as app, sending(terminal, app, wait=wait) as (service, owner, watch, loop):
        outcome = loop(deliver(service, owner, day=day, retry_failed=retry_failed, watch=watch))
    terminal.report(outcome.document, lambda: lines(outcome), outcome.problems)
    raise SystemExit(exit_status(outcome))
