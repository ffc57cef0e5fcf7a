"""``newsletter serve``: the service by its own clock, with the web pages."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from newsletter.app import App


@click.command(
    cls=Command,
    epilog=examples("newsletter serve", "newsletter serve --host 0.0.0.0 --port 8080", "newsletter serve --no-web"),
)
@click.option("--host", help="Where the pages listen.  [default: web.host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free.  [default: web.port, 8080]")
@click.option("--no-web", is_flag=True, help="Only the clock.")
@click.pass_obj
def command(terminal: Terminal, /, host: str | None, port: int | None, no_web: bool) -> None:
    """Gather, seal and deliver by an own clock instead of cron, and serve the web pages, until stopped."""
    from contextlib import ExitStack

    from newsletter.cli.pages import serving
    from newsletter.cli.report import lines
    from newsletter.scheduler import serve
    from newsletter.services.outcome import Outcome

    def heard(outcome: Outcome) -> None:
        terminal.say(lines(outcome))
        for problem in outcome.problems:
            terminal.warn(problem)

    with ExitStack() as open_things:
        app = open_things.enter_context(terminal.app(stays=True))
        if not no_web:
            url = open_things.enter_context(serving(app, host, port))
            terminal.say(f"The pages are at {url}; Ctrl-C ends everything.")
        if place := app.settings.bounces.lmtp:
            terminal.say(f"What comes back is taken at {open_things.enter_context(_listening(terminal, app, place))}.")
        serve(app.service(terminal.now), heard)


def _listening(terminal: Terminal, app: "App", place: str) -> "AbstractContextManager[str]":
    """Take by LMTP what comes back, while inside. Raises ExtraError without the extra ``bounces``."""
    from newsletter.errors import ExtraError

    try:
        from newsletter.lmtp import listening
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "aiosmtpd":
            raise
        raise ExtraError("listening for what comes back", "bounces", ", or leave out bounces.lmtp") from error
    return listening(app.dispatch, place, terminal.now)
