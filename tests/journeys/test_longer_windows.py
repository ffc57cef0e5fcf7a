"""A reader whose digest reaches back further than the issue's own days is still sent no paper twice."""

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
