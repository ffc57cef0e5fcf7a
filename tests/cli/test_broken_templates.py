"""A template of the operator's that does not work: found beforehand, told with file and line, and never by readers."""

from datetime import timedelta
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from newsroom import Newsroom, instant

from newsletter.packaged import packaged
from newsletter.services.why import why

ANN, BOB = "ann@example.net", "bob@example.net"
OPERATOR = "operator@example.org"
DAY, NEXT = "2026-07-15", "2026-07-16"


@pytest.fixture
def own(newsroom: Newsroom) -> Path:
    """Return the operator's folder of templates, empty; Ann and Bob read, and papers are there for two days."""
    folder = newsroom.folder / "look/email"
    folder.mkdir(parents=True)
    newsroom.configure(look={"templates": "look"}, operator={"email": OPERATOR})
    newsroom.subscribe(ANN, BOB)
    newsroom.publish(DAY, "Alpha", "Beta")
    newsroom.publish(NEXT, "Gamma", "Delta")
    return folder


def break_(own: Path, name: str) -> str:
    """Copy a packaged template with a mistake in its second line, and return the place of it."""
    (own / name).write_text("\n{{ newsletter.nmae }}\n" + (packaged("templates") / "email" / name).read_text("utf-8"))
    return f"{own / name}:2: "


def told(newsroom: Newsroom) -> list[str]:
    """Return the subjects of what the operator was told by mail."""
    return [str(mail.message["Subject"]) for mail in newsroom.sink.to(OPERATOR)]


def test_nothing_is_sealed_until_it_is_mended(newsroom, own):
    """No reader gets anything; the operator is told once, with file and line, and once that it is solved."""
    place = break_(own, "card.html")
    for at in (f"{DAY}T08:00Z", f"{DAY}T08:05Z"):
        outcome = newsroom.tick(at)
        assert (outcome.status, outcome.issue) == ("incomplete", None)
        assert outcome.reason.startswith(f"no issue is sealed: template {place}")
        assert "nmae" in outcome.reason
    assert told(newsroom) == ["[Daily Papers] Needs you: templates"]
    assert "card.html:2:" in "".join(newsroom.sink.to(OPERATOR)[0].text.split())
    assert len(newsroom.sink.mails) == 1

    (own / "card.html").unlink()
    assert newsroom.tick(f"{DAY}T08:10Z").status == "done"
    assert told(newsroom)[1:] == ["[Daily Papers] Solved: templates"]
    assert [len(newsroom.sink.to(who)) for who in (ANN, BOB)] == [1, 1]


def test_the_problem_stays_open_over_the_night(newsroom, own):
    """It is not called solved because nothing was to be sealed at midnight."""
    break_(own, "digest.txt")
    newsroom.tick(f"{DAY}T08:00Z")
    newsroom.tick(f"{NEXT}T03:00Z")
    assert set(told(newsroom)) == {"[Daily Papers] Needs you: templates"}


def test_the_run_says_so_and_ends_with_3(newsroom, own):
    """By the command too, also where it only rehearses; sealing by hand is refused with the same line."""
    place = break_(own, "foot.html")
    answer = newsroom.run("run", "--date", DAY, "--now", "--json", expect=3)
    assert answer.json["issue"] is None
    assert place in answer.json["reason"]
    assert place in answer.err
    assert place in newsroom.run("run", "--date", DAY, "--now", "--dry-run", "--json", expect=3).json["reason"]
    refused = newsroom.run("issues", "seal", DAY, expect=2).err
    assert refused.startswith("newsletter: no issue is sealed: template ")
    assert place in refused
    assert newsroom.run("issues", "list", "--json").json["issues"] == []


