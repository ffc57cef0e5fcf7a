"""What readers write to us, done and answered: only for whom the signed address names, and never for a program."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from newsroom import Newsroom
from returned import reply

from newsletter.domain.command import commands
from newsletter.render.languages import Languages
from newsletter.services import taste
from newsletter.services.commanded import known
from newsletter.services.subscribe import find
from newsletter.services.throttle import ALL, Rule, Throttle
from newsletter.storage import throttle

ANN = "ann@there.example"


def say(
    room: Newsroom, text: str, *, headers: str = "", sender: str = ANN, to: str = "", subject: str = "Re: x"
) -> list[str]:
    """Let a reader answer their newest mail (or write *to* somebody), and return what became of it."""
    address = to or str(room.sink.to(ANN)[-1].message["Reply-To"])
    unique = f"Message-ID: <{abs(hash((text, headers, sender, to, subject, len(room.sink.mails))))}@there.example>\n"
    file = room.folder / "said.eml"
    file.write_bytes(reply(text, subject=subject, headers=unique + headers, sender=sender, to=address))
    done = room.run("bounces", "read", str(file), "--json").json
    return [one["effect"] for one in done["returns"]]


def answers(room: Newsroom) -> list[str]:
    """Return the texts of what ann was answered, each on one line."""
    return [" ".join(mail.text.split()) for mail in room.sink.to(ANN)[1:]]


def spend(room: Newsroom, name: str) -> None:
    """Use up what one rule allows all together in a day."""
    with room.app() as app:
        counter, now = Throttle(app.database, app.settings.secrets[0]), datetime.now(UTC)
        rule, ends_at = Rule(name, 500, timedelta(days=1)), now + timedelta(days=1)
        with app.database.write() as session:
            throttle.count(session, [(counter.key(rule, ALL), 500, ends_at)], now)


def test_stop_ends_it_and_is_answered(mailed: Newsroom) -> None:
    """A plain "stop" above the quoted mail unsubscribes, and the answer is marked as one of a program."""
    quoted = "\n\nOn Wed, 15 Jul 2026, Daily Papers wrote:\n> help\n"
    assert say(mailed, "Stop." + quoted) == ["unsubscribe"]
    with mailed.app() as app:
        assert str(find(app.database, ANN).status) == "unsubscribed"
    [answer] = mailed.sink.to(ANN)[1:]
    assert "No more mail from Daily Papers comes to you." in " ".join(answer.text.split())
    assert (answer.message["Auto-Submitted"], answer.message["List-Id"]) == ("auto-replied", None)


def test_a_digest_s_numbers_are_its_cards(mailed: Newsroom) -> None:
    """Save, more and less speak of the cards of the mail that was answered; a number too high is told."""
    titles = [str(title) for title in re.findall(r"^ ?\d+\. (\w+)", mailed.sink.to(ANN)[0].text, re.MULTILINE)]
    assert len(titles) == 2
    assert say(mailed, "save 2\nless 1\nmore 9") == ["save, less, more"]
    with mailed.app() as app:
        said = {paper.title: str(one.said) for one, paper in taste.show(app.database, ANN, datetime.now(UTC)).said}
    assert said == {titles[1]: "save", titles[0]: "less"}
    [answer] = answers(mailed)
    assert f"Saved: {titles[1]}" in answer
    assert "There is no paper 9" in answer
    assert "pause 2 weeks" in answer, "who is not understood is told what there is"


def test_pauses_topics_and_help(mailed: Newsroom) -> None:
    """Several lines are several commands, done in order; the answer says all of them, and answers can be answered."""
    assert say(mailed, "topics diffusion; -survey\npause 2 weeks\nhelp") == ["topics, pause, help"]
    with mailed.app() as app:
        held = find(app.database, ANN)
    assert (str(held.status), held.preferences.topics) == ("paused", ("diffusion", "-survey"))
    assert "Your topics are now: diffusion; -survey" in answers(mailed)[0]
    assert f"Nothing comes until {held.paused_until:%-d %B %Y}." in answers(mailed)[0]
    assert say(mailed, "resume") == ["resume"]
    with mailed.app() as app:
        assert str(find(app.database, ANN).status) == "active"


def test_each_reader_is_answered_in_their_language(mailed: Newsroom) -> None:
    """German and Chinese are understood from anybody, and spoken to who prefers them."""
    mailed.run("subscribers", "edit", ANN, "--language", "de")
    assert say(mailed, "pause zwei Wochen") == ["pause"]
    assert "kommt nichts" in answers(mailed)[0]
    assert say(mailed, "恢复") == ["resume"]
    assert "Ihre Mails kommen wieder." in answers(mailed)[1]


def test_a_command_is_done_for_whom_the_address_names(mailed: Newsroom) -> None:
    """Not for whoever the mail says that it is from; and a forged address does nothing."""
    assert say(mailed, "stop", sender="mallory@evil.example") == ["unsubscribe"]
    assert mailed.sink.to("mallory@evil.example") == []
    with mailed.app() as app:
        assert str(find(app.database, ANN).status) == "unsubscribed"
        assert str(find(app.database, "ben@there.example").status) == "active"
    forged = "letters+" + 48 * "a" + "@example.org"
    assert say(mailed, "stop", to=forged, sender="cy@there.example") == ["asked to confirm: unsubscribe"]
    assert mailed.sink.to("cy@there.example") == []


def test_without_the_signed_address_one_has_to_confirm(mailed: Newsroom) -> None:
    """A sender can be forged, so nothing is done yet: the answer goes to the address on the list, and is answered."""
    assert say(mailed, "unsubscribe", to="letters@example.org") == ["asked to confirm: unsubscribe"]
    with mailed.app() as app:
        assert str(find(app.database, ANN).status) == "active"
    assert "answer this mail with that line alone" in answers(mailed)[0]
    assert say(mailed, "unsubscribe") == ["unsubscribe"]
    with mailed.app() as app:
        assert str(find(app.database, ANN).status) == "unsubscribed"


def test_who_asks_to_subscribe_is_asked_to_confirm(mailed: Newsroom) -> None:
    """As on the pages: one mail with a link, and a pending subscription until then."""
    new = "new@there.example"
    assert say(mailed, "subscribe", to="letters@example.org", sender=new) == ["asked to confirm: subscribe"]
    [mail] = mailed.sink.to(new)
    assert "/confirm/" in mail.text
    with mailed.app() as app:
        assert str(find(app.database, new).status) == "pending"


def test_forged_senders_are_not_all_asked(mailed: Newsroom) -> None:
    """Who writes in the name of thousands has us mail so many of them a day, and takes no reader's answer away."""
    spend(mailed, "asked by mail")
    assert say(mailed, "subscribe", to="letters@example.org", sender="new@there.example")
    assert mailed.sink.to("new@there.example") == []
    assert say(mailed, "help") == ["help"]
    assert len(answers(mailed)) == 1
    spend(mailed, "answers")
    assert say(mailed, "stop") == ["unsubscribe"]
    assert len(answers(mailed)) == 1, "what is asked is done, also when nobody is answered any more"


