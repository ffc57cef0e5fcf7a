"""Whatever is typed at the desk, or comes there from elsewhere, is text: nothing of it is alive, nothing breaks."""

import csv
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx2
import pytest
from desk import PASSWORD, Visitor, set_password, visitor
from hostile import sendable, well_known
from lxml import html as lxml_html
from served import Site

from newsletter.packaged import packaged
from newsletter.services import subscribe
from newsletter.web.desk import charts

EVERY = 100  # of the corpora: all of them take eleven minutes of the processor
TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}, "operator": {"email": "me@example.org"}}
DAY, BEFORE = "2026-07-15", "2026-07-14"
ISSUE, SENT = f"/desk/issues/{DAY}", f"/desk/issues/{BEFORE}"
ANN = "ann@example.org"
PREFERENCES = ("topics", "alerts", "frequency", "zone", "language", "hour")
OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</textarea><svg/onload=alert(1)>",
    "{{ 7*7 }}{% include 'web/desk/log.html' %}",
    "a\r\nSet-Cookie: x=y\r\n\r\n<b>\0\ud83d\udca9\u202e",
    "%00%0d%0a../../../../etc/passwd",
    "𝕊" * 400,
    "99999999999999999999999",
)
_SCHEMES = {"http", "https", "data", ""}
Element = tuple[str, str]


def alive(page: str) -> Iterator[Element]:
    """Yield the elements of a page with their attributes' names, and where a link leads that is none of the web."""
    for element in lxml_html.document_fromstring(page).iter():
        if isinstance(element.tag, str):
            yield element.tag, ""
            yield from ((element.tag, str(name)) for name in element.attrib)
            for name in ("href", "src", "action", "formaction"):
                if urlsplit(element.get(name, "").strip()).scheme not in _SCHEMES:
                    yield element.tag, element.get(name, "")


def typed(came: Visitor, text: str, ann: int, papers: Sequence[int]) -> Iterator[str]:
    """Type *text* into every field and address of the desk, and yield each page that answers."""
    issue, who = ISSUE, f"/desk/subscribers/{ann}"
    forms = [
        (f"{issue}/words", {"subject": text[:300], "note": text}),
        (f"{issue}/papers/{papers[0]}", {"do": "note", "note": text}),
        (f"{issue}/papers/{papers[0]}", {"do": text}),
        (f"{issue}/papers/{papers[0]}", {"do": "move", "position": text}),
        (f"{issue}/papers/{papers[0]}", {"do": "up", "q": text}),
        (f"{issue}/papers/{quote(text[:100], safe='')}", {"do": "pin"}),
        (f"{issue}/add", {"paper": f"#{text}"}),
        (f"{issue}/seal", {"sure": ""}),
        (f"{issue}/preview/test", {"to": text, "as": text}),
        (f"{SENT}/halt", {"reason": text}),
        (f"{SENT}/correct", {"text": text, "sure": "yes"}),
        (f"{SENT}/resume", {}),
        (f"{SENT}/deliveries/release", {"delivery": text, "do": text}),
        (who, {"do": "pause", "until": text}),
        (who, {"do": text}),
        *(
            (f"{who}/preferences", {name: text})
            for name in ("topics", "alerts", "frequency", "zone", "language", "hour")
        ),
        ("/desk/subscribers/import/apply", {"upload": text, "name": text}),
    ]
    came.get("/desk/issues")
    token = came.token
    for path, fields in forms:
        yield came.post(path, **{"token": token, **fields}).text
    asked = quote(text, safe="")
    for path in (
        f"{ISSUE}?q={asked}&page={asked}&at={asked}",
        f"{ISSUE}/preview?as={asked}",
        f"/desk/issues/{asked}",
        f"/desk/subscribers?q={asked}&topic={asked}&status={asked}&sort={asked}&page={asked}",
        f"/desk/log?before={asked}",
        f"/desk/mail/pin/{asked}",
        f"/desk/login?to={asked}",
        *(
            ISSUE,
            SENT,
            f"{SENT}/deliveries",
            f"{ISSUE}/preview",
            who,
            "/desk/subscribers",
            "/desk/pictures",
            "/desk/log",
        ),
    ):
        yield came.get(path).text