def test_what_was_sealed_before_is_sent_where_its_templates_work(newsroom, own):
    """A broken confirmation keeps no digest back that was promised; a broken card does, until it is mended."""
    newsroom.sink.shut()
    newsroom.tick(f"{DAY}T08:00Z", dispatch={"patience": timedelta()})
    newsroom.sink.open()
    place = break_(own, "card.txt")
    outcome = newsroom.tick(f"{DAY}T09:00Z")
    assert (outcome.status, outcome.issue.status) == ("incomplete", "sealed")
    assert place in outcome.reason
    assert not newsroom.sink.to(ANN)

    (own / "card.txt").unlink()
    break_(own, "confirmation.html")
    newsroom.tick(f"{DAY}T10:00Z")
    assert [len(newsroom.sink.to(who)) for who in (ANN, BOB)] == [1, 1]
    assert newsroom.tick(f"{NEXT}T08:00Z").issue is None
    assert [len(newsroom.sink.to(who)) for who in (ANN, BOB)] == [1, 1]


def test_what_breaks_after_sealing_is_named_where_an_operator_looks(newsroom, own):
    """Whoever waits, waits for the template, with file and line, in the ledger too; not any more once it is mended."""
    newsroom.sink.shut()
    newsroom.tick(f"{DAY}T08:00Z", dispatch={"patience": timedelta()})
    newsroom.sink.open()
    place = break_(own, "card.txt")
    newsroom.tick(f"{DAY}T09:00Z")

    def asked():
        with newsroom.app(instant(f"{DAY}T09:05Z")) as app:
            return why(app.dispatch, ANN, None, instant(f"{DAY}T09:05Z"))

    assert asked().answer == "waiting"
    assert f"delivery stopped: template {place}" in asked().text
    assert place in newsroom.run("deliveries", "list").out
    assert place in newsroom.run("deliveries", "list", "--json").json["stopped"]
    (own / "card.txt").unlink()
    newsroom.tick(f"{DAY}T09:10Z")
    assert asked().answer == "sent"
    assert place not in newsroom.run("deliveries", "list").out
    assert newsroom.run("deliveries", "list", "--json").json.keys() == {"deliveries"}


def test_the_operator_is_told_even_if_their_own_mail_is_broken(newsroom, own):
    """Then in the packaged words."""
    place = break_(own, "operator.txt")
    newsroom.tick(f"{DAY}T08:00Z")
    assert place.rpartition("/")[2].strip() in " ".join(newsroom.sink.to(OPERATOR)[0].text.split())


@pytest.mark.parametrize("name", ["card.html", "confirmation.subject.txt", "nothing.txt", "operator.txt", "style.css"])
def test_the_preview_and_doctor_name_file_and_line(newsroom, own, name):
    """Whichever mail it belongs to, also one that nobody asked to see."""
    place = break_(own, name)
    newsroom.run("gather", "--date", DAY)
    shown = newsroom.run("issues", "preview", DAY, expect=2)
    assert place in shown.err
    assert ("Alpha" in shown.out) is (name not in {"card.html", "style.css"})
    findings = newsroom.run("doctor", "--json", expect=1).json["findings"]
    assert [f["level"] for f in findings if f["name"] == "templates"] == ["fail"]
    assert [f["text"].startswith(f"template {place}") for f in findings if f["name"] == "templates"] == [True]


def test_a_template_that_lost_what_it_must_hold_is_broken(newsroom, own):
    """A digest without its papers, or without the way to unsubscribe, is not sent either."""
    whole = (packaged("templates") / "email/digest.html").read_text("utf-8")
    (own / "digest.html").write_text(whole.replace("{{ slots.cards }}", ""))
    newsroom.run("gather", "--date", DAY)
    assert "email/digest.html: {{ slots.cards }} is missing" in newsroom.run("issues", "preview", DAY, expect=2).err
    assert newsroom.tick(f"{DAY}T08:00Z").issue is None


def test_a_template_that_fails_for_a_paper_of_today_is_broken(newsroom, own):
    """The issue itself is tried as well as the invented papers."""
    whole = (packaged("templates") / "email/card.html").read_text("utf-8")
    (own / "card.html").write_text(whole + "{% if 'Alpha' in card.title %}{{ card.nothing }}{% endif %}\n")
    outcome = newsroom.tick(f"{DAY}T08:00Z")
    assert outcome.issue is None
    assert "'nothing'" in outcome.reason


