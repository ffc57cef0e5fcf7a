"""Signing up on the pages: one answer for everybody, and one mail for the owner of the address alone."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from lxml import html
from newsroom import Newsroom
from served import Site

from newsletter.domain.subscriber import Status
from newsletter.errors import NotFoundError
from newsletter.mail.addresses import parse_address
from newsletter.services import signup, subscribe
from newsletter.services.signup import SignUp
from newsletter.storage import consents
from newsletter.web.forms import Stamps

ANN, BOB = "ann@example.net", "bob@example.net"
CONSENT = (
    "By pressing the button you agree that Daily Papers comes to this address by mail until you unsubscribe, "
    "which each mail lets you do."
)


def send(site: Site, email: str, *, path: str = "/subscribe", by: str = "", **fields: str) -> httpx2.Response:
    """Press the button of the form, a minute after the page was made, from the network of the address *by*."""
    stamp = Stamps(site.app.settings.secrets).make("subscribe", datetime.now(UTC) - timedelta(minutes=1))
    given = {"stamp": stamp, "website": "", "address": email, **fields}
    return site.client.post(path, data=given, headers={"X-Forwarded-For": by} if by else {})


def said(answer: httpx2.Response) -> str:
    """Return what a page says, on one line."""
    return " ".join(html.document_fromstring(answer.text).xpath("string(//main)").split())


def begin(site: Site, email: str, now: datetime, **texts: str) -> None:
    """Do what the form does, at an instant of the test's choosing."""
    wanted = SignUp(address=parse_address(email), texts=texts, network="192.0.2.0/24", agreed=CONSENT)
    number = signup.take(site.app.throttle, wanted, now)
    assert isinstance(number, int)
    asyncio.run(signup.do(site.app.dispatch, site.app.throttle, number, now))


def is_known(site: Site, email: str) -> bool:
    """Return whether an address is on the list."""
    try:
        subscribe.find(site.app.database, email)
    except NotFoundError:
        return False
    return True


def test_from_the_form_to_the_subscription(site: Site) -> None:
    """The wishes are kept, the mail confirms, and there is proof of who agreed to what, when and from where."""
    wished = {
        "topics": "diffusion\ncat:cs.CL -survey",
        "frequency": "weekly:fri",
        "hour": "07:30",
        "zone": "Asia/Tokyo",
    }
    assert "Look into your mailbox" in said(send(site, ANN, by="192.0.2.7", **wished))
    site.room.sink.wait(1)
    held = subscribe.find(site.app.database, ANN)
    assert (held.status, held.preferences.topics) == (Status.PENDING, ("diffusion", "cat:cs.CL -survey"))
    assert (held.preferences.frequency, held.preferences.zone) == ("weekly:fri", "Asia/Tokyo")
    link = re.search(r"https://papers\.example\.org(/confirm/\S+)", site.room.sink.to(ANN)[0].text)
    assert link
    assert "cat:cs.CL -survey" in said(site.client.get(link[1]))
    site.client.post(link[1], headers={"X-Forwarded-For": "2001:db8:7::1"})
    assert site.status(ANN) == Status.ACTIVE
    with site.app.database.read() as session:
        asked, confirmed = consents.of(session, held.id)
    assert (asked.step, asked.network, asked.text) == ("asked", "192.0.2.0/24", CONSENT)
    assert (confirmed.step, confirmed.network) == ("confirmed", "2001:db8:7::/64")
    assert confirmed.text == "Press the button, and Daily Papers comes to a…@example.net."
    assert CONSENT in said(site.client.get("/subscribe"))


