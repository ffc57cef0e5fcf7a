"""A reader whose digest reaches back further than the issue's own days is still sent no paper twice."""

from sqlalchemy import event

from newsletter.services.plan import Plan
from tests.newsroom import instant

ANN = "ann@example.net"


def test_a_paper_listed_again_within_a_longer_window_is_not_sent_again(newsroom):
    """A weekly reader had a paper last week; listed again since, it is not news to them."""
    newsroom.configure(newsletter={"lookback_days": 1})
    newsroom.subscribe(ANN, frequency="weekly:wed", at="2026-07-07")
    newsroom.publish("2026-07-08", "Alpha", "Beta")
    newsroom.tick("2026-07-08T08:00Z")
    newsroom.publish("2026-07-13", "Alpha", "Gamma")
    newsroom.tick("2026-07-13T08:00Z")
    newsroom.publish("2026-07-15", "Delta")
    newsroom.tick("2026-07-15T08:00Z")
    first, second = newsroom.sink.to(ANN)
    assert first.papers == ["2607.00001", "2607.00002"]
    assert sorted(second.papers) == ["2607.00003", "2607.00004"]


def test_what_a_longer_window_has_is_read_before_others_have_to_wait(newsroom):
    """Who comes back after long chooses from many days: their papers are read without the write lock."""
    newsroom.subscribe(ANN, at="2026-07-01")
    newsroom.publish("2026-07-02", "Alpha")
    newsroom.tick("2026-07-02T08:00Z")
    newsroom.publish("2026-07-06", "Beta")
    newsroom.publish("2026-07-15", "Gamma")
    newsroom.run("gather", "--date", "2026-07-06")
    newsroom.run("gather", "--date", "2026-07-15")
    newsroom.run("issues", "seal", "2026-07-15")
    now, said = instant("2026-07-15T08:00Z"), []
    with newsroom.app(now) as app:
        plan = Plan(app.settings, app.policy)
        with app.database.read() as session:
            plan.prepare(session, now)
        event.listen(app.database.engine, "before_cursor_execute", lambda *heard: said.append(heard[2]))
        with app.database.write() as session:
            assert plan.make_due(session, now)
    assert not [each for each in said if "listings.upvotes" in each]
    newsroom.tick("2026-07-15T08:01Z")
    assert sorted(newsroom.sink.to(ANN)[-1].papers) == ["2607.00002", "2607.00003"]
