"""Gathering from real servers on loopback: what is stored, what is recorded as failed, and who is asked how often."""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
from newsroom import Newsroom
from upstreams import Entry, Fault, Submission, Upstreams

from newsletter.app import App
from newsletter.domain.ranking import Candidate
from newsletter.errors import NotFoundError, UsageError
from newsletter.services import draft, edit
from newsletter.services.gather import Report, gather, look_up
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client
from newsletter.storage import papers

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
DAY = date(2026, 7, 15)
MINUTE = timedelta(minutes=1)
LIST, ARCHIVE = "/api/daily_papers", "/api/query"


@pytest.fixture
def upstreams() -> Iterator[Upstreams]:
    """Return Hugging Face with three papers a day and arXiv with two, of which one is in both."""
    made = Upstreams(NOW)
    for day in (DAY - timedelta(days=1), DAY):
        begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
        made.entries += [Entry(f"2607.{day.day}00{n}", day, begins, upvotes=n) for n in (1, 2, 3)]
        made.submissions += [Submission(f"2607.{day.day}00{n}", begins, begins) for n in (3, 4)]
    yield made
    made.close()


@pytest.fixture
def newsroom(newsroom: Newsroom, upstreams: Upstreams) -> Newsroom:
    """Return a newsletter that gathers from both."""
    newsroom.configure(sources=upstreams.sources)
    return newsroom


@pytest.fixture
def app(newsroom: Newsroom) -> Iterator[App]:
    """Return its services."""
    with newsroom.app(NOW) as opened:
        yield opened


@pytest.fixture
def ask(app: App, upstreams: Upstreams):
    """Return what gathers at an instant, which is the upstreams' too."""

    def ask(at: datetime = NOW, **options: object) -> dict[str, Report]:
        upstreams.now = at
        upstreams.catch_breath()
        reports = asyncio.run(gather(app.database, app.gathering, at, **options))  # type: ignore[arg-type]
        return {report.name: report for report in reports}

    return ask


def listed(app: App, day: date = DAY, last: date | None = None) -> list[Candidate]:
    """Return what was listed on a day, or from one to another."""
    with app.database.read() as session:
        return papers.listed(session, day, last or day)


def keys(candidates: Sequence[Candidate]) -> set[str]:
    """Return the keys of the papers."""
    return {candidate.paper.key for candidate in candidates}


def front(app: App) -> list[str]:
    """Return the keys of the draft's front."""
    with app.database.read() as session:
        return [candidate.paper.key for candidate in edit.show(session, app.policy, DAY).arranged.front]


def failing(path: str, fault: Fault):
    """Return what makes one path fail."""
    return lambda asked: fault if asked == path else None


def test_what_two_sources_say_becomes_one_paper(app, ask):
    """Each listing is counted, each paper once, and the best source tells each field."""
    reports = ask(day=DAY)

    assert reports == {
        "huggingface": Report(name="huggingface", papers=3, new=reports["huggingface"].new),
        "arxiv": Report(name="arxiv", papers=4, new=reports["arxiv"].new),
    }
    assert reports["huggingface"].new + reports["arxiv"].new == 6
    both = next(c for c in listed(app) if c.paper.key == "2607.15003")
    assert sorted(n.source for n in both.listings) == ["arxiv", "huggingface"]
    assert (both.upvotes, both.paper.title, both.paper.discussion[-10:]) == (3, "A submission", "2607.15003")


def test_without_a_date_the_lists_of_all_days_looked_back_to_are_fetched(app, ask, upstreams):
    """At first as far as the newsletter looks back, then from the last success on."""
    ask()
    first = [request.query["date"] for request in upstreams.log if request.path == LIST]
    ask(NOW + timedelta(days=2))
    second = [request.query["date"] for request in upstreams.log if request.path == LIST][len(first) :]

    assert first == [f"2026-07-{n:02}" for n in range(9, 16)]
    assert second == ["2026-07-15", "2026-07-16", "2026-07-17"]
    assert keys(listed(app, DAY - timedelta(days=1))) == {f"2607.1400{n}" for n in (1, 2, 3)}


def test_a_date_is_fetched_alone(app, ask, upstreams):
    """Of a past day the archive gives what was submitted on it; the current days are still to be fetched."""
    yesterday = DAY - timedelta(days=1)
    ask(day=yesterday)

    assert [request.query["date"] for request in upstreams.log if request.path == LIST] == [yesterday.isoformat()]
    assert keys(listed(app, yesterday)) == {f"2607.1400{n}" for n in (1, 2, 3, 4)}
    assert listed(app, DAY) == []
    assert ask()["huggingface"].papers == 6


