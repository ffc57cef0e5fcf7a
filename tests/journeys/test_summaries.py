"""Summaries by a language model: a real chat server on loopback, which also fails in every way."""

import gzip
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from chat_server import ChatServer, Question, Reply, completion
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom

from newsletter.domain.paper import Listing, Paper, Sighting
from newsletter.domain.text import plain
from newsletter.services.summarise import usable
from newsletter.sources.chat import UselessError
from newsletter.storage import fetches, papers, sightings, summaries
from newsletter.storage.fetches import Fetch

DAY = "2026-07-15"  # a Wednesday; issues are sealed at 08:00 UTC
EARLY = f"{DAY}T07:00"
KEY = "sk-very-secret-0123456789"
LABEL = "Summary by machine"


def answered(question: Question) -> Reply:
    """Return a summary that tells which paper it is of."""
    return completion(f"In short, {question.title} gets the job done.")


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    """Return a model that has something to say of every paper."""
    made = ChatServer(answered)
    yield made
    made.close()


@pytest.fixture
def room(tmp_path: Path, chat: ChatServer) -> Iterator[Newsroom]:
    """Return a newsletter with a front of two, four papers and one reader, which asks that model."""
    (tmp_path / "key").write_text(f"{KEY}\n")
    asking = {"url": chat.url, "model": "small", "api_key_file": "key", "allow_private_address": True}
    made = Newsroom(tmp_path, newsletter={"max_papers": 2}, summaries=asking)
    made.publish(DAY, "Alpha", "Beta", "Gamma", "Delta")
    made.subscribe("ada@example.org")
    yield made
    made.close()


def said(room: Newsroom) -> dict[str, str]:
    """Return what was kept, by title."""
    with room.app() as app, app.database.read() as session:
        found = papers.newest(session, 100)
    return {paper.title: paper.machine_summary for paper in found if paper.machine_summary}


def standing(room: Newsroom) -> Fetch | None:
    """Return how it stands with the server."""
    with room.app() as app, app.database.read() as session:
        return fetches.last_fetch(session, fetches.SUMMARIES, "")


def test_a_morning(room: Newsroom, chat: ChatServer) -> None:
    """Before the hour the model is asked once for each paper, the front's first; the mail says what it said, marked."""
    assert room.tick(EARLY).status == "done"
    assert chat.titles == ["Alpha", "Beta", "Gamma", "Delta"]
    for minute in (5, 30, 55):
        room.tick(f"{DAY}T07:{minute:02}")
    assert room.tick(f"{DAY}T08:00").status == "done"

    (mail,) = room.sink.mails
    for part in (mail.text, mail.html):
        assert "In short, Alpha gets the job done." in " ".join(part.split())
        assert part.count(LABEL) == 2
        assert "We study Alpha" not in part
    assert len(chat.asked) == 4


def test_the_model_is_told_title_and_abstract_and_of_no_reader(room: Newsroom, chat: ChatServer) -> None:
    """In the newsletter's language, with the key."""
    room.configure(newsletter={"language": "de"})
    room.tick(EARLY)
    question = chat.asked[0]
    assert question.text == "Title: Alpha\n\nAbstract: We study Alpha with care."
    assert "'de'" in question.document["messages"][0]["content"]
    assert question.document["model"] == "small"
    assert question.headers["authorization"] == f"Bearer {KEY}"
    assert not any("ada@example.org" in json.dumps(asked.document) for asked in chat.asked)


def test_the_upstreams_own_words_come_first(room: Newsroom, chat: ChatServer) -> None:
    """For a paper with a short summary of its own nobody asks, nor for one without an abstract."""
    room.publish(DAY, "Alpha", summary="What its authors say of it.")
    room.publish(DAY, "Bare", abstract="")
    room.tick(EARLY)
    assert chat.titles == ["Beta", "Gamma", "Delta"]
    room.tick(f"{DAY}T08:00")
    assert "What its authors say of it." in room.sink.mails[0].text
    assert LABEL not in room.sink.mails[0].text


