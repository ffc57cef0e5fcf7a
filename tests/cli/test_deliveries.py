"""``newsletter deliveries``: the ledger on the command line, and what a person decides of what is held."""

import pytest
from newsroom import LOST, TAKEN, Newsroom

ANN, BOB, CAT = "ann@example.net", "bob@example.net", "cat@example.net"
DAY = "2026-07-15"


@pytest.fixture
def sent(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter whose issue one reader got, one refused, and one was put off from."""
    newsroom.subscribe(ANN, BOB, CAT)
    newsroom.publish(DAY, "Alpha", "Beta")
    newsroom.sink.refusals |= {BOB: "550 5.2.1 mailbox disabled", CAT: "450 4.2.1 mailbox busy"}
    newsroom.tick(f"{DAY}T08:00Z")
    return newsroom


@pytest.fixture
def held(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter of which nobody knows whether its two mails arrived, sent now by the real clock."""
    newsroom.configure(smtp={"on_uncertain": "hold"})
    newsroom.run("subscribers", "add", ANN, BOB)
    newsroom.publish(DAY, "Alpha")
    newsroom.sink.at_dot = lambda _: LOST
    newsroom.run("run", "--date", DAY, "--now", expect=None)
    newsroom.sink.at_dot = lambda _: TAKEN
    return newsroom


def listed(newsroom: Newsroom, *options: str) -> dict[str, str]:
    """Return the status of each delivery by its reader."""
    found = newsroom.run("deliveries", "list", *options, "--json").json["deliveries"]
    return {one["email"]: one["status"] for one in found}


def test_the_list_shows_where_each_delivery_stands(sent):
    """All of them, those of one state, those of one issue, and at most so many."""
    assert listed(sent) == {ANN: "accepted", BOB: "failed", CAT: "deferred"}
    assert listed(sent, "--status", "failed") == {BOB: "failed"}
    assert listed(sent, "--issue", DAY, "--status", "accepted") == {ANN: "accepted"}
    assert len(listed(sent, "--limit", "2")) == 2
    table = sent.run("deliveries", "list", "--status", "deferred").out
    assert CAT in table
    assert "450 4.2.1 mailbox busy" in table


def test_the_list_shows_where_and_until_when_the_deferred_wait(sent):
    """Their destination and the next attempt, which nobody else has."""
    table = sent.run("deliveries", "list").out.splitlines()
    assert table[0].split() == ["id", "issue", "to", "status", "destination", "next", "attempt", "reply"]
    deferred = next(line for line in table if CAT in line)
    assert deferred.split()[3:8] == ["deferred", "example.net", "07-15", "08:05", "UTC"]
    assert "08:05" not in next(line for line in table if ANN in line)
    assert "destination" not in sent.run("deliveries", "list", "--status", "accepted").out
    listed_ = sent.run("deliveries", "list", "--status", "deferred", "--json").json["deliveries"]
    assert [(one["destination"], one["next_attempt_at"][:16]) for one in listed_] == [("example.net", f"{DAY}T08:05")]


def test_what_is_ready_and_put_off_says_until_when(newsroom: Newsroom) -> None:
    """A lost connection's repeat waits for its hour; who asked for the run at once, and pipes it, is told in a line."""
    newsroom.run("subscribers", "add", ANN)
    newsroom.publish(DAY, "Alpha")
    newsroom.sink.at_dot = lambda _: LOST
    ended = newsroom.run("run", "--date", DAY, "--now", expect=3)
    assert ended.out == ""
    line = newsroom.run("deliveries", "list", "--json").json["deliveries"][0]
    again = f"{line['next_attempt_at'][:10]} {line['next_attempt_at'][11:16]} UTC"
    shows = "'newsletter deliveries list' shows why"
    assert ended.err == f"{DAY}: incomplete: 1 digest waits, and the next is tried {again}; {shows}\n"
    assert line["status"] == "ready"
    table = newsroom.run("deliveries", "list").out
    assert f"ready     example.net    {again[5:]}" in table
    shown = newsroom.run("deliveries", "show", line["id"]).out
    assert f"The first run after {again} tries again" in shown.replace("\n", " ")
    assert newsroom.run("run", expect=3).err == "", "cron's line stays silent"


def test_what_waits_of_a_halted_issue_alone_is_said_to(newsroom: Newsroom) -> None:
    """It keeps a later run from being done, which has nothing else to say."""
    newsroom.run("subscribers", "add", ANN, "--frequency", "weekly:wed")
    newsroom.publish(DAY, "Alpha")
    newsroom.sink.at_dot = lambda _: LOST
    newsroom.run("run", "--date", DAY, "--now", expect=3)
    newsroom.run("issues", "halt", DAY, "--reason", "a mistake")
    newsroom.publish("2026-07-16", "Beta")
    ended = newsroom.run("run", "--date", "2026-07-16", "--now", expect=3)
    said = "a halted issue has digests that wait: 'newsletter issues list' shows which"
    assert ended.err == f"2026-07-16: incomplete: {said}\n"


def test_the_newest_come_first(sent):
    """By when they were made."""
    sent.publish("2026-07-16", "Gamma")
    sent.tick("2026-07-16T08:00Z")
    issues = [one["issue"] for one in sent.run("deliveries", "list", "--json").json["deliveries"]]
    assert issues == sorted(issues, reverse=True)
    assert len(set(issues)) == 2


@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (BOB, "'newsletter deliver --retry-failed' sends it again, unless the reader is suppressed or has a later"),
        (CAT, "the first run after 2026-07-15 08:05 UTC tries again, and it is given up 2026-07-16 04:00 UTC"),
    ],
)
def test_it_is_said_what_to_do_about_failed_and_deferred_ones(sent, reader, words):
    """By 'deliveries show' and by 'why', in the same words."""
    found = sent.run("deliveries", "list", "--json").json["deliveries"]
    named = next(one["id"] for one in found if one["email"] == reader)
    assert words in sent.run("deliveries", "show", named).out
    assert words in sent.run("why", reader, "--date", DAY).out
    assert "What to do" not in sent.run("why", ANN, "--date", DAY).out


