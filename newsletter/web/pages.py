"""Templates made into pages, in every language. Not here: what pages say (``subscription``, ``archive``) and their
headers (``guard``).
"""

from collections.abc import Callable
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.packaged import packaged
from newsletter.render.colour import palette
from newsletter.render.environment import Templates, render
from newsletter.render.typesetting import Imprint
from newsletter.services.dispatch import Dispatch

FRESH = "public, max-age=300"  # what is the same for everyone, and may change when an issue is sealed or stopped
_UNLISTED = {"X-Robots-Tag": "noindex"}
_REMEMBERED = 50  # pages of sentences


class Pages:
    """One newsletter's pages in one language. ``contact`` is the address that reads what readers write, ``stamp`` gives
    the stamp of a form by its name.

    Raises ConfigurationError for a template that does not work: at once for those of every page.
    """

    def __init__(
        self, templates: Templates, imprint: Imprint, contact: str, stamp: Callable[[str], str], *, is_default: bool
    ) -> None:
        # Behind a proxy the pages may stand below a path of the site, which the links between them must begin with.
        self.base_url, self.root = imprint.base_url, urlsplit(imprint.base_url).path
        self.language = templates.language
        self.is_default = is_default
        self._templates = templates
        self._shared = {
            "newsletter": imprint,
            "language": templates.language.tag,
            "colours": palette(imprint.accent),
            "root": self.root,
            "contact": contact,
            "stamp": stamp,
            "feeds": bool(imprint.base_url),
        }
        self._style = render(templates, "web/style.css", **self._shared)
        self._sentences = lru_cache(_REMEMBERED)(self._sentences_anew)  # many leave at once, and are told the same
        gettext = self.language.gettext
        self._broken = self._html(
            "message.html", title=gettext("Something went wrong here"), lines=[gettext("Please try again in a while.")]
        )

    def public(self, template: str, **said: Any) -> Response:
        """Return a page that is the same for everyone."""
        return HTMLResponse(self._html(template, **said), headers={"Cache-Control": FRESH})

    def private(self, template: str, *, status: int = 200, **said: Any) -> Response:
        """Return a page for one reader: nobody keeps it, and no search engine lists it."""
        return HTMLResponse(self._html(template, **said), status, headers=_UNLISTED)

    def message(
        self, title: str, *lines: str, status: int = 200, contact: bool = False, subscribe: str = ""
    ) -> Response:
        """Return a page of a few plain sentences, with the address to write to if *contact*.

        *subscribe* is a sentence that leads to the form by which one comes.
        """
        return HTMLResponse(self._sentences(title, lines, contact, subscribe), status, headers=_UNLISTED)

    def _sentences_anew(self, title: str, lines: tuple[str, ...], contact: bool, subscribe: str) -> str:
        return self._html("message.html", title=title, lines=lines, to_write=contact, subscribe=subscribe)

    def broken(self) -> Response:
        """Return the page for a fault of ours. It was rendered beforehand, so that it cannot fail too."""
        return HTMLResponse(self._broken, 500)

    def style(self) -> Response:
        """Return the style sheet of all pages."""
        return Response(self._style, media_type="text/css", headers={"Cache-Control": FRESH})

    def sentence(self, template: str, **said: Any) -> str:
        """Return what a template says that is plain text."""
        return render(self._templates, f"web/{template}", **self._shared, **said).strip()

    def part(self, template: str, **said: Any) -> Markup:
        """Return a part of a page, made once for many."""
        return Markup(render(self._templates, f"web/{template}", **self._shared, **said))  # noqa: S704 - escaped there

    def _html(self, template: str, **said: Any) -> str:
        return render(
            self._templates, f"web/{template}", **self._shared, **{"to_write": False, "subscribe": "", **said}
        )


class Site:
    """The pages in every language. Those in others than the newsletter's own stand below the language's tag."""

    def __init__(self, dispatch: Dispatch, contact: str, stamp: Callable[[str], str]) -> None:
        self._languages = dispatch.languages
        self._script = (packaged("templates") / "web/forms.js").read_text("utf-8")
        self._pages = {
            tag: Pages(*dispatch.look(tag), contact, stamp, is_default=tag == self._languages.default)
            for tag in self._languages.tags
        }

    @cached_property
    def below(self) -> list[str]:
        """Return the tags below which pages stand."""
        return [tag for tag in self._pages if tag != self._languages.default]

    @property
    def tags(self) -> list[str]:
        """Return the tags of all languages."""
        return list(self._pages)

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

    def script(self, _request: Request) -> Response:
        """Return the script of forms, without which they work as well."""
        return Response(self._script, media_type="text/javascript", headers={"Cache-Control": FRESH})