def test_the_answer_is_the_same_whoever_it_is(site: Site) -> None:
    """New, asked already, subscribed, paused, gone, suppressed, removed: the same octets, and each its own mail."""
    states: dict[str, Callable[[str], object]] = {
        "new": lambda _: None,
        "pending": lambda who: site.room.run("subscribers", "add", who, "--confirm"),
        "active": lambda who: site.room.run("subscribers", "add", who),
        "paused": lambda who: (site.room.run("subscribers", "add", who), site.room.run("subscribers", "pause", who)),
        "gone": lambda who: (
            site.room.run("subscribers", "add", who),
            site.room.run("subscribers", "unsubscribe", who),
        ),
        "suppressed": lambda who: site.room.run("subscribers", "suppress", who, "--reason", "complained"),
    }
    site.room.run("subscribers", "add", "suppressed@example.net")
    for state, make in states.items():
        make(f"{state}@example.net")
    answers = [send(site, f"{state}@example.net") for state in states]
    assert {(one.status_code, one.content, *sorted(one.headers.items())[:1]) for one in answers} == {
        (200, answers[0].content, *sorted(answers[0].headers.items())[:1])
    }
    site.room.sink.wait(5)
    subjects = {mail.recipient.partition("@")[0]: str(mail.message["Subject"]) for mail in site.room.sink.mails}
    confirm, already = "Confirm your subscription to Daily Papers", "You are subscribed to Daily Papers"
    assert subjects == {
        "new": confirm, "pending": confirm, "gone": confirm, "active": already, "paused": already,
    }  # fmt: skip


def test_who_is_subscribed_is_told_once_a_day(site: Site) -> None:
    """With the link to their preferences, and whoever asks; nothing of the subscription changes."""
    site.room.run("subscribers", "add", ANN, "--topic", "mine")
    now = datetime.now(UTC)
    for hours in (0, 1, 23, 25):
        begin(site, ANN, now + timedelta(hours=hours), topics="theirs")
    assert len(site.room.sink.to(ANN)) == 2
    mail = site.room.sink.to(ANN)[0]
    assert "https://papers.example.org/preferences/" in mail.text
    assert "theirs" not in mail.text + mail.html
    assert subscribe.find(site.app.database, ANN).preferences.topics == ("mine",)


def test_ten_thousand_sign_ups_are_one_mail(site: Site) -> None:
    """A few here; scripts/bench/bombing.py sends them all. From many networks, for one address: one mail a day."""
    for number in range(40):
        assert send(site, ANN, by=f"10.{number}.0.1").status_code == 200
    site.room.sink.wait(1)
    now = datetime.now(UTC)
    begin(site, ANN, now)
    assert len(site.room.sink.to(ANN)) == 1
    begin(site, ANN, now + timedelta(days=1, minutes=1))
    assert len(site.room.sink.to(ANN)) == 2


def test_the_mail_has_nothing_of_the_stranger(site: Site) -> None:
    """Whatever was typed into the form."""
    send(site, ANN, topics='"buy at https://spam.example now"', zone="Europe/Paris")
    site.room.sink.wait(1)
    mail = site.room.sink.to(ANN)[0]
    assert "spam" not in str(mail.message["Subject"]) + mail.text + mail.html


def test_all_together_get_so_many_confirmations_a_day(newsroom: Newsroom) -> None:
    """Then nobody new is mailed until the day is over; nothing that was answered is lost."""
    newsroom.configure(web={"confirmations_per_day": 2})
    with newsroom.app() as app:
        site = Site(newsroom, app, "", httpx2.Client())
        now = datetime.now(UTC)
        for who in ("a", "b", "c", "d"):
            begin(site, f"{who}@example.net", now)
        assert [mail.recipient for mail in newsroom.sink.mails] == ["a@example.net", "b@example.net"]
        begin(site, "c@example.net", now + timedelta(hours=1))
    newsroom.tick(now + timedelta(hours=12))
    assert len(newsroom.sink.mails) == 2
    newsroom.tick(now + timedelta(hours=25))
    assert sorted(mail.recipient for mail in newsroom.sink.mails[2:]) == ["c@example.net", "d@example.net"]


def test_one_network_signs_up_thirty_in_an_hour(site: Site) -> None:
    """More are refused in words, the same for every address; another network is not."""
    answers = [send(site, f"reader{number}@example.net", by=f"192.0.2.{number}") for number in range(31)]
    assert [one.status_code for one in answers] == [200] * 30 + [429]
    assert send(site, ANN, by="198.51.100.1").status_code == 200


