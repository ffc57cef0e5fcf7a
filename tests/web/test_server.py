"""What holds for every page, and ``newsletter web`` as a process."""

import logging
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import httpx2
import pytest
from lxml import html
from newsroom import Newsroom
from served import Site

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe

PAGES = ("/", "/archive", "/archive/2026-07-15", "/unsubscribe/T", "/confirm/T", "/style.css", "/healthz", "/no")


def unsubscribe_path(site: Site) -> str:
    """Put somebody on the list, and return the path of their link."""
    site.room.run("subscribers", "add", "ann@example.net")
    who = subscribe.find(site.app.database, "ann@example.net").id
    return f"/unsubscribe/{site.app.correspondence.signer.token(Purpose.UNSUBSCRIBE, subscriber=who)}"


def test_every_answer_has_the_headers(site: Site) -> None:
    """Pages, errors, refusals: nothing may be framed, sniffed or loaded, no referrer leaves, and no cookie comes."""
    paths = [*PAGES, unsubscribe_path(site)]
    for answer in (site.client.request(how, path) for path in paths for how in ("GET", "HEAD", "POST", "PUT")):
        headers = answer.headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy == {
            "default-src": "'none'",
            "style-src": "'self'",
            "script-src": "'self'",
            "form-action": "'self'",
            "base-uri": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"] == "max-age=63072000; includeSubDomains"
        assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cross-origin-embedder-policy"] == "require-corp"
        assert headers["x-permitted-cross-domain-policies"] == "none"
        assert "camera=()" in headers["permissions-policy"]
        public = answer.status_code == 200 and answer.request.url.path in {"/", "/archive", "/style.css"}
        assert headers["cache-control"] == ("public, max-age=300" if public else "no-store")
        assert not {"set-cookie", "location", "server"} & set(headers)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/", "GET, HEAD"), ("/archive", "GET, HEAD"), ("/unsubscribe/x", "GET, HEAD, POST"), ("/style.css", "GET, HEAD")],
)
def test_other_methods_are_refused(site: Site, path: str, allowed: str) -> None:
    """With 405, and what is allowed instead."""
    others = {"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "POST"} - set(allowed.split(", "))
    for how in others:
        answer = site.client.request(how, path)
        assert answer.status_code == 405
        assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")


def test_pages_are_documents_that_say_what_they_are(site: Site) -> None:
    """Each has a language, a title of its own, one heading of the first rank, and nothing from elsewhere."""
    titles = set()
    for path in ("/", "/archive", unsubscribe_path(site), "/no"):
        page = site.client.get(path)
        document = html.document_fromstring(page.text)
        assert document.get("lang") == "en"
        assert len(document.xpath("//h1")) == 1
        assert document.xpath("//link[@rel='stylesheet']/@href") == ["/style.css"]
        assert document.xpath("//@src | //script | //@style") == []
        assert len(page.content) < 100_000
        titles.add(document.xpath("string(//title)"))
    assert len(titles) == 4


def test_a_fault_of_ours_is_a_page_without_details(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever asked learns nothing; the log says what it was."""
    path = unsubscribe_path(site)
    with closing(sqlite3.connect(site.app.database.path)) as connection:
        connection.execute("ALTER TABLE subscribers RENAME TO lost")
    answer = site.client.post(path)
    assert answer.status_code == 500
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "Something went wrong here" in answer.text
    assert not re.search("subscribers|sqlite|Traceback", answer.text)
    ends = time.monotonic() + 10
    while "no such table: subscribers" not in caplog.text:  # written after the answer
        assert time.monotonic() < ends, caplog.text
        time.sleep(0.01)


def test_the_log_names_pages_and_no_tokens(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """One line for each answer, from which nobody can unsubscribe anybody."""
    caplog.set_level(logging.INFO)
    path = unsubscribe_path(site)
    for asked in (path, "/healthz", "/no/such/page"):
        site.client.get(asked)
    deadline = time.monotonic() + 10  # an answer may be read before its line is written
    lines: list[str] = []
    while len(lines) < 3 and time.monotonic() < deadline:
        lines = [one.getMessage() for one in caplog.records if not one.name.startswith("http")]  # not the client's
    assert [line.rsplit(" ", 2)[0] for line in lines] == ["GET unsubscribe 200", "GET health 200", "GET no page 404"]


def test_a_database_that_does_not_answer_is_not_healthy(site: Site) -> None:
    """A monitor is told by the status."""
    site.app.database.close()
    site.app.database.path.write_bytes(b"this is no database, and long enough to be looked at as one" * 100)
    answer = site.client.get("/healthz")
    assert (answer.status_code, answer.text) == (503, "the database does not answer")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_end(newsroom: Newsroom, number: signal.Signals) -> None:
    """It says where it listens, answers, and ends well with a client still connected."""
    process = newsroom.start("web", "--port", "0", "-v")
    assert process.stderr
    url = ""
    while not url:
        line = process.stderr.readline()
        assert line, "it ended"
        url = "".join(re.findall(r"http://127\.0\.0\.1:\d+", line))
    with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
        assert client.get("/healthz").text == "ok"
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert out == ""
    assert "Traceback" not in err


def test_several_processes_serve_together(newsroom: Newsroom) -> None:
    """All are ended by one signal; where one of them is killed, the command ends with a clear line."""
    for killed in (False, True):
        process = newsroom.start("web", "--port", "0", "--workers", "2", "-v")
        assert process.stderr
        url = ""
        while not url:
            line = process.stderr.readline()
            assert line, "it ended"
            url = "".join(re.findall(r"http://127\.0\.0\.1:\d+", line))
        with httpx2.Client(base_url=url, trust_env=False, timeout=60) as client:
            assert client.get("/healthz").text == "ok"  # waits for the first who answers
        workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        assert len(workers) == 2
        os.kill(workers[0] if killed else process.pid, signal.SIGKILL if killed else signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert process.returncode == (1 if killed else 0)
        assert ("a process of the pages ended" in err) == killed
        assert "Traceback" not in err
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_port_that_is_taken_is_one_line(newsroom: Newsroom) -> None:
    """Which one, why, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = newsroom.run("web", "--port", str(port), expect=1)
    assert answer.err == f"newsletter: 127.0.0.1:{port}: Address already in use; choose another --host or --port\n"


def test_another_secret_is_refused_before_anyone_is_turned_away(newsroom: Newsroom) -> None:
    """With a secret that is not the database's every link of every mail would be dead."""
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.run("run", "--date", "2026-07-15", "--now")
    (newsroom.folder / "secret").write_text("another secret of thirty-two characters".replace(" ", "-"))
    answer = newsroom.run("web", "--port", "0", expect=2)
    assert "not the secret that this database was used with" in answer.err


def test_without_the_extra_it_says_what_to_install(newsroom: Newsroom) -> None:
    """One line, and everything else works without."""
    code = "import sys; sys.modules['starlette'] = None; from newsletter.cli.main import main; main()"
    command = [sys.executable, "-c", code, "--config", str(newsroom.config), "web"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("newsletter: serving pages needs the extra 'web': pip install '.[web]'")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 2
