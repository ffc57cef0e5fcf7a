"""Every mail program shows every mail well, by what caniemail.com knows of them."""

import importlib.util
import json
from pathlib import Path

import clients
import pytest
from corpus import Judged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What some program does not support, and why nothing is lost there. An entry that is not needed is an error.
HARMLESS = {
    "css-at-media": "it only makes room on narrow screens, and colours for dark ones and for paper",
    "css-at-media-prefers-color-scheme": "who does not know it shows the light colours, or darkens them by itself",
    "css-color-scheme": "it only tells the program that there are dark colours",
    "css-display-none": "only the preheader is hidden; where it shows, it is a line of small print",
    "css-height": "the picture has its height by its width alone then",
    "css-list-style": "the lines of Also today get their dots or numbers back",
    "css-max-height": "a second way to hide the preheader, beside display; a logo is as high as it was made then",
    "css-overflow": "a third way to hide the preheader",
    "css-selector-class": "what matters is written into the elements; the sheet is for narrow, dark and printed",
    "css-selector-descendant": "as for the selectors of classes",
    "css-selector-grouping": "as for the selectors of classes",
    "css-selector-type": "as for the selectors of classes",
    "css-table-layout": "Outlook for Windows gets a table of 600 px of its own, which does not grow with its content",
    "css-text-decoration": "titles are underlined then, as other links are",
    "css-text-decoration-color": "links are underlined in their own colour then",
    "css-text-underline-offset": "the line under links is nearer to them then",
    "css-word-break": "a word that is too long widens the column there; overflow-wrap or break points do the rest",
    "html-aria-label": "the label that is seen makes sense below its title",
    "html-body": "a cell around everything has the same colours",
    "html-doctype": "nothing is laid out that quirks mode lays out otherwise: tables with widths of their own",
    "html-meta-color-scheme": "as for the property",
    "html-role": "tables without headings and captions are taken for layout",
    "html-style": "what matters is written into the elements",
}

# What caniemail.com does not know, and why it may be used.
UNTESTED = {
    "css--webkit-text-size-adjust": "iPhones in landscape keep the size of the type; all others pass it over",
    "css-color": "from before all mail programs; the tests of other features use it",
    "css-mso-hide": "for Outlook for Windows alone, which hides the preheader by it",
    "css-mso-padding-alt": "for Outlook for Windows alone, which makes a button by it; elsewhere its link has the room",
    "css-page-break-inside": "for paper only",
    "css-pseudo-class-root": "only color-scheme stands there",
}


def test_what_a_program_lacks_is_harmless_there(every_mail: list[Judged]) -> None:
    """Each feature is supported everywhere, or stands in the list with the reason why it may be missing."""
    _, known = clients.facts()
    used = {feature for judged in every_mail if judged.mail.html for feature in clients.used(judged.mail.html)}
    assert sorted(used - known.keys() - UNTESTED.keys()) == []
    lacking = {feature: clients.unsupported(feature) for feature in used & known.keys()}
    lacking = {feature: programs for feature, programs in lacking.items() if programs}
    assert {feature: programs for feature, programs in lacking.items() if feature not in HARMLESS} == {}
    assert sorted(HARMLESS.keys() - lacking.keys()) == []
    assert sorted(UNTESTED.keys() - used) == []


def test_features_are_found() -> None:
    """In elements, attributes, inline styles, sheets, at-rules, selectors, units and functions."""
    source = """<!doctype html><html lang="en"><head><style>
        @media (max-width: 9em) and (prefers-color-scheme: dark) { .a > p:hover, #b { margin-left: calc(1px + 2%) } }
        @import url(x.css); :root { --ink: red }
        </style></head><body><!--[if mso]><p style="color:red">only there</p><![endif]-->
        <div role="none" style="border-top-color: RED !important; font-family: 'a: b;(c)'; unheard-of: 1"
        ><a href="mailto:a@example.org">x</a></div><marquee></marquee></body></html>"""
    assert clients.used(source) == {
        "css-at-import", "css-at-media", "css-at-media-prefers-color-scheme", "css-border", "css-font",
        "css-important", "css-margin", "css-pseudo-class-hover", "css-pseudo-class-root", "css-selector-child",
        "css-selector-class", "css-selector-grouping", "css-selector-id", "css-selector-type", "css-unheard-of",
        "css-unit-calc", "css-unit-percent", "css-unit-px", "css-variables", "html-body", "html-div",
        "html-doctype", "html-lang", "html-mailto-links", "html-marquee", "html-role", "html-style",
    }  # fmt: skip


def test_the_facts_are_those_of_their_source(shared: Path) -> None:
    """The extract in the repository is what its script makes."""
    script = Path(__file__).parents[2] / "scripts" / "quality" / "caniemail.py"
    spec = importlib.util.spec_from_file_location("caniemail", script)
    assert spec
    assert spec.loader
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    made = json.dumps(maker.extract(shared / "corpora" / "caniemail"), indent=1)
    assert made == Path(__file__).with_name("caniemail.json").read_text().rstrip()
