"""``newsletter issues``: the editor's day, from the first draft to the stop button."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime

import pytest
from newsroom import Newsroom

from newsletter.domain.issue import Brake
from newsletter.storage import issues

DAY = "2024-07-15"
NEXT = "2024-07-16"
KEYS = [f"2407.{n:05}" for n in range(1, 6)]
TITLES = ("robots", "proteins", "graphs", "speech", "heat")


@pytest.fixture
def newsroom(newsroom: Newsroom) -> Iterator[Newsroom]:
    """Return a newsletter with fronts of three, and five papers gathered for one day."""
    newsroom.configure(newsletter={"max_papers": 3})
    newsroom.publish(DAY, *TITLES)
    newsroom.run("gather", "--date", DAY)
    return newsroom


def gather_again(newsroom: Newsroom) -> None:
    """Gather once more, when the source may be asked again."""
    time.sleep(1)
    newsroom.run("gather", "--date", DAY)


def shown(newsroom: Newsroom, day: str = DAY) -> dict:
    """Return an issue as it is shown to scripts."""
    return newsroom.run("issues", "show", day, "--json").json


def front(newsroom: Newsroom, day: str = DAY) -> list[str]:
    """Return the titles of its front."""
    return [paper["title"] for paper in shown(newsroom, day)["papers"]]


def test_an_issue_is_shown_before_anybody_drafts_it(newsroom: Newsroom):
    """As it would be now; looking stores nothing."""
    assert shown(newsroom) == {
        "date": DAY,
        "status": "draft",
        "subject": "",
        "note": "",
        "brake": "none",
        "reason": "",
        "papers": [
            {
                "key": key,
                "title": title,
                "upvotes": 100 - place,
                "comments": None,
                "note": "",
                "pinned": False,
                "new": False,
            }
            for place, (key, title) in enumerate(zip(KEYS[:3], TITLES[:3], strict=True))
        ],
        "pool": 5,
        "dropped": [],
        "corrections": [],
    }
    assert newsroom.run("issues", "list", "--json").json == {"issues": []}


def test_a_date_without_papers_has_no_issue(newsroom: Newsroom):
    """Status 1, and a way on."""
    answer = newsroom.run("issues", "show", "2024-01-01", expect=1)

    assert "no issue of 2024-01-01, and no papers for one; 'newsletter gather'" in answer.err


def test_the_editors_day(newsroom: Newsroom):
    """Pinned, dropped, moved, noted and named, and every bit of it in the sealed issue."""
    newsroom.run("issues", "draft", DAY)
    newsroom.run("issues", "pin", DAY, KEYS[4])
    newsroom.run("issues", "drop", DAY, KEYS[0])
    newsroom.run("issues", "move", DAY, KEYS[3], "2")
    newsroom.run("issues", "note", DAY, KEYS[4], "A talk\non Friday.")
    newsroom.run("issues", "note", DAY, "No issue tomorrow.")
    newsroom.run("issues", "subject", DAY, "Heat, and two more")
    draft = shown(newsroom)

    sealed = newsroom.run("issues", "seal", DAY, "--json").json

    assert [paper["title"] for paper in draft["papers"]] == ["heat", "speech", "proteins"]
    assert (draft["dropped"], draft["pool"]) == ([KEYS[0]], 4)
    assert (draft["subject"], draft["note"]) == ("Heat, and two more", "No issue tomorrow.")
    assert (draft["papers"][0]["note"], draft["papers"][0]["pinned"]) == ("A talk on Friday.", True)
    assert sealed == draft | {"status": "sealed"}
    assert shown(newsroom) == sealed


def test_everything_is_undone(newsroom: Newsroom):
    """And the draft is as if nobody had touched it."""
    before = shown(newsroom)
    for done in (
        ["pin", DAY, KEYS[4]],
        ["unpin", DAY, KEYS[4]],
        ["add", DAY, KEYS[4]],
        ["unpin", DAY, KEYS[4]],
        ["drop", DAY, KEYS[1]],
        ["undrop", DAY, KEYS[1]],
        ["move", DAY, KEYS[2], "1"],
        ["move", DAY, KEYS[2], "0"],
        ["note", DAY, KEYS[0], "Good."],
        ["note", DAY, KEYS[0], ""],
        ["note", DAY, "All."],
        ["note", DAY, ""],
        ["subject", DAY, "Mine"],
        ["subject", DAY, ""],
    ):
        newsroom.run("issues", *done)

    assert shown(newsroom) == before


def test_the_editors_hand_survives_later_gathering_and_what_arrived_is_marked(newsroom: Newsroom):
    """New papers come in around what was decided."""
    newsroom.run("issues", "pin", DAY, KEYS[4])
    newsroom.run("issues", "drop", DAY, KEYS[0])
    newsroom.publish(DAY, "late", upvotes=500)
    gather_again(newsroom)

    papers = shown(newsroom)["papers"]

    assert [(paper["title"], paper["new"]) for paper in papers] == [
        ("heat", False),
        ("late", True),
        ("proteins", False),
    ]
    newsroom.run("issues", "draft", DAY)
    assert shown(newsroom)["papers"] == papers, "looking does not take the marks away"
    newsroom.run("issues", "note", DAY, "Seen.")
    assert not any(paper["new"] for paper in shown(newsroom)["papers"])


def test_any_paper_can_be_added(newsroom: Newsroom):
    """One below the front, one of another month, and one that was never gathered, by link."""
    newsroom.publish("2024-05-02", "old")
    newsroom.publish("2020-01-01", "older")
    newsroom.run("gather", "--date", "2024-05-02")

    newsroom.run("issues", "add", DAY, KEYS[4])
    newsroom.run("issues", "add", DAY, "2405.00006")
    answer = newsroom.run("issues", "add", DAY, "https://arxiv.org/abs/2001.00007v2")

    assert answer.out == "2001.00007 is in the front: older\n"
    assert front(newsroom) == ["heat", "old", "older"]
    assert "no source knows it" in newsroom.run("issues", "add", DAY, "2407.99999", expect=1).err
    assert "use an arXiv id" in newsroom.run("issues", "add", DAY, "the best one", expect=2).err


@pytest.mark.parametrize("named", [KEYS[3], f"arXiv:{KEYS[3]}v2", f"https://arxiv.org/pdf/{KEYS[3]}", "#4"])
def test_a_paper_is_named_in_any_way(newsroom: Newsroom, named):
    """As people copy it."""
    newsroom.run("issues", "pin", DAY, named)

    assert front(newsroom)[0] == "speech"


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        (["pin", DAY, "2407.99999"], 1, "'newsletter issues add' takes any other"),
        (["unpin", DAY, KEYS[0]], 1, "neither pinned nor added"),
        (["undrop", DAY, KEYS[0]], 1, "not dropped"),
        (["move", DAY, KEYS[0], "101"], 2, "from 1 to 100"),
        (["move", DAY, KEYS[0], "first"], 2, "not a valid integer"),
        (["note", DAY], 2, "Missing argument"),
        (["note", DAY, KEYS[0], "put", "in quotes"], 2, "put the note in quotes"),
        (["pin", "soon", KEYS[0]], 2, "use a date like"),
        (["seal", "2999-01-01"], 2, "in the future"),
        (["halt", DAY], 2, "--reason"),
        (["halt", DAY, "--reason", "x"], 1, "no issue of 2024-07-15"),
        (["resume", "2024-01-01"], 1, "no issue of 2024-01-01"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(newsroom: Newsroom, wrong, status, said):
    """With the status that scripts go by, and the draft untouched."""
    before = shown(newsroom)

    answer = newsroom.run("issues", *wrong, expect=status)

    assert said in answer.err
    assert answer.out == ""
    assert shown(newsroom) == before


def test_a_refusal_is_a_document_too(newsroom: Newsroom):
    """One, also where something is wrong."""
    assert newsroom.run("issues", "unpin", DAY, KEYS[0], "--json", expect=1).json == {
        "error": "that paper is neither pinned nor added"
    }


def test_sealing_is_final(newsroom: Newsroom):
    """Nothing changes it any more, neither the editor nor a later list, and sealing again says so quietly."""
    sealed = newsroom.run("issues", "seal", DAY, "--json").json

    for edit in (["pin", DAY, KEYS[4]], ["note", DAY, "Late."], ["subject", DAY, "Late"], ["draft", DAY]):
        assert "only a draft can be edited" in newsroom.run("issues", *edit, expect=1).err
    newsroom.publish(DAY, "late", upvotes=900)
    gather_again(newsroom)

    assert newsroom.run("issues", "seal", DAY).out == f"The issue of {DAY} is sealed.\n"
    assert shown(newsroom) == sealed


def test_the_next_issue_has_what_no_front_had(newsroom: Newsroom):
    """Its pool is the week's; its front is new, and a late riser can still make it."""
    newsroom.run("issues", "seal", DAY)
    newsroom.publish(NEXT, "speech", "novel", upvotes=70)
    newsroom.run("gather", "--date", NEXT)

    issue = shown(newsroom, NEXT)

    assert sorted(paper["title"] for paper in issue["papers"]) == ["heat", "novel", "speech"]
    assert issue["pool"] == 6


