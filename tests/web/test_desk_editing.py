"""The editor's day without scripts: what the buttons of the desk do is what the commands do."""

import re
from datetime import UTC, datetime

from desk import Visitor, set_password, visitor
from newsroom import LOST
from served import Site

DAY = "2026-07-15"
TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}}  # cookies of https do not travel without TLS
PAPERS = ("Alpha", "Beta", "Gamma", "Delta")
ISSUE = f"/desk/issues/{DAY}"


def editor(site: Site, *papers: str) -> Visitor:
    """Return a browser that is logged in at a newsletter with the *papers* of a day."""
    site.room.publish(DAY, *(papers or PAPERS))
    site.room.run("gather", "--date", DAY)
    set_password(site)
    came = visitor(site)
    came.log_in()
    came.get(ISSUE)
    return came


def front(site: Site, day: str = DAY) -> list[str]:
    """Return the titles of the front, as the command line has them."""
    return [paper["title"] for paper in site.room.run("issues", "show", day, "--json").json["papers"]]


def number(came: Visitor, title: str) -> str:
    """Return the id of a paper, as the page has it."""
    found = re.search(rf'id="drop-(\d+)"[^>]*>[^<]*<span class="unseen"> “{title}”', came.page)
    assert found, f"no button to drop {title}"
    return found[1]


def press(came: Visitor, title: str, do: str, **fields: str) -> None:
    """Press a button of a paper."""
    came.post(f"{ISSUE}/papers/{number(came, title)}", do=do, **fields)


def test_papers_are_pinned_dropped_and_moved(site: Site) -> None:
    """Each button does what it says, and gives the keyboard back to where it was."""
    came = editor(site)
    press(came, "Gamma", "pin")
    assert front(site) == ["Gamma", "Alpha", "Beta", "Delta"]
    assert f'id="pin-{number(came, "Gamma")}" autofocus' in came.page
    press(came, "Delta", "up")
    press(came, "Delta", "up")
    assert front(site) == ["Gamma", "Delta", "Alpha", "Beta"]
    press(came, "Gamma", "down")
    assert front(site) == ["Delta", "Gamma", "Alpha", "Beta"]
    press(came, "Alpha", "drop")
    assert front(site) == ["Delta", "Gamma", "Beta"]
    press(came, "Alpha", "undrop")
    press(came, "Gamma", "move", position="4")
    press(came, "Delta", "back")
    press(came, "Gamma", "unpin")
    assert front(site) == ["Alpha", "Beta", "Delta", "Gamma"]
    assert "you moved it to place 4" in came.page.lower()


def test_what_was_done_last_is_undone_whoever_did_it(site: Site) -> None:
    """One step after the other, also what the command line did; and the log tells of all of it."""
    came = editor(site)
    press(came, "Gamma", "pin")
    site.room.run("issues", "drop", DAY, site.room.publish(DAY, "Alpha")[0])
    came.post(f"{ISSUE}/words", subject="Robots", note="No issue on Monday.")
    came.post(f"{ISSUE}/undo")
    assert came.said == "Undone: subject: Robots; note: No issue on Monday."
    came.post(f"{ISSUE}/undo")
    assert "is left out: Alpha" in came.said
    assert front(site) == ["Gamma", "Alpha", "Beta", "Delta"]
    site.room.run("issues", "undo", DAY)
    assert front(site) == ["Alpha", "Beta", "Gamma", "Delta"]
    assert "nothing is left to undo" in site.room.run("issues", "undo", DAY, expect=1).err
    told = site.room.run("desk", "log", "--json").json["changes"]
    did = [(change["who"], change["from"]) for change in reversed(told)]
    assert did[2:] == [
        ("desk", "127.0.0.1"),
        ("command line", None),
        *[("desk", "127.0.0.1")] * 3,
        ("command line", None),
    ]


def test_words_and_notes_are_kept_and_shown(site: Site) -> None:
    """The subject, the note of the issue and of a paper stand in the mail of the preview and of the test."""
    came = editor(site)
    press(came, "Beta", "note", note="With code & <b>data</b>.")
    came.post(f"{ISSUE}/words", subject="Robots, and three more", note="Until Tuesday.")
    came.get(f"{ISSUE}/preview")
    for said in ("Robots, and three more", "With code &amp; &lt;b&gt;data&lt;/b&gt;.", "Until Tuesday."):
        assert said in came.page
    came.post(f"{ISSUE}/preview/test", to="me@example.org", **{"as": ""})
    assert came.said == "Sent to me@example.org: [Test] Robots, and three more"
    assert "Until Tuesday." in site.room.sink.to("me@example.org")[0].text


