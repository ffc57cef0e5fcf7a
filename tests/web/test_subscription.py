"""Unsubscribing by one press or one click, and confirming, through real links of real mails."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from lxml import html
from served import Site

from newsletter.domain.subscriber import Status
from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe
from newsletter.services.confirm import invite

_STAMP = re.compile(r'name="stamp" value="[^"]*"')  # says when a form was shown

ANN = "ann.reader@example.net"
ONE_CLICK = {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}


def link_of(site: Site, email: str = ANN) -> str:
    """Add a reader, send the digest of a day, and return the path of the link that its header names."""
    site.room.publish("2026-07-15", "Alpha", "Beta")
    site.room.run("subscribers", "add", email)
    site.room.run("run", "--date", "2026-07-15", "--now")
    mail = site.room.sink.to(email)[0]
    assert mail.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.search(r"<(https://[^>]+)>", str(mail.message["List-Unsubscribe"]))
    assert link
    assert link[1] in mail.text
    assert link[1] in mail.html
    return site.path(link[1])


def token_of(site: Site, purpose: Purpose, email: str = ANN, *, expires: datetime | None = None) -> str:
    """Return a token for somebody on the list."""
    who = subscribe.find(site.app.database, email).id
    return site.app.correspondence.signer.token(purpose, subscriber=who, expires=expires)


def confirmation_of(site: Site, email: str = ANN) -> str:
    """Return the path of the link in the newest mail."""
    found = re.search(r"https://papers\.example\.org/confirm/\S+", site.room.sink.to(email)[-1].text)
    assert found
    return site.path(found[0])


def said(content: str) -> str:
    """Return what a page says, on one line."""
    return " ".join(html.document_fromstring(content).xpath("string(//main)").split())


def test_scanners_change_nothing_and_one_click_unsubscribes(site: Site) -> None:
    """Fifty GET and HEAD leave every row as it was; then one POST without cookies ends it, without a redirect."""
    path = link_of(site)
    before = site.content()
    for _ in range(25):
        assert site.client.get(path).status_code == 200
        head = site.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
    assert site.content() == before
    answer = site.client.post(path, **ONE_CLICK)
    assert answer.status_code == 200
    assert not {"set-cookie", "location"} & set(answer.headers)
    assert site.status(ANN) == Status.UNSUBSCRIBED


def test_the_page_says_whose_subscription_it_is_in_part(site: Site) -> None:
    """Mails are forwarded: the owner knows the address, nobody else learns it."""
    page = site.client.get(link_of(site)).text
    assert "a…@example.net" in page
    assert "ann" not in page
    form = html.document_fromstring(page).forms[0]
    assert (form.method, form.action) == ("POST", None)
    assert form.xpath(".//button/@name") + form.xpath(".//button/@value") == ["List-Unsubscribe", "One-Click"]


@pytest.mark.parametrize(
    "sent",
    [
        ONE_CLICK,
        {"files": {"List-Unsubscribe": (None, b"One-Click")}},  # RFC 8058 lets mail programs send either
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"content": b""},
        {"content": (b"x" * 1024 for _ in range(16))},
    ],
    ids=["one-click", "multipart", "button", "empty", "long"],
)
def test_the_link_is_all_that_a_post_needs(site: Site, sent: dict[str, object]) -> None:
    """Whatever form the body takes, who has the link meant it."""
    site.room.run("subscribers", "add", ANN)
    answer = site.client.post(f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE)}", **sent)
    assert answer.status_code == 200
    assert site.status(ANN) == Status.UNSUBSCRIBED


def test_the_goodbye_is_the_same_for_whoever_gets_no_mail(site: Site) -> None:
    """The first time, the second time, afterwards by GET, suppressed, removed: one page."""
    readers = (ANN, "bob@example.net", "eve@example.net")
    site.room.run("subscribers", "add", *readers)
    paths = [f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE, reader)}" for reader in readers]
    site.room.run("subscribers", "suppress", "bob@example.net", "--reason", "complained")
    site.room.run("subscribers", "remove", "eve@example.net")
    answers = [site.client.request(how, path) for path in paths for how in ("POST", "POST", "GET")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert "You are not subscribed" in said(answers[0].text)
    assert site.status("bob@example.net") == Status.SUPPRESSED


def test_who_left_by_mistake_finds_the_way_back(site: Site) -> None:
    """By a link on the page that says that it is done, and on what old links to the preferences lead to."""
    site.room.run("subscribers", "add", ANN)
    path = f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE)}"
    preferences = f"/preferences/{token_of(site, Purpose.PREFERENCES)}"
    for answer in (site.client.post(path, **ONE_CLICK), site.client.get(preferences)):
        ways = html.document_fromstring(answer.text).xpath("//main//a[contains(., 'Subscribe again')]/@href")
        assert [site.client.get(way).status_code for way in ways] == [200]


def test_who_unsubscribes_gets_nothing_of_what_was_waiting(site: Site) -> None:
    """A digest that was put off by the reader's server is withdrawn by the click, and no later issue is made due."""
    site.room.sink.refusals[ANN] = "451 4.2.1 try later"
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("subscribers", "add", ANN)
    report = site.room.run("run", "--date", "2026-07-15", "--now", "--json", expect=3).json
    assert report["deliveries"]["deferred"] == 1
    site.room.sink.refusals.clear()
    assert site.client.post(f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE)}", **ONE_CLICK).status_code == 200
    site.room.publish("2026-07-16", "Beta")
    assert site.room.run("deliver", "--json").json["deliveries"]["withdrawn"] == 1
    site.room.run("run", "--date", "2026-07-16", "--now")
    assert site.room.sink.to(ANN) == []