def test_one_source_down_costs_nothing_of_the_others(app, ask, upstreams):
    """Its failure is recorded with a line for a person, and its papers come when it is back."""
    upstreams.fault = failing(ARCHIVE, Fault())
    reports = ask(day=DAY)

    assert reports["huggingface"] == Report(name="huggingface", papers=3, new=3)
    assert (reports["arxiv"].papers, reports["arxiv"].new) == (0, 0)
    assert "127.0.0.1" in (reports["arxiv"].error or "")
    assert len(listed(app)) == 3

    upstreams.fault = lambda _: None
    assert ask(NOW + MINUTE, day=DAY)["arxiv"] == Report(name="arxiv", papers=4, new=3)
    assert len(listed(app)) == 6


def test_what_came_before_a_failure_is_kept(app, ask, upstreams):
    """Of seven lists the last is refused: six are kept, the failure is told, and all are asked for again."""
    lists = []

    def last_list_fails(path: str) -> Fault | None:
        lists.append(path)
        return Fault(status=400) if path == LIST and lists.count(LIST) == 7 else None

    upstreams.fault = last_list_fails
    report = ask()["huggingface"]
    assert (report.papers, report.error is None) == (3, False)
    assert keys(listed(app, DAY - timedelta(days=1))) == {f"2607.1400{n}" for n in (1, 2, 3)}

    upstreams.fault = lambda _: None
    again = ask(NOW + MINUTE)["huggingface"]
    assert (again.papers, again.error) == (6, None)
    assert len(listed(app, DAY)) == 6


def test_a_failing_source_is_asked_again_ever_more_rarely(ask, upstreams):
    """After one minute, then four times as long each time, up to its refresh; the others keep theirs."""
    upstreams.fault = failing(ARCHIVE, Fault())
    reports = [ask(NOW + n * MINUTE)["arxiv"] for n in range(200)]

    waits = [0, 1, 4, 16, 60, 60]
    assert [(at - NOW) / MINUTE for at in upstreams.asked(ARCHIVE)] == [sum(waits[: n + 1]) for n in range(6)]
    assert len(set(upstreams.asked(LIST))) == 4
    assert all(report.error for report in reports), "a failure stands until it is over"

    upstreams.fault = lambda _: None
    recovered = ask(NOW + 201 * MINUTE)["arxiv"]
    assert (recovered.papers, recovered.error) == (4, None)
    assert ask(NOW + 202 * MINUTE)["arxiv"] == Report(name="arxiv", papers=4, new=0)
    assert len(upstreams.asked(ARCHIVE)) == 7


def test_a_date_that_a_person_names_is_asked_at_once_after_a_failure(ask, upstreams):
    """But not more often than its refresh after a success."""
    upstreams.fault = failing(LIST, Fault(status=400))
    assert ask(day=DAY)["huggingface"].error
    upstreams.fault = lambda _: None

    assert ask(day=DAY)["huggingface"].error is None
    assert ask(NOW + 59 * MINUTE, day=DAY)["huggingface"] == Report(name="huggingface", papers=3, new=0)
    assert len(upstreams.asked(LIST)) == 2
    ask(NOW + 60 * MINUTE, day=DAY)
    assert len(upstreams.asked(LIST)) == 3


def test_a_person_who_asks_for_what_is_current_is_answered_at_once_after_a_failure(ask, upstreams):
    """Whoever has mended the configuration sees at once whether that helped."""
    upstreams.fault = failing(LIST, Fault(status=400))
    assert ask()["huggingface"].error
    upstreams.fault = lambda _: None

    assert ask()["huggingface"].error
    assert ask(by_hand=True)["huggingface"].error is None


def test_whoever_asks_for_today_has_it_from_the_last_gathering(ask, upstreams):
    """A person's ``--date today`` is no second question within the refresh."""
    ask()
    before = len(upstreams.log)

    assert ask(NOW + MINUTE, day=DAY)["huggingface"].papers == 6
    assert len(upstreams.log) == before


def test_a_server_that_names_a_time_is_left_alone_until_then(ask, upstreams):
    """Even by a person who names the day."""
    now = datetime.now(UTC)
    upstreams.fault = failing(LIST, Fault(status=429, headers={"Retry-After": "3000"}))

    assert "no request before" in (ask(now, day=now.date())["huggingface"].error or "")
    assert "no request before" in (ask(now + 40 * MINUTE, day=now.date())["huggingface"].error or "")
    assert len(upstreams.asked(LIST)) == 1
    upstreams.fault = lambda _: None
    assert ask(now + 51 * MINUTE, day=now.date())["huggingface"].error is None


