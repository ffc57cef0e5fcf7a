"""A reader's own pages: what they choose, a break, another address, and their data, by the links of their mails."""

import json
import re
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from lxml import html
from served import Site

from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe

ANN, BOB = "ann.reader@example.net", "bob@example.net"


def token_of(site: Site, purpose: Purpose, email: str = ANN, *, ends: timedelta = timedelta(days=1)) -> str:
    """Return a token for somebody on the list."""
    who = subscribe.find(site.app.database, email).id
    return site.app.correspondence.signer.token(purpose, subscriber=who, expires=datetime.now(UTC) + ends)


def page_of(site: Site, email: str = ANN) -> str:
    """Put a reader on the list, and return the path of their preferences."""
    site.room.run("subscribers", "add", email)
    return f"/preferences/{token_of(site, Purpose.PREFERENCES, email)}"


def reader(site: Site, email: str = ANN) -> Subscriber:
    """Return who it is now."""
    return subscribe.find(site.app.database, email)


def said(answer: httpx2.Response) -> str:
    """Return what a page says, on one line."""
    return " ".join(html.document_fromstring(answer.text).xpath("string(//main)").split())


def fields(answer: httpx2.Response) -> dict[str, str]:
    """Return the fields of the form of preferences as they stand there."""
    form = html.document_fromstring(answer.text).forms[0]
    return {name: value.strip() for name, value in form.fields.items() if value is not None}


def link(site: Site, email: str, page: str) -> str:
    """Return the path of a link in the newest mail."""
    found = re.search(rf"https://papers\.example\.org(/{page}/\S+)", site.room.sink.to(email)[-1].text)
    assert found
    return found[1]


def test_everything_can_be_chosen(site: Site) -> None:
    """Each field is kept, shown again, and answers the command as well."""
    path = page_of(site)
    wished = {
        "topics": "diffusion\ncat:cs.CL -survey", "people": "Ada Okafor\nTri Dao", "alerts": '"learned index"',
        "only_topics": "yes", "frequency": "weekly:fri", "hour": "07:30", "zone": "Asia/Tokyo", "max_papers": "5",
        "min_upvotes": "3", "format": "text", "language": "de",
    }  # fmt: skip
    answer = site.client.post(path, data=wished)
    assert (answer.status_code, "Gespeichert." in said(answer)) == (200, True)
    shown = site.room.run("subscribers", "show", ANN, "--json").json
    assert shown["topics"] == ["diffusion", "cat:cs.CL -survey", 'author:"Ada Okafor"', 'author:"Tri Dao"']
    assert (shown["alerts"], shown["only_topics"]) == (['"learned index"'], True)
    plain = ("frequency", "hour", "zone", "max_papers", "min_upvotes", "format", "language")
    assert [shown[name] for name in plain] == ["weekly:fri", "07:30", "Asia/Tokyo", 5, 3, "text", "de"]
    assert fields(site.client.get(path)) == wished


def test_what_stays_as_it_is_follows_the_newsletter(site: Site) -> None:
    """Saving the form as it was shown chooses nothing but the zone, in which hours are meant."""
    path = page_of(site)
    site.client.post(path, data=fields(site.client.get(path)))
    chosen = reader(site).preferences
    assert (chosen.frequency, chosen.hour, chosen.max_papers, chosen.format, chosen.language) == (None,) * 5
    assert (chosen.zone, chosen.only_topics) == ("UTC", None)


def test_what_cannot_be_read_is_told_and_nothing_is_kept(site: Site) -> None:
    """With its line and place, beside the field; what was typed stands there still."""
    path = page_of(site)
    wished = fields(site.client.get(path)) | {"topics": "fine\nfoo:bar", "alerts": "-only", "max_papers": "0"}
    answer = site.client.post(path, data=wished)
    assert answer.status_code == 422
    told = said(answer)
    assert "Line 2, character 1: “foo:” is not known" in told
    assert "an alert needs something to look for" in told
    assert "Please write a number from 1 to 100." in told
    assert fields(answer)["topics"] == "fine\nfoo:bar"
    assert reader(site).preferences.topics == ()


def test_looking_changes_nothing(site: Site) -> None:
    """Scanners follow the links of mails: by GET and HEAD every row stays as it was."""
    site.room.publish("2026-07-15", "Alpha")
    site.room.run("run", "--date", "2026-07-15", "--now")
    path, data = page_of(site), f"/data/{token_of(site, Purpose.DATA)}"
    before = site.content()
    paths = [path, f"{path}/saved", f"{path}/taste", f"{path}/saved/papers.bib", data, f"{data}/newsletter.json"]
    paths += [f"{path.replace('preferences', 'react')}/1/{what}" for what in ("save", "more", "less")]
    for one in paths:
        assert [site.client.request(how, one).status_code for how in ("GET", "HEAD")] == [200, 200], one
    assert site.content() == before


def test_pages_name_the_reader_in_part(site: Site) -> None:
    """Mails are forwarded: nobody learns an address from the pages that they lead to."""
    path = page_of(site)
    pages = [site.client.get(one).text for one in (path, f"{path}/saved", f"{path}/taste")]
    pages += [site.client.post(f"{path}/{what}", data={}).text for what in ("pause", "resume", "data")]
    assert "a…@example.net" in pages[0]
    assert not [page for page in pages if "ann.reader" in page]


