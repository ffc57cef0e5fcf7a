"""The client through a real server: what it asks again, when it gives up, and what it never does."""

import asyncio
import gzip
import logging
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise

import pytest

from newsletter.errors import SourceError
from newsletter.sources.client import Client
from newsletter.sources.response import MAX_BODY, StatusError, Validator

TROUBLES = {
    "406": {"status": 406},
    "500": {"status": 500},
    "503": {"status": 503, "headers": {"Retry-After": "0"}},
    "dropped": {"drop": True},
    "truncated": {"body": b"[1, 2", "length": 5000},
    "empty": {"body": b""},
    "bad gzip": {"body": b"not gzip", "headers": {"Content-Encoding": "gzip"}},
    "cut gzip": {"body": gzip.compress(b"[1, 2, 3]" * 99)[:-12], "headers": {"Content-Encoding": "gzip"}},
}


def test_an_answer_comes_with_its_headers_and_says_who_asked(upstream, get):
    """Body, header names in lower case, and an honest User-Agent with a contact."""
    url = upstream.say("/x", {"body": b"[1]", "headers": {"ETag": '"a"', "Last-Modified": "yesterday"}})
    response = get(url, params={"q": "a b"}, accept="application/json")
    assert (response.status, response.body) == (200, b"[1]")
    assert Validator('"a"', "yesterday") == response.validator
    request = upstream.requests[0]
    assert request.query == {"q": "a b"}
    assert request.headers["user-agent"] == "papers-newsletter/0 (+tests)"
    assert request.headers["accept"] == "application/json"


def test_no_log_tells_a_url(upstream, get, caplog):
    """It may hold what is secret: a key, or a user's password."""
    caplog.set_level(logging.INFO)
    get(upstream.say("/x", b"[1]").replace("//", "//me:hunter@"), params={"key": "hunter"})
    assert upstream.requests[0].query == {"key": "hunter"}
    assert "hunter" not in caplog.text


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_what_may_pass_is_asked_again(upstream, get, trouble):
    """One bad answer costs a short wait, no more."""
    assert get(upstream.say("/x", trouble, b"good")).body == b"good"
    assert len(upstream.requests) == 2


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_what_does_not_pass_ends_in_time_and_says_where(upstream, get, trouble):
    """With the time gone, the error names host and path, what came, and what happens next."""
    url = upstream.say("/some/path", trouble)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:\d+/some/path: .+; the next run|wants no request before"):
        get(url + "?secret=1", budget=1)


@pytest.mark.slow
def test_five_attempts_are_enough(upstream, get):
    """A server that stays down is left alone after five requests, the pauses growing."""
    url = upstream.say("/x", {"status": 500})
    with pytest.raises(SourceError, match=r"500 \(Internal Server Error\), 5 times"):
        get(url, budget=30)
    times = [request.time for request in upstream.requests]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert len(pauses) == 4
    assert pauses == sorted(pauses)


def test_a_lasting_status_is_not_asked_again(upstream, get):
    """A 404 stays a 404."""
    with pytest.raises(StatusError, match=r"/x: answered 404 \(Not Found\)") as caught:
        get(upstream.say("/x", {"status": 404}))
    assert (caught.value.status, len(upstream.requests)) == (404, 1)


def test_retry_after_in_seconds_is_obeyed(upstream, get):
    """A server that names a second gets its second."""
    get(upstream.say("/x", {"status": 429, "headers": {"Retry-After": "1"}}, b"good"))
    first, second = (request.time for request in upstream.requests)
    assert 1.0 <= second - first < 2.0


def test_retry_after_as_a_date_is_obeyed(upstream, get):
    """RFC 9110 allows a date, whole seconds only."""
    until = datetime.now(UTC) + timedelta(seconds=2)
    get(upstream.say("/x", {"status": 503, "headers": {"Retry-After": format_datetime(until, usegmt=True)}}, b"good"))
    assert upstream.requests[1].time >= int(until.timestamp())


@pytest.mark.parametrize("as_date", [False, True])
def test_a_wait_that_cannot_end_in_time_is_not_begun(upstream, get, as_date):
    """The error says at once until when, for people and for the program."""
    until = datetime.now(UTC) + timedelta(hours=1)
    value = format_datetime(until, usegmt=True) if as_date else "3600"
    url = upstream.say("/x", {"status": 429, "headers": {"Retry-After": value}})
    began = time.monotonic()
    with pytest.raises(SourceError, match="wants no request before 20") as caught:
        get(url)
    assert time.monotonic() - began < 2
    assert abs(caught.value.retry_at - until) < timedelta(seconds=5)


@pytest.mark.parametrize("value", ["soon", "-5", "9" * 400, "Fri, 31 Dec 9999 23:59:59 -1200", "²"])
def test_a_nonsensical_retry_after_does_no_harm(upstream, get, value):
    """What cannot be read is as if it were not there, and what is absurd is a long time."""
    with pytest.raises(SourceError):
        get(upstream.say("/x", {"status": 429, "headers": {"Retry-After": value}}), budget=1)