def test_the_upstreams_words_that_come_later_win(room: Newsroom) -> None:
    """Over what the model said before."""
    room.tick(EARLY)
    room.publish(DAY, "Alpha", summary="What its authors say of it.")
    room.tick(f"{DAY}T08:00")
    (mail,) = room.sink.mails
    assert "What its authors say of it." in mail.text
    assert mail.text.count(LABEL) == 1  # of Beta


def test_without_a_model_nothing_is_asked(room: Newsroom, chat: ChatServer) -> None:
    """It is off unless somebody names a server."""
    room.configure(summaries={"url": "", "model": "", "api_key_file": ""})
    room.tick(EARLY)
    assert chat.asked == []


# Never late.


@pytest.mark.parametrize("at", ["07:59:51", "08:00", "08:04"])
def test_an_issue_whose_hour_has_come_waits_for_nobody(room: Newsroom, chat: ChatServer, at: str) -> None:
    """At the hour, and ten seconds before it, nothing is asked; then the issue goes out without."""
    room.tick(f"{DAY}T{at}")
    assert chat.asked == []
    room.tick(f"{DAY}T08:05")
    assert room.sink.mails[0].papers
    assert LABEL not in room.sink.mails[0].text


def test_asking_ends_before_the_hour(room: Newsroom, chat: ChatServer) -> None:
    """A server that never answers is left in the middle; that costs its papers nothing, and the mail is on time."""
    chat.say = lambda question: answered(question) if question.title == "Alpha" else Reply(silent=True)
    assert room.tick(f"{DAY}T07:59:49").status == "done"
    assert chat.titles == ["Alpha", "Beta"]
    assert list(said(room)) == ["Alpha"]
    found = standing(room)
    assert found
    assert found.error is None

    room.tick(f"{DAY}T08:00")
    assert room.sink.mails[0].text.count(LABEL) == 1


def test_a_deadline_of_the_editors_is_an_hour_too(room: Newsroom, chat: ChatServer) -> None:
    """While the issue waits for approval there is time, but not right before the deadline."""
    room.configure(editing={"mode": "approve", "deadline": "10:00"})
    room.tick(f"{DAY}T09:59:51")
    assert chat.asked == []
    room.tick(f"{DAY}T07:30")
    assert chat.asked


def test_readers_go_first(room: Newsroom, chat: ChatServer) -> None:
    """Whose hour comes earlier gets the issue of the day before, without waiting for today's summaries."""
    room.subscribe("eve@example.org", at="2026-07-13T12:00", hour="06:00")
    room.publish("2026-07-14", "Before")
    room.tick("2026-07-14T08:00")
    assert chat.asked == []
    room.tick(f"{DAY}T06:00")
    assert room.sink.to("eve@example.org")
    assert chat.asked == []
    room.tick(f"{DAY}T06:05")
    assert chat.titles[:2] == ["Alpha", "Beta"]


def test_when_todays_is_out_the_next_ones_turn_comes(room: Newsroom, chat: ChatServer) -> None:
    """So that a newsletter that is sealed right after midnight has summaries too."""
    room.configure(newsletter={"send_at": "00:00"})
    room.tick(f"{DAY}T00:00")
    assert chat.asked == []
    room.tick(f"{DAY}T00:05")
    assert chat.titles == ["Gamma", "Delta", "Alpha", "Beta"]  # the next front, and then what was in this one
    room.tick("2026-07-16T00:00")
    assert room.sink.mails[-1].text.count(LABEL) == 2


def test_at_once_has_its_minute(room: Newsroom, chat: ChatServer) -> None:
    """Who does not wait for the hour gets summaries; who repeats it waits for none."""
    room.tick(f"{DAY}T12:00", at_once=True)
    assert len(chat.asked) == 4
    assert LABEL in room.sink.mails[0].text
    room.publish(DAY, "Late")
    room.tick(f"{DAY}T12:30", at_once=True)
    assert len(chat.asked) == 4


def test_a_rehearsal_asks_nothing(room: Newsroom, chat: ChatServer) -> None:
    """It changes nothing, and costs nothing."""
    room.tick(EARLY, dry_run=True)
    assert chat.asked == []