@pytest.mark.parametrize(
    "headers",
    ["Auto-Submitted: auto-generated\n", "Precedence: bulk\n", "List-Id: <x.example>\n", "X-Autoreply: yes\n"],
)
def test_no_program_is_answered(mailed: Newsroom, headers: str) -> None:
    """Whatever a program sends is no command, and gets no answer (RFC 3834)."""
    say(mailed, "help", headers=headers)
    assert answers(mailed) == []


def test_nobody_is_answered_more_than_a_few_times_a_day(mailed: Newsroom) -> None:
    """Commands are done all the same; a mail that is read twice is done once."""
    to = str(mailed.sink.to(ANN)[0].message["Reply-To"])
    for n in range(7):
        assert say(mailed, "help", headers=f"X-Number: {n}\n", to=to, subject=str(n)) == ["help"]
    assert len(answers(mailed)) == 5
    file = mailed.folder / "said.eml"
    assert mailed.run("bounces", "read", str(file), "--json").json["returns"] == []


def test_what_is_written_to_people_is_passed_on_to_them(mailed: Newsroom) -> None:
    """A reply that is no command goes to the editors, who can answer the reader."""
    assert say(mailed, "Dear editors,\n\nyou missed a good paper.\n\nAnn", subject="Re: Papers") == ["passed on"]
    [mail] = mailed.sink.to("editors@example.org")
    assert "you missed a good paper." in mail.text
    assert mail.message["Reply-To"] == ANN
    assert answers(mailed) == []


def test_what_cannot_be_passed_on_is_kept_whole(mailed: Newsroom) -> None:
    """A sender whose address we would not write to is heard all the same; where no mail goes out, nothing is lost."""
    to = str(mailed.sink.to(ANN)[0].message["Reply-To"])
    assert say(mailed, "Dear editors, hello.", to=to, sender="a..b@docomo.example") == ["passed on"]
    assert "a..b@docomo.example" in mailed.sink.to("editors@example.org")[-1].text
    mailed.configure(smtp={"port": 1})
    assert say(mailed, "Dear editors, are you there?", to=to) == ["not ours"]
    [kept] = mailed.run("bounces", "list", "--kind", "other", "--json").json["returns"]
    assert "are you there?" in mailed.run("bounces", "show", str(kept["id"])).out


def test_without_commands_answers_go_to_the_editors(mailed: Newsroom) -> None:
    """Who does not want them keeps the Reply-To that was; what comes all the same is kept."""
    address = str(mailed.sink.to(ANN)[-1].message["Reply-To"])
    mailed.configure(bounces={"commands": False})
    assert say(mailed, "stop", to=address) == ["not ours"]
    mailed.join("cy@there.example", at=datetime.now(UTC))
    mailed.run("deliver")
    assert mailed.sink.to("cy@there.example")[-1].message["Reply-To"] == "editors@example.org"


def test_what_is_listed_can_be_written() -> None:
    """In each language, every command of the list is understood as what it stands for."""
    english = [commands(command)[0].verb for command, _ in known(Languages(None, "en").templates().language)]
    for tag in ("de", "zh-Hans"):
        listed = known(Languages(None, "en").templates(tag).language)
        assert [commands(command)[0].verb for command, _ in listed] == english
