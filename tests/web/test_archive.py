"""The front page and the archive, as anyone reads them."""

from datetime import UTC, date, datetime, timedelta, timezone

import httpx2
import pytest
from lxml import html
from newsroom import Newsroom
from served import Site

from newsletter.domain.issue import Arranged
from newsletter.storage import corrections, issues
from newsletter.web.server import serving

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "<a href='javascript:alert(1)'>click</a>",
]


def seal(site: Site, day: str, *titles: str) -> list[str]:
    """Publish papers and seal the issue of a day. Return their arXiv ids."""
    found = site.room.publish(day, *titles)
    site.room.run("run", "--date", day, "--now")
    return found


def texts(page: str, path: str) -> list[str]:
    """Return what the elements at *path* say, each on one line."""
    return [" ".join(str(found.text_content()).split()) for found in html.document_fromstring(page).xpath(path)]


def test_the_archive_lists_sealed_issues_newest_first(site: Site) -> None:
    """Each with its date, what it was headed by, and how many papers; a draft is nobody's business."""
    seal(site, "2026-07-14", "Alpha", "Beta")
    site.room.publish("2026-07-15", "Gamma")
    site.room.run("gather", "--date", "2026-07-15")
    site.room.run("issues", "subject", "2026-07-15", "All about Gamma")
    site.room.run("run", "--date", "2026-07-15", "--now")
    site.room.publish("2026-07-16", "Delta")
    site.room.run("gather", "--date", "2026-07-16")
    site.room.run("issues", "note", "2026-07-16", "Not yet for anyone's eyes")
    page = site.client.get("/archive").text
    assert texts(page, "//li") == [
        "Wednesday, 15 July 2026 All about Gamma 1 paper",
        "Tuesday, 14 July 2026 Alpha 2 papers",
    ]
    assert html.document_fromstring(page).xpath("//li//a/@href") == ["/archive/2026-07-15", "/archive/2026-07-14"]
    assert site.client.get("/archive/2026-07-16").status_code == 404
    assert "/archive/2026-07-15" in html.document_fromstring(site.client.get("/").text).xpath("//main//a/@href")


def test_an_issue_is_its_front_in_order_with_what_the_editor_said(site: Site) -> None:
    """Papers as the mail shows them, notes, and nothing that is one reader's own."""
    alpha, _ = site.room.publish("2026-07-15", "Alpha", "Beta", upvotes=7, organisation="Example University")
    site.room.run("gather", "--date", "2026-07-15")
    site.room.run("issues", "note", "2026-07-15", "A quiet day.")
    site.room.run("issues", "note", "2026-07-15", alpha, "Read this one.")
    site.room.run("subscribers", "add", "ann@example.net")
    site.room.run("run", "--date", "2026-07-15", "--now")
    answer = site.client.get("/archive/2026-07-15")
    page = answer.text
    assert texts(page, "//h1") == ["Wednesday, 15 July 2026"]
    assert texts(page, "//h3") == ["Alpha", "Beta"]
    assert texts(page, "//*[@class='note']") == ["From the editor A quiet day.", "Editor: Read this one."]
    assert "2 papers" in texts(page, "//main")[0]
    assert "Example University" in texts(page, "//main")[0]
    assert f"https://arxiv.org/abs/{alpha}" in html.document_fromstring(page).xpath("//main//a/@href")
    assert "/unsubscribe/" not in page
    assert answer.headers["cache-control"] == "public, max-age=300"


def test_of_many_papers_an_issue_names_some_and_leads_to_all(site: Site) -> None:
    """What is beside the front is at most a hundred lines, and then a link to the list of the day."""
    site.room.publish("2026-07-15", *(f"Paper {number}" for number in range(60)))
    seal(site, "2026-07-15", *(f"Paper {number}" for number in range(60, 120)))
    page = site.client.get("/archive/2026-07-15").text
    assert len(texts(page, "//ul[@class='lines']/li")) == 100
    assert html.document_fromstring(page).xpath("//div[@class='also']//p/a/@href") == ["/day/2026-07-15"]


def test_an_issue_says_what_was_wrong_in_it(site: Site) -> None:
    """All of it, the oldest first, dated in the newsletter's zone, above the papers; other issues say nothing."""
    seal(site, "2026-07-14", "Alpha")
    seal(site, "2026-07-15", "Beta")
    with site.app.database.write() as session:
        for hour, text in ((20, "Alpha has <b>two</b> authors."), (23, "Make that three.")):
            issue = issues.get(session, date(2026, 7, 14))
            assert issue
            corrections.add(session, issue, text, datetime(2026, 7, 14, hour, tzinfo=timezone(timedelta(hours=-4))))
    assert texts(site.client.get("/archive/2026-07-14").text, "//*[@class='note']") == [
        "Correction of Wednesday, 15 July 2026 Alpha has <b>two</b> authors.",
        "Correction of Wednesday, 15 July 2026 Make that three.",
    ]
    assert texts(site.client.get("/archive/2026-07-15").text, "//*[@class='note']") == []


