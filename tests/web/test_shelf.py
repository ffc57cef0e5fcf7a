"""Pages for everyone are made once, until something that they show changes."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from newsletter.mail.tokens import Purpose
from newsletter.services import openings, subscribe

DAY = "2026-07-15"
PAGES = ["/", "/archive", f"/archive/{DAY}", "/search?q=alpha", "/privacy"]


@pytest.mark.parametrize("path", PAGES)
def test_who_has_a_page_is_told_so(site, path):
    """By its tag, weak or strong; what is asked for once more is the same to the octet."""
    site.room.publish(DAY, "Alpha")
    site.room.run("run", "--date", DAY, "--now")
    first, again = site.client.get(path), site.client.get(path)
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    for tag in (first.headers["etag"], f"W/{first.headers['etag']}", f'"other", {first.headers["etag"]}'):
        known = site.client.get(path, headers={"If-None-Match": tag})
        assert (known.status_code, known.content) == (304, b"")
        assert known.headers["cache-control"] == first.headers["cache-control"]
    assert first.headers["content-security-policy"]


def test_what_changes_is_seen_at_once(site):
    """A new issue, a correction, an issue that is stopped."""
    site.room.publish(DAY, "Alpha")
    assert "Alpha" not in site.client.get("/archive").text
    site.room.run("run", "--date", DAY, "--now")
    assert "Alpha" in site.client.get("/archive").text
    site.room.run("issues", "correct", DAY, "It is called Omega.")
    assert "Omega" in site.client.get(f"/archive/{DAY}").text
    site.room.run("issues", "halt", DAY, "--reason", "it is wrong")
    assert site.client.get(f"/archive/{DAY}").status_code == 404
    site.room.run("issues", "resume", DAY)
    assert site.client.get(f"/archive/{DAY}").status_code == 200


def test_searches_are_told_apart_and_languages_too(site):
    """Whatever is kept is kept for its whole address."""
    site.room.publish(DAY, "Alpha", "Beta")
    site.room.run("gather", "--date", DAY)
    assert "Alpha" in site.client.get("/search?q=alpha").text
    assert "Alpha" not in site.client.get("/search?q=beta").text
    assert site.client.get("/de/search?q=alpha").text != site.client.get("/search?q=alpha").text


def test_a_result_that_changes_is_seen_at_once(site):
    """Wherever it was found before: its title, its upvotes; of others of that page nothing is lost."""
    site.room.publish(DAY, "Alpha beta", "Beta gamma", upvotes=5)
    site.room.run("gather", "--date", DAY)
    assert "Alpha beta" in site.client.get("/search?q=alpha").text
    assert "5\u00a0upvotes" in site.client.get("/search?q=gamma").text
    with closing(sqlite3.connect(site.app.database.path)) as other, other:
        changed = "UPDATE papers SET facts = json_set(facts, '$.title', 'Omega beta') WHERE title = 'Alpha beta'"
        assert other.execute(changed).rowcount == 1
        other.execute("UPDATE listings SET upvotes = 7")
    shown = site.client.get("/search?q=beta").text
    assert (">Omega beta<" in shown, ">Alpha beta<" in shown, shown.count("7\u00a0upvotes")) == (True, False, 2)


def test_how_a_summary_begins_is_known_beforehand_and_never_out_of_date(site):
    """Gathering works it out of every paper; whoever changes an abstract sees the new one at once, and then again."""
    site.room.publish(DAY, "Alpha", "Beta", abstract="We propose a first way.")
    site.room.run("gather", "--date", DAY)
    unknown = "SELECT count(*) FROM search_order WHERE opening IS NULL"
    with closing(sqlite3.connect(site.app.database.path)) as other:
        assert other.execute(unknown).fetchone() == (0,)
        assert site.client.get("/search?q=alpha").text.count("We propose a first way.") == 1
        changed = "UPDATE papers SET facts = json_set(facts, '$.abstract', 'We show another.') WHERE title = 'Alpha'"
        assert other.execute(changed).rowcount == 1
        other.commit()
        assert other.execute(unknown).fetchone() == (1,)
    assert "We show another." in site.client.get("/search?q=alpha").text
    openings.open_summaries(site.app.database)
    assert "We show another." in site.client.get("/search?q=another").text


def test_what_is_kept_waits_for_nobody(site):
    """While as many readers as like wait to be written down, a page that is kept is answered."""
    site.room.publish(DAY, "Alpha")
    site.room.run("run", "--date", DAY, "--now")
    site.room.run("subscribers", "add", "ann@example.net")
    who = subscribe.find(site.app.database, "ann@example.net").id
    link = f"/unsubscribe/{site.app.correspondence.signer.token(Purpose.UNSUBSCRIBE, subscriber=who)}"
    front = site.client.get("/")

    with closing(sqlite3.connect(site.app.database.path, isolation_level=None)) as busy, ThreadPoolExecutor(12) as pool:
        busy.execute("BEGIN IMMEDIATE")
        leaving = [pool.submit(site.client.post, link) for _ in range(12)]
        assert site.client.get("/").content == front.content
        busy.execute("ROLLBACK")
        assert {one.result().status_code for one in leaving} == {200}
