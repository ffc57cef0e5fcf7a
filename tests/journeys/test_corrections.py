"""A correction: in the archive with its issue, and once at the head of the next mail to those who had that issue."""

import re

import pytest
from newsroom import DROPPED, LOST, TAKEN, Mail, Newsroom, instant

from newsletter.domain.delivery import Status
from newsletter.services import edit
from newsletter.services.preview import preview

ANN, BOB, EVE = "ann@example.net", "bob@example.net", "eve@example.net"
WRONG = "The code of Alpha is not public: its link led to another project."
SAID = f"Correction to the issue of 14 July\n\n    {WRONG}\n    https://papers.example.org/archive/2026-07-14\n"


def send(newsroom: Newsroom, day: str, *titles: str) -> None:
    """Publish papers, and send the issue of the day at its hour."""
    newsroom.publish(day, *titles)
    newsroom.tick(f"{day}T08:00Z")


def correct(newsroom: Newsroom, text: str = WRONG, day: str = "2026-07-14", at: str = "2026-07-14T15:00Z") -> None:
    """Correct an issue at an instant."""
    with newsroom.app(instant(at)) as app:
        edit.correct(app.database, instant(f"{day}T00:00Z").date(), text, instant(at))


def text_of(mail: Mail) -> str:
    """Return the text part, its lines ended as here."""
    return mail.text.replace("\r\n", "\n")


def told(mail: Mail) -> list[str]:
    """Return the texts of the corrections in a mail: both parts hold the same."""
    found = re.findall(r"^Correction to the issue of .*\n\n((?:    .+\n)+)", text_of(mail), re.MULTILINE)
    texts = [" ".join(text.split()).partition(" https://")[0] for text in found]
    assert mail.html.count("Correction to") == len(texts)
    assert all(text in " ".join(mail.html.split()) for text in texts)
    return texts


def stories(newsroom: Newsroom, email: str) -> list[list[str]]:
    """Return the corrections of each mail that a reader got, oldest first."""
    return [told(mail) for mail in newsroom.sink.to(email)]


def test_who_had_the_issue_is_told_once_at_the_head_of_the_next(newsroom: Newsroom) -> None:
    """Ann had it and Bob came later: hers says so before the papers, his does not, and neither does the day after."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    newsroom.subscribe(BOB, at="2026-07-14T12:00Z")
    correct(newsroom)
    send(newsroom, "2026-07-15", "Beta")
    send(newsroom, "2026-07-16", "Gamma")
    assert stories(newsroom, ANN) == [[], [WRONG], []]
    assert stories(newsroom, BOB) == [[], []]
    mail = newsroom.sink.to(ANN)[1]
    said = text_of(mail)
    assert said.index(SAID) < said.index("1 paper") < said.index("Beta\n")
    html = " ".join(mail.html.split())
    assert html.index(WRONG) < html.index("1 paper")
    assert 'href="https://papers.example.org/archive/2026-07-14"' in html


def test_a_weekly_reader_is_told_of_all_that_was_corrected_since(newsroom: Newsroom) -> None:
    """However many, and in what order they were made; those of issues that came in between are not theirs."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z", frequency="weekly:tue")
    newsroom.subscribe(BOB, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    correct(newsroom)
    send(newsroom, "2026-07-15", "Beta")
    correct(newsroom, "Beta has two authors.", "2026-07-15", at="2026-07-15T15:00Z")
    correct(newsroom, "And the link of Alpha is still wrong.", at="2026-07-16T15:00Z")
    send(newsroom, "2026-07-21", "Gamma")
    assert stories(newsroom, ANN) == [[], [WRONG, "And the link of Alpha is still wrong."]]
    assert stories(newsroom, BOB) == [[], [WRONG], ["Beta has two authors.", "And the link of Alpha is still wrong."]]


@pytest.mark.parametrize("lost", [DROPPED, LOST])
def test_a_repeat_is_the_same_to_the_last_byte(newsroom: Newsroom, lost: str) -> None:
    """The connection dies at the dot, and another correction is made before the repeat: that one comes a day later."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    correct(newsroom)
    heard: list[bytes] = []

    def at_dot(mail: Mail) -> str:
        heard.append(mail.content)
        return lost if len(heard) == 1 else TAKEN

    newsroom.sink.at_dot = at_dot
    newsroom.publish("2026-07-15", "Beta")
    newsroom.tick("2026-07-15T08:00Z")
    correct(newsroom, "Alpha is right after all.", at="2026-07-15T08:05Z")
    newsroom.tick("2026-07-15T09:00Z")
    assert len(heard) == 2
    assert heard[0] == heard[1]
    send(newsroom, "2026-07-16", "Gamma")
    assert [told(mail) for mail in newsroom.sink.to(ANN)[-2:]] == [[WRONG], ["Alpha is right after all."]]


def test_a_mail_that_never_came_leaves_the_correction_to_the_next(newsroom: Newsroom) -> None:
    """Refused for good on one day, too late on another, nothing new on a third: the first that is accepted counts."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z", topics="letters")
    send(newsroom, "2026-07-14", "Alpha letters")
    correct(newsroom)
    newsroom.sink.refusals[ANN] = "554 5.6.0 not this one"
    send(newsroom, "2026-07-15", "Beta letters")
    assert newsroom.ledger[ANN].status is Status.FAILED
    newsroom.sink.refusals[ANN] = "451 4.2.1 later"
    send(newsroom, "2026-07-16", "Gamma letters")
    newsroom.sink.refusals.clear()
    send(newsroom, "2026-07-17", "Delta letters")
    assert stories(newsroom, ANN) == [[], [WRONG]]
    send(newsroom, "2026-07-20", "Epsilon letters")
    assert stories(newsroom, ANN) == [[], [WRONG], []]