def test_simple_bots_are_answered_and_nothing_happens(site: Site) -> None:
    """Who fills the field that nobody sees gets the answer of everybody."""
    assert send(site, ANN, website="https://spam.example").content == send(site, BOB).content
    site.room.sink.wait(1)
    assert is_known(site, BOB)
    assert not is_known(site, ANN)


@pytest.mark.parametrize("how", ["no stamp", "at once", "another site"])
def test_what_our_form_did_not_send_is_asked_again(site: Site, how: str) -> None:
    """Another page's form, or one pressed quicker than a person does: the form, with what was typed, and no more."""
    fields = {"address": ANN, "topics": "<b>mine</b>"}
    headers = {"Sec-Fetch-Site": "cross-site"} if how == "another site" else {}
    if how != "no stamp":
        fields["stamp"] = Stamps(site.app.settings.secrets).make("subscribe", datetime.now(UTC))
    answer = site.client.post("/subscribe", data=fields, headers=headers)
    form = html.document_fromstring(answer.text).forms[0]
    assert answer.status_code == 200
    assert (form.fields["address"], form.fields["topics"].strip()) == (ANN, "<b>mine</b>")
    assert not is_known(site, ANN)


def test_what_cannot_be_read_is_told_with_its_place(site: Site) -> None:
    """Beside its field, and nothing is kept until it is put right."""
    wrong = {"topics": 'fine\nabout "this', "zone": "Mars/Base", "hour": "25:00", "frequency": "hourly"}
    answer = send(site, "not an address", **wrong)
    page = html.document_fromstring(answer.text)
    told = {one.get("id"): one.text_content() for one in page.xpath("//p[contains(@class, 'wrong')][@id]")}
    assert answer.status_code == 422
    assert told == {
        "address-wrong": "Please write an address that mail can go to.",
        "topics-wrong": "Line 2, character 7: a quotation mark has no partner.",
        "frequency-wrong": "Please choose one of these.",
        "hour-wrong": "Please write a time like 08:00.",
        "zone-wrong": "Please choose one of these.",
    }
    for field in page.xpath("//*[@aria-invalid]"):
        assert f"{field.get('id')}-wrong" in field.get("aria-describedby")
    assert site.room.run("subscribers", "list", "--json").json["total"] == 0


def test_the_box_asks_for_the_address_alone(site: Site) -> None:
    """Everything else is the newsletter's own, and follows it; but the page's language is the reader's."""
    assert "/de/subscribe" in html.document_fromstring(site.client.get("/de/").text).xpath("//form/@action")
    send(site, ANN, path="/de/subscribe")
    site.room.sink.wait(1)
    chosen = subscribe.find(site.app.database, ANN).preferences
    assert (chosen.language, chosen.frequency, chosen.hour, chosen.topics) == ("de", None, None, ())
    assert "Bitte bestätigen Sie" in site.room.sink.to(ANN)[0].text


def test_mailboxes_that_live_for_minutes_are_refused_where_the_operator_asks(newsroom: Newsroom) -> None:
    """By the packaged list and the operator's own, which can take domains from it; in words on the page."""
    (newsroom.folder / "disposable.txt").write_text("throwaway.example  # seen in March\n-mailinator.com\n")
    newsroom.configure(web={"refuse_disposable": True, "disposable_file": "disposable.txt"})
    with newsroom.app() as app:
        from newsletter.services.disposable import Disposable

        refused = Disposable(app.settings.web)
        found = {who: refused.holds(f"a@{who}") for who in ("in.throwaway.example", "yopmail.com", "mailinator.com")}
        assert found == {"in.throwaway.example": True, "yopmail.com": True, "mailinator.com": False}
        assert not refused.holds(ANN)


def test_a_list_of_domains_that_cannot_be_read_is_one_line(newsroom: Newsroom) -> None:
    """With the key, the file, and what to do."""
    newsroom.configure(web={"disposable_file": "nowhere.txt"})
    answer = newsroom.run("web", "--port", "0", expect=2)
    assert "web.disposable_file" in answer.err
    assert answer.err.count("\n") == 1
