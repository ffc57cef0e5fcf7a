"""The pages in a real browser."""

from collections.abc import Iterator
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

_COLOURS = """element => {
    const hex = colour => '#' + colour.match(/\\d+/g).slice(0, 3).map(n => (+n).toString(16).padStart(2, '0')).join('');
    let ground = element;
    while (getComputedStyle(ground).backgroundColor.endsWith(', 0)')) ground = ground.parentElement;
    return [hex(getComputedStyle(element).color), hex(getComputedStyle(ground).backgroundColor)];
}"""


@pytest.fixture
def browser() -> Iterator["playwright.Browser"]:
    """Return Chromium."""
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
def test_the_buttons_work_by_mouse_and_by_keyboard(site: Site, browser: "playwright.Browser") -> None:
    """One press each, and the page that follows says what happened."""
    leave, come = links(site)
    page = browser.new_page()
    page.goto(leave)
    page.get_by_role("button", name="Unsubscribe").click()
    assert page.get_by_role("heading", level=1).inner_text() == "You are not subscribed"
    assert site.status(BOB) == Status.UNSUBSCRIBED
    page.goto(come)
    while page.evaluate("document.activeElement.tagName") != "BUTTON":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="You are subscribed").wait_for()
    assert site.status(ANN) == Status.ACTIVE


@pytest.mark.system("chromium")
@pytest.mark.parametrize(("width", "scheme"), SCREENS)
def test_pages_fit_and_can_be_read(site: Site, browser: "playwright.Browser", width: int, scheme: str) -> None:
    """On narrow and wide, light and dark screens: nothing overflows, every text has contrast, every button a size."""
    leave, come = links(site)
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    for url in (site.url, f"{site.url}/archive", f"{site.url}/archive/2026-07-15", leave, come):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for found in page.locator("h1, h2, p, a, strong, span, button").all():
            ink, ground = found.evaluate(_COLOURS)
            assert contrast(ink, ground) >= 4.5, found.inner_text()
        for button in page.get_by_role("button").all():
            box = button.bounding_box()
            assert box
            assert min(box["width"], box["height"]) >= 44
    assert complaints == []
