"""The pages of papers: one paper, the papers of a day, a week and a month, and what is talked about."""

from datetime import UTC, date, datetime
from urllib.parse import quote

from lxml import html
from served import Site
from sqlalchemy import event

from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.storage import browsing, sightings

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</pre></title></style><svg/onload=alert(1)>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "}\\end{document}<a href='javascript:alert(1)'>",
]
WEEK = ["2026-07-13", "2026-07-14", "2026-07-15"]


def texts(page: str, path: str) -> list[str]:
    """Return what the elements at *path* say, each on one line."""
    return [" ".join(str(found.text_content()).split()) for found in html.document_fromstring(page).xpath(path)]


def links(page: str, path: str = "//main//a") -> list[str]:
    """Return where the links at *path* lead."""
    return [str(link) for link in html.document_fromstring(page).xpath(f"{path}/@href")]


def listed(site: Site, *papers: Paper, day: date = date(2026, 7, 15), votes: int = 1) -> None:
    """Let a source list *papers* on a day, the first with the most upvotes."""
    said = [
        Sighting(
            source="test",
            kind="file",
            seen_at=datetime(2026, 7, 15, 8, tzinfo=UTC),
            paper=paper,
            listing=Listing(source="test", day=day, upvotes=votes + len(papers) - place, position=place),
        )
        for place, paper in enumerate(papers, 1)
    ]
    with site.app.database.write() as session:
        sightings.store(session, said)


def weekly(site: Site) -> list[str]:
    """Seal the issue of a day that followed two others. Return the arXiv ids."""
    site.room.publish(WEEK[0], "Alpha", "Beta")
    site.room.publish(WEEK[1], "Gamma", upvotes=300)
    found = site.room.publish(WEEK[2], "Delta", "Alpha", upvotes=7)
    for day in WEEK:
        site.room.run("gather", "--date", day)
    site.room.run("run", "--date", WEEK[2], "--now")
    return found


def test_the_front_page_is_the_newest_issue_and_the_ways_on(site: Site) -> None:
    """Its papers as cards whose titles lead to their own pages, a box to subscribe, the issue before, the lists."""
    for day, title in zip(WEEK, ("Alpha", "Beta", "Gamma"), strict=True):
        [key] = site.room.publish(day, title)
        site.room.run("run", "--date", day, "--now")
    answer = site.client.get("/")
    assert texts(answer.text, "//h3") == ["Gamma"]
    assert links(answer.text, "//h3/a") == [f"/papers/{key}"]
    assert {
        f"https://arxiv.org/abs/{key}",
        f"/archive/{WEEK[2]}",
        "/archive",
        "/day",
        "/week",
        "/month",
    } < set(links(answer.text))
    assert "/feeds/issues.atom" in links(answer.text, "//footer//a")
    assert links(answer.text, "//a[@rel='prev']") == [f"/archive/{WEEK[1]}"]
    assert html.document_fromstring(answer.text).xpath("//form/@action") == ["/subscribe"]
    assert answer.headers["cache-control"] == "public, max-age=300"
    site.room.run("issues", "halt", WEEK[2], "--reason", "a wrong paper")
    assert texts(site.client.get("/").text, "//h3") == ["Beta"]


def test_a_paper_has_a_page_of_its_own(site: Site) -> None:
    """With its abstract, people and links, when it was listed and how it was liked, its issues, and how to cite it."""
    facts = {"authors": ["Ada Okafor", "Grace Lin"], "organisation": "Example University", "categories": ["cs.CL"]}
    facts |= {
        "abstract": r"At most $O(n^2)$ steps.",
        "links": {"code": "https://code.example.org/fast"},
        "code_stars": 1200,
    }
    [key] = site.room.publish(WEEK[0], r"Fast sorting in $\alpha$ steps", **facts)
    site.room.publish(WEEK[1], r"Fast sorting in $\alpha$ steps", **facts, upvotes=250)
    for day in WEEK[:2]:
        site.room.run("run", "--date", day, "--now", expect=None)
    answer = site.client.get(f"/papers/{key}")
    page, main = answer.text, texts(answer.text, "//main")[0]
    assert texts(page, "//h1") == ["Fast sorting in α steps"]
    assert "At most O(n²) steps." in main
    assert "Ada Okafor, Grace Lin" in main
    assert "Example University" in main
    assert "★ 1,200" in main
    assert {f"https://arxiv.org/abs/{key}", "https://code.example.org/fast"} < set(links(page))
    assert texts(page, "//tbody/tr") == ["14 July 2026file250", "13 July 2026file100"]
    assert links(page, "//tbody//a") == [f"/day/{WEEK[1]}", f"/day/{WEEK[0]}"]
    assert f"/archive/{WEEK[0]}" in links(page, "//ul//a")
    assert "number 1" in main
    assert texts(page, "//details/pre")[0].startswith("@misc{okafor2026fast,")
    assert answer.headers["cache-control"] == "public, max-age=300"
    for kind, begins in (("bib", "@misc{okafor2026fast"), ("ris", "TY  - UNPB"), ("json", "[")):
        file = site.client.get(f"/papers/{key}/cite.{kind}")
        assert file.text.startswith(begins)
        assert file.headers["content-disposition"] == f'attachment; filename="{key}.{kind}"'