def test_the_frame_of_a_mail_is_inert_and_each_reader_has_their_own(site: Site) -> None:
    """It comes with a policy that allows no script and nothing to be sent, and holds what that reader would get."""
    site.room.subscribe("ann@example.org", topics="gamma")
    came = editor(site)
    came.get(f"{ISSUE}/preview?as=ann@example.org")
    assert "matches “gamma”" in came.page
    mail = came.get(f"{ISSUE}/preview/dark?as=ann@example.org")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert mail.text.index("Gamma") < mail.text.index("Alpha")
    assert came.get(f"{ISSUE}/preview?as=nobody@example.org").status_code == 404
    assert "no subscriber nobody@example.org" in came.page


def test_an_issue_is_sealed_watched_halted_and_corrected(site: Site) -> None:
    """Final steps want a tick in the box; what cannot be done any more says so, and changes nothing."""
    came = editor(site)
    came.post(f"{ISSUE}/seal")
    assert "tick the box" in came.said
    came.post(f"{ISSUE}/seal", sure="yes")
    assert "is sealed" in came.said
    site.room.join("ann@example.org", at=datetime.now(UTC))
    site.room.sink.refusals["ann@example.org"] = "450 4.2.1 try later"
    site.room.run("deliver", expect=3)
    came.get(f"{ISSUE}/deliveries")
    assert "450 4.2.1 try later" in came.page
    assert re.search(r"Put off, by destination.*example\.org</span>: 1", came.page, re.DOTALL)
    assert "0 of 1 settled" in came.get(f"{ISSUE}/deliveries/live").text
    came.get(ISSUE)
    came.post(f"{ISSUE}/halt", reason="wrong subject")
    came.post(f"{ISSUE}/papers/1", do="drop")
    assert "is sealed; only a draft can be edited" in came.said
    assert site.room.run("issues", "show", DAY, "--json").json["brake"] == "halted"
    came.post(f"{ISSUE}/resume")
    came.post(f"{ISSUE}/correct", text="Beta has no code yet.", sure="yes")
    came.post(f"{ISSUE}/halt", reason="again")
    came.post(f"{ISSUE}/cancel", sure="yes")
    shown = site.room.run("issues", "show", DAY, "--json").json
    assert (shown["brake"], [c["text"] for c in shown["corrections"]]) == ("cancelled", ["Beta has no code yet."])


def test_what_is_wrong_is_said_in_one_line(site: Site) -> None:
    """Papers, dates and buttons that there are not: a sentence where the person was, or a page that is not there."""
    came = editor(site)
    came.post(f"{ISSUE}/add", paper="no such thing")
    assert came.said.startswith("paper 'no such thing': use an arXiv id")
    for fields in ({"do": "fly"}, {"do": "move", "position": "-1"}, {"do": "unpin"}):
        came.post(f"{ISSUE}/papers/1", **fields)
        assert came.said, fields
    for path in ("/desk/issues/2026-99-99", "/desk/issues/0001-01-01", "/desk/subscribers/4"):
        assert came.get(path).status_code == 404


def test_what_is_held_is_released_or_taken_as_sent(site: Site) -> None:
    """The page names what is held; one button sends it again, the other says that it arrived."""
    site.room.configure(smtp={"on_uncertain": "hold"})
    came = editor(site)
    came.post(f"{ISSUE}/seal", sure="yes")
    site.room.join("ann@example.org", "bob@example.org", at=datetime.now(UTC))
    site.room.sink.at_dot = lambda _: LOST
    site.room.run("deliver", expect=None)
    came.get(f"{ISSUE}/deliveries")
    assert "ann@example.org" in came.page
    named = re.findall(r'name="delivery" value="([0-9a-f]+)"', came.page)
    assert len(named) == 2
    came.post(f"{ISSUE}/deliveries/release", delivery=named[0], do="sent")
    assert came.said == f"{named[0]}: taken as sent."
    came.post(f"{ISSUE}/deliveries/release", all="yes", do="again")
    states = {line.status for line in site.room.ledger.values()}
    assert states == {"accepted", "ready"}
