"""What the tests of hostile texts share: the texts, and what a strict look at an answer calls alive."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from lxml import etree
from lxml import html as lxml_html

_CORPORA = ("xss/payloads.json", "blns/blns.json")
_FORBIDDEN = {"img", "svg", "iframe", "object", "embed", "style", "base", "math", "video", "audio", "frame", "applet"}
_LINKS = ("href", "src", "action", "formaction")
_SCHEMES = {"", "http", "https", "mailto"}
_ATOM = "{http://www.w3.org/2005/Atom}"


def well_known(shared: Path, usual: int) -> list[str]:
    """Return every *usual*-th text of the corpora of hostile strings, ``NEWSLETTER_HOSTILE_EVERY=1`` for all.

    Skip where they are not there.
    """
    files = [shared / "corpora" / name for name in _CORPORA]
    if missing := [str(file) for file in files if not file.is_file()]:
        pytest.skip(f"{', '.join(missing)} is not there")
    texts = [text for file in files for text in json.loads(file.read_text("utf-8")) if text.strip()]
    return texts[:: int(os.environ.get("NEWSLETTER_HOSTILE_EVERY", usual))]


def sendable(text: str) -> str:
    """Return *text* without halves of characters, which no browser sends."""
    return text.encode("utf-8", "replace").decode()


def alive(answer: httpx2.Response) -> list[str]:
    """Return what could act in an answer; it has to be what it says that it is."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind.endswith("json"):
        document = json.loads(answer.content)
        items = document.get("items", []) if isinstance(document, dict) else []
        return [what for item in items for what in _of_markup(item["content_html"])]
    if kind.endswith("xml"):
        return list(_of_a_feed(etree.fromstring(answer.content)))
    return list(_of_markup(answer.text)) if kind == "text/html" else []


def _of_a_feed(feed: etree._Element) -> Iterator[str]:
    for element in feed.iter():
        if not str(element.tag).startswith(_ATOM):
            yield str(element.tag)
        if element.tag == f"{_ATOM}content":
            yield from _of_markup(element.text or "")
        if urlsplit(element.get("href", "")).scheme not in _SCHEMES:
            yield element.get("href", "")


def _of_markup(page: str) -> Iterator[str]:
    if not page.strip():
        return
    for element in lxml_html.document_fromstring(page).iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag in _FORBIDDEN or (element.tag == "script" and (element.text or not element.get("src"))):
            yield element.tag
        if element.tag == "script" and urlsplit(element.get("src", "")).netloc:
            yield element.get("src", "")
        if element.tag == "meta" and element.get("http-equiv"):
            yield "meta"
        yield from (str(name) for name in element.attrib if str(name).startswith(("on", "style", "srcdoc")))
        for name in _LINKS:
            link = urlsplit(element.get(name, "").strip())
            if link.scheme not in _SCHEMES or link.netloc.endswith("evil.example"):
                yield element.get(name, "")