def test_a_break_begins_and_ends(site: Site) -> None:
    """For some weeks, or until it is ended; then mails come again."""
    path = page_of(site)
    assert "You have a break" in said(site.client.post(f"{path}/pause", data={"weeks": "2"}))
    assert (reader(site).status, reader(site).paused_until) == (
        Status.PAUSED, datetime.now(UTC).date() + timedelta(days=14),
    )  # fmt: skip
    assert "mails come again" in said(site.client.post(f"{path}/resume"))
    assert reader(site).status is Status.ACTIVE
    site.client.post(f"{path}/pause", data={"weeks": ""})
    assert (reader(site).status, reader(site).paused_until) == (Status.PAUSED, None)


def test_the_address_moves_when_its_owner_confirms(site: Site) -> None:
    """The new address is asked, in words of ours alone; the old one is told; the subscription is the same."""
    path = page_of(site)
    before = reader(site)
    assert "Look into the new mailbox" in said(site.client.post(f"{path}/address", data={"address": BOB}))
    site.room.sink.wait(1)
    move = link(site, BOB, "move")
    assert "ann" not in site.room.sink.to(BOB)[0].text
    assert site.client.get(move).status_code == 200
    assert reader(site).email == ANN
    assert "b…@example.net from now on" in said(site.client.post(move))
    assert reader(site, BOB).id == before.id
    site.room.sink.wait(2)
    assert "has moved" in str(site.room.sink.to(ANN)[-1].message["Subject"])
    assert site.client.post(move).status_code == 410
    assert site.client.get(path).status_code == 200


def test_an_address_that_cannot_be_taken_is_answered_alike(site: Site) -> None:
    """Nobody learns from it who else is subscribed; and what became true meanwhile counts."""
    path = page_of(site)
    site.room.run("subscribers", "add", BOB)
    answers = [site.client.post(f"{path}/address", data={"address": who}) for who in (BOB, "eve@example.net")]
    assert answers[0].content == answers[1].content
    site.room.sink.wait(1)
    assert [mail.recipient for mail in site.room.sink.mails] == ["eve@example.net"]
    site.room.run("subscribers", "add", "eve@example.net")
    assert site.client.post(link(site, "eve@example.net", "move")).status_code == 410
    assert reader(site).email == ANN


def test_data_is_taken_away_by_a_fresh_link(site: Site) -> None:
    """The page sends it; the link of a mail that was forwarded does not open it, and in an hour it ends."""
    path = page_of(site)
    assert "a…@example.net" in said(site.client.post(f"{path}/data"))
    site.room.sink.wait(1)
    data = link(site, ANN, "data")
    assert site.client.get(path.replace("preferences", "data")).status_code == 404
    assert "Download the file" in said(site.client.get(data))
    answer = site.client.get(f"{data}/newsletter.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="newsletter.json"'
    assert ANN in json.dumps(answer.json())
    old = token_of(site, Purpose.DATA, ends=timedelta(seconds=-1))
    assert site.client.get(f"/data/{old}").status_code == 410


def test_a_reader_deletes_themselves(site: Site) -> None:
    """Everything is gone at once, nothing in the database says the address, and each link says so."""
    path = page_of(site)
    data = f"/data/{token_of(site, Purpose.DATA)}"
    assert site.client.get(f"{data}/delete").status_code == 405
    assert "Everything is deleted" in said(site.client.post(f"{data}/delete"))
    with pytest.raises(NotFoundError):
        reader(site)
    assert ANN not in "".join(site.content())
    assert [site.client.get(one).status_code for one in (path, data)] == [410, 410]


def test_a_link_lasts_ninety_days(site: Site) -> None:
    """Then it says where a fresh one comes from."""
    page_of(site)
    ended = f"/preferences/{token_of(site, Purpose.PREFERENCES, ends=timedelta(seconds=-1))}"
    answer = site.client.get(ended)
    assert answer.status_code == 410
    assert html.document_fromstring(answer.text).xpath("//main//a[contains(., 'fresh')]/@href") == ["/subscribe"]


def test_who_left_finds_no_preferences(site: Site) -> None:
    """By an old link, whatever is tried."""
    path = page_of(site)
    site.room.run("subscribers", "unsubscribe", ANN)
    answers = [site.client.get(path), site.client.post(path, data={"topics": "x"}), site.client.post(f"{path}/resume")]
    assert [one.status_code for one in answers] == [410] * 3
    assert reader(site).status is Status.UNSUBSCRIBED


def test_why_somebody_left_is_kept_as_they_said_it(site: Site) -> None:
    """It is in stats and why; who says nothing, or nonsense, leaves all the same."""
    site.room.run("subscribers", "add", ANN, BOB)
    assert "left because" not in site.room.run("stats").out
    paths = [f"/unsubscribe/{token_of(site, Purpose.UNSUBSCRIBE, who)}" for who in (ANN, BOB)]
    form = {"by": "button", "reason": "too often", "words": "Every day\nis <b>much</b>."}
    assert site.client.post(paths[0], data=form).status_code == 200
    assert site.client.post(paths[1], data={"by": "button", "reason": "<script>", "words": ""}).status_code == 200
    assert [reader(site, who).status for who in (ANN, BOB)] == [Status.UNSUBSCRIBED] * 2
    assert site.room.run("stats", "--json").json["left_because"] == {"too often": 1}
    assert re.search("^left because +1 .1 too often.$", site.room.run("stats").out, re.MULTILINE)
    assert "and said why: too often: Every day is <b>much</b>." in site.room.run("why", ANN).out
    assert "said why" not in site.room.run("why", BOB).out


def test_one_reader_cannot_do_too_much(site: Site) -> None:
    """A hundred and twenty times an hour, whatever it is; then it says so."""
    path = page_of(site)
    answers = [site.client.post(f"{path}/resume").status_code for _ in range(121)]
    assert answers == [200] * 120 + [429]
