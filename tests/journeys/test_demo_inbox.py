"""The demo's inbox and its pages: they take mail from anybody on this machine, so they trust none of it."""

import http.client
import mailbox
import shutil
import smtplib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.demo import inbox
from newsletter.demo.inbox import Inbox, Mail
from newsletter.demo.inbox_page import InboxPage

HOSTILE = """\
From: "<script>owned()</script>" <eve@example.net>
To: ann@example.net
Subject: </title><script>owned()</script><img src=x onerror=owned()>
Date: not a date
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=no-such-charset

</pre><script>owned()</script>
.a line that begins with a dot
--b
Content-Type: text/html; charset=utf-8

<!doctype html><html><head><base href="https://eve.example/"><meta http-equiv="refresh" content="0;url=/refreshed">
<script>document.title = "owned"; top.location = "/owned"</script></head>
<body onload="top.location = '/owned'"><img src="/fetched" onerror="top.location = '/owned'">
<form action="/posted"><input name="password"><button>Log in</button></form>
<a href="javascript:top.location = '/owned'">a link</a><iframe src="/framed"></iframe></body></html>
--b--
"""
# It must run where there is no sandbox to be had, and ask nobody for anything.
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_CHROMIUM += ["--disable-component-update", "--disable-sync"]


@dataclass(frozen=True)
class Answer:
    """What the page answered."""

    status: int
    headers: http.client.HTTPMessage
    body: str


@dataclass(frozen=True)
class Shown:
    """An inbox, taking mail and shown."""

    inbox: Inbox
    page: InboxPage

    def deliver(self, message: str, to: str = "ann@example.net") -> Mail:
        """Deliver a message by SMTP, and return it as it lies there."""
        with smtplib.SMTP("127.0.0.1", self.inbox.port) as client:
            client.sendmail("eve@example.net", [to], message.encode().replace(b"\n", b"\r\n"))
        return inbox.mails(self.inbox.folder)[-1]

    def ask(self, path: str, *, host: str = "", method: str = "GET") -> Answer:
        """Ask the page for *path*."""
        connection = http.client.HTTPConnection("127.0.0.1", self.page.port, timeout=10)
        connection.request(method, path, headers={"Host": host} if host else {})
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read().decode())
        connection.close()
        return answer


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Shown]:
    """Return an empty inbox."""
    with Inbox(tmp_path / "inbox") as taking, InboxPage(taking.folder, {"ann@example.net": "<b>Ann</b>"}) as page:
        serving = threading.Thread(target=page.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield Shown(taking, page)
        page.shutdown()
        serving.join(timeout=10)


def test_an_empty_inbox_says_so(shown: Shown) -> None:
    """Before the first mail there is a page too."""
    assert "Nothing has arrived yet." in shown.ask("/").body


def test_mails_lie_as_they_came(shown: Shown) -> None:
    """What was sent is what lies there, line ends and stuffed dots undone, below the envelope."""
    message = "Subject: dots\n\n.\n..\n.three\ncaf\u00e9\n"
    mail = shown.deliver(message)
    above = "Return-Path: <eve@example.net>\nDelivered-To: ann@example.net\n"
    assert mail.source.decode() == above + message
    assert shown.deliver("Subject: again\n\n").key != mail.key
    assert [each.subject for each in inbox.mails(shown.inbox.folder)] == ["dots", "again"]


def test_each_view(shown: Shown) -> None:
    """A mail is shown as HTML in a frame, as text, with its headers, and as it is."""
    key = shown.deliver("Subject: =?utf-8?q?caf=C3=A9?=\nX-Odd: <i>\nContent-Type: text/plain\n\n1 < 2\n").key
    assert "café" in shown.ask("/").body
    assert "1 &lt; 2" in shown.ask(f"/mail/{key}/text").body
    assert "&lt;i&gt;" in shown.ask(f"/mail/{key}/headers").body
    assert "Subject: =?utf-8?q?caf=C3=A9?=" in shown.ask(f"/mail/{key}/source").body
    assert "This mail has no such part." in shown.ask(f"/mail/{key}/html").body
    assert shown.ask(f"/mail/{key}/body").status == 404


def test_hostile_mail_is_escaped_in_every_view(shown: Shown) -> None:
    """No view of the page carries a tag of the mail's, and its policy would let no script run."""
    key = shown.deliver(HOSTILE).key
    for path in ("/", *(f"/mail/{key}/{view}" for view in ("html", "text", "headers", "source"))):
        answer = shown.ask(path)
        assert answer.status == 200
        assert "<script" not in answer.body
        assert "<b>Ann" not in answer.body
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self';")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox=" in shown.ask(f"/mail/{key}/html").body


def test_a_mails_html_is_served_inert(shown: Shown) -> None:
    """The mail's own HTML comes under a policy that allows no script, no form and nothing from elsewhere."""
    answer = shown.ask(f"/mail/{shown.deliver(HOSTILE).key}/body")
    rules = dict(rule.strip().partition(" ")[::2] for rule in answer.headers["Content-Security-Policy"].split(";"))
    assert "<script>" in answer.body  # as it was sent: it is the browser that must not run it
    assert rules["sandbox"].split() == ["allow-popups", "allow-popups-to-escape-sandbox"]
    assert {name: rules[name] for name in ("default-src", "base-uri", "form-action")} == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.system("chromium")
def test_a_browser_runs_nothing_of_it(shown: Shown) -> None:
    """In a real browser a hostile mail opens, and nothing happens: no script, no fetch, no leaving the page."""
    from playwright.sync_api import sync_playwright

    key = shown.deliver(HOSTILE).key
    fetched: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=_CHROMIUM)
        page = browser.new_page()
        page.on("requestfinished", lambda request: fetched.append(request.url))
        page.goto(f"{shown.page.url}mail/{key}/html")
        frame = page.frame_locator("iframe[title='The mail as HTML']")
        frame.get_by_text("a link").click()
        frame.get_by_role("button").click()
        page.wait_for_timeout(300)
        assert page.url == f"{shown.page.url}mail/{key}/html"
        page.goto(f"{shown.page.url}mail/{key}/body")
        page.wait_for_timeout(300)
        assert page.title() == ""
        browser.close()
    known = {f"{shown.page.url}{path}" for path in (f"mail/{key}/html", "inbox.css", f"mail/{key}/body")}
    assert {url for url in fetched if not url.startswith(("data:", "about:"))} == known


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example"])
def test_other_hosts_are_refused(shown: Shown, host: str) -> None:
    """A name that somebody points at this machine does not open the inbox to their pages."""
    shown.deliver("Subject: private\n\n")
    answer = shown.ask("/", host=host)
    assert answer.status == 421
    assert "private" not in answer.body
    assert shown.ask("/", host=f"localhost:{shown.page.port}").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_only_reading(shown: Shown, method: str) -> None:
    """There is nothing to change here."""
    assert shown.ask("/", method=method).status == 501


