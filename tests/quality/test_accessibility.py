"""Everybody can read every mail: WCAG 2.2 AA as axe-core judges it, in a browser."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from browser import chromium, violations

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SCREENS = [(320, "dark"), (600, "light")]


@pytest.mark.system("chromium")
def test_axe_finds_no_violation(html_files: list[Path], node_module: Callable[[str], Path]) -> None:
    """Each mail, on a narrow dark screen and on a wide light one."""
    axe = node_module("axe-core/axe.min.js").read_text("utf-8")
    found = {}
    with chromium() as browser:
        for width, scheme in _SCREENS:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            for file in html_files:
                page.set_content(file.read_text("utf-8"))
                if amiss := violations(page, axe):
                    found[file.stem, width, scheme] = amiss
            page.close()
    assert found == {}


@pytest.mark.system("chromium")
def test_headings_descend_in_steps(html_files: list[Path]) -> None:
    """One first heading, and none below it leaves out a step, as who jumps from one to the next expects."""
    with chromium() as browser:
        page = browser.new_page()
        for file in html_files:
            page.set_content(file.read_text("utf-8"))
            levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
            assert (file.stem, levels.count(1), levels[0]) == (file.stem, 1, 1)
            assert all(below <= above + 1 for above, below in pairwise(levels)), file.stem
