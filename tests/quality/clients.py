"""What a mail's HTML asks of mail programs: its CSS properties, at-rules, selectors, units, elements and attributes.

By the names that caniemail.com gives to features; ``caniemail.json`` holds its facts. What it has no name for is given
as it is written. Not here: which of them may be missing (``test_clients``).
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lxml import html as lxml_html

_CONDITIONAL = re.compile(r"<!--\[if.*?<!\[endif\]-->", re.DOTALL)  # for Outlook for Windows alone
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")
_NUMBER = re.compile(r"(?<![\w#.-])-?(?:\d+\.?\d*|\.\d+)(px|em|rem|pt|ch|ex|cm|mm|in|pc|vh|vw|vmin|vmax|%)(?![\w-])")
_FUNCTION = re.compile(r"([a-z-]+)\(")
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'|url\([^)]*\)")
_UNITS = {"%": "percent"}
_FUNCTIONS = {
    "calc": "css-unit-calc", "var": "css-variables", "rgb": "css-rgb", "rgba": "css-rgba", "max": "css-function-max",
    "min": "css-function-min", "clamp": "css-function-clamp", "light-dark": "css-function-light-dark",
    "linear-gradient": "css-linear-gradient", "radial-gradient": "css-radial-gradient",
}  # fmt: skip
_VALUES = {
    ("display", "none"): "css-display-none",
    ("display", "flex"): "css-display-flex",
    ("display", "grid"): "css-display-grid",
}
_COMBINATORS = (
    (r">", "css-selector-child"), (r"\+", "css-selector-adjacent-sibling"), (r"~", "css-selector-general-sibling"),
    (r"[\w\]*)]\s+[\w.#\[*:]", "css-selector-descendant"), (r"\.[\w-]+", "css-selector-class"),
    (r"#[\w-]+", "css-selector-id"), (r"\[", "css-selector-attribute"), (r",", "css-selector-grouping"),
    (r"\*", "css-selector-universal"), (r"(^|[\s>+~,])[a-z]", "css-selector-type"),
    (r"\.[\w-]+\.[\w-]+|\w\.[\w-]+", "css-selector-chaining"),
)  # fmt: skip
_ELEMENTS = {
    **{f"h{level}": "html-h1-h6" for level in range(1, 7)},
    **dict.fromkeys(("table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption"), "html-table"),
    **dict.fromkeys(("ul", "ol", "li", "dl", "dt", "dd"), "html-lists"),
    **dict.fromkeys(("b", "strong", "em", "i"), "html-strong"),
    **dict.fromkeys(("article", "aside", "details", "figure", "footer", "header", "main", "nav", "section"),
                    "html-semantics"),
}  # fmt: skip
# Every mail program knows them, or they are the document's own frame and shown to nobody.
_FRAME = {"html", "head", "title", "meta", "a", "br", "sup", "sub", "u"}
_ATTRIBUTES = {"align", "valign", "width", "height", "cellpadding", "cellspacing", "background", "lang", "dir", "role",
               "hidden", "target", "srcset", "loading"}  # fmt: skip


@cache
def facts() -> tuple[list[str], dict[str, str]]:
    """Return the programs, and for each feature one letter a program: y, a(lmost), n, u(nknown), - (not tested)."""
    found = json.loads(Path(__file__).with_name("caniemail.json").read_text())
    return found["programs"], found["features"]


def unsupported(feature: str) -> list[str]:
    """Return the programs that do not support *feature*."""
    programs, features = facts()
    return [program for program, verdict in zip(programs, features[feature], strict=True) if verdict == "n"]


def used(source: str) -> set[str]:
    """Return every feature that the HTML document *source* uses."""
    shown = _CONDITIONAL.sub("", source)
    document = lxml_html.document_fromstring(shown)
    found = {"html-doctype"} if shown.lstrip().lower().startswith("<!doctype") else set()
    for element in document.iter():
        if isinstance(element.tag, str):
            found.update(_element(element))
            found.update(_declarations(element.get("style", "")))
    for sheet in document.iterfind(".//style"):
        found.update(_sheet(sheet.text or ""))
    return found


def _element(element: lxml_html.HtmlElement) -> Iterator[str]:
    tag = str(element.tag)
    if tag not in _FRAME:
        yield _ELEMENTS.get(tag, f"html-{tag}")
    for name, value in element.attrib.items():
        if name in _ATTRIBUTES or name.startswith("aria-"):
            yield f"html-{name}"
        elif tag == "a" and name == "href" and value.startswith(("#", "mailto:")):
            yield "html-anchor-links" if value.startswith("#") else "html-mailto-links"
        elif tag == "meta" and name == "name" and value == "color-scheme":
            yield "html-meta-color-scheme"
        elif tag == "img" and name == "src" and (kind := re.search(r"\.(\w{3,4})$", value)):
            yield f"image-{kind[1].lower()}"


def _sheet(text: str) -> Iterator[str]:
    plain = _COMMENT.sub("", text)
    for at_rule in re.findall(r"@[^{};]+", plain):
        yield from _at_rule(at_rule.strip())
    for selector, declarations in _RULE.findall(re.sub(r"@[^{};]+[{;]", "", plain)):
        yield from _selector(selector.strip())
        yield from _declarations(declarations)


def _at_rule(text: str) -> Iterator[str]:
    name, _, condition = text.partition(" ")
    yield f"css-at-{name[1:]}"
    for feature in re.findall(r"\(\s*([a-z-]+)", condition) if name == "@media" else ():
        specific = f"css-at-media-{feature.removeprefix('-webkit-').removeprefix('min-').removeprefix('max-')}"
        if specific not in {"css-at-media-width", "css-at-media-height"}:
            yield specific


def _selector(text: str) -> Iterator[str]:
    yield from (f"css-pseudo-element-{name}" for name in re.findall(r"::([a-z-]+)", text))
    yield from (f"css-pseudo-class-{name}" for name in re.findall(r"(?<!:):([a-z-]+)", text))
    yield from (feature for pattern, feature in _COMBINATORS if re.search(pattern, re.sub(r"::?[a-z-]+", "", text)))


def _declarations(text: str) -> Iterator[str]:
    for declaration in _TEXT.sub("x", text).split(";"):
        name, separator, value = (part.strip().lower() for part in declaration.partition(":"))
        if separator:
            yield _property(name)
            yield from _value(name, value)


def _property(name: str) -> str:
    """Return the feature that covers a property: its own, or the one of the shorthand that it belongs to."""
    _, features = facts()
    if name.startswith("--"):
        return "css-variables"
    parts = name.split("-")
    candidates = ["css-" + "-".join(parts[:length]) for length in range(len(parts), 0, -1)]
    return next((one for one in candidates if one in features), f"css-{name}")


def _value(name: str, value: str) -> Iterator[str]:
    if "!important" in value:
        yield "css-important"
    yield from (f"css-unit-{_UNITS.get(unit, unit)}" for unit in _NUMBER.findall(value))
    yield from (_FUNCTIONS.get(function, f"css-function-{function}") for function in _FUNCTION.findall(value))
    if feature := _VALUES.get((name, value.replace("!important", "").strip())):
        yield feature
