"""Templates made into pages, in every language. Not here: what pages say (``subscription``, ``archive``) and their
headers (``guard``).
"""

from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.render.colour import palette
from newsletter.render.environment import Templates, render
from newsletter.render.typesetting import Imprint
from newsletter.services.dispatch import Dispatch

_FRESH = "public, max-age=300"  # what is the same for everyone, and may change when an issue is sealed or stopped


class Pages:
    """One newsletter's pages in one language. ``contact`` is the address that reads what readers write.

    Raises ConfigurationError for a template that does not work: at once for those of every page.
    """

    def __init__(self, templates: Templates, imprint: Imprint, contact: str) -> None:
        # Behind a proxy the pages may stand below a path of the site, which the links between them must begin with.
        self.root = urlsplit(imprint.base_url).path
        self.language = templates.language
        self._templates = templates
        self._shared = {
            "newsletter": imprint,
            "language": templates.language.tag,
            "colours": palette(imprint.accent),
            "root": self.root,
            "contact": contact,
        }
        self._style = render(templates, "web/style.css", **self._shared)
        gettext = self.language.gettext
        self._broken = self._html(
            "message.html", title=gettext("Something went wrong here"), lines=[gettext("Please try again in a while.")]
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

    def style(self) -> Response:
        """Return the style sheet of all pages."""
        return Response(self._style, media_type="text/css", headers={"Cache-Control": _FRESH})

    def _html(self, template: str, **said: Any) -> str:
        return render(self._templates, f"web/{template}", **self._shared, **{"to_write": False, **said})


class Site:
    """The pages in every language. Those in others than the newsletter's own stand below the language's tag."""

    def __init__(self, dispatch: Dispatch, contact: str) -> None:
        self._languages = dispatch.languages
        self._pages = {tag: Pages(*dispatch.look(tag), contact) for tag in self._languages.tags}

    @cached_property
    def below(self) -> list[str]:
        """Return the tags below which pages stand."""
        return [tag for tag in self._pages if tag != self._languages.default]

    def of(self, language: str | None) -> Pages:
        """Return the pages for a reader who prefers *language*, None for the newsletter's."""
        return self._pages[self._languages.tag(language)]

    def asked(self, request: Request) -> Pages:
        """Return the pages in the language of the page that is asked for."""
        first = request.url.path.split("/")[1]
        return self.of(first if first in self.below else None)

    def style(self, request: Request) -> Response:
        """Return the style sheet of all pages."""
        return self.asked(request).style()