def test_a_clock_that_was_wrong_once_does_not_silence_a_source(ask, upstreams):
    """What was asked in a future that is none is asked again."""
    ask(NOW + timedelta(days=400))
    before = len(upstreams.asked(LIST))

    assert ask(NOW)["huggingface"].error is None
    assert len(upstreams.asked(LIST)) > before


def test_only_the_source_that_is_named_is_asked(ask, upstreams):
    """An unknown name is refused with those that there are."""
    assert list(ask(only="arxiv")) == ["arxiv"]
    assert upstreams.asked(LIST) == []
    with pytest.raises(UsageError, match="'arxive'; there are huggingface, arxiv"):
        ask(only="arxive")


def test_every_request_says_who_asks(ask, upstreams):
    """Name, version and the newsletter's contact."""
    ask()

    agents = {request.user_agent for request in upstreams.log}
    assert len(agents) == 1
    assert re.fullmatch(r"papers-newsletter/\d+\.\d+\.\d+ \(\+https://papers\.example\.org\)", agents.pop())


class _Faulty:
    """A source whose program is at fault."""

    name = "faulty"
    kind = "feed"

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Fail as no source should."""
        raise ZeroDivisionError

    async def look_up(self, client: Client, key: str, now: datetime) -> None:
        """Know nothing."""


def test_a_fault_in_one_source_does_not_cost_the_day(app, caplog):
    """It is recorded as the program's own, with a traceback in the log, and the others are stored."""
    faulty = replace(app.gathering.upstreams[0], source=_Faulty())
    gathering = replace(app.gathering, upstreams=[faulty, *app.gathering.upstreams])

    reports = asyncio.run(gather(app.database, gathering, NOW, day=DAY))

    assert reports[0].error == "fault of this program: ZeroDivisionError()"
    assert [report.error for report in reports[1:]] == [None, None]
    assert "ZeroDivisionError" in caplog.text
    assert len(listed(app)) == 6


def test_refresh_holds_across_processes(newsroom, upstreams):
    """Two at once, of which one waits for the other, and one after them ask one time in all."""
    upstreams.now = datetime.now(UTC)
    together = [newsroom.start("gather", "--source", "huggingface", "--wait", "--json") for _ in range(2)]
    answers = [json.loads(process.communicate()[0]) for process in together]
    newsroom.run("gather", "--source", "huggingface")

    assert [answer["sources"][0]["error"] for answer in answers] == [None, None]
    days = [request.query["date"] for request in upstreams.log]
    assert len(days) == len(set(days)) == 7


def test_sealing_waits_for_a_required_source_and_then_goes_without(newsroom, upstreams):
    """Until the hour that was set; the failure stays in the report, and the run is incomplete."""
    newsroom.configure(
        sources=[
            s | ({"required": True, "wait_until": "10:00"} if s["kind"] == "arxiv" else {}) for s in upstreams.sources
        ]
    )
    upstreams.fault = failing(ARCHIVE, Fault())

    early = newsroom.tick("2026-07-15T09:59Z")
    upstreams.catch_breath()
    late = newsroom.tick("2026-07-15T10:00Z")

    assert (early.issue, early.reason) == (None, "waits for source arxiv until 10:00")
    assert late.issue is not None
    assert (late.issue.status, late.front, late.status) == ("sealed", 6, "incomplete")
    assert late.sources[1].error


def test_a_withdrawn_paper_leaves_the_draft(app, ask, upstreams):
    """With the next gathering, though the editor pinned it and another source still lists it."""
    ask(day=DAY)
    with app.database.read() as session:
        pinned = papers.find(session, "2607.15003")
    draft.change(app.database, DAY, NOW, lambda hand: hand.pin(pinned.id))
    upstreams.submissions[-2].comment = "This paper has been withdrawn by its authors."

    before = front(app)
    ask(NOW + 60 * MINUTE, day=DAY)

    assert before[0] == "2607.15003"
    assert set(before) - set(front(app)) == {"2607.15003"}