@pytest.mark.parametrize("page", ["unsubscribe", "confirm"])
def test_a_link_that_does_not_work_says_so_in_one_way(site: Site, page: str) -> None:
    """Cut, changed, forged, for another purpose or nonsense: the same 404, by GET and by POST, and nothing happens."""
    site.room.run("subscribers", "add", ANN)
    other = Purpose.CONFIRM if page == "unsubscribe" else Purpose.UNSUBSCRIBE
    genuine = token_of(site, Purpose(page[0]))
    changed = genuine[:20] + ("a" if genuine[20] != "a" else "b") + genuine[21:]
    broken = [genuine[:-1], genuine + "a", changed, "a" * 48, token_of(site, other), "%00", "<b>", "%2e%2e", "é" * 48]
    before = site.content()
    for how in ("GET", "POST"):
        answers = [_STAMP.sub("", site.client.request(how, f"/{page}/{token}").text) for token in broken]
        assert len(set(answers)) == 1
        leads_on = (page, how) == ("unsubscribe", "GET")  # whoever wants to leave is asked for the address instead
        assert ('action="/unsubscribe"' if leads_on else "This link does not work") in answers[0]
    assert site.client.get(f"/{page}/{broken[0]}").status_code == 404
    assert site.content() == before


def test_a_link_in_capitals_works(site: Site) -> None:
    """Some mail servers change case on the way."""
    site.room.run("subscribers", "add", ANN)
    assert site.client.post(f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE).upper()}").status_code == 200
    assert site.status(ANN) == Status.UNSUBSCRIBED


def test_an_expired_confirmation_says_so(site: Site) -> None:
    """After its week the link is gone, whatever is tried, and whoever has it is told what helps."""
    site.room.run("subscribers", "add", ANN)
    site.room.run("subscribers", "unsubscribe", ANN)
    token = token_of(site, Purpose.CONFIRM, expires=datetime.now(UTC) - timedelta(seconds=1))
    for how in ("GET", "POST"):
        answer = site.client.request(how, f"/confirm/{token}")
        assert answer.status_code == 410
        assert "ask for a fresh one" in said(answer.text)
    assert site.status(ANN) == Status.UNSUBSCRIBED


def test_a_body_that_is_too_long_is_refused(site: Site) -> None:
    """With its length said or in chunks; the subscription stays."""
    site.room.run("subscribers", "add", ANN)
    path = f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE)}"
    for content in (b"x" * (16 * 1024 + 1), (b"x" * 1024 for _ in range(17))):
        answer = site.client.post(path, content=content)
        assert answer.status_code == 413
        assert "no-referrer" in answer.headers["referrer-policy"]
    assert site.status(ANN) == Status.ACTIVE


def test_a_confirmation_from_the_command_to_the_first_digest(site: Site) -> None:
    """Pending until the link of the mail was opened and its button pressed; then digests come."""
    answer = site.room.run("subscribers", "add", ANN, "--topic", "alpha", "--confirm", "--json").json
    assert [one["outcome"] for one in answer["subscribers"]] == ["to be confirmed"]
    path = confirmation_of(site)
    before = site.content()
    page = site.client.get(path).text
    assert "a…@example.net" in page
    assert "ann" not in page
    assert site.content() == before
    assert site.status(ANN) == Status.PENDING
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("run", "--date", "2026-07-15", "--now")
    assert len(site.room.sink.mails) == 1
    welcome = site.client.post(path)
    assert "You are subscribed" in said(welcome.text)
    assert "next digest is due on" in said(welcome.text)
    assert site.status(ANN) == Status.ACTIVE
    site.room.sink.wait(2)
    again = site.client.get(path)
    assert (again.status_code, said(again.text)) == (200, said(welcome.text))
    site.room.publish("2026-07-16", "Gamma")
    site.room.run("run", "--date", "2026-07-16", "--now")
    subjects = [str(mail.message["Subject"]) for mail in site.room.sink.to(ANN)]
    assert subjects[:2] == ["Confirm your subscription to Daily Papers", "Welcome to Daily Papers"]
    assert "16 July" in subjects[2]


