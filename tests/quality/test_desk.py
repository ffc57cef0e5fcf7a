"""The editor's desk in a real browser: a day's work, by mouse, by keyboard alone and without scripts; and its looks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import chromium, violations
from newsroom import Newsroom

from newsletter.web.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.system("chromium")]

PASSWORD = "correct horse battery staple"
TODAY = datetime.now(UTC).date()
BEFORE = TODAY - timedelta(days=1)
PAPERS = (
    "Alpha",
    "Beta, whose title is long enough to be broken on the smallest of screens",
    "Gamma",
    "Delta",
    "Epsilon",
)
READERS = ("ann@example.net", "bob@a-department-with-a-long-name.faculty.university.example.net", "cy@example.org")
SCREENS = ((320, "dark"), (768, "light"), (1440, "light"))
JUDGED = {(320, "dark"), (1440, "light")}


@dataclass
class Place:
    """A newsletter, and where its pages are."""

    room: Newsroom
    url: str

    @property
    def issue(self) -> str:
        """Return the address of today's issue."""
        return f"{self.url}/desk/issues/{TODAY}"

    def front(self) -> list[str]:
        """Return the titles of today's front, as the command line has them."""
        shown = self.room.run("issues", "show", str(TODAY), "--json").json
        return [paper["title"].partition(",")[0] for paper in shown["papers"]]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a newsletter with yesterday's issue sent, in part, and today's a draft."""
    room = Newsroom(tmp_path, newsletter={"base_url": "http://127.0.0.1"}, operator={"email": "me@example.org"})
    room.join(*READERS, at=datetime.now(UTC) - timedelta(days=2), topics="robots")
    room.sink.refusals = {READERS[1]: "550 5.1.1 no such user", READERS[2]: "450 4.2.1 try later"}
    room.publish(str(BEFORE), "Yesterday's paper", "Another of yesterday", organisation="Example University")
    room.run("run", "--date", str(BEFORE), "--now", expect=None)
    [key, *_] = room.publish(str(TODAY), *PAPERS, authors=["Ada Okafor", "Grace Lin", "Mei Chen", "B. Five"])
    room.run("gather", "--date", str(TODAY))
    room.run("subscribers", "feedback", READERS[0], key, "save")
    room.run("desk", "password", "--stdin", typed=f"{PASSWORD}\n")
    with room.app() as app, serving(app, "127.0.0.1", 0) as url:
        yield Place(room, url)
    room.close()


@contextmanager
def at_the_desk(browser: "Browser", place: Place, **options: Any) -> "Iterator[Page]":
    """Give a page that is logged in, at today's issue; nothing may be amiss in its console when it is closed."""
    page = browser.new_page(**options)
    amiss: list[str] = []
    page.on("console", lambda message: amiss.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: amiss.append(str(error)))
    page.goto(f"{place.url}/desk")
    page.get_by_label("Name").fill("editor")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Front").wait_for()
    yield page
    page.close()
    assert amiss == []


def button(page: "Page", name: str, paper: str) -> Any:
    """Return a paper's button."""
    return page.get_by_role("button", name=f"{name} “{paper}")


def wait_for(page: "Page", *titles: str) -> None:
    """Wait until the front shows these titles, in order."""
    wanted = "|".join(titles)
    page.wait_for_function(
        "wanted => [...document.querySelectorAll('#front h3')].map(h => h.innerText.split(',')[0]).join('|') == wanted",
        arg=wanted,
    )


def test_the_editors_day(place: Place) -> None:
    """Pin, drop, move, drag, note, preview, test, seal, watch, halt: each does what it says, and stays where it is."""
    tall = {"width": 1280, "height": 1600}  # who drags by a program cannot scroll meanwhile
    with chromium() as browser, at_the_desk(browser, place, viewport=tall) as page:
        first = ["Alpha", "Beta", "Gamma", "Delta", "Epsilon"]
        wait_for(page, *first)
        button(page, "Pin", "Gamma").click()
        wait_for(page, "Gamma", "Alpha", "Beta", "Delta", "Epsilon")
        button(page, "Drop", "Alpha").click()
        wait_for(page, "Gamma", "Beta", "Delta", "Epsilon")
        papers = page.locator("#front > li")
        papers.nth(3).drag_to(papers.nth(0), target_position={"x": 100, "y": 5})
        wait_for(page, "Epsilon", "Gamma", "Beta", "Delta")
        page.get_by_role("button", name="Undo").click()
        wait_for(page, "Gamma", "Beta", "Delta", "Epsilon")
        page.get_by_text("Add a note on “Delta”").click()
        page.locator("details[open] textarea").fill("With code.")
        page.get_by_role("button", name="Save the note on “Delta”").click()
        page.locator("#front .note", has_text="With code.").wait_for()
        page.get_by_label("Subject of the mails").fill("Robots, and three more")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_text("The subject and the note are kept.").wait_for()
        page.get_by_role("link", name="Preview").click()
        page.get_by_label("As which reader").fill(READERS[0])
        page.get_by_role("button", name="Show").click()
        mail = page.frame_locator("iframe").first
        mail.get_by_text("With code.").wait_for()
        page.get_by_role("button", name="Send a test").click()
        page.get_by_text("Sent to me@example.org: [Test] Robots").wait_for()
        page.get_by_role("link", name="Papers", exact=True).click()
        page.get_by_label("I have looked at it").check()
        page.get_by_role("button", name="Seal the issue").click()
        page.get_by_text("is sealed. The next run sends it.").wait_for()
        page.get_by_role("link", name="Watch them").click()
        page.get_by_text("0 of 0 settled").wait_for()
        place.room.start("run", "--date", str(TODAY), "--now").communicate()  # the browser has this thread's loop
        page.get_by_text("1 of 2 settled").wait_for()  # the script looks again
        page.get_by_role("link", name="Papers", exact=True).click()
        page.get_by_label("Why").fill("wrong subject")
        page.get_by_role("button", name="Halt the sending").click()
        page.get_by_role("button", name="Go on sending").wait_for()


