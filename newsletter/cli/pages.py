"""The pages, for the commands that serve them: an extra, missed with a clear line."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from newsletter.errors import ExtraError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.app import App
    from newsletter.web.crew import Crew

EXTRA = {"argon2", "itsdangerous", "leather", "multipart", "python_multipart", "starlette", "uvicorn"}


def serving(app: "App", host: str | None, port: int | None, shared: int | None = None) -> AbstractContextManager[str]:
    """Serve the pages while inside, where the configuration says unless *host* and *port* do, and give their URL.

    *shared* is a socket on which others listen too. Raises ExtraError without the extra ``web``.
    """
    try:
        from newsletter.web import server
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    chosen = app.settings.web
    return server.serving(app, host or chosen.host, chosen.port if port is None else port, shared=shared)


def crew(command: "Sequence[str]", host: str, port: int, count: int) -> "Crew":
    """Start *count* processes that serve the pages, each by *command*. Raises ExtraError without the extra ``web``."""
    try:
        from newsletter.web.crew import Crew
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return Crew(command, host, port, count)


def _missing(error: ModuleNotFoundError) -> Exception:
    if (error.name or "").partition(".")[0] not in EXTRA:
        return error
    return ExtraError("serving pages", "web", ", or 'newsletter serve --no-web'")
