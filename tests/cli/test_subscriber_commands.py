"""``newsletter subscribers``: one subscriber at a time."""

import json
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from newsroom import Newsroom

KEYS = [
    "email", "status", "topics", "frequency", "hour", "zone", "max_papers", "min_upvotes", "format", "language",
    "only_topics", "alerts",
    "created_at", "confirmed_at", "next_due_at", "suppression_reason",
]  # fmt: skip
ANN = "ann@example.org"


def subscribers(newsroom: Newsroom, command: str, *args: str, expect: int | None = 0):
    """Run a command of the list."""
    return newsroom.run("subscribers", command, *args, expect=expect)


def show(newsroom: Newsroom, email: str = ANN) -> dict[str, object]:
    """Return what ``show --json`` says."""
    return subscribers(newsroom, "show", email, "--json").json


def tomorrow_or_today(hour: time, zone: str) -> str:
    """Return the next instant of *hour* in a zone without changes of the clock, as the answers write it."""
    now = datetime.now(ZoneInfo(zone))
    at = now.replace(hour=hour.hour, minute=hour.minute, second=0, microsecond=0)
    return (at if at > now else at + timedelta(days=1)).astimezone(UTC).isoformat().replace("+00:00", "Z")


def test_a_plain_subscriber(newsroom: Newsroom):
    """What nobody chose is null in JSON; what holds instead is said to people."""
    said = subscribers(newsroom, "add", ANN, "--source", "asked at the workshop")

    shown = show(newsroom)
    assert "ann@example.org: added, active, next digest" in said.out
    assert list(shown) == KEYS
    unset = KEYS[3:11]
    assert [shown[key] for key in unset] == [None] * len(unset)
    assert (shown["email"], shown["status"], shown["topics"], shown["alerts"]) == (ANN, "active", [], [])
    assert shown["confirmed_at"] == shown["created_at"]
    assert datetime.now(UTC) - datetime.fromisoformat(str(shown["created_at"])) < timedelta(minutes=5)
    assert shown["next_due_at"] == tomorrow_or_today(time(8), "UTC")
    text = subscribers(newsroom, "show", ANN).out
    assert "08:00 (default)" in text
    assert "asked at the workshop" in text


def test_every_preference(newsroom: Newsroom):
    """A topic that begins with a hyphen may be given in both ways."""
    chosen = (
        "--frequency daily --hour 7:30 --zone Asia/Shanghai --max-papers 5 --min-upvotes 0 --format text --language de"
    )

    topics = ("--topic", "-audio", "--topic=-video", "--topic", '"large model"')
    subscribers(newsroom, "add", ANN, *topics, *chosen.split(), "--only-topics", "--alert", "kv cache")

    shown = show(newsroom)
    assert shown["topics"] == ["-audio", "-video", '"large model"']
    assert [shown[key] for key in KEYS[3:10]] == ["daily", "07:30", "Asia/Shanghai", 5, 0, "text", "de"]
    assert (shown["only_topics"], shown["alerts"]) == (True, ["kv cache"])
    assert shown["next_due_at"] == tomorrow_or_today(time(7, 30), "Asia/Shanghai")


def test_preferences_are_edited_and_cleared(newsroom: Newsroom):
    """Only what is given changes; an empty text goes back to the default; --topic replaces all topics."""
    subscribers(newsroom, "add", ANN, "--topic", "one", "--topic", "two", "--hour", "07:00", "--max-papers", "5")

    subscribers(newsroom, "edit", ANN, "--topic", "three", "--zone", "Asia/Shanghai", "--json")
    assert (show(newsroom)["topics"], show(newsroom)["max_papers"]) == (["three"], 5)
    assert show(newsroom)["next_due_at"] == tomorrow_or_today(time(7), "Asia/Shanghai")
    subscribers(newsroom, "edit", ANN, "--topic", "", "--hour", "", "--zone=", "--max-papers", "")
    assert [show(newsroom)[key] for key in KEYS[2:7]] == [[], None, None, None, None]
    assert show(newsroom)["next_due_at"] == tomorrow_or_today(time(8), "UTC")
    assert "at least one option" in subscribers(newsroom, "edit", ANN, expect=2).err


def test_adding_again_changes_nothing(newsroom: Newsroom):
    """Whoever is there keeps their preferences, and the operator is told how to change them."""
    subscribers(newsroom, "add", ANN, "--topic", "one")
    before = show(newsroom)

    again = subscribers(newsroom, "add", "ANN@EXAMPLE.org", "--topic", "two")

    assert "already there" in again.out
    assert "subscribers edit" in again.out
    assert again.err.strip().endswith(f"newsletter subscribers edit {ANN} --topic=two")
    assert show(newsroom) == before
    assert not subscribers(newsroom, "add", ANN, "--topic", "one").err
    answer = subscribers(newsroom, "add", ANN, "bob@example.org", "--json").json
    assert [each["outcome"] for each in answer["subscribers"]] == ["already there", "added"]


