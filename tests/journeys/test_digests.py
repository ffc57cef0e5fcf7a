"""Stories of what one reader gets over many issues: nothing twice, nothing lost, whatever order issues come in."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from newsletter.services.run import deliver
from newsletter.storage import sightings
from newsletter.storage.tables import DeliveryRow, PaperKeyRow
from tests.newsroom import LOST, TAKEN, Newsroom, instant

READER = "ada@example.org"


def keys(newsroom: Newsroom, email: str = READER) -> list[str]:
    """Return the papers of all mails to one reader."""
    return [key for mail in newsroom.sink.to(email) for key in mail.papers]


def test_an_old_date_sent_later_does_not_hide_which_issue_was_newest(newsroom: Newsroom) -> None:
    """After a past date was sent by hand, the next regular tick goes on from the newest issue."""
    newsroom.publish("2026-07-10", "Old")
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.subscribe(READER, at="2026-07-09T12:00Z")
    newsroom.tick("2026-07-15T08:00Z")
    newsroom.tick("2026-07-15T09:00Z", day=instant("2026-07-10").date(), at_once=True)
    newsroom.tick("2026-07-16T08:00Z")
    found = keys(newsroom)
    assert len(found) == len(set(found))


def test_a_paper_of_a_longer_window_is_not_sent_again(newsroom: Newsroom) -> None:
    """What a digest took from before the issue's own pool was sent, and stays away when it is listed again."""
    newsroom.configure(newsletter={"lookback_days": 1, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]})
    newsroom.publish("2026-07-13", "Monday")
    newsroom.publish("2026-07-17", "Friday")
    newsroom.subscribe(READER, at="2026-07-12T12:00Z", frequency="weekly:fri")
    for day in range(13, 18):
        newsroom.tick(f"2026-07-{day}T08:00Z")
    assert len(keys(newsroom)) == 2
    newsroom.publish("2026-07-24", "Monday", "New")
    newsroom.tick("2026-07-24T08:00Z")
    found = keys(newsroom)
    assert len(found) == len(set(found)) == 3


def test_a_weekly_reader_gets_the_week_although_its_last_day_was_empty(newsroom: Newsroom) -> None:
    """With on_empty = "send" an issue without papers still brings the weekly reader what the week had."""
    newsroom.configure(newsletter={"on_empty": "send"})
    newsroom.publish("2026-07-15", "Alpha", "Beta")
    newsroom.subscribe(READER, at="2026-07-12T12:00Z", frequency="weekly:fri")
    for day in (15, 16, 17):
        newsroom.tick(f"2026-07-{day}T08:00Z")
    (mail,) = newsroom.sink.mails
    assert len(mail.papers) == 2


def test_a_failed_digest_is_not_retried_once_a_later_one_carried_its_papers(newsroom: Newsroom) -> None:
    """The later digest took over what failed, so that a retry would show the same papers twice."""
    newsroom.publish("2026-07-15", "Alpha", "Beta")
    newsroom.subscribe(READER)
    newsroom.sink.refusals[READER] = "554 5.2.1 mailbox disabled"
    newsroom.tick("2026-07-15T08:00Z")
    newsroom.sink.refusals.clear()
    newsroom.publish("2026-07-16", "Gamma")
    newsroom.tick("2026-07-16T08:00Z")
    assert len(keys(newsroom)) == 3
    newsroom.tick("2026-07-16T09:00Z", work=deliver, retry_failed=True)
    assert len(keys(newsroom)) == 3


def test_what_is_on_its_way_is_not_chosen_again(newsroom: Newsroom) -> None:
    """A digest that was put off goes out while the next is made, before its hour: the next has none of its papers."""
    newsroom.publish("2026-07-14", "Alpha", "Beta")
    newsroom.subscribe(READER, at="2026-07-13T12:00Z", topics="alpha")
    newsroom.sink.refusals[READER] = "450 4.2.0 later"
    newsroom.tick("2026-07-14T08:00Z")
    newsroom.sink.refusals.clear()
    newsroom.publish("2026-07-15", "Gamma")
    newsroom.tick("2026-07-15T03:00Z", at_once=True)
    assert sorted(len(mail.papers) for mail in newsroom.sink.to(READER)) == [1, 2]
    assert len(set(keys(newsroom))) == 3


def test_two_papers_that_became_one_have_one_card(newsroom: Newsroom) -> None:
    """A digest made before two papers turned out to be the same shows them once."""
    newsroom.publish("2026-07-15", "Alpha", "Beta")
    newsroom.subscribe(READER)
    newsroom.sink.shut()
    newsroom.tick("2026-07-15T08:00Z", dispatch={"patience": timedelta(seconds=0)})
    with newsroom.app() as app, app.database.write() as session:
        alpha, beta = sorted(session.exec(select(PaperKeyRow)).all(), key=lambda row: row.paper_id)
        assert len(session.exec(select(DeliveryRow)).one().picks) == 2
        sightings._join(session, alpha.paper_id, beta.paper_id)
    newsroom.sink.open()
    newsroom.tick("2026-07-15T09:00Z")
    (mail,) = newsroom.sink.mails
    assert len(mail.papers) == 1


def test_held_deliveries_stay_a_problem_on_a_day_without_an_issue(newsroom: Newsroom) -> None:
    """What waits for the operator is not solved by the next date's report."""
    newsroom.configure(operator={"email": "me@example.org"}, smtp={"on_uncertain": "hold"})
    newsroom.publish("2026-07-17", "Alpha")
    newsroom.subscribe(READER)
    newsroom.sink.at_dot = lambda mail: LOST if mail.recipient == READER else TAKEN
    newsroom.tick("2026-07-17T08:00Z")
    newsroom.tick("2026-07-18T00:05Z")
    told = newsroom.sink.to("me@example.org")
    assert ["olved" in str(mail.message["Subject"]) for mail in told] == [False, False]


@pytest.mark.parametrize("every", [5, 60])
def test_an_hour_just_before_midnight_is_not_missed(newsroom: Newsroom, every: int) -> None:
    """A tick that comes after midnight seals the issue whose hour came before it."""
    newsroom.configure(newsletter={"send_at": "23:58"})
    newsroom.publish("2026-07-15", "Alpha")
    newsroom.subscribe(READER, at="2026-07-15T12:00Z")
    at = instant("2026-07-15T21:00Z")
    while at < instant("2026-07-16T03:00Z"):
        newsroom.tick(at)
        at += timedelta(minutes=every)
    assert len(newsroom.sink.mails) == 1


def test_a_database_lies_in_a_folder_whose_name_means_something_to_addresses(tmp_path: Path) -> None:
    """A path is a path, whatever is in it."""
    folder = tmp_path / "50%25 #1?x=y"
    folder.mkdir()
    room = Newsroom(folder)
    try:
        room.run("stats")
        assert (folder / "newsletter.db").exists()
        room.run("doctor", expect=None)
        room.run("db", "check")
    finally:
        room.close()
