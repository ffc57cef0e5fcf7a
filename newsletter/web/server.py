"""Serving the pages over HTTP: by uvicorn, in a thread of its own, until told to end.

TLS and compression belong to the proxy in front, which is believed where the operator trusts it. Not here: what is
served (``application``), and how much (``turnstile``).
"""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from anyio import to_thread

from newsletter.app import App
from newsletter.errors import NewsletterError
from newsletter.services.dispatch import seldom_collecting
from newsletter.services.ledger import Clock
from newsletter.storage import home
from newsletter.web.application import application, utc_now

_AT_ONCE = 1000  # connections; more are answered with 503
_THREADS = 8  # at work at the same time; the others wait
_SWITCHES = 0.001  # seconds that one may work while others wait: Python's five are an age to who has ten things to do
_LAST_ANSWERS = 5  # seconds for requests that are being answered when the end comes


@contextmanager
def serving(app: App, host: str, port: int, clock: Clock = utc_now, shared: int | None = None) -> Iterator[str]:
    """Serve the pages of *app* while inside; give their URL. A *port* of 0 is any that is free.

    *shared* is the file descriptor of a socket on which others listen too. What has to hold before anything is served
    is looked at here, also for them.
    What is being answered at the end is answered. Raises NewsletterError where nobody can listen there, and
    ConfigurationError for a template that does not work, or a secret that is not the database's.
    """
    with app.database.write() as session:
        app.dispatch.check_secret(session)
        home.require(session, app.database.path)
    trusted = list(app.settings.web.trusted_proxies)
    config = uvicorn.Config(
        application(app, clock),
        access_log=False,  # it would keep tokens
        log_config=None,
        log_level="warning",
        lifespan="off",
        http="h11",  # httptools is quicker, but takes headers without end
        ws="none",
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted,
        limit_concurrency=_AT_ONCE,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
    )
    with listening(host, port) if shared is None else socket.socket(fileno=shared) as listener:
        server = _Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="pages")
        thread.start()
        try:
            yield address(host, listener)
        finally:
            server.should_exit = True
            thread.join()


class _Server(uvicorn.Server):
    """Works in few threads: they wait for the processor, and for their turn to write, and more would only wait more."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end."""
        sys.setswitchinterval(_SWITCHES)
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        with seldom_collecting():
            await super().serve(sockets)


def address(host: str, listener: socket.socket) -> str:
    """Return the URL of what listens at *host*."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens there. Raises NewsletterError."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise NewsletterError(f"{host}:{port}: {why}; choose another --host or --port") from error