def test_it_is_said_what_to_do_about_held_ones(held):
    """Both ways out, with the command that goes each."""
    named = held.run("deliveries", "list", "--json").json["deliveries"][0]
    words = f"'newsletter deliveries release {named['id']}' sends it again under the same one, and with --assume-sent"
    assert words in held.run("deliveries", "show", named["id"]).out
    assert words in held.run("why", named["email"], "--date", DAY).out


def test_the_list_of_an_issue_that_does_not_exist_is_an_error(sent):
    """A wrong date is not silently an empty list."""
    assert "no issue of 2026-07-01" in sent.run("deliveries", "list", "--issue", "2026-07-01", expect=1).err


def test_a_delivery_is_shown_by_its_id_and_by_its_message_id(sent):
    """The id is the beginning of the Message-ID of the mail, and either names the delivery."""
    mail = sent.sink.to(ANN)[0]
    message_id = mail.message["Message-ID"]
    named = message_id.strip("<>").partition("@")[0]
    shown = sent.run("deliveries", "show", named, "--json").json
    assert shown == sent.run("deliveries", "show", message_id, "--json").json
    assert (shown["id"], shown["message_id"], shown["email"]) == (named, message_id, ANN)
    assert (shown["issue"], shown["date"], shown["status"]) == (DAY, DAY, "accepted")
    assert shown["reply"] == "250 2.0.0 taken"
    assert [paper["key"] for paper in shown["papers"]] == mail.papers
    assert shown["papers"][0] == {"key": "2607.00001", "title": "Alpha", "why": "most upvoted today"}
    told = sent.run("deliveries", "show", named).out
    assert "250 2.0.0 taken" in told
    assert "among the day’s best" in told


def test_a_delivery_of_a_removed_reader_is_still_shown(sent):
    """The ledger outlives the address."""
    sent.run("subscribers", "remove", ANN)
    assert None in listed(sent)
    assert "(removed)" in sent.run("deliveries", "list").out


@pytest.mark.parametrize(("named", "status", "said"), [("xyz", 2, "hexadecimal"), ("abc", 1, "no delivery abc")])
def test_what_names_no_delivery_is_an_error(sent, named, status, said):
    """Nonsense is wrong usage, an id that does not exist is not found."""
    assert said in sent.run("deliveries", "show", named, expect=status).err


def test_released_deliveries_are_sent_again_with_the_same_message_id(held):
    """One by its id, then all: the next run repeats them, recognisably."""
    assert listed(held) == {ANN: "held", BOB: "held"}
    found = held.run("deliveries", "list", "--json").json["deliveries"]
    ann = next(one["id"] for one in found if one["email"] == ANN)
    assert held.run("deliveries", "release", ann, "--json").json == {"released": [ann], "status": "ready"}
    assert listed(held) == {ANN: "ready", BOB: "held"}
    assert held.run("deliveries", "release", "--all").out == "1 sent again by the next run\n"
    held.run("deliver")
    assert listed(held) == {ANN: "accepted", BOB: "accepted"}
    first, second = held.sink.to(ANN)
    assert first.message["Message-ID"] == second.message["Message-ID"]
    assert first.papers == second.papers


def test_released_long_after_they_are_still_sent(newsroom):
    """What was held for days is not given up the moment that it is released."""
    newsroom.configure(smtp={"on_uncertain": "hold"})
    newsroom.subscribe(ANN)
    newsroom.publish(DAY, "Alpha")
    newsroom.sink.at_dot = lambda _: LOST
    newsroom.tick(f"{DAY}T08:00Z")
    newsroom.sink.at_dot = lambda _: TAKEN
    newsroom.run("deliveries", "release", "--all")
    newsroom.run("deliver")
    assert len(newsroom.sink.to(ANN)) == 2


def test_assumed_sent_counts_as_sent(held):
    """Nothing is repeated, and the next digest does not make up for this one."""
    assert held.run("deliveries", "release", "--all", "--assume-sent").out == "2 counted as sent\n"
    assert listed(held) == {ANN: "accepted", BOB: "accepted"}
    held.run("deliver")
    assert len(held.sink.mails) == 2
    held.publish("2026-07-16", "Beta")
    held.run("run", "--date", "2026-07-16", "--now")
    assert [mail.papers for mail in held.sink.to(ANN)] == [["2607.00001"], ["2607.00002"]]
    assert "The best since" not in held.sink.to(ANN)[1].text


def test_only_held_deliveries_are_released_all_or_none(held):
    """One that was accepted already is named, and the others stay as they are."""
    found = held.run("deliveries", "list", "--json").json["deliveries"]
    first, second = (one["id"] for one in found)
    held.run("deliveries", "release", first, "--assume-sent")
    assert "is accepted; only held ones wait" in held.run("deliveries", "release", second, first, expect=1).err
    assert sorted(listed(held).values()) == ["accepted", "held"]


def test_release_needs_ids_or_all(newsroom):
    """Neither, or both, is wrong usage; nothing held is no error."""
    newsroom.run("deliveries", "release", expect=2)
    newsroom.run("deliveries", "release", "abc", "--all", expect=2)
    assert newsroom.run("deliveries", "release", "--all").out == "nothing is held\n"
