"""``newsletter web``: the pages alone."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from threading import Event

    from newsletter.config.web import WebSettings

_LOOK_AROUND = 60  # seconds between looks at whether a newer program has upgraded the database


@click.command(cls=Command, epilog=examples("newsletter web", "newsletter web --host 0.0.0.0 --port 8080 --workers 2"))
@click.option("--host", help="Where the pages listen.  [default: web.host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free.  [default: web.port, 8080]")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that answer.")
@click.option("--shared", type=int, hidden=True)  # the socket of which this is one of the workers
@click.pass_obj
def command(terminal: Terminal, /, host: str | None, port: int | None, workers: int, shared: int | None) -> None:
    """Serve the pages that mails link to: unsubscribe, confirm, the archive. Ends on SIGTERM and Ctrl-C.

    Let a web server with TLS stand in front, at newsletter.base_url.
    """
    import threading

    from newsletter.app import when_told_to_end
    from newsletter.cli.pages import serving
    from newsletter.storage.upgrade import require_current

    ended = threading.Event()
    when_told_to_end(ended.set)
    with terminal.app(stays=True) as app:
        if not app.settings.newsletter.base_url and shared is None:
            terminal.warn("newsletter.base_url is not set: no mail links to these pages, and they have no feeds")
        if workers > 1:
            return _together(terminal, app.settings.web, host, port, workers, ended)
        with serving(app, host, port, shared) as url:
            if shared is None:
                terminal.say(f"The pages are at {url}; Ctrl-C ends them.")
            while not ended.wait(_LOOK_AROUND):
                require_current(app.database.path)
    return None


def _together(
    terminal: Terminal, chosen: "WebSettings", host: str | None, port: int | None, workers: int, ended: "Event"
) -> None:
    import sys

    from newsletter.cli.pages import crew

    config = ["--config", str(terminal.config)] if terminal.config else []
    said = ["-v"] if terminal.verbose else []
    command = [sys.executable, "-m", "newsletter", *config, *said, "web", "--shared"]
    together = crew(command, host or chosen.host, chosen.port if port is None else port, workers)
    terminal.say(f"The pages are at {together.url}, answered by {workers} processes; Ctrl-C ends them.")
    try:
        together.wait(ended)
    finally:
        together.end()
