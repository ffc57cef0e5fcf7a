"""``issues preview --open``: the mails in the browser before they are sent, anew whenever a template is edited."""

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from newsroom import Newsroom

from newsletter.packaged import packaged

FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
ANN = "ann@example.net"
DAY = "2026-07-15"
HOSTILE = "</title></pre><script>document.title='owned'</script><img src=x onerror=\"top.location='/owned'\">"
SCREENS = [(1440, 900, "light"), (1440, 900, "dark"), (390, 844, "light")]


@dataclass(frozen=True)
class Preview:
    """A preview that is open at ``url``, of a newsletter whose own templates lie in ``own``."""

    room: Newsroom
    own: Path
    url: str
    process: subprocess.Popen[str]
    client: httpx2.Client

    def get(self, path: str) -> httpx2.Response:
        """Return the answer to a request."""
        return self.client.get(path)

    def change(self, name: str, old: str, new: str) -> None:
        """Copy a packaged template to the operator's, with a change in it."""
        packed = (packaged("templates") / "email" / name).read_text("utf-8")
        assert old in packed
        (self.own / name).write_text(packed.replace(old, new))


@pytest.fixture
def preview(newsroom: Newsroom) -> Iterator[Preview]:
    """Return the preview of a draft as Ann sees it, who follows a hostile paper."""
    own = newsroom.folder / "look/email"
    own.mkdir(parents=True)
    newsroom.configure(look={"templates": "look"})
    newsroom.publish(DAY, "Alpha", f"Beta {HOSTILE}", abstract=f"We study it. {HOSTILE}")
    newsroom.run("gather", "--date", DAY)
    newsroom.run("subscribers", "add", ANN, "--topic", "beta")
    process = newsroom.start("issues", "preview", DAY, "--as", ANN, "--open")
    assert process.stdout
    url = process.stdout.readline().split(" at ")[1].split()[0]
    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        yield Preview(newsroom, own, url, process, client)


def test_it_says_where_it_is_and_ends_with_ctrl_c(preview):
    """On loopback only, on a free port."""
    assert preview.url.startswith("http://127.0.0.1:")
    assert preview.get("/").status_code == 200
    preview.process.send_signal(signal.SIGINT)
    out, err = preview.process.communicate(timeout=20)
    assert (preview.process.returncode, out, err) == (0, "", "")


def test_all_forms_of_the_mail_are_on_one_page(preview):
    """Four frames, the text, the headers and the source; as Ann sees it, and every other kind of mail beside it."""
    page = preview.get("/").text
    assert page.count("<iframe ") == 4
    assert f"Wednesday, 15 July 2026, for {ANN}" in page
    assert "matches “beta”" in page  # in the text
    assert "<dt>List-Unsubscribe-Post</dt>" in page
    assert "Content-Type: multipart/alternative" in page
    names = ["issue", "digest", "topics", "weekly", "missed", "nothing", "confirmation", "welcome", "operator"]
    for name in names:
        assert f'href="/mail/{name}"' in page
        assert preview.get(f"/mail/{name}").status_code == 200
    assert "color-scheme:dark!important" in preview.get("/mail/issue/dark").text
    assert preview.get("/mail/operator/light").status_code == 404  # has text alone


def test_a_hostile_paper_is_inert(preview):
    """Escaped on the page; in the frames under a policy without scripts, forms or fetches."""
    page = preview.get("/")
    assert "<script>document" not in page.text
    assert "<img" not in page.text
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    body = preview.get("/mail/issue/light")
    assert "<script>document" not in body.text  # the mail itself escapes it
    rules = body.headers["Content-Security-Policy"]
    assert rules.startswith("sandbox allow-popups allow-popups-to-escape-sandbox allow-same-origin; default-src 'none'")
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox allow-same-origin"' in page.text


def test_nothing_else_is_served(preview):
    """No path leads anywhere else, and no other name leads here."""
    for path in ("/nothing", "/mail/none", "/mail/issue/sepia", "/mail//light", "/..%2f..%2fsecret"):
        assert preview.get(path).status_code == 404
    assert preview.client.get("/", headers={"Host": "evil.example"}).status_code == 421


