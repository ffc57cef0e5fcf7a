"""A mail's HTML in a frame: in the scheme that is asked for, and inert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.frame import in_scheme, policy, with_links_in_tabs

MAIL = """<!doctype html><html><head><title>(prefers-color-scheme: dark)</title>
<style>.a { color: red } @media (prefers-color-scheme:DARK) { .a { color: blue } }
@media screen and ( prefers-color-scheme: light ) { .b { color: green } }</style></head>
<body><picture><source media="(prefers-color-scheme: dark)" srcset="night.png"><img src="day.png"></picture>
<p>@media (prefers-color-scheme: dark) is how one asks.</p></body></html>"""


@pytest.mark.parametrize(("scheme", "dark", "light"), [("dark", "min", "max"), ("light", "max", "min")])
def test_what_styles_ask_of_the_screen_is_answered(scheme, dark, light):
    """In style sheets and in sources of pictures: with what always holds (min) or never (max); words stay words."""
    shown = in_scheme(MAIL, scheme)
    assert f"@media ({dark}-width:0) {{ .a {{ color: blue }} }}" in shown
    assert f"@media screen and ({light}-width:0) {{ .b" in shown
    assert f'<source media="({dark}-width:0)"' in shown
    assert "<title>(prefers-color-scheme: dark)</title>" in shown
    assert "<p>@media (prefers-color-scheme: dark) is how one asks.</p>" in shown
    assert f"<head><style>:root{{color-scheme:{scheme}!important}}</style>" in shown


@given(st.text(max_size=200))
def test_nothing_else_changes(words):
    """Whatever a document holds, it is all there, and only a style comes before it."""
    if "prefers-color-scheme" not in words:
        assert in_scheme(words, "dark").replace("<style>:root{color-scheme:dark!important}</style>", "", 1) == words
        assert with_links_in_tabs(words).replace('<base target="_blank">', "", 1) == words


def test_only_the_preview_fetches_images():
    """And nothing runs, submits or fetches otherwise."""
    assert "img-src data:;" in policy()
    assert "img-src https: data:;" in policy(images=True)
    assert "default-src 'none'" in policy(images=True)
    assert "allow-scripts" not in policy(images=True)
