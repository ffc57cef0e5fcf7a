"""Everybody can read every mail: WCAG 2.2 AA as axe-core judges it, in a browser."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from browser import chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SCREENS = [(320, "dark"), (600, "light")]
_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_ASK = """async standards => {
    const found = await axe.run(document, {runOnly: {type: 'tag', values: standards}, resultTypes: ['violations']});
    return found.violations.flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 120)}`));
}"""


@pytest.mark.system("chromium")
def test_axe_finds_no_violation(html_files: list[Path], node_module: Callable[[str], Path]) -> None:
    """Each mail, on a narrow dark screen and on a wide light one."""
    script = node_module("axe-core/axe.min.js")
    found = {}
    with chromium() as browser:
        for width, scheme in _SCREENS:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            for file in html_files:
                page.set_content(file.read_text("utf-8"))
                page.add_script_tag(path=script)
                if violations := page.evaluate(_ASK, _STANDARDS):
                    found[file.stem, width, scheme] = violations
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