def test_a_date_without_news_is_recorded_as_empty_once(newsroom: Newsroom):
    """With the reason; it makes no issue, and stays so."""
    newsroom.run("issues", "seal", DAY)

    said = newsroom.run("issues", "seal", NEXT).out

    assert said == f"The issue of {NEXT} is empty: nothing was listed that the last issue did not know.\n"
    empty = shown(newsroom, NEXT)
    assert (empty["status"], empty["papers"], empty["pool"]) == ("empty", [], 0)
    newsroom.publish(NEXT, "late")
    newsroom.run("gather", "--date", NEXT)
    assert newsroom.run("issues", "seal", NEXT).out == said
    refused = newsroom.run("issues", "pin", NEXT, KEYS[0], expect=1).err
    assert f"is empty; only a draft can be edited; 'newsletter issues draft {NEXT}' opens it again" in refused


def test_an_editor_opens_an_empty_date_again(newsroom: Newsroom):
    """The papers came after the hour: the issue is made by hand, and sent."""
    newsroom.run("issues", "seal", DAY)
    newsroom.run("issues", "seal", NEXT)
    newsroom.publish(NEXT, "late")
    newsroom.run("gather", "--date", NEXT)

    newsroom.run("issues", "draft", NEXT)

    assert newsroom.run("issues", "seal", NEXT, "--json").json["status"] == "sealed"
    assert "late" in front(newsroom, NEXT)


