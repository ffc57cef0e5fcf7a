"""Chromium with the fonts of the Debian packages and no others, so that a mail looks the same on every machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

# It must run where there is no sandbox to be had, and ask nobody for anything.
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-sync", "--disable-component-update", "--font-render-hinting=none", "--disable-lcd-text",
    "--force-color-profile=srgb",
]  # fmt: skip
_FONTS = Path(__file__).with_name("fonts.conf")
_WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
_ASK = """async standards => {
    const found = await axe.run(document, {runOnly: {type: 'tag', values: standards}, resultTypes: ['violations']});
    return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`));
}"""


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Give a browser. It holds this thread's event loop: no command can be run meanwhile."""
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as started:
        environment = {**os.environ, "FONTCONFIG_FILE": str(_FONTS)}
        launched = started.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS, env=environment)
        yield launched
        launched.close()


def violations(page: "Page", axe: str, *more: str) -> list[str]:
    """Return what axe-core, whose script is *axe*, finds on *page* against WCAG 2.2 AA and *more* of its tags."""
    page.evaluate(axe)
    found: list[str] = page.evaluate(_ASK, [*_WCAG, *more])
    return found