def test_doctor_says_where_the_templates_are_and_which_are_the_operators(newsroom, own):
    """Those of mails may lie without their folder; what lies in a wrong one replaces nothing, and that is said."""
    (own / "card.html").write_text((packaged("templates") / "email/card.html").read_text("utf-8"))
    (own.parent / "foot.txt").write_text((packaged("templates") / "email/foot.txt").read_text("utf-8"))
    (own / "mails").mkdir()
    (own / "mails/foot.html").write_text("Never seen.")
    findings = {f["name"]: f for f in newsroom.run("doctor", "--json").json["findings"]}
    assert findings["templates"]["level"] == "ok"
    assert findings["templates"]["text"].endswith(
        f"packaged: {packaged('templates')}; your own: email/card.html, email/foot.txt"
    )
    assert findings["look.templates"]["level"] == "warn"
    assert findings["look.templates"]["text"] == "email/mails/foot.html replaces nothing"
    assert findings["look.templates"]["remedy"] == "call it email/foot.html"


def test_a_folder_that_is_not_there_is_told(newsroom):
    """By doctor as a finding, by every other command as an error."""
    newsroom.configure(look={"templates": "nowhere"})
    findings = newsroom.run("doctor", "--json", expect=2).json["findings"]
    assert ["no such folder" in f["text"] for f in findings if f["level"] == "fail"] == [True]
    assert "no such folder" in newsroom.run("issues", "preview", DAY, expect=2).err


def test_a_test_mail_is_marked_and_changes_nothing(newsroom, own):
    """It has the reader's own papers, a subject that says what it is, and nobody's unsubscribe link."""
    newsroom.run("subscribers", "edit", ANN, "--topic", "beta")
    newsroom.run("gather", "--date", DAY)
    answer = newsroom.run("issues", "preview", DAY, "--as", ANN, "--send-to", "me@example.org", "--json").json
    (mail,) = newsroom.sink.mails
    assert mail.recipient == answer["sent_to"] == "me@example.org"
    assert answer["subject"] == mail.message["Subject"] == "[Test] Daily Papers · 15 July: Beta and 1 more"
    assert "matches “beta”" in mail.html
    assert "matches “beta”" in mail.text
    assert "/unsubscribe/" in mail.text
    out = newsroom.folder / "mail.eml"
    newsroom.run("issues", "preview", DAY, "--as", ANN, "--out", str(out))
    leave = message_from_bytes(out.read_bytes(), policy=policy.default)["List-Unsubscribe"]
    assert leave.strip("<>") not in mail.text + mail.html
    assert newsroom.run("deliveries", "list", "--json").json["deliveries"] == []
    assert newsroom.run("subscribers", "show", ANN, "--json").json["status"] == "active"


def test_a_test_mail_that_cannot_be_sent(newsroom, own):
    """An address that is none, a server that is not there, and two ways to show at once."""
    newsroom.run("gather", "--date", DAY)
    assert "not an address" in newsroom.run("issues", "preview", DAY, "--send-to", "me", expect=2).err
    assert "one of --open" in newsroom.run("issues", "preview", DAY, "--open", "--out", "x.html", expect=2).err
    newsroom.sink.shut()
    refused = newsroom.run("issues", "preview", DAY, "--send-to", "me@example.org", expect=1).err
    assert "refused the connection" in refused


def test_a_reader_of_text_alone_is_sent_text_alone(newsroom, own):
    """The test is what the reader gets."""
    newsroom.run("subscribers", "edit", ANN, "--format", "text")
    newsroom.run("gather", "--date", DAY)
    newsroom.run("issues", "preview", DAY, "--as", ANN, "--send-to", "me@example.org")
    assert newsroom.sink.mails[0].message.get_content_type() == "text/plain"
