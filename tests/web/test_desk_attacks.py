"""What strangers may try at the desk and around it, beside typing: none of it leads anywhere."""

import os
import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk import PASSWORD, Visitor, set_password, visitor
from newsroom import Newsroom
from served import Site
from starlette.testclient import TestClient

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.web.application import application

DAY = "2026-07-15"
TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}}
ODD_HOSTS = ("evil.example", "x/archive#", "x/archive?", "x\\@y", "[::1", "a b", "x:99999", "/", "")


@pytest.fixture
def editor(site: Site) -> Visitor:
    """Return a browser that is logged in."""
    set_password(site)
    came = visitor(site)
    came.log_in()
    return came


def _asked_by(site: Site, host: str, path: str = "/") -> str:
    """Return what is answered to who names the site *host*, which no HTTP library would send."""
    with socket.create_connection(("127.0.0.1", int(site.url.rpartition(":")[2])), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def test_a_name_that_the_site_has_not_changes_no_page(site: Site) -> None:
    """Nothing of the Host leads anywhere, and what is kept for everyone is kept under the path that was asked for."""
    home = site.client.get("/").text
    for host in ODD_HOSTS:
        answer = _asked_by(site, host)
        assert answer.startswith("HTTP/1.1 200 ")
        assert "evil.example" not in answer
        assert "evil.example" not in _asked_by(site, host, "/desk/log")
    assert site.client.get("/").text == home
    assert "<h1>Archive</h1>" in site.client.get("/archive").text


def test_a_session_begins_with_the_login_and_says_so_whatever_a_proxy_says(newsroom: Newsroom) -> None:
    """What the browser had before is worth nothing after; the cookies' flags follow base_url and no header."""
    newsroom.configure(newsletter={"base_url": "https://papers.example.org"})
    newsroom.run("desk", "password", "--name", "editor", "--stdin", typed=f"{PASSWORD}\n")
    said = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    with newsroom.app() as app:
        client = TestClient(
            application(app), base_url="https://papers.example.org", follow_redirects=False, headers=said
        )
        came = Visitor(Site(newsroom, app, "", client), client)  # type: ignore[arg-type]
        came.get("/desk/login")
        before = client.cookies["__Host-desk"]
        answer = client.post("/desk/login", data={"token": came.token, "name": "editor", "password": PASSWORD})
        assert answer.headers["Location"] == "/desk"
        cookies = answer.headers.get_list("Set-Cookie")
        assert all(
            part in one for one in cookies for part in ("__Host-", "Secure", "HttpOnly", "SameSite=lax", "Path=/")
        )
        assert client.cookies["__Host-desk"] != before
        client.cookies.clear()
        client.cookies.set("__Host-desk", before)
        assert client.get("/desk/log").headers["Location"].startswith("/desk/login")


def test_adding_by_link_asks_nobody_but_the_sources(editor: Visitor) -> None:
    """A link to this machine or network, however it is written, is looked up and never followed."""
    site = editor.site
    site.room.publish(DAY, "Alpha")
    site.room.run("gather", "--date", DAY)
    with socket.create_server(("127.0.0.1", 0)) as inside:
        port = inside.getsockname()[1]
        for at in (
            f"127.0.0.1:{port}",
            f"localhost:{port}",
            f"[::ffff:127.0.0.1]:{port}",
            f"arxiv.org@127.0.0.1:{port}",
        ):
            editor.get("/desk/issues")
            editor.post(f"/desk/issues/{DAY}/add", paper=f"http://{at}/abs/2607.00009")
            assert "no source knows it" in editor.said or "use an arXiv id" in editor.said
        inside.setblocking(False)
        with pytest.raises(BlockingIOError):
            inside.accept()


@pytest.fixture
def uploaded(editor: Visitor) -> Path:
    """Return the file that an upload left beside the database."""
    editor.get("/desk/subscribers/import")
    sent, file = {"token": editor.token}, {"file": ("../../../etc/cron.d/x", b"email\nann@example.net\n")}
    editor.answer = editor.client.post("/desk/subscribers/import", data=sent, files=file)
    folder = editor.site.app.database.path.parent
    [place] = folder.glob("*.import-*")
    return place


def test_an_upload_lies_where_only_its_owner_reads_it_and_for_an_hour(editor: Visitor, uploaded: Path) -> None:
    """Whatever it is called, and whatever is asked for in its place; the next run takes away what was left behind."""
    assert stat.S_IMODE(uploaded.stat().st_mode) == 0o600
    assert "/etc" not in editor.page
    name = uploaded.name.rpartition("-")[2]
    for wanted in ("../../../etc/passwd", "*", "0" * 32, f"{name}/../{name}", name.upper()):
        editor.get("/desk/subscribers/import")
        editor.post("/desk/subscribers/import/apply", upload=wanted, name="x")
        assert "that file is gone" in editor.said
    now = datetime.now(UTC)
    editor.site.room.tick(now)
    assert uploaded.exists()
    os.utime(uploaded, times=((now - timedelta(minutes=61)).timestamp(),) * 2)
    editor.get("/desk/subscribers/import")
    editor.post("/desk/subscribers/import/apply", upload=name, name="x")
    assert "that file is gone" in editor.said
    uploaded.with_name(uploaded.name.replace(name, "0" * 32)).symlink_to("dropped by the desk in between")
    editor.site.room.tick(now)
    assert not list(uploaded.parent.glob("*.import-*"))


def test_nobody_between_keeps_what_is_one_readers_or_the_editors(editor: Visitor) -> None:
    """No cache, no frame of another site, no search engine: pages, files and feeds behind a token or a login."""
    site = editor.site
    site.room.run("subscribers", "add", "ann@example.net")
    who = subscribe.find(site.app.database, "ann@example.net").id
    mine, feed, data = (
        site.app.correspondence.signer.token(purpose, subscriber=who, expires=datetime.now(UTC) + timedelta(days=1))
        for purpose in (Purpose.PREFERENCES, Purpose.FEED, Purpose.DATA)
    )
    paths = [f"/preferences/{mine}{part}" for part in ("", "/saved", "/taste", "/saved/papers.bib")]
    paths += [f"/saved/{feed}/atom", f"/saved/{feed}/json", f"/data/{data}", f"/data/{data}/newsletter.json"]
    paths += [f"/desk/{part}" for part in ("log", "subscribers/export.csv", "subscribers", "login", "nowhere")]
    for path in paths:
        answer = editor.client.get(path)
        headers = answer.headers
        assert (answer.status_code, path) == (404 if "nowhere" in path else 200 if "login" not in path else 303, path)
        assert (headers["Cache-Control"], headers["X-Frame-Options"]) == ("no-store", "DENY"), path
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers.get("X-Robots-Tag") == "noindex" or answer.is_redirect