def uploaded(came: Visitor, text: str) -> str:
    """Send a file whose name and lines are *text*, and return the page that answers."""
    came.get("/desk/subscribers/import")
    lines = f"email,topics\n{text},{text}\n{ANN},{text}\n".encode("utf-8", "replace")
    name = text.encode("ascii", "replace").decode().translate({ord(c): "_" for c in '"\r\n\0\\'})[:80] or "x"
    sent = {"token": came.token, "skip": "yes"}
    answer = came.client.post("/desk/subscribers/import", data=sent, files={"file": (name, lines)})
    came.answer = came._followed(answer)
    return came.page


def pages(site: Site, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return every page that the desk shows while *texts* are typed into it, each with its text."""
    site.room.publish(BEFORE, *[f"{text} of yesterday" for text in texts[:5]])
    site.room.join(ANN, at=datetime.now(UTC))
    site.room.run("run", "--date", BEFORE, "--now", expect=None)
    facts = {"authors": list(texts[:3]), "organisation": texts[0], "abstract": texts[0]}
    keys = site.room.publish(DAY, *texts[:50], **facts)  # of more, other tests look at the pages
    site.room.run("gather", "--date", DAY)
    site.room.run("subscribers", "feedback", ANN, keys[0], "save", expect=None)
    set_password(site)
    came = visitor(site)
    came.get("/desk/login")
    found = [(texts[0], came.post("/desk/login", name=texts[0], password=texts[0]).text)]
    came.log_in(password=PASSWORD)
    ann = subscribe.find(site.app.database, ANN).id
    for text in texts:
        said = sendable(text)
        found += [(said, page) for page in typed(came, said, ann, [1, 2])]
        found.append((said, uploaded(came, said)))
    cells = [cell for row in csv.reader(came.get("/desk/subscribers/export.csv").text.splitlines()) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))] == []
    return found


@pytest.fixture
def statuses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the status of every answer that a visitor gets."""
    seen: list[int] = []
    followed = Visitor._followed

    def watched(self: Visitor, answer: httpx2.Response) -> httpx2.Response:
        last = followed(self, answer)
        seen.extend((answer.status_code, last.status_code))
        return last

    monkeypatch.setattr(Visitor, "_followed", watched)
    return seen


@pytest.fixture
def harmless() -> set[Element]:
    """Return what the templates and pictures of the desk are made of: each element, and each attribute."""
    found = {("html", ""), ("body", ""), ("path", ""), ("rect", ""), ("line", ""), ("text", ""), ("g", "")}
    folder = packaged("templates") / "web"
    for file in (*(folder / "desk").glob("*.html"), folder / "base.html", folder / "message.html"):
        for tag, attributes in re.findall(r"<([a-z][a-z0-9]*)((?:[^>]|%}|}})*)>", file.read_text("utf-8")):
            found |= {(tag, ""), *((tag, name) for name in re.findall(r"([a-z-]+)(?==|$|[ >{])", attributes))}
    drawn = charts.bars("x", {"a": {"b": 1}, "c": {"b": 1}}) + charts.lines(
        "x", {"a": {date(2026, 7, 1): 1, date(2026, 7, 2): 2}}
    )
    return found | set(alive(f"<html><body>{drawn + charts.columns('x', {'a': {'b': 1}})}</body></html>"))


def test_nothing_typed_is_alive(site: Site, statuses: list[int], harmless: set[Element]) -> None:
    """Into every field and address of every page: no element of its own, and no answer of 5xx."""
    _judge(pages(site, OWN), statuses, harmless)


def test_nothing_well_known_is_alive(site: Site, shared: Path, statuses: list[int], harmless: set[Element]) -> None:
    """The same with some of the corpora of hostile strings."""
    _judge(pages(site, well_known(shared, EVERY)), statuses, harmless)


def _judge(found: list[tuple[str, str]], statuses: list[int], harmless: set[Element]) -> None:
    assert [status for status in statuses if status >= 500] == []
    for text, page in found:
        assert (text, [element for element in alive(page) if element not in harmless]) == (text, [])
