"""Learned taste, from what a reader says of a paper to the reason in their next mail."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from newsroom import Newsroom, instant
from sqlalchemy import text
from sqlmodel import func, select

from newsletter.domain.taste import Said
from newsletter.services.plan import Plan
from newsletter.services.preview import preview
from newsletter.services.subscribe import find
from newsletter.services.taste import show
from newsletter.services.wishes import alert
from newsletter.storage import feedback
from newsletter.storage.tables import DeliveryRow, SubscriberRow

ANN, BOB = "ann@example.net", "bob@example.net"
WED, THU = "2026-07-15", "2026-07-16"
CACHE = "A small KV cache for long contexts"
LATER = ("Robots that fold towels", "Proteins and how they fold", "Speech of many people", "Sharing the KV cache")


def begin(newsroom: Newsroom) -> str:
    """Send Wednesday's issue to two readers, publish Thursday's, and return the key of the paper that Ann likes."""
    newsroom.subscribe(ANN, BOB, max_papers="2")
    key, _ = newsroom.publish(WED, CACHE, "Cameras that see at night")
    newsroom.tick(f"{WED}T08:00Z")
    newsroom.publish(THU, *LATER)
    return key


def say(newsroom: Newsroom, key: str, said: str) -> None:
    """Let Ann say something of a paper."""
    newsroom.run("subscribers", "feedback", ANN, key, said)


def test_one_saved_paper_brings_its_like_with_the_reason(newsroom):
    """From the first, in HTML and text, in ``why`` and the preview; nobody else's digest changes."""
    say(newsroom, begin(newsroom), "save")
    because = "because you saved papers on “KV cache”"
    newsroom.tick(f"{THU}T07:00Z")
    with newsroom.app(instant(f"{THU}T07:00Z")) as app:
        seen = preview(app.dispatch, date.fromisoformat(THU), ANN, instant(f"{THU}T07:00Z"))
    assert seen.papers[0].why == because

    newsroom.tick(f"{THU}T08:00Z")

    *_, mail = newsroom.sink.to(ANN)
    assert mail.papers[0] == newsroom._papers["Sharing the KV cache"]
    assert because in mail.text
    assert because in mail.html
    told = newsroom.run("why", ANN, "--date", THU, "--json").json
    assert told["papers"][0]["why"] == because
    *_, other = newsroom.sink.to(BOB)
    assert other.papers == [newsroom._papers[title] for title in LATER[:2]]


def test_what_is_less_wanted_goes_behind(newsroom):
    """Also where the newsletter has it first."""
    newsroom.subscribe(ANN, max_papers="3")
    key, *_ = newsroom.publish(WED, "Robots that fold shirts", "Cameras that see at night")
    newsroom.tick(f"{WED}T08:00Z")
    newsroom.publish(THU, *LATER)
    say(newsroom, key, "less")

    newsroom.tick(f"{THU}T08:00Z")

    *_, mail = newsroom.sink.to(ANN)
    assert set(mail.papers) == {newsroom._papers[title] for title in LATER[1:]}
    assert "saved" not in mail.text


def test_a_taste_is_shown_and_erased(newsroom):
    """On request, and with the subscriber; the last word on a paper is what counts."""
    key = begin(newsroom)
    say(newsroom, key, "less")
    say(newsroom, key, "save")
    shown = newsroom.run("subscribers", "taste", ANN, "--json").json
    assert [(one["key"], one["said"]) for one in shown["said"]] == [(key, "save")]
    assert "kv cache" in shown["likes"]
    assert shown["dislikes"] == []
    assert "likes " in newsroom.run("subscribers", "taste", ANN).out

    assert newsroom.run("subscribers", "taste", ANN, "--erase").out == f"{ANN}: erased what was said of 1 paper\n"
    assert newsroom.run("subscribers", "taste", ANN).out == f"{ANN}: said nothing of papers yet\n"
    say(newsroom, key, "more")
    newsroom.run("subscribers", "remove", ANN)
    newsroom.run("subscribers", "add", ANN, "--resubscribe", "--source", "asked by phone")
    with newsroom.app() as app:
        assert show(app.database, ANN, instant(f"{THU}T07:00Z")).said == []


def test_more_like_this_says_so(newsroom):
    """Who saved nothing is not told that they had."""
    say(newsroom, begin(newsroom), "more")
    newsroom.tick(f"{THU}T08:00Z")
    *_, mail = newsroom.sink.to(ANN)
    assert "because you asked for more on “KV cache”" in mail.text


def test_feedback_names_what_it_cannot_find(newsroom):
    """One line each for a stranger, an unknown paper, and a word that is none."""
    key = begin(newsroom)
    assert "no subscriber" in newsroom.run("subscribers", "feedback", "eve@example.net", key, "save", expect=1).err
    assert "no paper 2601.99999" in newsroom.run("subscribers", "feedback", ANN, "2601.99999", "save", expect=1).err
    assert "'like' is not one of" in newsroom.run("subscribers", "feedback", ANN, key, "like", expect=2).err


