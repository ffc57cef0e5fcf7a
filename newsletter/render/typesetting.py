"""Templates made into what a mail carries: HTML with its CSS inlined, and tidy plain text.

Not here: what is said (``digest``, ``notices``) and how templates are found (``environment``).
"""

import re
from dataclasses import dataclass
from typing import Any

from css_inline import CSSInliner
from jinja2.sandbox import SandboxedEnvironment

from newsletter.render.colour import ACCENT, palette
from newsletter.render.environment import render


@dataclass(frozen=True, slots=True, kw_only=True)
class Imprint:
    """What every mail of a newsletter says of it: what templates call ``newsletter``. '' where there is none.

    ``base_url`` and ``archive_url`` are web links; ``postal_address`` may have several lines; ``accent`` is #rrggbb.
    """

    name: str
    language: str = "en"
    postal_address: str = ""
    base_url: str = ""
    archive_url: str = ""
    accent: str = ACCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The readable part of a message. ``html`` is '' where there is text only; lines end with a line feed."""

    subject: str
    html: str
    text: str


class Typesetter:
    """Renders one newsletter's templates, all in the same style. Raises ConfigurationError for a broken one."""

    def __init__(self, environment: SandboxedEnvironment, imprint: Imprint) -> None:
        self._environment = environment
        self._shared = {"newsletter": imprint, "colours": palette(imprint.accent)}
        self._css = self.text("style.css")
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
        return self._document.inline(self._rendered(name, variables))

    def fragment(self, name: str, **variables: Any) -> str:
        """Return HTML that goes into a document."""
        return self._fragment.inline_fragment(self._rendered(name, variables), self._css)

    def text(self, name: str, **variables: Any) -> str:
        """Return plain text without white space around it, and with at most two empty lines in a row."""
        return re.sub(r"\n{4,}", "\n\n\n", self._rendered(name, variables)).strip()

    def line(self, name: str, **variables: Any) -> str:
        """Return text on one line: a subject."""
        return " ".join(self._rendered(name, variables).split())

    def _rendered(self, name: str, variables: dict[str, Any]) -> str:
        return render(self._environment, f"email/{name}", **self._shared, **variables)