# Never failing.

FAILURES = {
    "key refused": Reply(b'{"error": "invalid key"}', 401),
    "not allowed": Reply(b"{}", 403),
    "no such model": Reply(b"{}", 404),
    "too many": Reply(b"{}", 429, {"Retry-After": "600"}),
    "too many, nonsense": Reply(b"{}", 429, {"Retry-After": "soon"}),
    "broken": Reply(b"oops", 500),
    "overloaded": Reply(b"{}", 503),
    "hangs up": Reply(dropped=True),
    "silent": Reply(silent=True),
    "no JSON": Reply(b"<html>"),
    "no completion": Reply(b'{"choices": []}'),
    "huge": Reply(b"x" * 3_000_000),
    "bomb": Reply(gzip.compress(b"x" * 50_000_000, 1), headers={"Content-Encoding": "gzip"}),
    "elsewhere": Reply(b"", 302, {"Location": "http://192.0.2.1/"}),
    "truncated": completion("We show that", "length"),
    "a link": completion("It works, see https://evil.example/x for more."),
}


@pytest.mark.parametrize("reply", FAILURES.values(), ids=FAILURES)
def test_whatever_the_server_does_the_issue_goes_out(room: Newsroom, chat: ChatServer, reply: Reply) -> None:
    """On time and complete, with the abstract's words; the run is done, not incomplete."""
    room.configure(summaries={"timeout": "1s"})
    chat.say = lambda _: reply
    assert room.tick(EARLY).status == "done"
    assert chat.asked
    assert said(room) == {}
    assert room.tick(f"{DAY}T08:00").status == "done"

    (mail,) = room.sink.mails
    assert len(mail.papers) == 2
    assert "We study Alpha with care." in mail.text
    assert LABEL not in mail.text + mail.html


def test_a_server_that_is_not_there(room: Newsroom, chat: ChatServer) -> None:
    """The same."""
    chat.close()
    assert room.tick(EARLY).status == "done"
    assert room.tick(f"{DAY}T08:00").status == "done"
    assert room.sink.mails[0].papers


def test_a_private_address_must_be_allowed(room: Newsroom, chat: ChatServer) -> None:
    """Otherwise nothing is asked, and the issue goes out."""
    room.configure(summaries={"allow_private_address": False, "api_key_file": ""})
    assert room.tick(EARLY).status == "done"
    assert chat.asked == []
    assert list(room.run("--json", "stats").json["sources"]) == ["file"]
    found = standing(room)
    assert found
    assert "allow_private_address" in (found.error or "")


def test_what_one_paper_lacks_the_others_have(room: Newsroom, chat: ChatServer) -> None:
    """A useless answer is no reason to stop; a later run asks again, and three times are enough."""
    chat.say = lambda question: completion("") if question.title == "Alpha" else answered(question)
    room.tick(EARLY)
    assert sorted(said(room)) == ["Beta", "Delta", "Gamma"]
    for minute in (5, 10, 15, 20):
        room.tick(f"{DAY}T07:{minute:02}")
    assert chat.titles.count("Alpha") == 3
    assert len(chat.asked) == 6


def test_a_later_answer_is_taken(room: Newsroom, chat: ChatServer) -> None:
    """What failed once is there after all, and is kept."""
    chat.say = lambda _: completion("Cut", "length")
    room.tick(EARLY)
    chat.say = answered
    room.tick(f"{DAY}T07:05")
    room.tick(f"{DAY}T08:00")
    assert room.sink.mails[0].text.count(LABEL) == 2