def test_the_editors_choice_makes_an_issue_on_a_day_without_news(newsroom: Newsroom):
    """What was pinned was meant to be sent."""
    newsroom.run("issues", "seal", DAY)
    newsroom.run("issues", "pin", NEXT, KEYS[4])

    assert newsroom.run("issues", "seal", NEXT, "--json").json["status"] == "sealed"
    assert front(newsroom, NEXT)[0] == "heat"


def test_where_readers_are_told_of_empty_days_the_issue_has_no_papers(newsroom: Newsroom):
    """And the day after is not taken for news because of it."""
    newsroom.configure(newsletter={"on_empty": "send"})
    newsroom.run("issues", "seal", DAY)

    told = newsroom.run("issues", "seal", NEXT, "--json").json
    after = newsroom.run("issues", "seal", "2024-07-17", "--json").json

    for issue in (told, after):
        assert (issue["status"], issue["papers"], issue["pool"]) == ("sealed", [], 0)
        assert issue["reason"] == "nothing was listed that the last issue did not know"


def test_the_stop_button(newsroom: Newsroom):
    """Halted with a reason, resumed, and cancelled for good."""
    newsroom.run("issues", "seal", DAY)

    halted = newsroom.run("issues", "halt", DAY, "--reason", "wrong\nsubject", "--json").json
    assert (halted["brake"], halted["reason"]) == ("halted", "wrong subject")
    assert f"{DAY}: halted (wrong subject)" in newsroom.run("issues", "show", DAY).out

    resumed = newsroom.run("issues", "resume", DAY, "--json").json
    assert (resumed["brake"], resumed["reason"]) == ("none", "")
    assert "is not halted" in newsroom.run("issues", "resume", DAY, expect=1).err

    cancelled = newsroom.run("issues", "cancel", DAY, "--json").json
    assert cancelled["brake"] == "cancelled"
    for again in (["resume", DAY], ["halt", DAY, "--reason", "x"]):
        assert "cancelled, which is final" in newsroom.run("issues", *again, expect=1).err


