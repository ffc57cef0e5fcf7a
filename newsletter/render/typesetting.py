"""Templates made into what a mail carries: HTML with its CSS inlined, and tidy plain text.

Not here: what is said (``digest``, ``notices``) and how templates are found (``environment``).
"""

import re
from dataclasses import dataclass, replace
from typing import Any

from css_inline import CSSInliner

from newsletter.render.colour import ACCENT, palette
from newsletter.render.environment import Templates, render
from newsletter.render.folding import folded

_TAG = re.compile(r"<[a-z][^<>]*>")  # the inliner leaves no bare angle bracket in a text
_CLASSES = re.compile(r' class="([^"]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Imprint:
    """What every mail of a newsletter says of it: what templates call ``newsletter``. '' where there is none.

    ``base_url``, ``archive_url`` and ``logo`` (an image) are web links, ``view_url`` is where this very mail can be
    read in a browser, and ``react_url`` where its reader says what they think of papers; ``postal_address`` may have
    several lines; ``accent`` is #rrggbb, ``font`` a CSS list of names. ``images`` tells whether papers are shown with
    theirs; ``language`` is that of the templates.
    """

    name: str
    language: str = "en"
    postal_address: str = ""
    base_url: str = ""
    archive_url: str = ""
    view_url: str = ""
    react_url: str = ""
    accent: str = ACCENT
    logo: str = ""
    font: str = ""
    images: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The readable part of a message. ``html`` is '' where there is text only; lines end with a line feed."""

    subject: str
    html: str
    text: str


class Typesetter:
    """Renders one newsletter's templates, all in the same style. Raises ConfigurationError for a broken one."""

    def __init__(self, environment: Templates, imprint: Imprint) -> None:
        self._environment = environment
        self.language = environment.language
        imprint = replace(imprint, language=environment.language.tag)
        self._shared = {"newsletter": imprint, "colours": palette(imprint.accent)}
        self._css = self.text("style.css")
        self._kept = set(re.findall(r"\.([a-z][a-z-]*)", self.text("screen.css")))
        self._document = CSSInliner(
            load_remote_stylesheets=False,
            # What cannot be inlined (dark mode, narrow screens) stays in the document's own style element.
            inline_style_tags=False,
            keep_style_tags=True,
            extra_css=self._css,
            minify_css=True,
        )
        self._fragment = CSSInliner(load_remote_stylesheets=False, minify_css=True)

    def document(self, name: str, **variables: Any) -> str:
        """Return a whole HTML document."""
        return self._lean(self._document.inline(self._rendered(name, variables)))

    def fragment(self, name: str, **variables: Any) -> str:
        """Return HTML that goes into a document."""
        return self._lean(self._fragment.inline_fragment(self._rendered(name, variables), self._css)).strip()

    def _lean(self, html: str) -> str:
        """Return *html* without what says nothing once its style is inlined: it adds up to kilobytes."""
        html = html.replace("<tbody>", "").replace("</tbody>", "")
        return folded(_TAG.sub(lambda tag: _CLASSES.sub(self._wanted, tag[0]), html))

    def _wanted(self, classes: re.Match[str]) -> str:
        kept = " ".join(name for name in classes[1].split() if name in self._kept)
        return f' class="{kept}"' if kept else ""

    def text(self, name: str, **variables: Any) -> str:
        """Return plain text without white space around it, and with at most two empty lines in a row."""
        return re.sub(r"\n{4,}", "\n\n\n", self._rendered(name, variables)).strip()

    def line(self, name: str, **variables: Any) -> str:
        """Return text on one line: a subject."""
        return " ".join(self._rendered(name, variables).split())

    def _rendered(self, name: str, variables: dict[str, Any]) -> str:
        return render(self._environment, f"email/{name}", **self._shared, **variables)