@pytest.mark.parametrize("named", ["2607.15004", "https://arxiv.org/abs/2607.15004v3", "10.48550/arXiv.2607.15004"])
def test_a_paper_that_no_source_listed_is_looked_up(app, upstreams, named):
    """By id, DOI or link; it is stored without being listed, and not asked for again."""
    upstreams.now = NOW
    upstreams.submissions[-1].title = "Looked up"

    found = asyncio.run(look_up(app.database, app.gathering, named, NOW))

    assert (found.title, found.key) == ("Looked up", "2607.15004")
    assert listed(app) == []
    asked = len(upstreams.log)
    assert asyncio.run(look_up(app.database, app.gathering, f"#{found.id}", NOW)) == found
    assert asyncio.run(look_up(app.database, app.gathering, "2607.15004v9", NOW)) == found
    assert len(upstreams.log) == asked


def test_a_paper_that_nobody_knows_is_not_found(app, upstreams):
    """The line says what the sources said; what names no paper is wrong usage."""
    upstreams.fault = failing("/api/papers/2607.99999", Fault(status=403))

    with pytest.raises(NotFoundError, match=r"no paper '2607\.99999'.*403"):
        asyncio.run(look_up(app.database, app.gathering, "2607.99999", NOW))
    with pytest.raises(NotFoundError, match="no paper '#7'"):
        asyncio.run(look_up(app.database, app.gathering, "#7", NOW))
    with pytest.raises(UsageError, match="use an arXiv id, a DOI, a link"):
        asyncio.run(look_up(app.database, app.gathering, "the best paper", NOW))


def _abstract(n: int) -> str:
    return " ".join(f"sentence {n} has its word number {k}," for k in range(40))


def test_a_large_day_is_stored_whole(app, upstreams):
    """Four hundred and five entries of the archive with fifty of the list, thirty of them in both."""
    entries = "".join(
        f"<entry><id>http://arxiv.org/abs/2607.{n:05}v1</id><title>Paper {n}</title><summary>{_abstract(n)}</summary>"
        "<published>2026-07-14T10:00:00Z</published>"
        + "".join(f"<author><name>{escape(f'Author {n} & {k}')}</name></author>" for k in range(8))
        + "</entry>"
        for n in range(405)
    )
    upstreams.bodies[ARCHIVE] = f'<feed xmlns="http://www.w3.org/2005/Atom">{entries}</feed>'.encode()
    upstreams.bodies[LIST] = json.dumps(
        [
            {
                "paper": {
                    "id": f"2607.{n:05}",
                    "title": f"Paper {n}",
                    "summary": _abstract(n),
                    "upvotes": n,
                    "authors": [],
                }
            }
            for n in range(375, 425)
        ]
    ).encode()
    upstreams.catch_breath()

    reports = asyncio.run(gather(app.database, app.gathering, NOW, day=DAY))

    assert [report.papers for report in reports] == [50, 405]
    assert sum(report.new for report in reports) == 425


def test_every_recorded_day_is_gathered_whole(newsroom, replay, shared):
    """Each day's list, by its date: as many listings as items, each paper once, whatever other days it was on."""
    url = replay()
    newsroom.configure(
        sources=[{"kind": "huggingface", "base_url": url, "allow_private_address": True}],
    )
    days = sorted((shared / "recorded/hf_daily_papers").glob("*.json"))
    ids: dict[date, set[str]] = {
        date.fromisoformat(file.stem): {item["paper"]["id"] for item in json.loads(file.read_text())} for file in days
    }
    with newsroom.app(NOW) as app:
        for day, expected in ids.items():
            (report,) = asyncio.run(gather(app.database, app.gathering, NOW, day=day))
            assert (report.papers, report.error) == (len(expected), None)
            assert keys(listed(app, day)) == expected
        everything = listed(app, min(ids), max(ids))

    assert len(everything) == len(set.union(*ids.values()))
    assert sum(len(candidate.listings) for candidate in everything) == sum(map(len, ids.values()))


def test_a_recorded_day_of_both_is_stored_whole(app, upstreams, shared: Path):
    """The archive's whole day with fifty papers of a list."""
    recorded = shared / "recorded"
    upstreams.bodies[ARCHIVE] = (recorded / "arxiv_api_atom/day_2025-12-17_cs_all_405_entries.xml").read_bytes()
    items = json.loads((recorded / "hf_daily_papers/2026-05-13.json").read_text())
    upstreams.bodies[LIST] = json.dumps(items).encode()
    upstreams.catch_breath()

    reports = asyncio.run(gather(app.database, app.gathering, NOW, day=date(2025, 12, 17)))

    assert [(report.papers, report.error) for report in reports] == [(50, None), (405, None)]