@pytest.mark.parametrize("path", ["/nothing", "/mail/none/text", "/mail/..%2f..%2fsecret/source", "/mail//", "//x/y"])
def test_only_mails_are_found(shown: Shown, path: str) -> None:
    """No path leads out of the inbox."""
    (shown.inbox.folder.parent / "secret").write_text("hidden")
    answer = shown.ask(path)
    assert answer.status == 404
    assert "hidden" not in answer.body


def test_a_request_for_no_address_is_answered(shown: Shown) -> None:
    """No client sends it, but anybody may."""
    with socket.create_connection(("127.0.0.1", shown.page.port), timeout=10) as asking:
        asking.sendall(f"GET http://[ HTTP/1.0\r\nHost: 127.0.0.1:{shown.page.port}\r\n\r\n".encode())
        assert b"404" in asking.recv(100)


_WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)
_NAMES = st.sampled_from(["Subject", "From", "Date", "Content-Type", "Content-Transfer-Encoding", "Delivered-To"])
_VALUES = _WORDS | st.sampled_from(
    ["=?utf-8?b?====?=", "=?x?q?a?=", "=?utf-8?q?=FF?=", "text/html; charset=hex", "text/plain; charset=idna", "base64"]
)
_WRITTEN = st.lists(st.tuples(_NAMES, _VALUES), max_size=6).map(
    lambda headers: "".join(f"{name}: {value}\n" for name, value in headers).encode() + b"\n=\xff\n"
)


@given(source=st.binary(max_size=200) | _WRITTEN)
def test_anything_can_be_read(source: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whatever lies there is shown as well as it can be, and never an error."""
    folder = tmp_path_factory.mktemp("any") / "inbox"
    key = mailbox.Maildir(folder).add(source)
    mail = inbox.read(folder, key)
    assert mail is not None
    assert mail.source == source.replace(b"\r\n", b"\n") or b"\r" in source
    assert not any("\n" in value for _, value in mail.headers)
