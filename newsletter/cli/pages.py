"""The pages, for the commands that serve them: an extra, missed with a clear line."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from newsletter.errors import ExtraError

if TYPE_CHECKING:
    from newsletter.app import App

EXTRA = {"argon2", "itsdangerous", "leather", "multipart", "python_multipart", "starlette", "uvicorn"}


def serving(app: "App", host: str | None, port: int | None) -> AbstractContextManager[str]:
    """Serve the pages while inside, where the configuration says unless *host* and *port* do, and give their URL.

    Raises ExtraError without the extra ``web``.
    """
    try:
        from newsletter.web import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise ExtraError("serving pages", "web", ", or 'newsletter serve --no-web'") from error
    chosen = app.settings.web
    return server.serving(app, host or chosen.host, chosen.port if port is None else port)
