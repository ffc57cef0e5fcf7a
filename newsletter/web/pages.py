"""Templates made into pages. Not here: what pages say (``subscription``, ``archive``) and their headers (``guard``)."""

from typing import Any
from urllib.parse import urlsplit

from jinja2.sandbox import SandboxedEnvironment
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.render.colour import palette
from newsletter.render.environment import render
from newsletter.render.typesetting import Imprint

_FRESH = "public, max-age=300"  # what is the same for everyone, and may change when an issue is sealed or stopped


class Pages:
    """One newsletter's pages. ``contact`` is the address that reads what readers write.

    Raises ConfigurationError for a template that does not work: at once for those of every page.
    """

    def __init__(self, environment: SandboxedEnvironment, imprint: Imprint, contact: str) -> None:
        # Behind a proxy the pages may stand below a path of the site, which the links between them must begin with.
        self.root = urlsplit(imprint.base_url).path
        self._environment = environment
        self._shared = {
            "newsletter": imprint,
            "colours": palette(imprint.accent),
            "root": self.root,
            "contact": contact,
        }
        self._style = render(environment, "web/style.css", **self._shared)
        self._broken = self._html(
            "message.html", title="Something went wrong here", lines=["Please try again in a while."]
        )

    def public(self, template: str, **said: Any) -> Response:
        """Return a page that is the same for everyone."""
        return HTMLResponse(self._html(template, **said), headers={"Cache-Control": _FRESH})

    def private(self, template: str, *, status: int = 200, **said: Any) -> Response:
        """Return a page for one reader: nobody keeps it, and no search engine lists it."""
        return HTMLResponse(self._html(template, **said), status, headers={"X-Robots-Tag": "noindex"})

    def message(self, title: str, *lines: str, status: int = 200, contact: bool = False) -> Response:
        """Return a page of a few plain sentences, with the address to write to if *contact*."""
        return self.private("message.html", status=status, title=title, lines=lines, to_write=contact)

    def broken(self) -> Response:
        """Return the page for a fault of ours. It was rendered beforehand, so that it cannot fail too."""
        return HTMLResponse(self._broken, 500)

    def style(self, _request: Request) -> Response:
        """Return the style sheet of all pages."""
        return Response(self._style, media_type="text/css", headers={"Cache-Control": _FRESH})

    def _html(self, template: str, **said: Any) -> str:
        return render(self._environment, f"web/{template}", **self._shared, **{"to_write": False, **said})
