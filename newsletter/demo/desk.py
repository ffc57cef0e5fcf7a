"""The demo's pages and desk: those of its newsletter, on the morning after the last day that it can play.

Served on loopback without TLS, under an address of their own. Not here: the inbox (``inbox_page``).
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from newsletter.app import App
from newsletter.demo.play import LAST_DAY, Stage, clock_from, morning

_HOST = "127.0.0.1"
_NAME = "editor"
_MORNING_AFTER = morning(LAST_DAY + timedelta(days=3))  # a Monday


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the pages are, and what opens the desk."""

    url: str
    name: str
    password: str


@contextmanager
def served(stage: Stage) -> Iterator[Desk | None]:
    """Serve the pages while inside; None where the extra ``web`` is missing."""
    try:
        from newsletter.services.account import set_password  # noqa: PLC0415 - an extra
        from newsletter.web.server import address, listening, serving  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        yield None
        return
    password, listener = secrets.token_urlsafe(12), listening(_HOST, 0)  # kept, or another program may take the port
    app = _at(stage.app, address(_HOST, listener))
    set_password(app.database, _NAME, password, _MORNING_AFTER)
    with serving(app, _HOST, 0, clock_from(_MORNING_AFTER), listener.detach()) as url:
        yield Desk(url, _NAME, password)


def _at(app: App, base_url: str) -> App:
    """Return *app* as reached at *base_url*: cookies of https would not travel there."""
    newsletter = app.settings.newsletter.model_copy(update={"base_url": base_url})
    return replace(app, settings=app.settings.model_copy(update={"newsletter": newsletter}))
