"""How much one network may ask, whom the pages believe about who asks, and that several processes count together."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from newsroom import Newsroom
from starlette.requests import HTTPConnection

from newsletter.services.throttle import ALL, Meter, Rule, Throttle
from newsletter.web.clients import network_of
from newsletter.web.guard import headers
from newsletter.web.server import serving

NOW = datetime(2026, 7, 15, 9, tzinfo=UTC)
HOURLY = Rule("try", 3, timedelta(hours=1))
TOGETHER = Rule("tries", 5, timedelta(hours=1))


def forwarded(address: str) -> dict[str, str]:
    """Return the header by which a proxy says whom it brings."""
    return {"X-Forwarded-For": address}


def test_so_often_within_a_while_and_then_again(newsroom: Newsroom) -> None:
    """What a rule allows is admitted; then it says how long to wait, and after that begins anew."""
    with newsroom.app() as app:
        limits = Throttle(app.database, "secret")
        assert [limits.admit(NOW, (HOURLY, "a")) for _ in range(3)] == [None] * 3
        assert limits.admit(NOW + timedelta(minutes=20), (HOURLY, "a")) == timedelta(minutes=40)
        assert limits.admit(NOW, (HOURLY, "b")) is None
        assert limits.admit(NOW + timedelta(hours=1), (HOURLY, "a")) is None


def test_what_one_rule_refuses_counts_for_no_other(newsroom: Newsroom) -> None:
    """One who asks too often does not use up what all have together."""
    with newsroom.app() as app:
        limits = Throttle(app.database, "secret")
        admitted = [limits.admit(NOW, (HOURLY, "a"), (TOGETHER, ALL)) is None for _ in range(9)]
        assert admitted == [True] * 3 + [False] * 6
        admitted = [limits.admit(NOW, (HOURLY, who), (TOGETHER, ALL)) is None for who in "bcd"]
        assert admitted == [True, True, False]


def test_the_table_stays_small_and_names_nobody(newsroom: Newsroom) -> None:
    """What is over is forgotten with the next use, and no address or network can be read in what is kept."""
    with newsroom.app() as app:
        limits = Throttle(app.database, "secret")
        for number in range(50):
            limits.admit(NOW, (HOURLY, f"reader{number}@example.net"))
        with app.database.read() as session:
            rows = session.connection().exec_driver_sql("SELECT * FROM limits").all()
        assert len(rows) == 50
        assert "reader" not in str(rows)
        limits.admit(NOW + timedelta(hours=2), (HOURLY, "a"))
        with app.database.read() as session:
            assert len(session.connection().exec_driver_sql("SELECT * FROM limits").all()) == 1


def test_processes_count_what_is_read_together(newsroom: Newsroom) -> None:
    """Each counts by itself, and learns what the others counted; who reads little is never written."""
    rule = Rule("request", 100, timedelta(minutes=1))
    with newsroom.app() as app:
        one, other = (Meter(Throttle(app.database, "secret"), rule) for _ in range(2))
        assert [one.admit("a", NOW) for _ in range(60)] == [None] * 60
        assert [other.admit("a", NOW) for _ in range(60)] == [None] * 60
        assert one.admit("b", NOW) is None
        one.share(NOW)
        other.share(NOW)
        assert other.admit("a", NOW) == timedelta(minutes=1)
        one.admit("a", NOW)
        one.share(NOW)
        assert one.admit("a", NOW) == timedelta(minutes=1)
        assert other.admit("b", NOW) is None
        with app.database.read() as session:
            assert len(session.connection().exec_driver_sql("SELECT * FROM limits").all()) == 1


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("unknown", ""),
        ("<script>", ""),
        ("", ""),
    ],
)
def test_a_network_is_what_one_person_may_have(address: str, network: str) -> None:
    """A /24, or a /64 of IPv6; nothing where it is this machine, or nonsense."""
    assert network_of(HTTPConnection({"type": "http", "client": (address, 1)})) == network


def ask(newsroom: Newsroom, *addresses: str, path: str = "/", **web: Any) -> list[httpx2.Response]:
    """Ask for a page so often, each time brought by a proxy at this machine that names an address."""
    newsroom.configure(web=web)
    with newsroom.app() as app, serving(app, "127.0.0.1", 0) as url:
        return [httpx2.get(url + path, headers=forwarded(address), trust_env=False) for address in addresses]


def test_one_network_is_refused_and_others_are_not(newsroom: Newsroom) -> None:
    """With a page that says so in the headers of every other, and when to come back."""
    near = [f"192.0.2.{number}" for number in range(5)]
    *first, fifth, other = ask(newsroom, *near, "198.51.100.1", requests_per_minute=4)
    assert [answer.status_code for answer in first] == [200] * 4
    assert fifth.status_code == 429
    assert "That was too often" in fifth.text
    assert 1 <= int(fifth.headers["retry-after"]) <= 60
    assert fifth.headers["referrer-policy"] == "no-referrer"
    assert other.status_code == 200


def test_who_is_no_trusted_proxy_says_nothing_of_others(newsroom: Newsroom) -> None:
    """A stranger's header is not believed, nor what stands in it before the address that the last proxy named."""
    forged = [f"10.0.{number}.1, 198.51.100.9" for number in range(3)]
    assert [one.status_code for one in ask(newsroom, *forged, requests_per_minute=1)] == [200, 429, 429]
    same = ["192.0.2.1"] * 3
    answers = ask(newsroom, *same, requests_per_minute=1, trusted_proxies=["203.0.113.0/24"])
    assert {answer.status_code for answer in answers} == {200}  # all are this machine


def test_leaving_is_never_refused(newsroom: Newsroom) -> None:
    """A whole provider's readers leave at once by the one click of their mail program."""
    answers = ask(newsroom, *["192.0.2.1"] * 3, path="/unsubscribe/x", requests_per_minute=1)
    assert [answer.status_code for answer in answers] == [404] * 3


@pytest.mark.parametrize(
    ("base_url", "told"),
    [
        ("https://papers.example.org", "max-age=63072000; includeSubDomains"),
        ("https://example.org/papers", "max-age=63072000"),
        ("http://localhost:8080", None),
        ("", None),
    ],
)
def test_browsers_are_told_to_stay_with_https(base_url: str, told: str | None) -> None:
    """Only where the pages have it, and for the names below only where the host is theirs alone."""
    assert headers(base_url).get("Strict-Transport-Security") == told


def test_a_proxy_that_cannot_be_one_is_refused(newsroom: Newsroom) -> None:
    """With the key, the value and what is allowed."""
    newsroom.configure(web={"trusted_proxies": ["10.0.0.1/8"]})
    answer = newsroom.run("web", expect=2)
    assert "web.trusted_proxies" in answer.err
    assert "like 127.0.0.1 or 10.0.0.0/8" in answer.err


def test_the_pages_listen_where_the_configuration_says(newsroom: Newsroom, tmp_path: Path) -> None:
    """Without options on the command line."""
    newsroom.configure(web={"host": "192.0.2.1", "port": 8099})
    assert "192.0.2.1:8099" in newsroom.run("web", expect=1).err
