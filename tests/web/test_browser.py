"""The pages in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from served import Site

from newsletter.domain.subscriber import Status
from newsletter.mail.tokens import Purpose
from newsletter.render.colour import contrast
from newsletter.services import subscribe

playwright = pytest.importorskip("playwright.sync_api")

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
ANN, BOB = "ann@example.net", "bob@a-department-with-a-long-name.faculty.university.example.net"
SCREENS = [(320, "light"), (320, "dark"), (1440, "light"), (1440, "dark")]

# What each text says, and its two colours.
_TEXTS = """() => {
    const hex = colour => '#' + colour.match(/\\d+/g).slice(0, 3).map(n => (+n).toString(16).padStart(2, '0')).join('');
    const ground = element => getComputedStyle(element).backgroundColor.endsWith(', 0)')
        ? ground(element.parentElement) : getComputedStyle(element).backgroundColor;
    return [...document.querySelectorAll('h1, h2, p, a, strong, span, button')].map(element =>
        [element.innerText, hex(getComputedStyle(element).color), hex(ground(element))]);
}"""
_BUTTONS = """() => [...document.querySelectorAll('button')].map(button => {
    const box = button.getBoundingClientRect();
    return [box.width, box.height];
})"""


@contextmanager
def chromium() -> Iterator["playwright.Browser"]:
    """Give a browser. It holds this thread's event loop: no command can be run meanwhile."""
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        yield launched
        launched.close()


def links(site: Site) -> tuple[str, str]:
    """Return the link that unsubscribes Bob, and the one that confirms Ann."""
    site.room.publish("2026-07-15", "Alpha: a title long enough to be broken on a narrow screen", "Beta")
    site.room.run("subscribers", "add", BOB)
    site.room.run("run", "--date", "2026-07-15", "--now")
    site.room.run("subscribers", "add", ANN, "--confirm")
    ann, bob = (subscribe.find(site.app.database, who).id for who in (ANN, BOB))
    signer, week = site.app.correspondence.signer, datetime.now(UTC) + timedelta(days=7)
    leave = signer.token(Purpose.UNSUBSCRIBE, subscriber=bob)
    return f"{site.url}/unsubscribe/{leave}", (
        f"{site.url}/confirm/{signer.token(Purpose.CONFIRM, subscriber=ann, expires=week)}"
    )


@pytest.mark.system("chromium")
def test_the_buttons_work_by_mouse_and_by_keyboard(site: Site) -> None:
    """One press each, and the page that follows says what happened."""
    leave, come = links(site)
    with chromium() as browser:
        page = browser.new_page()
        page.goto(leave)
        page.get_by_role("button", name="Unsubscribe").click()
        page.get_by_role("heading", name="You are not subscribed").wait_for()
        assert site.status(BOB) == Status.UNSUBSCRIBED
        page.goto(come)
        while page.evaluate("document.activeElement.tagName") != "BUTTON":
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are subscribed").wait_for()
        assert site.status(ANN) == Status.ACTIVE


@pytest.mark.system("chromium")
def test_pages_fit_and_can_be_read(site: Site) -> None:
    """On narrow and wide, light and dark screens: nothing overflows, every text has contrast, every button a size."""
    leave, come = links(site)
    urls = [site.url, f"{site.url}/archive", f"{site.url}/archive/2026-07-15", leave, come]
    complaints: list[str] = []
    with chromium() as browser:
        for width, scheme in SCREENS:
            page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            page.on("console", lambda message: complaints.append(message.text))
            for url in urls:
                page.goto(url)
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert [told for told in page.evaluate(_TEXTS) if contrast(*told[1:]) < 4.5] == []
                assert all(min(size) >= 44 for size in page.evaluate(_BUTTONS))
    assert complaints == []
