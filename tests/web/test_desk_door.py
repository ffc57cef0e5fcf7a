"""Who gets to the desk, and who does not."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx2
from desk import PASSWORD, Visitor, set_password, visitor
from newsroom import Clock, Newsroom
from served import Site
from starlette.testclient import TestClient

from newsletter.services.throttle import ALL
from newsletter.web.application import application
from newsletter.web.desk.door import OF_ALL

PLACES = ("/desk", "/desk/issues", "/desk/issues/2026-07-15", "/desk/subscribers", "/desk/log")
TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}}  # cookies of https do not travel without TLS
NOW = datetime(2026, 7, 15, 9, tzinfo=UTC)


def test_nobody_sees_the_desk_without_logging_in(site: Site) -> None:
    """Every page leads to the login and from there back to it; nothing is changed by a POST without a session."""
    set_password(site)
    before = site.content()
    for path in PLACES:
        answer = site.client.get(path)
        assert answer.headers["Location"] == f"/desk/login?to={path}"
    assert (
        site.client.post("/desk/issues/2026-07-15/halt", data={"reason": "x"})
        .headers["Location"]
        .startswith("/desk/login")
    )
    assert site.content() == before


def test_the_password_opens_the_desk_and_another_one_closes_it(site: Site) -> None:
    """Who knows it comes to the page they asked for; setting a new password ends every session."""
    set_password(site)
    editor = visitor(site)
    editor.get("/desk/log")
    assert editor.post("/desk/login", name="editor", password=PASSWORD, to="/desk/log").url.path == "/desk/log"
    assert "logged in" in editor.page
    set_password(site, "a new one that is long")
    assert editor.get("/desk/log").url.path == "/desk/login"
    assert editor.log_in(password=PASSWORD).status_code == 401
    assert editor.log_in(password="a new one that is long").status_code == 200


def test_whatever_is_wrong_is_answered_alike(site: Site) -> None:
    """A wrong name, a wrong password and no account at all: the same status and words."""
    nobody = visitor(site)
    answers = [nobody.log_in()]
    set_password(site)
    answers += [nobody.log_in(name="edito"), nobody.log_in(password="wrong"), nobody.log_in(name="édit", password="")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({_words(answer) for answer in answers}) == 1


def _words(answer: httpx2.Response) -> str:
    found = answer.text.partition('role="alert">')[2].partition("<")[0]
    assert found
    return found


def test_guessing_ends(site: Site) -> None:
    """After ten tries a network is told to wait, also with the right password, and is told for how long."""
    set_password(site)
    guesser = visitor(site)
    for _ in range(10):
        assert guesser.log_in(password="wrong").status_code == 401
    answer = guesser.log_in()
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 60


def test_strangers_together_are_told_to_wait_and_the_owner_is_not(site: Site) -> None:
    """Guessing from many networks ends too; where the owner has logged in before, or by a tunnel, they still can.

    A new password makes every browser a stranger: somebody may have had the old one, or a copy of the cookie.
    """
    set_password(site)
    owner, guesser, through_a_tunnel = visitor(site), visitor(site), visitor(site)
    owner.client.headers["X-Forwarded-For"] = "192.0.2.1"
    assert owner.log_in().status_code == 200
    owner.post("/desk/logout")
    for _ in range(OF_ALL.most - 2):  # the owner was one
        site.app.throttle.admit(datetime.now(UTC), (OF_ALL, ALL))
    for number, status in enumerate((401, 429, 429)):
        guesser.client.headers["X-Forwarded-For"] = f"198.51.{number}.7"
        assert guesser.log_in(password="wrong").status_code == status
    guesser.client.cookies.set("desk-known", owner.client.cookies["desk-known"][:-1])
    assert guesser.log_in().status_code == 429
    assert owner.log_in().status_code == 200
    assert through_a_tunnel.log_in().status_code == 200
    owner.post("/desk/logout")
    set_password(site, "a new one that is long")
    assert owner.log_in().status_code == 429


def test_a_browser_that_is_known_does_not_guess_for_ever(site: Site) -> None:
    """Ten times, like a network; it opens nothing by itself."""
    set_password(site)
    thief = visitor(site)
    thief.log_in()
    thief.client.cookies.delete("desk")
    assert thief.get("/desk/log").url.path == "/desk/login"
    answers = [thief.log_in(password="wrong").status_code for _ in range(11)]
    assert answers == [401] * 10 + [429]


def test_logging_out_ends_the_session_wherever_its_cookie_is(site: Site) -> None:
    """A copy of the cookie opens nothing any more."""
    set_password(site)
    editor = visitor(site)
    editor.log_in()
    thief = visitor(site)
    thief.client.cookies.update(editor.client.cookies)
    assert thief.get("/desk/log").url.path == "/desk/log"
    editor.post("/desk/logout")
    assert thief.get("/desk/log").url.path == "/desk/login"


def test_a_form_of_another_page_does_nothing(site: Site) -> None:
    """Without the session's own token, or sent by another site, a form is refused."""
    set_password(site)
    editor, other = visitor(site), visitor(site)
    editor.log_in()
    other.get("/desk/login")
    for given in ({}, {"token": "x"}, {"token": other.token}):
        assert editor.client.post("/desk/issues/2026-07-15/undo", data=given).status_code == 403
    editor.get("/desk/issues")
    sent = {"token": editor.token}
    answer = editor.client.post("/desk/logout", data=sent, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


ELSEWHERE = ("https://evil.example", "//evil.example", "/desk/../..//evil.example", "/\\evil.example", "/desk//x")


def test_the_login_leads_nowhere_else(site: Site) -> None:
    """What is asked for and is no page of the desk is left out."""
    set_password(site)
    editor = visitor(site)
    for to in ELSEWHERE:
        editor.client.cookies.clear()
        editor.get("/desk/login")
        sent = {"token": editor.token, "name": "editor", "password": PASSWORD, "to": to}
        assert editor.client.post("/desk/login", data=sent).headers["Location"] == "/desk", to


@contextmanager
def _at(room: Newsroom, clock: Clock) -> Iterator[Visitor]:
    """Give a browser of pages whose clock the test sets."""
    with room.app() as app:
        client = TestClient(application(app, clock), base_url="http://127.0.0.1", follow_redirects=False)
        yield Visitor(Site(room, app, "", client), client)  # type: ignore[arg-type]


def test_a_session_ends_by_itself(newsroom: Newsroom) -> None:
    """After two hours without use, and after twelve whatever is done."""
    newsroom.run("desk", "password", "--stdin", typed=f"{PASSWORD}\n")
    clock = Clock(NOW)
    with _at(newsroom, clock) as editor:
        editor.log_in()
        for hours in range(1, 12):
            clock.set(NOW + timedelta(hours=hours))
            assert editor.get("/desk/log").url.path == "/desk/log", hours
        clock.set(NOW + timedelta(hours=12))
        assert editor.get("/desk/log").url.path == "/desk/login"
        editor.log_in()
        clock.set(NOW + timedelta(hours=14, minutes=1))
        assert editor.get("/desk/log").url.path == "/desk/login"


def test_the_cookie_is_for_https_alone_where_the_pages_are(newsroom: Newsroom) -> None:
    """Secure, HttpOnly and bound to the host; no script reads it, no other site sends it with a form."""
    newsroom.configure(newsletter={"base_url": "https://papers.example.org"})
    with newsroom.app() as app:
        given = (
            TestClient(application(app), base_url="https://papers.example.org").get("/desk/login").headers["Set-Cookie"]
        )
    assert given.startswith("__Host-desk=")
    for part in ("HttpOnly", "Path=/", "SameSite=lax", "Secure"):
        assert part in given


def test_a_password_is_asked_for_that_holds(newsroom: Newsroom) -> None:
    """Short and endless ones are refused with what is allowed, and nothing is changed."""
    for typed in ("short", "x" * 1001):
        assert "use 12 to 1000" in newsroom.run("desk", "password", "--stdin", typed=f"{typed}\n", expect=2).err
    assert "pipe it in with --stdin" in newsroom.run("desk", "password", typed=f"{PASSWORD}\n", expect=2).err
    assert newsroom.run("desk", "log", "--json").json == {"changes": []}
