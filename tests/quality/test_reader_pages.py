"""A reader's way through mails and pages in a real browser: by keyboard alone, and without scripts; and its looks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import chromium, violations
from newsroom import Newsroom

from newsletter.app import App
from newsletter.domain.subscriber import Status
from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.storage import address_changes
from newsletter.web.server import serving

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.system("chromium")]

ANN = "ann@a-department-with-a-long-name.faculty.university.example.net"
DAY = "2026-07-15"
SCREENS = ((320, "dark"), (768, "light"), (1440, "light"))
JUDGED = {(320, "dark"), (1440, "light")}
_FOCUSED = "() => document.activeElement.innerText || document.activeElement.name || ''"


@dataclass
class Place:
    """A newsletter, and where its pages are."""

    room: Newsroom
    app: App
    url: str

    def link(self, page: str, mail: int = -1) -> str:
        """Return the address of a page to which the newest mail (or another) links."""
        found = re.search(rf"https://papers\.example\.org(/{page}/\S+)", self.room.sink.mails[mail].text)
        assert found
        return self.url + found[1]

    def run(self, *args: str) -> None:
        """Run a command beside the browser, which holds this thread's event loop."""
        process = self.room.start(*args)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err

    @property
    def reader(self) -> subscribe.Subscriber:
        """Return Ann as she is."""
        return subscribe.find(self.app.database, ANN)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Return a newsletter with papers to send, and nobody on the list."""
    room = Newsroom(tmp_path)
    room.publish(DAY, "Alpha: a title long enough to be broken on the smallest of screens", "Beta")
    with room.app() as app, serving(app, "127.0.0.1", 0) as url:
        yield Place(room, app, url)
    room.close()


def focus(page: "Page", words: str) -> None:
    """Go by Tab to what has these words, or this name."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED) == words:
            return
    raise AssertionError(f"no {words!r} is reached by Tab")


def press(page: "Page", words: str) -> None:
    """Press a button by keyboard alone."""
    focus(page, words)
    page.keyboard.press("Enter")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_readers_way(place: Place, *, scripts: bool) -> None:
    """Subscribe, confirm, read, save, choose, leave: by keyboard alone, with and without scripts."""
    sink = place.room.sink
    with chromium() as browser:
        page = browser.new_context(java_script_enabled=scripts, timezone_id="Asia/Tokyo").new_page()
        amiss: list[str] = []
        page.on("console", lambda message: amiss.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: amiss.append(str(error)))
        page.goto(f"{place.url}/subscribe")
        focus(page, "address")
        page.keyboard.type(ANN)
        page.wait_for_timeout(4000)  # who is quicker than a person is asked to press once more
        with page.expect_navigation():
            press(page, "Subscribe")
        sink.wait(1)
        page.goto(place.link("confirm"))
        press(page, "Confirm the subscription")
        page.get_by_role("heading", name="You are subscribed").wait_for()
        assert place.reader.preferences.zone == ("Asia/Tokyo" if scripts else "UTC")
        sink.wait(2)  # the welcome
        place.run("run", "--date", DAY, "--now")
        sink.wait(3)
        page.goto(place.link("react"))
        press(page, "Save")
        page.get_by_role("heading", name="Thank you").wait_for()
        page.goto(place.link("preferences"))
        focus(page, "topics")
        page.keyboard.type("diffusion")
        press(page, "Save")
        page.get_by_role("status").wait_for()
        assert place.reader.preferences.topics == ("diffusion",)
        press(page, "What you saved")
        page.get_by_role("link", name="Alpha").wait_for()
        page.goto(place.link("unsubscribe"))
        press(page, "Unsubscribe")
        page.get_by_role("heading", name="You are not subscribed").wait_for()
        assert place.reader.status is Status.UNSUBSCRIBED
    assert amiss == []


def addresses(place: Place) -> list[str]:
    """Put Ann on the list, who saved a paper, and return every page that she may see."""
    place.room.run("subscribers", "add", ANN, "--topic", "diffusion", "--topic", "author:Ada Okafor")
    place.room.run("run", "--date", DAY, "--now")
    place.room.run("subscribers", "feedback", ANN, "#1", "save")
    place.room.run("subscribers", "add", "bob@example.net", "--topic", "a topic of several words", "--confirm")
    signer, ends = place.app.correspondence.signer, datetime.now(UTC) + timedelta(days=1)
    ann, bob = place.reader.id, subscribe.find(place.app.database, "bob@example.net").id
    with place.app.database.write() as session:
        address_changes.ask(session, ann, 7, f"new-{ANN}", datetime.now(UTC))
    mine = signer.token(Purpose.PREFERENCES, subscriber=ann, expires=ends)
    late = signer.token(Purpose.PREFERENCES, subscriber=ann, expires=datetime.now(UTC) - timedelta(days=1))
    return [
        *("/", "/subscribe", "/de/subscribe", "/zh-Hans/subscribe"),
        f"/preferences/{mine}",
        f"/preferences/{mine}/saved",
        f"/preferences/{mine}/taste",
        f"/preferences/{late}",
        f"/react/{mine}/1/more",
        f"/data/{signer.token(Purpose.DATA, subscriber=ann, expires=ends)}",
        f"/move/{signer.token(Purpose.MOVE, subscriber=ann, delivery=7, expires=ends)}",
        f"/unsubscribe/{signer.token(Purpose.UNSUBSCRIBE, subscriber=ann)}",
        f"/confirm/{signer.token(Purpose.CONFIRM, subscriber=bob, expires=ends)}",
        *("/archive", f"/archive/{DAY}", f"/day/{DAY}", "/week/2026-W29", "/month/2026-07", "/trending"),
        *("/search", "/search?q=alpha", "/papers/1", "/privacy", "/unsubscribe"),
    ]


def test_every_page_fits_and_everybody_can_read_it(place: Place, node_module: Callable[[str], Path]) -> None:
    """From 320 to 1440 pixels nothing goes beyond the side; axe-core finds nothing, light and dark."""
    axe = node_module("axe-core/axe.min.js").read_text("utf-8")
    found: dict[Any, Any] = {}
    paths = addresses(place)
    with chromium() as browser:
        for width, scheme in SCREENS:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
            for path in paths:
                page.goto(place.url + path)
                _judge(page, path, axe, found, (width, scheme))
            page.goto(place.url + paths[4])
            page.get_by_label("Topics").fill('"half a phrase')
            page.get_by_role("button", name="Save").click()
            page.get_by_role("alert").wait_for()
            _judge(page, "wrong", axe, found, (width, scheme))
            page.close()
    assert found == {}


def _judge(page: "Page", path: str, axe: str, found: dict[Any, Any], screen: tuple[int, str]) -> None:
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found[path, screen] = "goes beyond the side"
    if screen in JUDGED:
        # Hundreds of zones are alike, and each costs axe-core a look at every rule.
        page.evaluate("for (const each of document.querySelectorAll('select')) each.length = Math.min(each.length, 9)")
        if amiss := violations(page, axe, "best-practice"):
            found[path, screen, "axe"] = amiss