def test_without_the_extra_everything_else_works(newsroom, monkeypatch):
    """Feedback and taste say in one line what to install, status 2; digests come as ever, and it can be erased."""
    key = begin(newsroom)
    say(newsroom, key, "save")
    monkeypatch.setitem(sys.modules, "numpy", None)

    refused = newsroom.run("subscribers", "feedback", ANN, key, "save", expect=2)
    assert refused.err == "newsletter: learning what readers like needs the extra 'taste': pip install '.[taste]'\n"
    assert newsroom.run("subscribers", "taste", ANN, expect=2).err == refused.err
    newsroom.tick(f"{THU}T08:00Z")
    *_, mail = newsroom.sink.to(ANN)
    assert mail.papers == [newsroom._papers[title] for title in LATER[:2]]
    assert "erased what was said of 1 paper" in newsroom.run("subscribers", "taste", ANN, "--erase").out


def test_what_was_sent_half_a_year_ago_does_not_come_again(newsroom):
    """By its identity, whatever version it comes back in, and also where the reader likes it."""
    newsroom.subscribe(ANN, at="2026-01-10")
    key, _ = newsroom.publish("2026-01-12", CACHE, "Cameras that see at night")
    newsroom.tick("2026-01-12T08:00Z")
    say(newsroom, key, "save")
    newsroom.publish("2026-07-15", CACHE, LATER[3], abstract="Revised, with more on the KV cache.", version=3)

    newsroom.tick("2026-07-15T08:00Z")

    assert [mail.papers for mail in newsroom.sink.to(ANN)] == [[key, "2601.00002"], [newsroom._papers[LATER[3]]]]


def test_a_work_under_another_key_does_not_come_again_half_a_year_later(newsroom):
    """The paper by which the reader had it has long left the pool; another reader gets it, and others' works come."""
    newsroom.subscribe(ANN, at="2026-01-10")
    newsroom.publish("2026-01-12", CACHE, LATER[0])
    newsroom.tick("2026-01-12T08:00Z")
    newsroom.subscribe("bob@example.net")
    titles = [f"{CACHE}: the published version", f"{LATER[0]}, by somebody else", LATER[3]]
    published = newsroom.publish("2026-07-15", titles[0], titles[2])
    published += newsroom.publish("2026-07-15", titles[1], authors=["Some One"])

    newsroom.tick("2026-07-15T08:00Z")

    assert set(newsroom.sink.to(ANN)[-1].papers) == set(published[1:])
    assert set(newsroom.sink.to("bob@example.net")[-1].papers) == set(published)


def test_who_spoke_of_much_is_made_due_in_smaller_chunks(newsroom):
    """What they said is worked out while others wait to write: so a chunk has no more than 256 papers spoken of."""
    newsroom.subscribe(*(f"r{n}@example.net" for n in range(9)))
    newsroom.publish(WED, *LATER)
    newsroom.run("gather", "--date", WED)
    newsroom.run("issues", "seal", WED)
    now = instant(f"{WED}T08:00Z")
    with newsroom.app(now) as app:
        with app.database.write() as session:
            for reader in session.exec(select(SubscriberRow.id)):
                for paper in range(100, 190):
                    feedback.say(session, reader, paper, Said.SAVE, now)
        plan, made = Plan(app.settings, app.policy), [0]
        while made[-1:] != made[-2:-1]:
            with app.database.write() as session:
                plan.make_due(session, now)
                made.append(session.exec(select(func.count()).select_from(DeliveryRow)).one())
    assert made == [0, 2, 4, 6, 8, 9, 9]


def kept_reasons(newsroom: Newsroom) -> str:
    """Return what the ledger keeps of all picks."""
    with newsroom.app(instant(f"{THU}T09:00Z")) as app, app.database.read() as session:
        return " ".join(str(picks) for (picks,) in session.exec(text("SELECT picks FROM deliveries")))


@pytest.mark.parametrize("command", [("taste", ANN, "--erase"), ("remove", ANN)])
def test_what_is_erased_is_no_reason_any_more(newsroom, command):
    """Neither in what was sent nor in what waits; a removed reader leaves nothing of it either."""
    say(newsroom, begin(newsroom), "save")
    newsroom.tick(f"{THU}T08:00Z")
    assert "save kv cache" in kept_reasons(newsroom).lower()

    newsroom.run("subscribers", *command)

    assert "kv cache" not in kept_reasons(newsroom).lower()
    assert re.search(r"\dB", kept_reasons(newsroom))  # the reason stays, without its words


def test_two_alerts_at_once_are_both_kept(newsroom):
    """What is added is added to what is there by then."""
    newsroom.subscribe(ANN)
    with newsroom.app(instant(f"{THU}T09:00Z")) as app, ThreadPoolExecutor(8) as pool:
        at_once = [
            pool.submit(
                alert, app.database, app.settings.newsletter, ANN, f"word{n}", instant(f"{THU}T09:00Z"), remove=False
            )
            for n in range(8)
        ]
        for one in at_once:
            one.result()
        assert sorted(find(app.database, ANN).preferences.alerts) == [f"word{n}" for n in range(8)]