def test_a_paper_has_one_address_and_other_names_lead_to_it(site: Site) -> None:
    """A version, a DOI of the archive's and our own number too; a DOI keeps its slashes; a number where it must."""
    listed(
        site,
        Paper(title="Alpha", arxiv_id="2607.00001", link="https://arxiv.org/abs/2607.00001"),
        Paper(title="Beta", doi="10.1234/a/b(c)1;x-2", link="https://doi.org/10.1234/a/b(c)1;x-2"),
        Paper(title="Gamma", doi="10.1234/../privacy?<x>", link="https://doi.org/10.1234/"),
        Paper(title="Delta", link="https://papers.example.org/p?id=4#top"),
    )
    day = site.client.get("/day/2026-07-15").text
    addresses = dict(zip(texts(day, "//li//h2"), links(day, "//li//h2/a"), strict=True))
    assert addresses == {
        "Alpha": "/papers/2607.00001",
        "Beta": "/papers/10.1234/a/b(c)1;x-2",
        "Gamma": "/papers/3",
        "Delta": "/papers/4",
    }
    for title, path in addresses.items():
        answer = site.client.get(path)
        assert (answer.status_code, texts(answer.text, "//h1")) == (200, [title])
    for name in ("2607.00001v2", "arXiv:2607.00001", "10.48550/arXiv.2607.00001", "1"):
        answer = site.client.get(f"/papers/{name}")
        assert (answer.status_code, answer.headers["location"]) == (302, "/papers/2607.00001")
    assert site.client.get(f"/de/papers/{quote('1')}").headers["location"] == "/de/papers/2607.00001"


def test_what_is_no_paper_is_no_page(site: Site) -> None:
    """Nor a redirect to anywhere."""
    listed(site, Paper(title="Alpha", arxiv_id="2607.00001"))
    for name in ("2607.99999", "99", "9" * 400, "10.1234/none", "//evil.example", "x", "%00", "0"):
        for path in (f"/papers/{name}", f"/papers/{name}/cite.bib"):
            assert (path, site.client.get(path).status_code) == (path, 404)


def test_papers_that_became_one_keep_their_addresses(site: Site) -> None:
    """Who kept the address of either finds the one that it is now."""
    alpha, beta = Paper(title="Alpha", arxiv_id="2607.00001"), Paper(title="Alpha", doi="10.1234/alpha")
    listed(site, alpha)
    listed(site, beta)
    assert site.client.get("/papers/10.1234/alpha").status_code == 200
    listed(site, Paper(title="Alpha", arxiv_id="2607.00001", doi="10.1234/alpha"))
    for name in ("10.1234/alpha", "2"):
        assert site.client.get(f"/papers/{name}").headers["location"] == "/papers/2607.00001"


def test_a_day_a_week_and_a_month_are_lists(site: Site) -> None:
    """A day in the newsletter's order, the others by upvotes; each leads to the ones before and after that have any."""
    weekly(site)
    site.room.publish("2026-07-27", "Epsilon")
    site.room.run("gather", "--date", "2026-07-27")
    day = site.client.get(f"/day/{WEEK[2]}").text
    assert texts(day, "//h1") == ["Wednesday, 15 July 2026"]
    assert texts(day, "//li/h2") == ["Alpha", "Delta"] or texts(day, "//li/h2") == ["Delta", "Alpha"]
    assert texts(day, "//nav/a[@aria-current]") == ["Newest day"]
    assert links(day, "//a[@rel]") == [f"/day/{WEEK[1]}", "/day/2026-07-27"]
    week = site.client.get("/week/2026-W29").text
    assert texts(week, "//h1") == ["Week 29 of 2026"]
    assert texts(week, "//li/h2") == ["Gamma", "Alpha", "Beta", "Delta"]
    assert links(week, "//a[@rel]") == ["/week/2026-W31"]
    month = site.client.get("/month/2026-07").text
    assert texts(month, "//h1") == ["July 2026"]
    assert texts(month, "//li/h2") == ["Gamma", "Epsilon", "Alpha", "Beta", "Delta"]
    assert links(month, "//a[@rel]") == []
    for kind, newest in (("day", "2026-07-27"), ("week", "2026-W31"), ("month", "2026-07")):
        assert site.client.get(f"/{kind}").headers["location"] == f"/{kind}/{newest}"
        assert site.client.get(f"/de/{kind}").headers["location"] == f"/de/{kind}/{newest}"


