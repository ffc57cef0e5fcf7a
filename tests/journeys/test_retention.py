"""What is old is given up in small steps, and everything that rested on it still holds."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom, instant
from sqlmodel import col, func, select, update

from newsletter.config.retention import RetentionSettings
from newsletter.services.retention import keep_house
from newsletter.storage import had
from newsletter.storage.tables import DeliveryRow, FetchRow, PaperRow, SubscriberRow, TotalRow

ANN, BOB, CY = "ann@example.net", "bob@example.net", "cy@example.net"


@given(st.sets(st.integers(1, 1 << 40), max_size=200))
def test_papers_that_a_reader_had_are_kept_in_few_octets(papers: set[int]) -> None:
    """All come back, in order; neighbours take an octet each."""
    assert had.unpacked(had.packed(papers)) == sorted(papers)
    assert len(had.packed(range(5000, 5100))) == 101


def test_old_deliveries_become_totals(newsroom: Newsroom) -> None:
    """Counts stay, ``why`` says so, nothing is mailed again, and a paper that returns is not sent twice."""
    newsroom.subscribe(ANN, BOB, at="2026-07-13T12:00Z")
    newsroom.sink.refusals[BOB] = "554 5.6.0 not this one"
    newsroom.publish("2026-07-14", "Alpha", "Beta")
    newsroom.tick("2026-07-14T08:00Z")
    before = json.loads(newsroom.run("stats", "--json").out)

    late = instant("2026-10-13T10:00Z")
    newsroom.publish("2026-10-13", "Alpha", "Gamma")
    newsroom.tick(late)
    with newsroom.app() as app, app.database.read() as session:
        assert session.exec(select(func.count()).select_from(DeliveryRow)).one() == 2
        assert {row.status: row.deliveries for row in session.exec(select(TotalRow))} == {"accepted": 1, "failed": 1}
    after = json.loads(newsroom.run("stats", "--json").out)["deliveries"]
    assert after["accepted"] == before["deliveries"]["accepted"] + 1
    assert after["failed"] == before["deliveries"]["failed"] + 1
    why = json.loads(newsroom.run("why", ANN, "--date", "2026-07-14", "--json").out)
    assert why["answer"] == "totals"
    assert "older than what is kept one by one" in why["text"]
    assert "1 was accepted and 1 was failed" in why["text"]
    alpha, beta, gamma = (f"26{month}.0000{n}" for month, n in (("07", 1), ("07", 2), ("10", 3)))
    assert [mail.papers for mail in newsroom.sink.mails if mail.recipient == ANN] == [[alpha, beta], [gamma]]
    known = json.loads(newsroom.run("subscribers", "data", ANN).out)
    assert [paper["title"] for paper in known["earlier_papers"]] == ["Alpha", "Beta"]

    newsroom.run("run", "--date", "2026-07-14", "--now")
    assert len(newsroom.sink.mails) == 2
    newsroom.run("subscribers", "forget", ANN, "--yes")
    assert newsroom.run("db", "check").out


def test_it_goes_on_where_it_was_ended(newsroom: Newsroom) -> None:
    """A ledger that is too long gives up its oldest issues; abstracts and what sources were asked go by age."""
    newsroom.subscribe(ANN, at="2026-07-13T12:00Z")
    for day in ("2026-07-14", "2026-07-15", "2026-07-16"):
        newsroom.publish(day, f"Paper of {day}")
        newsroom.tick(f"{day}T08:00Z")
    today = instant("2026-07-21T08:00Z")
    kept = RetentionSettings(ledger_rows=1)

    async def keep(budget: float) -> bool:
        with newsroom.app() as app:
            return await keep_house(app.database, kept, today.date(), today, budget=budget)

    runs = 0
    while not asyncio.run(keep(0)):
        runs += 1
    assert runs == 2  # a step each
    with newsroom.app() as app, app.database.read() as session:
        assert [row.day.isoformat() for row in session.exec(select(DeliveryRow))] == ["2026-07-16"]
    today = instant("2028-10-01T08:00Z")
    assert asyncio.run(keep(10))
    with newsroom.app() as app, app.database.read() as session:
        assert [paper.facts.get("abstract") for paper in session.exec(select(PaperRow))] == [None] * 3
        assert session.exec(select(func.count()).select_from(FetchRow).where(FetchRow.asked != "")).one() == 0


def test_who_never_confirmed_is_erased_after_a_month(newsroom: Newsroom) -> None:
    """Whoever gave the address may have been a stranger. Who was asked again lately, or confirmed, stays."""
    newsroom.subscribe(ANN)
    newsroom.run("subscribers", "add", BOB, CY, "--confirm")
    later = datetime.now(UTC) + timedelta(days=31)
    with newsroom.app() as app:
        with app.database.write() as session:
            asked_again = update(SubscriberRow).where(col(SubscriberRow.email) == CY)
            session.exec(asked_again.values(asked_at=later - timedelta(days=1)))
        assert asyncio.run(keep_house(app.database, RetentionSettings(), later.date(), later))
    listed = json.loads(newsroom.run("subscribers", "list", "--json").out)["subscribers"]
    assert {one["email"]: one["status"] for one in listed} == {ANN: "active", CY: "pending"}
