"""``newsletter web``: the pages alone."""

import click

from newsletter.cli.terminal import Command, Terminal, examples

_LOOK_AROUND = 60  # seconds between looks at whether a newer program has upgraded the database


@click.command(cls=Command, epilog=examples("newsletter web", "newsletter web --host 0.0.0.0 --port 8080"))
@click.option("--host", help="Where the pages listen.  [default: web.host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0: any that is free.  [default: web.port, 8080]")
@click.pass_obj
def command(terminal: Terminal, /, host: str | None, port: int | None) -> None:
    """Serve the pages that mails link to: unsubscribe, confirm, the archive. Ends on SIGTERM and Ctrl-C.

    Let a web server with TLS stand in front, at newsletter.base_url.
    """
    import signal
    import threading

    from newsletter.cli.pages import serving
    from newsletter.storage.upgrade import require_current

    ended = threading.Event()
    with terminal.app(stays=True) as app:
        if not app.settings.newsletter.base_url:
            terminal.warn("newsletter.base_url is not set: no mail links to these pages")
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        with serving(app, host, port) as url:
            terminal.say(f"The pages are at {url}; Ctrl-C ends them.")
            while not ended.wait(_LOOK_AROUND):
                require_current(app.database.path)