def test_who_was_away_for_months_is_told_when_they_are_back(newsroom: Newsroom) -> None:
    """Paused since the issue, and back in winter; who left in between is told nothing."""
    newsroom.subscribe(ANN, BOB, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    correct(newsroom, at="2026-07-20T15:00Z")
    newsroom.run("subscribers", "pause", ANN)
    newsroom.run("subscribers", "unsubscribe", BOB)
    send(newsroom, "2026-07-21", "Beta")
    newsroom.run("subscribers", "resume", ANN)
    newsroom.publish("2026-12-15", "Gamma")
    newsroom.tick("2026-12-15T08:00Z", at_once=True)
    assert stories(newsroom, ANN) == [[], [WRONG]]
    assert len(newsroom.sink.to(BOB)) == 1


def test_a_mail_that_says_there_is_nothing_says_what_was_wrong_too(newsroom: Newsroom) -> None:
    """Where empty days are told, the correction does not wait for papers."""
    newsroom.configure(newsletter={"on_empty": "send"})
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    correct(newsroom)
    newsroom.tick("2026-07-15T08:00Z")
    mail = newsroom.sink.to(ANN)[-1]
    assert "nothing new" in str(mail.message["Subject"])
    assert told(mail) == [WRONG]


def test_a_preview_shows_what_the_next_mail_will_say(newsroom: Newsroom) -> None:
    """As Ann, who had the issue; not as Eve, nor as somebody without wishes. Looking changes nothing."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    newsroom.subscribe(EVE, at="2026-07-14T12:00Z")
    correct(newsroom)
    newsroom.publish("2026-07-15", "Beta")
    now = instant("2026-07-15T07:00Z")
    newsroom.tick(now)
    with newsroom.app(now) as app:
        seen = [preview(app.dispatch, now.date(), who, now).content("text").decode() for who in (ANN, EVE, None)]
    assert [SAID in text for text in seen] == [True, False, False]
    newsroom.tick("2026-07-15T08:00Z")
    assert stories(newsroom, ANN) == [[], [WRONG]]


def test_hostile_words_are_words(newsroom: Newsroom) -> None:
    """Markup, marks of slots and line ends in a correction are shown, and do nothing."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    correct(newsroom, "<script>alert(1)</script>\r\n.\r\n{{ 7 * 7 }} \ue000foot\ue001 =?utf-8?q?x?=")
    send(newsroom, "2026-07-15", "Beta")
    mail = newsroom.sink.to(ANN)[-1]
    assert "<script>" not in mail.html
    assert "    <script>alert(1)</script> . {{ 7 * 7 }} foot =?utf-8?q?x?=\n" in text_of(mail)


def test_what_a_correction_needs(newsroom: Newsroom) -> None:
    """Words, and an issue that was sent; the same words twice are one, and all of it is shown with the issue."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    send(newsroom, "2026-07-14", "Alpha")
    for _ in range(2):
        assert "has its correction" in newsroom.run("issues", "correct", "2026-07-14", WRONG).out
    shown = newsroom.run("issues", "show", "2026-07-14", "--json").json
    assert [correction["text"] for correction in shown["corrections"]] == [WRONG]
    assert f"Correction: {WRONG}" in newsroom.run("issues", "show", "2026-07-14").out
    assert "say what was wrong" in newsroom.run("issues", "correct", "2026-07-14", " \n", expect=2).err
    assert "no issue of 2026-07-11" in newsroom.run("issues", "correct", "2026-07-11", WRONG, expect=1).err
    newsroom.run("issues", "draft", "2026-07-15")
    assert "edit it instead" in newsroom.run("issues", "correct", "2026-07-15", WRONG, expect=1).err