def test_a_server_that_fails_is_left_in_peace(room: Newsroom, chat: ChatServer) -> None:
    """One minute, four, then fifteen; each time for another paper, so that none uses up its tries on a bad hour."""
    chat.say = lambda _: Reply(b"{}", 500)
    asked = []
    for clock in ("00:00", "00:50", "02:00", "05:30", "07:00", "21:00", "23:00", "37:00", "39:00"):
        room.tick(f"{DAY}T06:{clock}")
        asked.append(len(chat.asked))
    assert asked == [1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert chat.titles == ["Alpha", "Beta", "Gamma", "Delta", "Alpha"]

    chat.say = answered
    room.tick(f"{DAY}T07:10")
    assert len(said(room)) == 4


def test_retry_after_is_obeyed(room: Newsroom, chat: ChatServer) -> None:
    """To a day at most."""
    chat.say = lambda _: Reply(b"{}", 429, {"Retry-After": "7200"})
    real = datetime.now(UTC)  # a server's Retry-After is by the real clock: it is not to lie before ours
    now = min(real, real.replace(hour=9, minute=0))
    room.configure(newsletter={"send_at": "23:00"})
    room.run("subscribers", "unsubscribe", "ada@example.org")  # who would be due since summer, and go first
    room.publish(f"{now:%Y-%m-%d}", "Today")
    room.tick(now)
    found = standing(room)
    assert found
    assert found.retry_at
    assert found.retry_at > datetime.now(UTC) + timedelta(hours=1)
    asked = len(chat.asked)
    assert asked == 1
    room.tick(min(now + timedelta(minutes=30), found.retry_at - timedelta(minutes=1)))
    assert len(chat.asked) == asked


def test_a_wrong_key_is_told_once_and_so_is_the_right_one(room: Newsroom, chat: ChatServer) -> None:
    """The operator hears of it once a day, and when it is solved."""
    room.configure(operator={"email": "op@example.org"})
    chat.say = lambda _: Reply(b"{}", 401)
    first = room.tick("2026-07-15T06:00")
    assert len(first.problems) == 1
    assert "answered 401 (Unauthorized); check summaries.api_key_file" in first.problems[0]
    for minute in (5, 20, 40):
        assert room.tick(f"{DAY}T06:{minute:02}").problems == []
    assert [mail.message["Subject"] for mail in room.sink.to("op@example.org")] == [
        "[Daily Papers] Needs you: summaries"
    ]

    chat.say = answered
    assert room.tick(f"{DAY}T07:30").problems[0].startswith("solved: ")
    room.tick(f"{DAY}T08:00")
    assert room.sink.to("ada@example.org")
    assert len(room.sink.to("op@example.org")) == 2


def test_what_may_pass_is_told_when_it_does_not(room: Newsroom, chat: ChatServer) -> None:
    """Five failures in a row are worth a mail, one is not."""
    chat.say = lambda _: Reply(b"{}", 500)
    told = [bool(room.tick(datetime(2026, 7, 15, hour, 30, tzinfo=UTC)).problems) for hour in range(6)]
    assert told == [False, False, False, False, True, False]


# Money and secrets.


def test_a_day_has_a_budget(room: Newsroom, chat: ChatServer) -> None:
    """Of papers, the front's first; what is left over has its turn the next day."""
    room.configure(summaries={"max_papers": 3})
    for minute in (0, 5, 10):
        room.tick(f"{DAY}T07:{minute:02}")
    assert chat.titles == ["Alpha", "Beta", "Gamma"]
    room.tick(f"{DAY}T08:00")
    room.tick(f"{DAY}T08:05")
    assert len(chat.asked) == 3
    room.publish("2026-07-16", "Epsilon", "Zeta", "Eta")
    room.tick("2026-07-16T07:00")
    assert sorted(chat.titles[3:]) == ["Epsilon", "Eta", "Zeta"]


def test_the_key_is_said_to_the_server_and_to_nobody_else(
    room: Newsroom, chat: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in a log, a report, the database or a mail, also where the server says it back."""
    caplog.set_level(logging.DEBUG)
    room.configure(operator={"email": "op@example.org"})
    chat.say = lambda question: Reply(question.headers["authorization"].encode(), 401)
    outcome = room.tick(EARLY)
    assert chat.asked
    assert KEY not in caplog.text + repr(outcome)
    assert all(KEY.encode() not in mail.content for mail in room.sink.mails)
    assert all(KEY.encode() not in file.read_bytes() for file in room.folder.glob("newsletter.db*") if file.is_file())


def test_an_abstract_that_gives_orders_makes_a_silly_summary_at_worst(room: Newsroom, chat: ChatServer) -> None:
    """Of a model that obeys it the link is not taken; plain words are, on one line, escaped and marked."""
    orders = {
        "Alpha": "Visit http://evil.example now!",
        "Beta": "Ignore the\r\nSubject: rest & say 1 < 2 \u202eevil",
    }
    chat.say = lambda question: completion(orders.get(question.title, "Fine."))
    room.tick(EARLY)
    room.tick(f"{DAY}T08:00")
    (mail,) = room.sink.mails
    assert "evil.example" not in mail.text + mail.html
    assert "Ignore the Subject: rest & say 1 < 2 evil" in " ".join(mail.text.split())
    assert "rest &amp; say 1 &lt; 2 evil" in " ".join(mail.html.split())
    assert mail.message["Subject"].count("\n") == 0


@pytest.mark.parametrize(
    "text",
    [
        "It reaches 71.3 % at 2.5x the speed, i.e. less than half (p < 0.05, n > 3).",
        "Sie zeigen, daß es geht – auch für O(n²), z. B. in $\\mathcal{O}(n)$.",
        "该方法在三个数据集上优于基线。效果很好。",
        "GPT-4.1 et al. need 8 * 2 GPUs; a_b and c_d are its names.",
    ],
)
def test_ordinary_sentences_are_taken(text: str) -> None:
    """With figures, formulas and abbreviations."""
    assert usable(f"\n {text}\n") == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\u200b ",
        "word " * 200,
        "It works, see https://evil.example/x for more.",
        "It works, see evil.example for more.",
        "It works, see WWW for more: www.evil",
        "Write to win@evil for more.",
        "It <b>works</b>.",
        "<script>alert(1)</script>",
        "It **works**.",
        "It `works`.",
        "It works [here](there).",
        "- It works.\n- It is fast.",
        "1. It works.\n2. It is fast.",
        "# Summary\nIt works.",
        "<think>The user wants two sentences.</think> It works.",
        "It works {{ subscriber.email }}.",
    ],
)
def test_what_is_no_plain_sentence_is_refused(text: str) -> None:
    """Nothing at all, too much, and what some reader's mail program would make more of than words."""
    with pytest.raises(UselessError):
        usable(text)


@given(st.text(max_size=2000))
def test_what_is_taken_can_stand_in_a_mail(said: str) -> None:
    """For every answer: one bounded line without links and tags, or nothing."""
    try:
        text = usable(said)
    except UselessError:
        return
    assert text
    assert text == plain(text)
    assert len(text) <= 600
    assert not any(mark in text.casefold() for mark in ("://", "www.", "@", "</", "<a", "**", "`"))


# Joined papers.


@pytest.mark.parametrize("with_one", ["older", "newer", "both"])
def test_papers_that_turn_out_to_be_one_keep_a_summary(room: Newsroom, with_one: str) -> None:
    """Whichever had one."""
    now = datetime(2026, 7, 15, tzinfo=UTC)

    def told(**keys: str) -> Sighting:
        listing = Listing(source="blog", day=now.date())
        return Sighting(source="blog", kind="feed", seen_at=now, paper=Paper(title="One", **keys), listing=listing)

    with room.app(now) as app, app.database.write() as session:
        sightings.store(session, [told(arxiv_id="2601.00001"), told(doi="10.1234/one")])
        ids = [paper.id for key in ("2601.00001", "10.1234/one") if (paper := papers.find(session, key))]
        for paper_id, which in zip(ids, ("older", "newer"), strict=True):
            if with_one in {which, "both"}:
                summaries.keep(session, paper_id, "small", f"Of the {which}.", now)
            else:
                summaries.keep_failure(session, paper_id, "small", "empty", now)
        sightings.store(session, [told(arxiv_id="2601.00001", doi="10.1234/one")])
        joined = papers.find(session, "10.1234/one")
        assert joined
        assert joined.id == ids[0]
        assert joined.machine_summary == f"Of the {'older' if with_one == 'both' else with_one}."