def test_what_is_stopped_is_not_shown(site: Site) -> None:
    """Who halts or cancels an issue wants it stopped everywhere; resumed, it is there again."""
    seal(site, "2026-07-15", "Alpha")
    site.room.run("issues", "halt", "2026-07-15", "--reason", "a wrong paper")
    assert site.client.get("/archive/2026-07-15").status_code == 404
    assert texts(site.client.get("/archive").text, "//li") == []
    site.room.run("issues", "resume", "2026-07-15")
    assert site.client.get("/archive/2026-07-15").status_code == 200
    site.room.run("issues", "cancel", "2026-07-15")
    assert site.client.get("/archive/2026-07-15").status_code == 404


def test_a_long_archive_has_pages(site: Site) -> None:
    """Fifty issues on one, then a link to those before, until there are none."""
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(120)]
    with site.app.database.write() as session:
        for day in days:
            issues.seal(session, issues.draft(session, day), Arranged(pool=(), front=()), (), datetime.now(UTC))
    path, found = "/archive", []
    while path:
        document = html.document_fromstring(site.client.get(path).text)
        found.append(document.xpath("//li//a/@href"))
        path = "".join(document.xpath("//a[@rel='next']/@href"))
    assert [len(part) for part in found] == [50, 50, 20]
    assert [link for part in found for link in part] == [f"/archive/{day}" for day in reversed(days)]


@pytest.mark.parametrize("day", ["2026-07-15", "20260715", "2026-W29-3", "2026-02-30", "x", "%00", "9" * 400])
def test_there_is_one_address_for_an_issue_and_none_for_what_is_none(site: Site, day: str) -> None:
    """A date without an issue, another way to write one, or nonsense: no such page."""
    seal(site, "2026-07-16", "Alpha")
    assert site.client.get(f"/archive/{day}").status_code == 404
    assert site.client.get("/archive", params={"before": day}).status_code == (200 if day == "2026-07-15" else 404)


def test_hostile_texts_are_inert(site: Site) -> None:
    """Titles, names, abstracts and the editor's own words are shown as they are written, and do nothing."""
    facts = {"authors": HOSTILE, "organisation": HOSTILE[0], "abstract": " ".join(HOSTILE), "categories": HOSTILE[:3]}
    ids = site.room.publish("2026-07-15", *HOSTILE, **facts)
    site.room.run("gather", "--date", "2026-07-15")
    site.room.run("issues", "note", "2026-07-15", "\n\n".join(HOSTILE))
    site.room.run("issues", "subject", "2026-07-15", HOSTILE[2])
    for arxiv_id, said in zip(ids, HOSTILE, strict=True):
        site.room.run("issues", "note", "2026-07-15", arxiv_id, said)
    site.room.run("run", "--date", "2026-07-15", "--now")
    for path in ("/", "/archive", "/archive/2026-07-15"):
        document = html.document_fromstring(site.client.get(path).text)
        assert document.xpath("//script | //img | //svg | //iframe | //style | //@style | //main//@onerror") == []
        assert [link for link in document.xpath("//@href") if not link.startswith(("https://", "/", "mailto:"))] == []
    assert texts(site.client.get("/archive/2026-07-15").text, "//h3") == HOSTILE
    assert texts(site.client.get("/archive").text, "//li//p[1]") == [HOSTILE[2]]


def test_links_begin_with_the_path_of_the_site(newsroom: Newsroom) -> None:
    """Behind a proxy that serves other things too, the pages may stand below a path; mails link there as well."""
    newsroom.configure(newsletter={"base_url": "https://lab.example.org/papers"})
    with newsroom.app() as app, serving(app, "127.0.0.1", 0) as url:
        document = html.document_fromstring(httpx2.get(url, trust_env=False).text)
    assert app.correspondence.archive_url == "https://lab.example.org/papers/archive"
    pages = {"", "archive", "day", "week", "month", "trending", "search", "privacy", "style.css", "subscribe"}
    pages |= {"feeds/issues.atom", "feeds/issues.json"}
    assert set(document.xpath("//@href | //@action")) == {f"/papers/{page}" for page in pages}


def test_an_empty_newsletter_has_pages_too(site: Site) -> None:
    """Before the first issue the front page says what this will be."""
    assert texts(site.client.get("/").text, "//h1") == ["Daily Papers"]
    assert "No issues yet" in texts(site.client.get("/archive").text, "//main")[0]
    assert site.client.get("/healthz").text == "ok"