def test_by_keyboard_alone(place: Place) -> None:
    """A paper is moved step by step, and the keyboard stays on the button that was pressed, wherever it goes."""
    with chromium() as browser, at_the_desk(browser, place) as page:
        wait_for(page, "Alpha", "Beta", "Gamma", "Delta", "Epsilon")
        page.keyboard.press("Tab")
        for _ in range(60):
            if page.evaluate("document.activeElement.innerText").startswith("↑") and "Gamma" in page.evaluate(
                "document.activeElement.textContent"
            ):
                break
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        wait_for(page, "Alpha", "Gamma", "Beta", "Delta", "Epsilon")
        page.keyboard.press("Enter")
        wait_for(page, "Gamma", "Alpha", "Beta", "Delta", "Epsilon")
        page.keyboard.press("Tab")  # to the button beside it
        page.keyboard.press("Space")
        wait_for(page, "Alpha", "Gamma", "Beta", "Delta", "Epsilon")
        assert "Move down “Gamma”" in page.evaluate("document.activeElement.textContent")
        assert place.front()[:2] == ["Alpha", "Gamma"]


def test_without_scripts(place: Place) -> None:
    """The same buttons, each with a new page that has the keyboard where it was."""
    with chromium() as browser, at_the_desk(browser, place, java_script_enabled=False) as page:
        button(page, "Move down", "Alpha").click()
        page.locator("#front > li:nth-child(2)", has_text="Alpha").wait_for()
        assert "Move down “Alpha”" in (page.locator(":focus").text_content() or "")
        page.keyboard.press("Enter")
        page.locator("#front > li:nth-child(3)", has_text="Alpha").wait_for()
        button(page, "Drop", "Beta").click()
        page.get_by_role("heading", name="Dropped").wait_for()
        assert place.front() == ["Gamma", "Alpha", "Delta", "Epsilon"]
        page.goto(f"{place.url}/desk/issues/{BEFORE}/deliveries")
        page.get_by_role("link", name="Look again").click()
        page.get_by_text("450 4.2.1 try later").wait_for()


def addresses() -> list[str]:
    """Return the path of each page of the desk."""
    issue, before = f"/desk/issues/{TODAY}", f"/desk/issues/{BEFORE}"
    return [
        *(
            issue,
            f"{issue}/preview?as={READERS[0]}",
            before,
            f"{before}/deliveries",
            "/desk/issues",
            "/desk/subscribers",
        ),
        *("/desk/subscribers/import", "/desk/pictures", "/desk/log", "/desk/issues/1999-01-01", "/desk/subscribers/1"),
    ]


def test_every_page_fits_and_everybody_can_read_it(place: Place, node_module: Callable[[str], Path]) -> None:
    """From 320 to 1440 pixels nothing goes beyond the side; axe-core finds nothing, light and dark."""
    axe = node_module("axe-core/axe.min.js").read_text("utf-8")
    found: dict[Any, Any] = {}
    with chromium() as browser:
        for width, scheme in SCREENS:
            options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
            page = browser.new_page(**options)
            _judge(page, f"{place.url}/desk/login", axe, found, (width, scheme))
            page.get_by_label("Name").fill("editor")
            page.get_by_label("Password").fill(PASSWORD)
            page.keyboard.press("Enter")
            page.get_by_role("heading", name="Front").wait_for()
            for path in addresses():
                _judge(page, place.url + path, axe, found, (width, scheme))
            page.goto(f"{place.url}/desk/subscribers")
            _judge(page, page.locator("tbody a").first.evaluate("link => link.href"), axe, found, (width, scheme))
            page.close()
    assert found == {}


def _judge(page: "Page", url: str, axe: str, found: dict[Any, Any], screen: tuple[int, str]) -> None:
    page.goto(url)
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found[url, screen] = "goes beyond the side"
    if screen in JUDGED and (amiss := violations(page, axe, "best-practice")):
        found[url, screen, "axe"] = amiss
