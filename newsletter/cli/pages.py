"""The pages, for the commands that serve them: an extra, missed with a clear line."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from newsletter.errors import NewsletterError

if TYPE_CHECKING:
    from newsletter.app import App

EXTRA = {"argon2", "itsdangerous", "leather", "multipart", "python_multipart", "starlette", "uvicorn"}


def serving(app: "App", host: str, port: int) -> AbstractContextManager[str]:
    """Serve the pages while inside, and give their URL. Raises NewsletterError without the extra ``web``."""
    try:
        from newsletter.web import server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise NewsletterError(
            "the pages need more packages: pip install '.[web]', or 'newsletter serve --no-web'"
        ) from error
    return server.serving(app, host, port)
