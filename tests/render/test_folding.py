"""HTML in lines of their own length: what a reader sees of it is the same."""

import re

from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html as lxml_html
from markupsafe import escape

from newsletter.mail.quoted_printable import quoted_printable
from newsletter.render.folding import folded

words = st.text("ab =é中▲\"'x> ", max_size=120)


def written(text, label):
    """Return HTML that says *text*, and *label* where no blank may change."""
    link = f'<a aria-label="{escape(label)}" href="https://example.org/{"p" * 40}" style="color:#1b4fa8;margin:0">'
    return f"<!--[if mso]><td><![endif]--><p>{escape(text)} {link}{escape(text)}</a>\n<b>{escape(label)}</b></p>"


@given(words, words)
@example('says a="b" and c="d" ' * 9, 'says a="b" and c="d" ' * 9)
def test_only_blanks_that_nobody_sees_become_line_breaks(text, label):
    """Elements, attributes and words stay, each where it was."""
    before = written(text, label)
    after = folded(before)
    assert after.replace("\n", " ") == before.replace("\n", " ")
    shown = lxml_html.fragment_fromstring(after, create_parent=True)
    assert shown.xpath("string(.//a/@aria-label)") == label
    assert shown.xpath("count(.//a/@*)") == 3
    assert shown.text_content().split() == [*text.split(), *text.split(), *label.split()]


def test_ordinary_text_needs_no_soft_breaks():
    """Not between words, nor between attributes, nor after a slot, which is encoded by itself."""
    link = f'<a href="x/\ue000token\ue001/{"y" * 60}" id="z">'
    html = f'<p class="meta" style="{"a:b;" * 12}">{"Twelve words and more. " * 20}\n{link}'
    for piece in re.split("\ue000token\ue001", folded(html)):
        assert b"=\r\n" not in quoted_printable(f"{piece}\n")


def test_what_is_no_html_stays_as_it_is():
    """A style sheet and a script have blanks in texts of their own."""
    fonts = '"Segoe UI Variable Display", "A Font Of A Long Name With Blanks", sans-serif'
    for html in (
        f"<style>p {{ font-family: {fonts} }}</style>",
        f'<script type="x">{{"a": "{"word " * 40}"}}</script>',
    ):
        assert folded(html) == html
    assert "\n" in folded(f"<p>{'word ' * 40}</p><style>p {{ font-family: {fonts} }}</style>")


def test_blanks_stay_where_they_are_seen():
    """In a template with text set as it is written."""
    for html in (f"<pre>{'a ' * 90}</pre>", f'<p style="white-space:pre">{"a " * 90}</p>'):
        assert folded(html) == html
