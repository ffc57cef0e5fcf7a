"""``newsletter demo``. What it tells is in ``demo_view``."""

import sys
from pathlib import Path

import click

from newsletter.cli.terminal import Command, Terminal, examples


@click.command(
    cls=Command,
    epilog=examples("newsletter demo", "newsletter demo --days 5", "newsletter demo --dir letters --no-serve"),
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything goes; by default a new temporary folder.",
)
@click.option(
    "--days", "count", type=click.IntRange(1, 5), default=1, help="How many days to play: one, by scripts/demo five."
)
@click.option("--no-serve", is_flag=True, help="End at once, without these pages.")
@click.pass_obj
def command(terminal: Terminal, folder: Path | None, count: int, no_serve: bool) -> None:
    """Play the whole path on bundled papers: an issue, four sample readers, and real mails by SMTP.

    The mails go into an inbox on this machine and nowhere else. On a terminal it ends by serving pages on which to
    look at them, until Ctrl-C.
    """
    from newsletter.cli import demo_view as view
    from newsletter.cli.report import exit_status
    from newsletter.demo import play

    if terminal.config:
        raise click.UsageError("The demo brings its own configuration: leave out --config.")
    days = play.days(count)
    with play.stage(folder, days[0]) as stage:
        played = []
        for day in days:
            played.append(stage.play(day))
            view.tell_day(terminal, played[-1], brief=count > 1)
        view.answer(terminal, stage, played)
        if sys.stdout.isatty() and not (no_serve or terminal.json):
            view.serve(stage)
    raise SystemExit(max(exit_status(each.outcome) for each in played))
