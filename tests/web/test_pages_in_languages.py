"""Readers of several languages: each one's mail, and the pages that it leads to, are in the reader's own."""

import re
from pathlib import Path

import httpx2
import pytest
from catalogues import CATALOGUES, english_in
from lxml import html
from served import Site

from newsletter.mail.tokens import Purpose
from newsletter.services import subscribe

DAY = "2026-07-15"
READERS = {"ann@example.net": "", "bert@example.net": "de", "chen@example.net": "zh-CN", "dora@example.net": "fr"}


@pytest.fixture
def mailed(site: Site) -> Site:
    """Return a newsletter in English that has sent its readers an issue."""
    site.room.publish(DAY, "Alpha", "Beta")
    for email, language in READERS.items():
        site.room.run("subscribers", "add", email, *(["--language", language] if language else []))
    site.room.run("run", "--date", DAY, "--now")
    return site


def test_each_reader_gets_their_own_language(mailed: Site) -> None:
    """Subject, HTML, text and links; who asked for one that there is not gets the newsletter's."""
    subjects = {email: str(mailed.room.sink.to(email)[0].message["Subject"]) for email in READERS}
    english = "Daily Papers · 15 July: Alpha and 1 more"
    assert subjects == {
        "ann@example.net": english,
        "bert@example.net": "Daily Papers · 15. Juli: Alpha und 1 weitere",
        "chen@example.net": "Daily Papers · 7月15日：Alpha 及另外 1 篇",
        "dora@example.net": english,
    }
    bert, chen = (mailed.room.sink.to(email)[0] for email in ("bert@example.net", "chen@example.net"))
    assert 'lang="de"' in bert.html
    assert "Abbestellen:" in bert.text
    assert 'lang="zh-Hans"' in chen.html
    assert "退订：" in chen.text
    assert "https://papers.example.org/de/archive/2026-07-15" in bert.text
    assert "https://papers.example.org/archive/2026-07-15" in mailed.room.sink.to("ann@example.net")[0].text


def words(answer: httpx2.Response) -> tuple[str, str]:
    """Return a page's language and heading."""
    page = html.document_fromstring(answer.text)
    return page.get("lang"), page.xpath("string(//h1)").strip()


def test_a_mails_links_lead_to_pages_in_its_language(mailed: Site) -> None:
    """The issue, the archive and the front page: and what those link to."""
    mail = mailed.room.sink.to("bert@example.net")[0]
    links = set(re.findall(r"https://papers\.example\.org(/de[^\s\"<]*)", mail.text + mail.html))
    assert links == {"/de", "/de/archive", "/de/archive/2026-07-15"}
    for link in links:
        answer = mailed.client.get(link)
        assert answer.status_code == 200
        assert words(answer)[0] == "de"
        inner = {a for a in html.document_fromstring(answer.text).xpath("//@href") if a.startswith("/")}
        assert inner
        assert all(a.startswith("/de/") for a in inner)
        assert all(mailed.client.get(a, follow_redirects=True).status_code == 200 for a in inner)
    assert words(mailed.client.get("/de/archive/2026-07-15")) == ("de", "Mittwoch, 15. Juli 2026")
    assert words(mailed.client.get("/zh-Hans/archive")) == ("zh-Hans", "存档")
    assert words(mailed.client.get("/de/nowhere")) == ("de", "Diese Seite gibt es nicht")
    assert words(mailed.client.get("/fr/archive")) == ("en", "There is no such page")


@pytest.mark.parametrize("file", CATALOGUES, ids=lambda file: file.stem)
def test_no_page_holds_english_of_ours(mailed: Site, file: Path) -> None:
    """What mails link to, the buttons, and what is said where something is wrong."""
    email = next(email for email, language in READERS.items() if language and language[:2] == file.stem[:2])
    mail = mailed.room.sink.to(email)[0]
    links = [mailed.path(link) for link in re.findall(r"https://papers\.example\.org/\S+", mail.text)]
    signer, who = mailed.app.correspondence.signer, subscribe.find(mailed.app.database, email).id
    links += [f"/{file.stem}", f"/{file.stem}/nowhere", f"/confirm/{signer.token(Purpose.CONFIRM, subscriber=who)}"]
    answers = [mailed.client.get(link) for link in links]
    assert len(answers) >= 6
    answers += [mailed.client.post(link, content=b"by=button") for link in links if "unsubscribe" in link]
    answers.append(mailed.client.get(links[-1]))  # now it asks to confirm
    for answer in answers:
        assert words(answer)[0] == file.stem, answer.url
        assert english_in(re.sub(r"<[^>]*>", " ", answer.text), file) == [], answer.url


def test_whoever_leaves_is_told_so_in_their_language(mailed: Site) -> None:
    """The page with the button, and the one after it."""
    mail = mailed.room.sink.to("chen@example.net")[0]
    link = mailed.path(re.findall(r"https://papers\.example\.org/unsubscribe/\S+", mail.text)[0])
    assert words(mailed.client.get(link)) == ("zh-Hans", "退订")
    assert words(mailed.client.post(link, content=b"by=button")) == ("zh-Hans", "您未订阅")


def test_the_operator_is_told_of_readers_whose_language_there_is_not(mailed: Site) -> None:
    """They get the newsletter's."""
    answer = mailed.room.run("doctor", expect=None)
    assert "1 reader prefers fr" in answer.out