def test_redirects_are_followed_by_hand(upstream, get):
    """Relative ones too, with the headers of the first request."""
    upstream.say("/c", b"here")
    upstream.say("/b", {"status": 307, "headers": {"Location": "/c?x=1#fragment"}})
    response = get(upstream.say("/a", {"status": 301, "headers": {"Location": "b"}}), accept="text/x")
    assert (b"here", upstream.url + "/c?x=1") == (response.body, response.url)
    assert [request.headers["accept"] for request in upstream.requests] == ["text/x"] * 3


def test_redirect_loops_end_at_once(upstream, get):
    """To itself, or in a circle."""
    upstream.say("/b", {"status": 302, "headers": {"Location": "/a"}})
    with pytest.raises(SourceError, match="/b: redirects in a loop"):
        get(upstream.say("/a", {"status": 302, "headers": {"Location": "/b"}}))


def test_five_redirects_are_followed_and_no_more(upstream, get):
    """A chain without end has one."""
    for step in range(9):
        upstream.say(f"/{step}", {"status": 302, "headers": {"Location": f"/{step + 1}"}})
    with pytest.raises(SourceError, match="more than 5 times"):
        get(upstream.url + "/0")
    assert len(upstream.requests) == 6


@pytest.mark.parametrize("target", ["ftp://example.org/", "file:///etc/passwd", "javascript:1", "http://x:y/"])
def test_redirects_elsewhere_than_http_are_refused(upstream, get, target):
    """Only http and https are spoken."""
    with pytest.raises(SourceError, match="redirects to what is no"):
        get(upstream.say("/a", {"status": 302, "headers": {"Location": target}}))


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "file:///etc/passwd", "http://a\nb/", "http://x:y/", "nonsense", ""]
)
def test_other_urls_are_refused(get, url):
    """The configuration may be wrong."""
    with pytest.raises(SourceError, match="URL"):
        get(url)


def test_a_validator_goes_along_and_304_is_an_answer(upstream, get):
    """A conditional request; a 304 that nobody asked for is a fault."""
    url = upstream.say("/x", {"status": 304})
    response = get(url, validator=Validator('"a"', "then"))
    assert (response.status, response.body) == (304, b"")
    sent = upstream.requests[0].headers
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('"a"', "then")
    with pytest.raises(StatusError):
        get(url)


def test_gzip_is_undone(upstream, get):
    """And nothing that follows the end of it is read."""
    body = gzip.compress(b"[1, 2, 3]") + b"more"
    assert get(upstream.say("/x", {"body": body, "headers": {"Content-Encoding": "gzip"}})).body == b"[1, 2, 3]"


def test_a_body_stops_at_the_limit(upstream, get):
    """Plain, or a bomb that was small when it came."""
    over = b" " * (MAX_BODY + 1)
    with pytest.raises(SourceError, match="more than 20 MB"):
        get(upstream.say("/x", over))
    with pytest.raises(SourceError, match="more than 20 MB"):
        get(upstream.say("/x", {"body": gzip.compress(over), "headers": {"Content-Encoding": "gzip"}}))
    assert len(upstream.requests) == 2


def test_an_encoding_that_was_not_asked_for_is_refused(upstream, get):
    """Two layers of gzip would be a bomb that no limit on one sees."""
    with pytest.raises(SourceError, match="encoding gzip, gzip, which was not asked for"):
        get(upstream.say("/x", {"body": b"x", "headers": {"Content-Encoding": "gzip, gzip"}}))


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_dripping_server_ends_with_the_budget(client, first):
    """A byte now and then never runs into the time-out of a read, in the head or in the body."""

    async def drip(reader, writer):
        writer.write(first)
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.05)

    async def turn():
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        async with client(budget=0.5) as one:
            await one.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    began = time.monotonic()
    with pytest.raises(SourceError, match=r"no complete answer within 0\.5 s"):
        asyncio.run(turn())
    assert time.monotonic() - began < 3


def test_the_budget_is_for_all_requests_together(upstream, client):
    """A source that pages for ever ends like one that never answers."""
    url = upstream.say("/x", b"good")

    async def turn(one: Client):
        async with one:
            while True:
                await one.get(url)

    with pytest.raises(SourceError, match=r"within 0\.3 s"):
        asyncio.run(turn(client(budget=0.3)))


def test_a_refused_connection_and_an_unknown_name_are_said(get):
    """What a person can act on: nobody listens, or the name does not resolve."""
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1/: the connection failed"):
        get("http://127.0.0.1:1/", budget=1)
    with pytest.raises(SourceError, match="does not resolve"):
        get("http://no-such-name.invalid/", budget=1)
