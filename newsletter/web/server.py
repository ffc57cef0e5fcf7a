"""Serving the pages over HTTP: by uvicorn, in a thread of its own, until told to end.

TLS and compression belong to the proxy in front, which is believed where the operator trusts it. Not here: what is
served (``application``), and how much (``turnstile``).
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from newsletter.app import App
from newsletter.errors import NewsletterError
from newsletter.services.ledger import Clock
from newsletter.storage import home
from newsletter.web.application import application, utc_now

_AT_ONCE = 1000  # connections; more are answered with 503
_LAST_ANSWERS = 5  # seconds for requests that are being answered when the end comes


@contextmanager
def serving(app: App, host: str, port: int, clock: Clock = utc_now) -> Iterator[str]:
    """Serve the pages of *app* while inside; give their URL. A *port* of 0 is any that is free.

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
        ws="none",
        proxy_headers=bool(trusted),
        forwarded_allow_ips=trusted,
        limit_concurrency=_AT_ONCE,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
    )
    with _listening(host, port) as listener:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="pages")
        thread.start()
        try:
            shown = f"[{host}]" if ":" in host else host
            yield f"http://{shown}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise NewsletterError(f"{host}:{port}: {why}; choose another --host or --port") from error
