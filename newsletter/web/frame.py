"""A mail's own HTML, made fit to be shown in a frame: inert, and in the colour scheme that is asked for.

It is foreign: its answer carries ``policy``, and its frame the same sandbox. Nothing here takes anything out of it.
"""

import re
from typing import Literal

Scheme = Literal["light", "dark"]

# Its links open in tabs of their own, which are not part of the frame.
SANDBOX = "allow-popups allow-popups-to-escape-sandbox"
# Without scripts, the page's origin gives a mail nothing, and lets the page load it anew where somebody was reading.
RELOADABLE = f"{SANDBOX} allow-same-origin"

_STYLE = re.compile(r"<style\b[^>]*>.*?</style>|\bmedia=\"[^\"<>]*\"", re.DOTALL | re.IGNORECASE)
_ASKED = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)


def policy(sandbox: str = SANDBOX, *, images: bool = False) -> str:
    """Return the Content-Security-Policy of a mail in a frame: no script, no form, nothing fetched but *images*."""
    shown = "https: data:" if images else "data:"
    return (
        f"sandbox {sandbox}; default-src 'none'; style-src 'unsafe-inline'; img-src {shown}; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'self'"
    )


def with_links_in_tabs(html: str) -> str:
    """Return *html* with its links leading into new tabs: few pages let themselves be shown in a frame."""
    return _at_the_head(html, '<base target="_blank">')


def in_scheme(html: str, scheme: Scheme) -> str:
    """Return *html* as on a screen of *scheme*, whatever the browser's own is.

    What its style sheets ask the screen is answered in them: by what holds always, or never. The browser's own
    colours (of the canvas, of links) follow the scheme of the root.
    """

    def answered(style: re.Match[str]) -> str:
        return _ASKED.sub(
            lambda asked: "(min-width:0)" if asked[1].lower() == scheme else "(max-width:0)", style.group()
        )

    return _at_the_head(_STYLE.sub(answered, html), f"<style>:root{{color-scheme:{scheme}!important}}</style>")


def _at_the_head(html: str, added: str) -> str:
    before, head, after = html.partition("<head>")
    return f"{before}{head}{added}{after}" if head else added + html