def test_a_halt_is_seen_at_once_by_whoever_has_the_database_open(newsroom: Newsroom):
    """As a sender in another process does: it is committed when the command ends."""
    newsroom.run("issues", "seal", DAY)
    with newsroom.app() as app:
        with app.database.read() as session:
            assert issues.get(session, date.fromisoformat(DAY)).brake is Brake.NONE
        process = newsroom.start("issues", "halt", DAY, "--reason", "wrong", "--json")

        assert json.loads(process.communicate()[0])["brake"] == "halted"
        with app.database.read() as session:
            assert issues.get(session, date.fromisoformat(DAY)).brake is Brake.HALTED


def test_issues_are_listed_newest_first(newsroom: Newsroom):
    """With the size of their fronts, and why there is none."""
    newsroom.run("issues", "seal", DAY)
    newsroom.run("issues", "seal", NEXT)
    newsroom.run("issues", "subject", "2024-07-17", "Soon")
    newsroom.run("issues", "halt", DAY, "--reason", "wrong")

    listed = newsroom.run("issues", "list", "--json").json["issues"]

    assert [(i["date"], i["status"], i["papers"], i["subject"], i["brake"]) for i in listed] == [
        ("2024-07-17", "draft", 0, "Soon", "none"),
        (NEXT, "empty", 0, "", "none"),
        (DAY, "sealed", 3, "", "halted"),
    ]
    assert len(newsroom.run("issues", "list", "--limit", "1", "--json").json["issues"]) == 1
    assert "halted" in newsroom.run("issues", "list").out


def test_what_a_person_sees(newsroom: Newsroom):
    """Subject, notes, marks, places and what was left out."""
    newsroom.run("issues", "pin", DAY, KEYS[1])
    newsroom.run("issues", "note", DAY, KEYS[1], "With code.")
    newsroom.run("issues", "drop", DAY, KEYS[0])
    newsroom.run("issues", "subject", DAY, "Proteins")

    seen = newsroom.run("issues", "show", DAY).out

    assert seen.splitlines()[:2] == [f"{DAY}: draft", "Subject: Proteins"]
    assert "pinned" in seen
    assert "Note: With code." in seen
    assert seen.splitlines()[-2:] == ["3 of 4 papers in the pool", f"Dropped: {KEYS[0]}"]


COMMANDS = [
    "list",
    "show",
    "draft",
    "add",
    "pin",
    "unpin",
    "drop",
    "undrop",
    "move",
    "note",
    "subject",
    "seal",
    "halt",
    "resume",
    "cancel",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(newsroom: Newsroom, command):
    """Every command does, and the list of commands says what each is for without being cut short."""
    assert f"Examples:\n    newsletter issues {command}" in newsroom.run("issues", command, "--help").out
    assert "..." not in newsroom.run("issues", "--help").out.replace("[ARGS]...", "")


def test_today_is_drafted_by_its_name(newsroom: Newsroom):
    """In the newsletter's zone."""
    before = f"{datetime.now(UTC):%Y-%m-%d}"
    draft = newsroom.run("issues", "draft", "today", "--json").json

    assert draft["date"] in {before, f"{datetime.now(UTC):%Y-%m-%d}"}
