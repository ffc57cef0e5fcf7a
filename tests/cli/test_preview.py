"""``issues preview`` and ``subscribers preview``: the mail before it is sent is the mail that is sent."""

import re
from email import message_from_bytes, policy

import pytest
from newsroom import Newsroom

ANN, BOB = "ann@example.net", "bob@example.net"
DAY, NEXT = "2026-07-15", "2026-07-16"


@pytest.fixture
def drafted(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with papers for a draft, a reader with wishes and one without."""
    newsroom.configure(newsletter={"max_papers": 2})
    newsroom.run("subscribers", "add", ANN, "--topic", "robots", "--topic=-audio")
    newsroom.run("subscribers", "add", BOB)
    newsroom.publish(DAY, "Alpha", "On audio", "Gamma", "On robots")
    newsroom.run("gather", "--date", DAY)
    return newsroom


def titles(text: str) -> list[str]:
    """Return the titles of the cards in a text part."""
    return [line[4:] for line in text.splitlines() if line[:4].strip().endswith(".") and line[:2].strip().isdigit()]


def parsed(newsroom: Newsroom, *options: str):
    """Return the message that ``issues preview --format eml`` shows."""
    out = newsroom.folder / "mail.eml"
    newsroom.run("issues", "preview", DAY, "--out", str(out), *options)
    return message_from_bytes(out.read_bytes(), policy=policy.default)


def test_a_draft_is_shown_to_a_reader_without_preferences_and_to_a_given_one(drafted):
    """The front, or what the reader would get; on a terminal as text."""
    assert titles(drafted.run("issues", "preview", DAY).out) == ["Alpha", "On audio"]
    assert titles(drafted.run("issues", "preview", DAY, "--as", ANN).out) == ["On robots", "Alpha"]
    assert drafted.run("deliveries", "list").out == "no such deliveries\n"
    assert "draft" in drafted.run("issues", "show", DAY).out


def untold(text):
    """Return *text* without the tokens of its links, which say of which delivery and until when they hold."""
    return re.sub(r"[a-z2-7]{48}", "TOKEN", " ".join(text.split()))


def test_the_preview_is_the_mail_that_is_then_sent(drafted):
    """Before sealing everything but id, date and token is what the reader gets; afterwards every octet is."""
    before = parsed(drafted, "--as", ANN)
    drafted.run("run", "--date", DAY, "--now")
    sent = drafted.sink.to(ANN)[0]
    same = ("From", "To", "Subject", "Reply-To", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "X-Papers")
    assert [before[name] for name in same] == [sent.message[name] for name in same]
    bodies = [before.get_body((kind,)).get_content() for kind in ("plain", "html")]
    assert [untold(body) for body in bodies] == [untold(sent.text), untold(sent.html)]
    parsed(drafted, "--as", ANN)
    taken = sent.content if sent.content.endswith(b"\r\n") else sent.content + b"\r\n"
    assert (drafted.folder / "mail.eml").read_bytes() == taken


def test_a_sealed_issue_is_shown_to_who_has_not_had_it_as_it_would_be_now(drafted):
    """A reader who came after the mail went out is shown what they would get of it."""
    drafted.run("run", "--date", DAY, "--now")
    drafted.run("subscribers", "add", "new@example.net", "--topic", "gamma")
    assert titles(drafted.run("issues", "preview", DAY, "--as", "new@example.net").out) == ["Gamma", "Alpha"]


def test_who_has_the_delivery_is_shown_its_picks_whatever_they_prefer_now(drafted):
    """What was sent stays what was sent."""
    drafted.run("run", "--date", DAY, "--now")
    drafted.run("subscribers", "edit", ANN, "--topic", "gamma")
    assert titles(drafted.run("issues", "preview", DAY, "--as", ANN).out) == ["On robots", "Alpha"]


def test_what_was_sent_before_is_not_in_the_preview_of_the_next_issue(drafted):
    """The preview knows what the reader had, as the real thing does."""
    drafted.run("run", "--date", DAY, "--now")
    drafted.publish(NEXT, "Alpha", "Delta")
    drafted.run("gather", "--date", NEXT)
    shown = drafted.run("subscribers", "preview", ANN, "--date", NEXT, "--json").json
    assert {paper["title"]: paper["why"] for paper in shown["left_out"]}["Alpha"] == "sent before"
    drafted.run("run", "--date", NEXT, "--now")
    assert [paper["key"] for paper in shown["papers"]] == drafted.sink.to(ANN)[1].papers


def test_the_formats(drafted):
    """HTML, text and the whole message; chosen by name, or by the ending of the file."""
    html = drafted.run("issues", "preview", DAY, "--format", "html").out
    assert html.startswith("<!DOCTYPE html>")
    page = drafted.folder / "front.html"
    drafted.run("issues", "preview", DAY, "--out", str(page))
    assert untold(page.read_text()) == untold(html)
    assert "Content-Type: multipart/alternative" in drafted.run("issues", "preview", DAY, "--format", "eml").out
    document = drafted.run("issues", "preview", DAY, "--as", ANN, "--format", "text", "--json").json
    assert (document["email"], document["date"], document["status"], document["had"]) == (ANN, DAY, "draft", False)
    assert document["papers"][0] == {"key": "2607.00004", "title": "On robots", "why": "matches “robots”"}
    assert titles(document["content"]) == ["On robots", "Alpha"]


def test_a_reader_of_text_alone_is_sent_no_html_but_can_be_shown_it(drafted):
    """The message is the reader's own; a part is shown whoever asks for it."""
    drafted.run("subscribers", "edit", ANN, "--format", "text")
    assert parsed(drafted, "--as", ANN).get_content_type() == "text/plain"
    assert "On robots" in drafted.run("issues", "preview", DAY, "--as", ANN, "--format", "html").out


def test_the_editors_hand_shows_at_once(drafted):
    """Pins, notes and the subject are in the preview before anything is sealed."""
    drafted.run("issues", "pin", DAY, "2607.00003")
    drafted.run("issues", "note", DAY, "2607.00003", "Read this one.")
    drafted.run("issues", "subject", DAY, "Gamma, at last")
    text = drafted.run("issues", "preview", DAY).out
    assert titles(text) == ["Gamma", "Alpha"]
    assert "Read this one." in text
    assert parsed(drafted)["Subject"] == "Gamma, at last"


def test_a_subscribers_preview_says_why_and_why_not(drafted):
    """Each pick with its reason, and each paper left out with its own."""
    shown = drafted.run("subscribers", "preview", ANN, "--date", DAY, "--json").json
    assert [(p["title"], p["why"]) for p in shown["papers"]] == [
        ("On robots", "matches “robots”"),
        ("Alpha", "most upvoted today"),
    ]
    assert {p["title"]: p["why"] for p in shown["left_out"]} == {"On audio": "excluded by -audio", "Gamma": "no room"}
    lines = drafted.run("subscribers", "preview", ANN, "--date", DAY).out
    assert lines.startswith(f"{ANN}, issue of {DAY} (draft), as it would be now: 2 papers\n")
    assert "  2607.00002  On audio: excluded by -audio" in lines
    drafted.run("run", "--date", DAY, "--now")
    after = drafted.run("subscribers", "preview", ANN, "--json").json  # of the newest issue
    assert (after["had"], after["papers"], after["left_out"]) == (True, shown["papers"], shown["left_out"])


def test_a_reader_for_whom_there_is_nothing_gets_no_mail_and_reads_why(drafted):
    """The issue's preview has nothing to show; the reader's says what was left out, before and after sealing."""
    drafted.run("subscribers", "edit", ANN, "--topic=-study")
    for _ in range(2):
        refused = drafted.run("issues", "preview", DAY, "--as", ANN, expect=1).err
        assert f"{ANN} would get no mail of the issue of {DAY}: nothing new for this reader" in refused
        shown = drafted.run("subscribers", "preview", ANN, "--date", DAY)
        assert ": no mail, nothing new for this reader\n" in shown.out
        assert "Alpha: excluded by -study" in shown.out
        drafted.run("run", "--date", DAY, "--now")


def test_what_cannot_be_shown_is_an_error(newsroom):
    """A date without papers, a stranger, an issue that was recorded as empty, a file that cannot be written."""
    assert "no issue of 2026-07-15" in newsroom.run("issues", "preview", DAY, expect=1).err
    newsroom.run("subscribers", "add", ANN)
    assert "no issue was sealed yet" in newsroom.run("subscribers", "preview", ANN, expect=1).err
    newsroom.publish(DAY, "Alpha")
    newsroom.run("run", "--date", DAY, "--now")
    assert "no subscriber" in newsroom.run("issues", "preview", DAY, "--as", "x@example.net", expect=1).err
    newsroom.run("run", "--date", NEXT, "--now")
    assert "no issue of 2026-07-16: nothing was listed" in newsroom.run("issues", "preview", NEXT, expect=1).err
    missing = str(newsroom.folder / "missing/mail.eml")
    assert "cannot be written" in newsroom.run("issues", "preview", DAY, "--out", missing, expect=2).err
