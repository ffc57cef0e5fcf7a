"""The mail that welcomes who confirmed, and the one that bids farewell to who left: once, and never worth a failure."""

import asyncio
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from newsroom import LOST, Mail, Newsroom
from served import Site

from newsletter.domain.subscriber import Status
from newsletter.mail.tokens import Purpose
from newsletter.services import greet, joining, subscribe
from newsletter.web.server import serving

ANN, BOB = "ann.reader@example.net", "bob@example.net"
ONE_CLICK = {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
BUTTON = {"data": {"by": "button", "List-Unsubscribe": "One-Click"}}


@pytest.fixture
def parting(tmp_path: Path) -> Iterator[Site]:
    """Return a newsletter that says goodbye by mail."""
    room = Newsroom(tmp_path, newsletter={"goodbye": True})
    with (
        room.app() as app,
        serving(app, "127.0.0.1", 0) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield Site(room, app, url, client)
    room.close()


def path_of(site: Site, purpose: Purpose, email: str = ANN) -> str:
    """Return the path of a link of somebody on the list."""
    who = subscribe.find(site.app.database, email).id
    page = {Purpose.CONFIRM: "confirm", Purpose.UNSUBSCRIBE: "unsubscribe"}[purpose]
    return f"/{page}/{site.app.correspondence.signer.token(purpose, subscriber=who)}"


def confirm(site: Site, email: str = ANN, *options: str) -> None:
    """Ask an address, and let its owner press the button."""
    site.room.run("subscribers", "add", email, *options, "--confirm")
    found = re.search(r"https://\S+/confirm/\S+", site.room.sink.to(email)[-1].text)
    assert found
    assert site.client.post(site.path(found[0])).status_code == 200
    assert site.status(email) == Status.ACTIVE


def about(mail: Mail) -> tuple[str, str, str]:
    """Return the subject of a mail, and both its parts on one line."""
    html = re.sub(r"<(style|title)>.*?</\1>|<[^>]+>", " ", mail.html, flags=re.DOTALL)
    return str(mail.message["Subject"]), " ".join(mail.text.split()), " ".join(html.split())


def links(mail: Mail) -> set[str]:
    """Return the links of a mail, which are the same in both parts."""
    found = set(re.findall(r"https://papers\.example\.org\S*", mail.text))
    assert found == set(re.findall(r'href="(https://papers\.example\.org[^"]*)', mail.html))
    return found


def test_who_confirms_is_welcomed_and_told_what_comes_when(site: Site) -> None:
    """Their own hour, zone and topics, the newest issue, where to choose, how to leave: by the foot, by one click."""
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("run", "--date", "2026-07-15", "--now")
    confirm(
        site, ANN, "--topic", "<b>speech</b>", "--hour", "06:30", "--zone", "Asia/Tokyo", "--frequency", "weekly:mon"
    )
    site.room.sink.wait(2)
    mail = site.room.sink.to(ANN)[1]
    subject, text, html = about(mail)
    assert subject == "Welcome to Daily Papers"
    for part in (text, html.replace("&lt;", "<").replace("&gt;", ">")):
        for said in (
            "Your first digest, of the newest issue, comes in a few minutes.",
            "Monday, ",
            "at 06:30 (Asia/Tokyo)",
            "one every week",
            "<b>speech</b>",
        ):
            assert said in part
    leave = next(link for link in links(mail) if "/unsubscribe/" in link)
    choose = next(link for link in links(mail) if "/preferences/" in link)
    pages = "https://papers.example.org"
    assert links(mail) == {leave, choose, pages, f"{pages}/archive", f"{pages}/archive/2026-07-15"}
    assert site.client.get(site.path(choose)).status_code == 200
    assert f"<{leave}>" in str(mail.message["List-Unsubscribe"])
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert site.client.post(site.path(leave), **ONE_CLICK).status_code == 200
    assert site.status(ANN) == Status.UNSUBSCRIBED


def test_nobody_is_welcomed_twice_for_one_subscription(site: Site) -> None:
    """Pressing again welcomes nobody again; who left and confirmed anew is, though not twice in a day."""
    confirm(site)
    site.room.sink.wait(2)
    reader = subscribe.find(site.app.database, ANN)
    assert site.client.post(path_of(site, Purpose.CONFIRM)).status_code == 200
    now = datetime.now(UTC)
    for days in (0, 2, 30):
        assert not asyncio.run(greet.welcome(site.app.dispatch, reader, now + timedelta(days=days)))
    site.room.run("subscribers", "unsubscribe", ANN)
    for hours, mails in ((0, 2), (48, 3), (60, 3)):
        at = now + timedelta(hours=hours, minutes=1)
        again = joining.confirm(site.app.database, site.app.settings.newsletter, reader.id, at)
        asyncio.run(greet.welcome(site.app.dispatch, again, at))
        assert len(site.room.sink.mails) == mails
        subscribe.unsubscribe(site.app.database, ANN, at)


def test_who_is_added_by_the_operator_is_not_welcomed(site: Site) -> None:
    """They may not know of it yet; a digest says why it comes."""
    site.room.run("subscribers", "add", ANN)
    assert site.room.sink.mails == []


def test_a_welcome_of_which_nobody_knows_is_not_repeated(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The connection was lost after the dot: it may have come, and pressing again or coming back sends no other."""
    site.room.run("subscribers", "add", ANN, "--confirm")
    site.room.sink.at_dot = lambda _: LOST
    assert site.client.post(path_of(site, Purpose.CONFIRM)).status_code == 200
    ends = time.monotonic() + 20
    while "the welcome could not be sent" not in caplog.text:  # written after the answer
        assert time.monotonic() < ends, caplog.text
        time.sleep(0.01)
    reader = subscribe.find(site.app.database, ANN)
    assert not asyncio.run(greet.welcome(site.app.dispatch, reader, datetime.now(UTC)))
    assert len(site.room.sink.to(ANN)) == 2, "the question, and one welcome"


def test_a_welcome_that_cannot_be_sent_stops_nobody(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """The page says the same as ever, the log names no address, and pressing again sends the mail after all."""
    site.room.run("subscribers", "add", ANN, BOB, "--confirm")
    ann, bob = path_of(site, Purpose.CONFIRM), path_of(site, Purpose.CONFIRM, BOB)
    site.room.sink.refusals[BOB] = f"550 5.7.1 {BOB} is not wanted here"
    site.room.sink.shut()
    for number, path in enumerate((ann, bob), 1):
        assert "You are subscribed" in site.client.post(path).text
        ends = time.monotonic() + 20
        while caplog.text.count("the welcome could not be sent (SmtpTrouble)") < number:  # written after the answer
            assert time.monotonic() < ends, caplog.text
            time.sleep(0.01)
        if number == 1:
            site.room.sink.open()
    assert "example.net" not in caplog.text
    assert (site.status(ANN), site.status(BOB)) == (Status.ACTIVE, Status.ACTIVE)
    assert site.client.post(ann).status_code == 200
    site.room.sink.wait(3)
    assert str(site.room.sink.to(ANN)[-1].message["Subject"]).startswith("Welcome")


def test_leaving_makes_no_mail_unless_the_operator_wants_it(site: Site) -> None:
    """By one click or by the button: the page says that it is done, and that is all."""
    site.room.run("subscribers", "add", ANN, BOB)
    for email, how in ((ANN, ONE_CLICK), (BOB, BUTTON)):
        assert "You are not subscribed" in site.client.post(path_of(site, Purpose.UNSUBSCRIBE, email), **how).text
        assert not asyncio.run(
            greet.goodbye(site.app.dispatch, subscribe.find(site.app.database, email), datetime.now(UTC))
        )
    assert site.room.sink.mails == []


def test_a_goodbye_comes_once_and_leads_back(parting: Site) -> None:
    """After the button, with a link that subscribes again as before; pressing twice makes one mail."""
    parting.room.run("subscribers", "add", ANN, "--topic", "speech")
    path = path_of(parting, Purpose.UNSUBSCRIBE)
    for _ in range(3):
        assert parting.client.post(path, **BUTTON).status_code == 200
    parting.room.sink.wait(1)
    mail = parting.room.sink.to(ANN)[0]
    subject, text, html = about(mail)
    assert subject == "You have left Daily Papers"
    assert "List-Unsubscribe" not in mail.message
    for part in (text, html):
        assert "this is the last mail" in part
        assert "works for 30 days" in part
    back = next(link for link in links(mail) if "/confirm/" in link)
    assert "Confirm your subscription" in parting.client.get(parting.path(back)).text
    assert parting.status(ANN) == Status.UNSUBSCRIBED
    assert parting.client.post(parting.path(back)).status_code == 200
    held = subscribe.find(parting.app.database, ANN)
    assert (held.status, held.preferences.topics) == (Status.ACTIVE, ("speech",))
    parting.room.sink.wait(2)
    assert [about(one)[0] for one in parting.room.sink.mails] == [subject, "Welcome to Daily Papers"]


def test_one_click_suppression_and_removal_are_silent(parting: Site) -> None:
    """A mail after one of these would surprise, or be a reason to complain once more."""
    parting.room.run("subscribers", "add", ANN, BOB, "eve@example.net")
    paths = [path_of(parting, Purpose.UNSUBSCRIBE, email) for email in (ANN, BOB, "eve@example.net")]
    parting.room.run("subscribers", "suppress", BOB, "--reason", "complained")
    parting.room.run("subscribers", "remove", "eve@example.net")
    assert parting.client.post(paths[0], **ONE_CLICK).status_code == 200
    for path in paths[1:]:
        assert parting.client.post(path, **BUTTON).status_code == 200
    held = subscribe.find(parting.app.database, BOB)
    assert not asyncio.run(greet.goodbye(parting.app.dispatch, held, datetime.now(UTC)))
    assert parting.client.get("/healthz").status_code == 200
    assert parting.room.sink.mails == []


def test_the_page_waits_for_no_mail(site: Site) -> None:
    """A mail server that takes its time keeps nobody before a blank page."""
    site.room.run("subscribers", "add", ANN, "--confirm")
    site.room.sink.delay = 5
    path = path_of(site, Purpose.CONFIRM)
    answer = site.client.post(path, timeout=4)
    assert answer.status_code == 200
    site.room.sink.wait(2)