def test_a_change_is_seen_and_a_mistake_is_told(preview):
    """The stamp changes with the file; what does not work is told, and the mail goes on being shown as it was."""
    before = preview.get("/stamp").text
    assert preview.get("/stamp").text == before
    preview.change("card.html", "{{ slots.rank }}", "No. {{ slots.rank }}")
    after = preview.get("/stamp").text
    assert after != before
    assert "No. " in preview.get("/mail/issue/light").text

    preview.change("card.html", "{{ slots.rank }}", "{{ slots.rnak }}")
    broken = preview.get("/").text
    assert str(preview.own / "card.html") in broken
    assert "rnak" in broken
    assert "(Below is how it was before.)" in broken
    assert "No. " in preview.get("/mail/issue/light").text
    assert "Cannot be made" not in preview.get("/mail/confirmation").text

    preview.room.configure(newsletter={"max_papers": "many"})
    assert "max_papers" in preview.get("/mail/confirmation").text
    preview.room.configure(newsletter={"max_papers": 10, "name": "Evening Papers"})
    (preview.own / "card.html").unlink()
    mended = preview.get("/").text
    assert "Cannot be made" not in mended
    assert "Evening Papers · 15 July" in mended


def test_without_an_issue_there_are_the_invented_ones(newsroom):
    """A template can be designed before the first paper; who is no subscriber is an error at once."""
    process = newsroom.start("issues", "preview", DAY, "--open", "--json")
    assert process.stdout
    line = "".join(process.stdout.readline() for _ in range(3))
    url = line.split('"url": "')[1].split('"')[0]
    page = httpx2.get(url, trust_env=False, timeout=30).text
    assert "Cannot be made:</strong> no issue of 2026-07-15" in page
    assert "Read It Back" in httpx2.get(f"{url}mail/digest", trust_env=False, timeout=30).text
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    refused = newsroom.run("issues", "preview", DAY, "--open", "--as", "nobody@example.net", expect=1)
    assert "no subscriber" in refused.err


@pytest.mark.system("chromium")
def test_in_a_browser(preview):
    """It fits, dark is dark in a light browser, an edit is shown where one was reading, and papers run nothing."""
    playwright = pytest.importorskip("playwright.sync_api")
    said: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS.split())
        for width, height, scheme in SCREENS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.on("console", lambda message: said.append(message.text))
            page.goto(preview.url)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            lightness = {}
            for wanted in ("light", "dark"):
                frame = page.frame_locator(f"iframe[title='Narrow, {wanted}']")
                frame.get_by_role("link", name="Alpha", exact=True).wait_for()
                lightness[wanted] = frame.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
                assert frame.locator("body").evaluate("e => e.ownerDocument.documentElement.scrollWidth") <= 320
            red, *_ = (int(part) for part in lightness["dark"].removeprefix("rgb(").rstrip(")").split(", "))
            assert red < 64
            red, *_ = (int(part) for part in lightness["light"].removeprefix("rgb(").rstrip(")").split(", "))
            assert red > 192
        page.get_by_label("Source").uncheck()
        assert not page.locator("section.source").is_visible()
        page.evaluate("document.querySelector('iframe').contentWindow.scrollTo(0, 120)")
        preview.change("card.html", "{{ slots.rank }}", "No. {{ slots.rank }}")
        page.frame_locator("iframe >> nth=0").get_by_text("No. 1").wait_for()
        assert page.evaluate("document.querySelector('iframe').contentWindow.scrollY") == 120
        preview.change("card.html", "{{ slots.rank }}", "{{ slots.rnak }}")
        page.get_by_text("Cannot be made:").wait_for()
        assert page.get_by_text("fails").count() > 1
        page.get_by_role("link", name="Confirmation").click()
        page.wait_for_url("**/mail/confirmation")
        assert not page.locator("section.source").is_visible()  # as it was chosen
        preview.process.send_signal(signal.SIGINT)
        page.get_by_text("The preview has ended.").wait_for()
        assert "owned" not in page.title()
        browser.close()
    assert [line for line in said if "Failed to load" not in line and "ERR_" not in line] == []
