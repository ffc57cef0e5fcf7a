"""A day on which every text of every paper is an attack: nothing of it is live in any mail that it makes.

Each mail is read anew, as a mail program would: headers, text, HTML by two parsers of which one is a browser's.
"""

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from browser import chromium
from corpus import Judged
from lxml import html as lxml_html

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# What a browser makes of the document: elements with the names of their attributes, and where links lead.
_SKELETON = """() => [...document.querySelectorAll('*')].map(element =>
    [element.tagName.toLowerCase(), element.getAttributeNames(), element.getAttribute('href') || ''])"""
_SCHEMES = {"http", "https", "mailto"}

Element = tuple[str, tuple[str, ...], str]  # its name, its attributes' names, where it leads


def elements(source: str) -> Iterator[Element]:
    """Yield the elements of a document as lxml reads it."""
    for element in lxml_html.document_fromstring(source).iter():
        if isinstance(element.tag, str):
            yield element.tag, tuple(map(str, element.attrib)), element.get("href", "")


def alive(found: list[Element], harmless: list[Element]) -> list[Element]:
    """Return the elements that no harmless mail has, by name, attribute or scheme of a link."""
    known = {(tag, name) for tag, names, _ in harmless for name in ("", *names)}
    return [
        (tag, names, link)
        for tag, names, link in found
        if any((tag, name) not in known for name in ("", *names)) or (link and urlsplit(link).scheme not in _SCHEMES)
    ]


@pytest.fixture(scope="module", params=["hostile", "hostile_corpora"])
def attacked(request: pytest.FixtureRequest) -> list[Judged]:
    """Return the mails of a day of our own attacks, and of days of well-known ones."""
    found: list[Judged] = request.getfixturevalue(request.param)
    return found


def test_html_has_only_its_own_elements(attacked: list[Judged], harmless: list[Judged]) -> None:
    """No script, handler, style or foreign element, and no link but to the web or to a mailbox."""
    known = [element for judged in harmless for element in elements(judged.mail.html)]
    for judged in attacked:
        assert (judged.name, alive(list(elements(judged.mail.html)), known)) == (judged.name, [])


@pytest.mark.system("chromium")
def test_a_browser_finds_nothing_alive(attacked: list[Judged], harmless: list[Judged]) -> None:
    """As a browser parses it: no foreign element; it fetches nothing but pictures, says nothing and opens nothing."""
    happened: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: (happened.append(route.request.resource_type), route.abort()))
        page.on("dialog", lambda dialog: (happened.append(dialog.message), dialog.dismiss()))
        page.on("framenavigated", lambda frame: happened.append(frame.url))
        known: list[Element] = []
        for judged in harmless:
            page.set_content(judged.mail.html)
            known += [(tag, tuple(names), link) for tag, names, link in page.evaluate(_SKELETON)]
        del happened[:]
        for judged in [one for one in attacked if one.papers != 3]:
            page.set_content(judged.mail.html)
            found = [(tag, tuple(names), link) for tag, names, link in page.evaluate(_SKELETON)]
            assert (judged.name, alive(found, known)) == (judged.name, [])
    assert [what for what in happened if what not in {"about:blank", "image"}] == []


def test_headers_are_the_newsletters_own(attacked: list[Judged], harmless: list[Judged]) -> None:
    """No header more than a harmless digest has, one recipient, one subject on one line, two parts."""
    names = sorted(name.lower() for name in harmless[0].mail.message.keys())  # noqa: SIM118 - a header may repeat
    for judged in attacked:
        message = judged.mail.message
        assert sorted(name.lower() for name in message.keys()) == names, judged.name  # noqa: SIM118
        assert message["To"] == judged.mail.recipient
        assert _unseen(str(message["Subject"])) == []
        assert [part.get_content_type() for part in message.walk()] == [
            "multipart/alternative", "text/plain", "text/html",
        ]  # fmt: skip


def test_no_part_carries_what_cannot_be_seen(attacked: list[Judged]) -> None:
    """No control character but the line feed, no slot or template's mark of ours, no template's result."""
    for judged in attacked:
        for part in (judged.mail.text, judged.mail.html):
            assert (judged.name, _unseen(part.replace("\r\n", ""))) == (judged.name, [])
        assert not re.search(r"^\s*49\s*$|= 49\b", judged.mail.text, re.MULTILINE)


def test_every_text_was_there(hostile: list[Judged]) -> None:
    """The attacks are in the mails at all: each in a subject, in a preheader and on a card."""
    said = "{{ 7*7 }}"
    assert sum(said in str(judged.mail.message["Subject"]) for judged in hostile) == 1
    preheaders = [lxml_html.document_fromstring(judged.mail.html).xpath("string(//body/*[1])") for judged in hostile]
    assert sum(said in preheader for preheader in preheaders) >= 1
    assert sum(said in judged.mail.text for judged in hostile) >= 3


def _unseen(text: str) -> list[str]:
    """Return the characters that change what is around them, or that no mail may carry."""
    turning = "\u202a\u202b\u202d\u202e\u2028\u2029\ue000\ue001"
    return [char for char in text if (unicodedata.category(char) == "Cc" and char not in "\n\t") or char in turning]
