"""What the desk says where a request ends without a page: the desk's look and words, and no details."""

import httpx2
import pytest
from desk import Visitor, set_password, visitor
from newsroom import Newsroom
from served import Site
from starlette.testclient import TestClient

from newsletter.web.application import application

PAGE = "/desk/issues/2026-07-15"
TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}}


@pytest.fixture
def editor(site: Site) -> Visitor:
    """Return a browser that is logged in."""
    set_password(site)
    came = visitor(site)
    came.log_in()
    came.get("/desk/log")
    return came


def _is_of_the_desk(answer: httpx2.Response, title: str) -> bool:
    """Return whether an answer looks like the desk, says *title*, and may neither be kept nor framed."""
    assert f"<h1>{title}</h1>" in answer.text
    assert "/desk/style.css" in answer.text
    assert "frame-src 'self'" in answer.headers["Content-Security-Policy"]
    return answer.headers["Cache-Control"] == "no-store" and answer.headers["X-Frame-Options"] == "DENY"


def test_what_is_not_answered_is_told_at_the_desk(editor: Visitor) -> None:
    """A page that there is not, a method, a form of elsewhere, one that is too large: with the way on, logged in."""
    come, sent = editor.client, {"token": editor.token}
    answers = {
        "There is no such page": come.get("/desk/nowhere"),
        "This page cannot do that": come.request("PUT", "/desk/log"),
        "That form does not count": come.post(f"{PAGE}/undo", data={"token": "x"}),
        "That is too much": come.post(f"{PAGE}/undo", data=sent | {"more": "x" * 20_000}),
        "That cannot be answered": come.post(f"{PAGE}/undo", content="token=é".encode()),
    }
    for title, answer in answers.items():
        assert _is_of_the_desk(answer, title)
        assert ">Log out</button>" in answer.text
    assert [answer.status_code for answer in answers.values()] == [404, 405, 403, 413, 400]
    assert answers["This page cannot do that"].headers["Allow"]


def test_strangers_read_the_same_without_the_desks_places(site: Site) -> None:
    """Who is not logged in is not told what there is; the readers' pages have their own words."""
    answer = site.client.get("/desk/nowhere")
    assert _is_of_the_desk(answer, "There is no such page")
    assert "/desk/subscribers" not in answer.text
    assert "/desk" not in site.client.get("/desktop").text


def test_who_asks_too_much_of_the_desk_waits(newsroom: Newsroom) -> None:
    """And is told for how long."""
    newsroom.configure(web={"requests_per_minute": 1})
    with newsroom.app() as app:
        client = TestClient(application(app), client=("192.0.2.7", 1))
        answers = [client.get("/desk/login"), client.get("/desk/login")]
    assert _is_of_the_desk(answers[1], "That was too often")  # type: ignore[arg-type]
    assert (answers[1].status_code, int(answers[1].headers["Retry-After"]) > 0) == (429, True)


def test_a_fault_of_ours_at_the_desk_is_told_without_details(site: Site, editor: Visitor) -> None:
    """Where the database is gone, too."""
    with site.app.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE changes")
    answer = editor.client.get("/desk/log")
    assert answer.status_code == 500
    assert _is_of_the_desk(answer, "Something went wrong here")
    assert "changes" not in answer.text
