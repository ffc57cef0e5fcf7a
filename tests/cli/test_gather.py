"""``newsletter gather`` and ``newsletter papers``: from a file of papers, and from one that is not there."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from newsroom import Newsroom

from newsletter.services.alone import alone

DAY = "2024-07-15"
FILE = {"kind": "file", "path": "papers.jsonl"}
MISSING = {"kind": "file", "name": "lost", "path": "nowhere.jsonl"}


def test_gathering_answers_what_each_source_gave(newsroom: Newsroom):
    """As a run does; a second time nothing is new."""
    newsroom.publish(DAY, "robots", "proteins")

    first = newsroom.run("gather", "--date", DAY, "--json").json
    again = newsroom.run("--json", "gather", "--date", DAY).json

    assert first == {"date": DAY, "sources": [{"name": "file", "papers": 2, "new": 2, "error": None}]}
    assert again == {"date": DAY, "sources": [{"name": "file", "papers": 2, "new": 0, "error": None}]}


def test_without_a_date_it_gathers_what_is_current(newsroom: Newsroom):
    """Whatever the newsletter looks back to."""
    newsroom.publish(f"{datetime.now(UTC) - timedelta(days=3):%Y-%m-%d}", "robots")
    newsroom.publish(DAY, "proteins")

    assert newsroom.run("gather", "--json").json == {
        "date": None,
        "sources": [{"name": "file", "papers": 1, "new": 1, "error": None}],
    }


def test_a_source_that_fails_is_told_and_the_others_count(newsroom: Newsroom):
    """On standard error, with status 3; with --json the document stays one."""
    newsroom.configure(sources=[FILE, MISSING])
    newsroom.publish(DAY, "robots")

    answer = newsroom.run("gather", "--date", DAY, "--json", expect=3)

    assert [source["name"] for source in answer.json["sources"]] == ["file", "lost"]
    assert answer.json["sources"][0]["papers"] == 1
    assert "nowhere.jsonl" in answer.json["sources"][1]["error"]
    assert answer.err.startswith("source lost: ")
    assert len(newsroom.run("papers", "list", "--date", DAY, "--json").json["papers"]) == 1


def test_an_answer_that_is_kept_is_not_told_as_a_new_one(newsroom: Newsroom):
    """Within the refresh nothing is asked again: the table says when it was, and a failure how to ask at once."""
    newsroom.configure(sources=[FILE, MISSING])
    newsroom.publish(DAY, "robots")
    first, then = newsroom.run("gather", "-v", expect=3), newsroom.run("gather", "-v", expect=3)
    assert "asked" not in first.out + first.err
    assert re.search(r"^file +0 +0 +asked \d\d:\d\d UTC$", then.out, re.MULTILINE)
    assert re.search(
        r"\(asked \d\d:\d\d UTC; '--date today' asks again, unless the source named a time\)$", then.err, re.MULTILINE
    )


def test_a_source_that_is_not_asked_any_more_is_not_listed(newsroom: Newsroom):
    """It failed last, and was taken out of the configuration: no count, no metric and no picture has it."""
    newsroom.configure(sources=[FILE, MISSING], metrics={"path": "metrics.prom"})
    newsroom.run("run", expect=3)
    assert "source lost" in newsroom.run("stats").out
    newsroom.configure(sources=[FILE])
    newsroom.run("run", expect=None)
    assert "lost" not in newsroom.run("stats").out
    assert list(newsroom.run("stats", "--json").json["sources"]) == ["file"]
    metrics = (newsroom.folder / "metrics.prom").read_text()
    assert 'source_success_timestamp_seconds{source="file"}' in metrics
    assert "lost" not in metrics


def test_under_cron_only_a_failure_is_heard(newsroom: Newsroom):
    """Where nobody looks on nothing is printed, unless one asks for more."""
    newsroom.publish(DAY, "robots")

    silent, loud = newsroom.run("gather", "--date", DAY), newsroom.run("gather", "--date", DAY, "-v")

    assert (silent.out, silent.err) == ("", "")
    assert loud.out.split()[3:7] == ["file", "1", "0", "asked"]


def test_only_the_named_source_is_asked(newsroom: Newsroom):
    """So one that fails elsewhere is not heard of."""
    newsroom.configure(sources=[FILE, MISSING])

    assert len(newsroom.run("gather", "--source", "file", "--json").json["sources"]) == 1
    assert "there are file, lost" in newsroom.run("gather", "--source", "files", expect=2).err


@pytest.mark.parametrize("command", [("gather",), ("papers", "list"), ("run",)])
@pytest.mark.parametrize("day", ["2999-01-01", "tomorrow", "15.07.2024", "2024-02-30", ""])
def test_a_date_is_one_that_has_come(newsroom: Newsroom, command, day):
    """Anything else is wrong usage."""
    assert newsroom.run(*command, "--date", day, expect=2).err


def test_today_is_todays_date_in_the_newsletters_zone(newsroom: Newsroom):
    """Kiritimati and Niue never have the same."""
    days = []
    for zone in ("Pacific/Kiritimati", "Pacific/Niue"):
        newsroom.configure(newsletter={"time_zone": zone})
        days.append([newsroom.run("gather", "--date", day, "--json").json["date"] for day in ("today", "yesterday")])

    (east, before_east), (west, before_west) = days
    assert datetime.fromisoformat(east) - datetime.fromisoformat(before_east) == timedelta(days=1)
    assert datetime.fromisoformat(west) - datetime.fromisoformat(before_west) == timedelta(days=1)
    assert east > west


def test_one_gathering_at_a_time(newsroom: Newsroom):
    """While another run is at work the status is 4."""
    with newsroom.app() as app, alone(app.service(lambda: datetime.now(UTC))):
        assert "another run is at work" in newsroom.run("gather", expect=4).err


def test_papers_are_listed_in_the_newsletters_order(newsroom: Newsroom):
    """With votes and sources; a day without any says so."""
    newsroom.publish(DAY, "proteins", "robots")
    newsroom.run("gather", "--date", DAY)

    answer = newsroom.run("papers", "list", "--date", DAY, "--json").json

    assert answer["date"] == DAY
    assert answer["papers"][0] == {
        "id": 1,
        "key": "2407.00001",
        "title": "proteins",
        "upvotes": 100,
        "comments": None,
        "sources": ["file"],
        "first_listed": DAY,
    }
    assert [paper["title"] for paper in answer["papers"]] == ["proteins", "robots"]
    assert "proteins" in newsroom.run("papers", "list", "--date", DAY).out
    assert newsroom.run("papers", "list", "--date", "2024-07-01").out == "Nothing was listed on 2024-07-01.\n"


@pytest.mark.parametrize("named", ["2407.00001", "arXiv:2407.00001v3", "https://arxiv.org/abs/2407.00001", "#1"])
def test_a_paper_is_shown_by_any_of_its_names(newsroom: Newsroom, named):
    """All that is known of it, and when it was listed."""
    newsroom.publish(DAY, "proteins", comments=4)
    newsroom.run("gather", "--date", DAY)

    shown = newsroom.run("papers", "show", named, "--json").json

    assert (shown["key"], shown["id"], shown["title"], shown["authors"]) == ("2407.00001", 1, "proteins", ["A. Uthor"])
    assert shown["published"] == "2024-07-15T00:00:00+00:00"
    assert [(n["source"], n["day"], n["upvotes"], n["comments"]) for n in shown["listings"]] == [("file", DAY, 100, 4)]
    assert "We study proteins with care." in newsroom.run("papers", "show", named).out


def test_no_such_paper(newsroom: Newsroom):
    """Status 1, and a way on."""
    assert "papers search" in newsroom.run("papers", "show", "2407.99999", expect=1).err
    assert newsroom.run("papers", "search", "anything").out == "No such paper.\n"
    assert newsroom.run("papers", "search", "anything", "--json").json == {"papers": []}


def test_papers_are_searched_by_words(newsroom: Newsroom):
    """All of them, in any case, and only so many."""
    newsroom.publish(DAY, "Diffusion policies", "Diffusion of heat", "Robots")
    newsroom.run("gather", "--date", DAY)

    def found(*words: str) -> list[str]:
        return [paper["title"] for paper in newsroom.run("papers", "search", *words, "--json").json["papers"]]

    assert found("DIFFUSION") == ["Diffusion policies", "Diffusion of heat"]
    assert found("diffusion", "heat") == ["Diffusion of heat"]
    assert found("--limit", "1", "diffusion") == ["Diffusion policies"]
    assert "Robots" in newsroom.run("papers", "search", "robots").out


@pytest.mark.parametrize(
    "command", [("gather",), ("papers",), ("papers", "list"), ("papers", "show"), ("papers", "search")]
)
def test_help_shows_examples(newsroom: Newsroom, command):
    """Every command does."""
    said = newsroom.run(*command, "--help").out

    assert f"Examples:\n    newsletter {' '.join(command)}" in said


def test_what_looks_like_an_option_of_a_search_leaves_out_a_word(newsroom: Newsroom) -> None:
    """It is told, where a person looks on; and what finds nothing says why."""
    newsroom.publish(DAY, "Alpha", "Alpha graph video")
    newsroom.run("gather", "--date", DAY)
    for word in ("-graph", "-video", '-"graph video"'):  # among the letters are those of options
        (left,) = newsroom.run("papers", "search", "alpha", word, "--json").json["papers"]
        assert left["title"] == "Alpha"
    told = newsroom.run("papers", "search", "-n", "alpha", "-v")
    assert "-n is no option of this command, but leaves out a word; there are --limit and --sort" in told.err
    assert "Alpha" in told.out
    assert newsroom.run("papers", "search", "-graph", "alpha", "-v").err == ""
    assert newsroom.run("papers", "search", "-graph", "alpha", "-qv").status == 0
    assert "-15 is not in the range" in newsroom.run("papers", "search", "alpha", "--limit", "-15", expect=2).err
    assert newsroom.run("papers", "search", "-alpha").out.startswith("A search needs something to look for")
    assert "A year has four digits" in newsroom.run("papers", "search", "year:abc").out
