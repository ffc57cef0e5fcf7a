"""The draft by mail: once, at its hour, with links that edit from a phone and can be taken back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from newsroom import LOST, TAKEN, Clock, Newsroom, instant
from starlette.testclient import TestClient

from newsletter.web.application import application

DAY = "2026-07-15"
SEVEN = instant(f"{DAY}T07:00Z")


@pytest.fixture
def room(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter whose editor approves, and is mailed the draft at seven."""
    newsroom.configure(
        editing={"mode": "approve", "deadline": "10:00", "on_deadline": "skip", "draft_at": "07:00"},
        operator={"email": "editor@example.org"},
    )
    newsroom.publish(DAY, "Alpha", "Beta & <Gamma>", "Delta")
    return newsroom


@contextmanager
def phone(room: Newsroom, clock: Clock) -> Iterator[TestClient]:
    """Give a browser that was never at the desk."""
    with room.app() as app:
        yield TestClient(application(app, clock), base_url="https://papers.example.org", follow_redirects=False)


def links(room: Newsroom, do: str) -> list[str]:
    """Return the paths of the mail's links that do something, in the order of its papers."""
    [mail] = room.sink.to("editor@example.org")
    found = re.findall(rf"https://papers\.example\.org(/desk/mail/{do}/[a-z2-7]+)", mail.text)
    assert all(path in mail.html for path in found)
    return found


def front(room: Newsroom) -> list[str]:
    """Return the titles of the front."""
    return [paper["title"] for paper in room.run("issues", "show", DAY, "--json").json["papers"]]


def undo(page: str) -> str:
    """Return where the page's button leads that takes it back."""
    found = re.search(r'action="(/desk/mail/undo/[a-z2-7]+)"', page)
    assert found
    return found[1]


def test_the_editor_is_mailed_the_draft_once(room: Newsroom) -> None:
    """Not before its hour, not again by a later tick; one that no server takes goes with the next, and is told of."""
    room.tick(f"{DAY}T06:59Z")
    assert not room.sink.mails
    room.sink.refusals["editor@example.org"] = "450 4.2.1 try later"
    assert any("the draft of 2026-07-15 could not be mailed" in line for line in room.tick(SEVEN).problems)
    room.sink.refusals.clear()
    for minutes in (1, 2, 60):
        room.tick(SEVEN + timedelta(minutes=minutes))
    drafts = [mail for mail in room.sink.mails if "Draft of" in str(mail.message["Subject"])]
    assert [str(mail.message["Subject"]) for mail in drafts] == ["Draft of 15 July: Alpha"]
    assert "waits for you until 10:00; then there is no issue" in " ".join(drafts[0].text.split())


def test_a_draft_of_which_nobody_knows_is_not_mailed_again(room: Newsroom) -> None:
    """The connection was lost after the dot: the editor is told so, and has one draft, not one for each run."""
    room.sink.at_dot = lambda mail: LOST if "Draft of" in str(mail.message["Subject"]) else TAKEN
    assert any("may not have reached its editor" in line for line in room.tick(SEVEN).problems)
    for minutes in (5, 10):
        room.tick(SEVEN + timedelta(minutes=minutes))
    assert sum("Draft of" in str(mail.message["Subject"]) for mail in room.sink.mails) == 1


def test_a_link_shows_and_its_button_acts(room: Newsroom) -> None:
    """GET and HEAD change nothing; POST does it; for ten minutes it can be taken back, and only where it was last."""
    clock = Clock(SEVEN)
    room.tick(SEVEN)
    pins, drops, notes = (links(room, do) for do in ("pin", "drop", "note"))
    with phone(room, clock) as browser:
        for path in (*pins, *drops, *notes):
            assert browser.get(path).status_code == 200
            browser.head(path)
        assert front(room) == ["Alpha", "Beta & <Gamma>", "Delta"]
        done = browser.post(pins[2])
        assert front(room)[0] == "Delta"
        assert browser.post(undo(done.text)).status_code == 200
        assert front(room)[0] == "Alpha"
        first, _ = browser.post(drops[0]), browser.post(notes[1], data={"note": "With <code>."})
        assert browser.post(undo(first.text)).status_code == 409
        clock.set(SEVEN + timedelta(minutes=11))
        assert browser.post(undo(first.text)).status_code == 410
        assert "With &lt;code&gt;." in browser.get(notes[1]).text
        clock.set(SEVEN + timedelta(hours=25))
        assert browser.post(drops[1]).status_code == 410
    assert front(room) == ["Beta & <Gamma>", "Delta"]


def test_sealing_from_a_phone_can_be_undone_for_ten_minutes(room: Newsroom) -> None:
    """Until then the issue stays a draft, also at the deadline; then it is sealed, and the links do nothing more."""
    clock = Clock(instant(f"{DAY}T09:55Z"))
    room.tick(SEVEN)
    [seal], pins = links(room, "seal"), links(room, "pin")
    with phone(room, clock) as browser:
        back = undo(browser.post(seal).text)
        assert browser.post(back).status_code == 200
        assert room.tick(f"{DAY}T09:59Z").issue is None
        clock.set(instant(f"{DAY}T09:56Z"))
        browser.post(seal)
        assert room.tick(f"{DAY}T10:01Z").issue is None
        outcome = room.tick(f"{DAY}T10:07Z")
        assert outcome.issue
        assert outcome.issue.status == "sealed"
        assert browser.post(pins[0]).status_code == 404
        assert browser.get(seal.replace("/seal/", "/pin/")).status_code == 404


def test_without_pages_the_mail_has_no_links(room: Newsroom) -> None:
    """And a newsletter without an editor's address, or on a day that is none of its own, mails nothing."""
    room.configure(newsletter={"base_url": ""})
    room.tick(SEVEN)
    [mail] = room.sink.to("editor@example.org")
    assert "http" not in mail.text.replace("https://arxiv.org", "")
    room.publish("2026-07-18", "Epsilon")
    room.tick("2026-07-18T07:00Z")
    assert len(room.sink.mails) == 1