def test_the_way_through_the_states(newsroom: Newsroom):
    """Pause, resume, unsubscribe, come back, suppress, come back, remove: each is shown, and 'show' agrees."""
    subscribers(newsroom, "add", ANN)
    steps = [
        (["pause", ANN], "paused", False),
        (["pause", ANN, "--until", "2999-01-01"], "paused", False),
        (["resume", ANN], "active", True),
        (["resume", ANN], "active", True),
        (["unsubscribe", ANN], "unsubscribed", False),
        (["unsubscribe", ANN], "unsubscribed", False),
        (["add", ANN, "--resubscribe", "--source", "by phone"], "active", True),
        (["suppress", ANN, "--reason", "complained\nby phone"], "suppressed", False),
    ]
    for command, status, due in steps:
        subscribers(newsroom, *command)
        shown = show(newsroom)
        assert (shown["status"], shown["next_due_at"] is not None) == (status, due), command

    assert show(newsroom)["suppression_reason"] == "complained by phone"
    subscribers(newsroom, "remove", ANN)
    assert "was removed" in subscribers(newsroom, "show", ANN, expect=1).err


@pytest.mark.parametrize(
    ("before", "command", "status", "said"),
    [
        (None, ["show", ANN], 1, "no subscriber ann@example.org"),
        (None, ["show", "ann"], 2, "'ann' is not an address"),
        (None, ["add", "a@x.example", "not one"], 2, "'not one' is not an address"),
        (None, ["add", ANN, "--hour", "25:00"], 2, "hour '25:00': use HH:MM"),
        (None, ["add", ANN, "--topic", '"open'], 2, "unbalanced quote"),
        (None, ["add", ANN, "--resubscribe"], 2, "--source TEXT"),
        (None, ["add"], 2, "Missing argument"),
        (None, ["list", "--limit", "0"], 2, "--limit"),
        (["unsubscribe", ANN], ["add", ANN], 1, "--resubscribe --source TEXT"),
        (["unsubscribe", ANN], ["resume", ANN], 1, "cannot resume a subscriber who is unsubscribed"),
        (["suppress", ANN, "--reason", "bounced"], ["add", ANN], 1, "is suppressed (bounced)"),
        (["suppress", ANN, "--reason", "bounced"], ["unsubscribe", ANN], 1, "who is suppressed (bounced)"),
        (["remove", ANN], ["add", ANN], 1, "was removed"),
        (["show", ANN], ["pause", ANN, "--until", "2020-01-01"], 2, "is not after today"),
        (["show", ANN], ["pause", ANN, "--until", "soon"], 2, "--until"),
        (["show", ANN], ["suppress", ANN, "--reason", " "], 2, "say why"),
    ],
)
def test_what_cannot_be_done(newsroom: Newsroom, before: list[str] | None, command: list[str], status: int, said: str):
    """The line says what is wrong with what, and the exit status whose turn it is."""
    if before:
        subscribers(newsroom, "add", ANN)
        subscribers(newsroom, *before)

    refused = subscribers(newsroom, *command, expect=status)

    assert said in refused.err
    assert refused.out == ""


def test_an_error_is_a_document_too(newsroom: Newsroom):
    """A script that asked for JSON gets JSON."""
    refused = subscribers(newsroom, "show", ANN, "--json", expect=1)

    assert refused.json["error"].startswith("no subscriber ann@example.org")


def test_the_list_is_paged(newsroom: Newsroom):
    """Filters and sorting hold for the whole list; how much more there is, is said."""
    subscribers(newsroom, "add", *(f"reader{n}@example.org" for n in range(5)))
    subscribers(newsroom, "edit", "reader3@example.org", "--topic", "-Audio")
    subscribers(newsroom, "pause", "reader4@example.org")

    page = subscribers(newsroom, "list", "--limit", "2", "--offset", "2", "--json").json
    assert [one["email"] for one in page.pop("subscribers")] == ["reader2@example.org", "reader3@example.org"]
    assert page == {"total": 5, "limit": 2, "offset": 2}
    text = subscribers(newsroom, "list", "--limit", "2", "--sort", "created").out
    assert "1 to 2 of 5; --offset 2 shows more" in text
    assert subscribers(newsroom, "list", "--topic", "audio", "--json").json["total"] == 1
    assert subscribers(newsroom, "list", "--status", "paused", "--search", "R4@", "--json").json["total"] == 1
    assert subscribers(newsroom, "list", "--search", "nobody").out.strip() == "nobody"


def test_the_exit_status_is_the_processs(newsroom: Newsroom):
    """What a script sees: a document on standard output, a line on standard error, a status."""
    done = newsroom.start("subscribers", "add", ANN, "--json")
    out, err = done.communicate(timeout=60)
    assert (done.returncode, err) == (0, "")
    assert json.loads(out)["subscribers"][0]["email"] == ANN

    refused = newsroom.start("subscribers", "add", "nobody")
    out, err = refused.communicate(timeout=60)
    assert (refused.returncode, out) == (2, "")
    assert err.startswith("newsletter: 'nobody' is not an address")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("command", "language", "told"), [("add", "fr", True), ("edit", "fr", True), ("add", "de-CH", False)]
)
def test_a_language_that_is_not_spoken_is_told(newsroom: Newsroom, command: str, language: str, told: bool):
    """It is kept, for it may be added later; whoever sets it learns what the reader gets meanwhile."""
    if command == "edit":
        subscribers(newsroom, "add", ANN)
    said = subscribers(newsroom, command, ANN, "--language", language).err
    assert (f"language '{language}': their mails are in en" in said) is told
    assert show(newsroom)["language"] == language