def test_the_mail_holds_nothing_of_whoever_asked(site: Site) -> None:
    """It names the newsletter and one link, goes to the bare address, and is no list mail that one could leave."""
    site.room.run("subscribers", "add", ANN, "--source", "visit https://spam.example", "--confirm")
    mail = site.room.sink.to(ANN)[0]
    assert mail.message["To"] == ANN
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert "List-Unsubscribe" not in mail.message
    assert b"spam" not in mail.content
    assert set(re.findall(r"https?://[^\s\"<]+", mail.text + mail.html)) == {
        "https://papers.example.org" + confirmation_of(site)
    }


def test_nobody_is_asked_twice_in_a_day(site: Site) -> None:
    """Whoever asks, and however often: one mail, and the answer says why. A day later they may be asked again."""
    outcomes = [
        site.room.run("subscribers", "add", ANN, "--confirm", "--json").json["subscribers"][0]["outcome"]
        for _ in range(3)
    ]
    assert outcomes == ["to be confirmed", *["asked less than a day ago, and not again"] * 2]
    assert len(site.room.sink.to(ANN)) == 1
    for hours, mails in ((23, 1), (25, 2), (26, 2)):
        asyncio.run(invite(site.app.dispatch, [ANN.upper()], {}, datetime.now(UTC) + timedelta(hours=hours)))
        assert len(site.room.sink.mails) == mails


def test_a_confirmation_without_pages_is_refused(site: Site) -> None:
    """Without a base_url the link would lead nowhere: one line, exit 2, and nobody is on the list."""
    site.room.configure(newsletter={"base_url": ""})
    answer = site.room.run("subscribers", "add", ANN, "--confirm", expect=2)
    assert answer.err.startswith("newsletter: newsletter.base_url is not set")
    assert answer.err.count("\n") == 1
    assert site.room.run("subscribers", "list", "--json").json["total"] == 0


def test_a_confirmation_that_cannot_be_sent_can_be_repeated(site: Site) -> None:
    """The subscriber stays pending, the command ends with 3 and says what to do, and doing that works."""
    site.room.sink.shut()
    answer = site.room.run("subscribers", "add", ANN, "--confirm", "--json", expect=3)
    assert answer.json["subscribers"][0]["status"] == "pending"
    assert answer.err.startswith(f"{ANN}: is pending, but could not be asked: ")
    assert "give the same command again" in answer.err
    site.room.sink.open()
    site.room.run("subscribers", "add", ANN, "--confirm")
    assert len(site.room.sink.to(ANN)) == 1


def test_one_refused_address_does_not_keep_the_others_from_being_asked(site: Site) -> None:
    """A server that knows nobody there refuses one of three, and says so."""
    site.room.sink.refusals["bob@example.net"] = "550 5.1.1 no such user"
    readers = (ANN, "bob@example.net", "jörg@example.net")
    answer = site.room.run("subscribers", "add", *readers, "--confirm", expect=3)
    assert [mail.recipient for mail in site.room.sink.mails] == [ANN, "jörg@example.net"]
    assert "no such user" in answer.err
    assert answer.err.count("\n") == 1


def test_who_unsubscribed_comes_back_only_by_their_own_hand(site: Site) -> None:
    """Being asked changes nothing; pressing the button does."""
    site.room.run("subscribers", "add", ANN)
    site.room.run("subscribers", "unsubscribe", ANN)
    site.room.run("subscribers", "add", ANN, "--confirm")
    assert site.status(ANN) == Status.UNSUBSCRIBED
    assert site.client.post(confirmation_of(site)).status_code == 200
    assert site.status(ANN) == Status.ACTIVE


def test_a_suppressed_or_removed_address_cannot_be_confirmed(site: Site) -> None:
    """What happened since the mail counts: the link opens nothing, and says no more than that."""
    site.room.run("subscribers", "add", ANN, "bob@example.net", "--confirm")
    paths = [confirmation_of(site, ANN), confirmation_of(site, "bob@example.net")]
    site.room.run("subscribers", "suppress", ANN, "--reason", "complained")
    site.room.run("subscribers", "remove", "bob@example.net")
    answers = [site.client.request(how, path) for path in paths for how in ("GET", "POST")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(410, answers[0].text)}
    assert site.status(ANN) == Status.SUPPRESSED


def test_a_paused_reader_who_confirms_stays_paused(site: Site) -> None:
    """An old link of one who paused since changes nothing, and greets."""
    site.room.run("subscribers", "add", ANN)
    site.room.run("subscribers", "pause", ANN)
    answer = site.client.post(f"/confirm/{token_of(site, Purpose.CONFIRM)}")
    assert answer.status_code == 200
    assert site.status(ANN) == Status.PAUSED


def test_many_leave_at_the_same_time(site: Site) -> None:
    """The one clicks of forty readers at once are each answered, and each has ended a subscription by then."""
    readers = [f"reader{n}@example.net" for n in range(40)]
    site.room.run("subscribers", "add", *readers)
    paths = [f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE, one)}" for one in readers]

    def leave(reader: str, path: str) -> tuple[int, Status]:
        return site.client.post(path, **ONE_CLICK).status_code, site.status(reader)

    with ThreadPoolExecutor(len(readers)) as pool:
        assert set(pool.map(leave, readers, paths)) == {(200, Status.UNSUBSCRIBED)}