def test_what_is_talked_about_is_what_todays_issue_chooses_from(site: Site) -> None:
    """In the same order; what is older or withdrawn is not in it."""
    today = datetime.now(UTC).date()
    listed(site, Paper(title="Old", arxiv_id="2007.00001"), day=date(2020, 7, 15))
    new = [Paper(title=title, arxiv_id=f"2607.0000{n}") for n, title in enumerate(("First", "Second", "Gone"), 1)]
    listed(site, *new[:2], Paper(title="Gone", arxiv_id="2607.00003", withdrawn=True), day=today)
    page = site.client.get("/trending").text
    assert texts(page, "//li/h2") == ["First", "Second"]
    assert links(page, "//a[@rel]") == []


def test_each_list_has_one_address(site: Site) -> None:
    """What is no day, no page of one, or written another way is no page; a day without papers is no error."""
    listed(site, Paper(title="Alpha", arxiv_id="2607.00001"))
    wrong = (
        "day/20260715",
        "day/x",
        "day/2026-02-30",
        "week/2026-W54",
        "week/2026-29",
        "week/9999-W52",
        "week/0000-W01",
    )
    wrong += ("month/2026-13", "month/0000-01", "month/2026-7", "month/٢٠٢٦-07", "day/2026-07-15?page=2")
    wrong += ("day/2026-07-15?page=0", "day/2026-07-15?page=x", "trending?page=99999", "week/2026-W29?page=2")
    assert [path for path in wrong if site.client.get(f"/{path}").status_code != 404] == []
    for path in ("/day/2026-07-14", "/day/9999-12-31", "/month/9999-12", "/week/0001-W01", "/trending"):
        assert "Nothing was listed." in texts(site.client.get(path).text, "//main")[0]


def test_long_lists_have_pages_of_bounded_size(site: Site) -> None:
    """Every paper stands on one of them, and each weighs less than 100 KB, like the page of a paper."""
    long = "We study how long texts behave. " * 200
    people = tuple(f"Author Number{n} With-a-Long-Name" for n in range(900))
    papers = [
        Paper(title=f"{n}: {long}", arxiv_id=f"2607.{n:05}", abstract=long, authors=people, organisation=long)
        for n in range(1, 121)
    ]
    listed(site, *papers)
    for start in ("/day/2026-07-15", "/week/2026-W29", "/month/2026-07"):
        path, seen = start, list[str]()
        while path:
            answer = site.client.get(path)
            assert len(answer.content) < 100_000
            seen += links(answer.text, "//li/h2/a")
            path = "".join(start + link for link in links(answer.text, "//nav[last()]/a[@rel='next']"))
        assert seen == [f"/papers/2607.{n:05}" for n in range(1, 121)]
    assert len(site.client.get("/papers/2607.00001").content) < 100_000


def test_hostile_papers_are_inert(site: Site) -> None:
    """Whatever a source says is shown as it is written, and does nothing."""
    hostile = {
        "authors": tuple(HOSTILE),
        "organisation": HOSTILE[0],
        "abstract": " ".join(HOSTILE),
        "comment": HOSTILE[1],
    }
    papers = [
        Paper(title=said, arxiv_id=f"2607.0000{n}", summary=said, link="javascript:alert(1)", code=said, **hostile)
        for n, said in enumerate(HOSTILE, 1)
    ]
    listed(site, *papers)
    pages = [f"/papers/2607.0000{n}" for n in range(1, 6)]
    for path in ("/", "/day/2026-07-15", "/week/2026-W29", "/month/2026-07", *pages):
        document = html.document_fromstring(site.client.get(path).text)
        assert document.xpath("//script | //img | //svg | //iframe | //style | //@style | //@onerror | //@onload") == []
        assert [to for to in document.xpath("//@href") if not to.startswith(("https://", "/", "mailto:", "?"))] == []
    assert [texts(site.client.get(path).text, "//h1")[0] for path in pages] == HOSTILE


def test_lists_touch_only_their_days(site: Site) -> None:
    """No query of theirs looks through all papers or listings."""
    with site.app.database.read() as session:
        statements: list[str] = []
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *told: statements.append((told[2], told[3])))
        days = date(2026, 7, 1), date(2026, 7, 31)
        browsing.newest_day(session)
        browsing.around(session, *days)
        browsing.most_upvoted(session, *days, limit=50, offset=0)
        browsing.count_listed(session, *days)
        browsing.appearances(session, 1, 10)
        plans = [
            row[3]
            for statement, values in list(statements)
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    assert [plan for plan in plans if plan.startswith("SCAN")] == []
