"""What the API says where a request ends without an answer of its own: JSON, as its other errors, and no details."""

import httpx2
import pytest
from newsroom import Newsroom
from served import Site
from starlette.testclient import TestClient

from newsletter.web.application import application


def _said(answer: httpx2.Response, status: int) -> str:
    """Return what an answer of the API says, which may be read from any site and is not kept."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert (answer.headers["access-control-allow-origin"], answer.headers["cache-control"]) == ("*", "no-store")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json().keys() == {"error"}
    return str(answer.json()["error"])


def test_who_asks_too_much_of_the_api_is_told_in_json(newsroom: Newsroom) -> None:
    """With when to come back, as on the pages."""
    newsroom.configure(web={"requests_per_minute": 1})
    with newsroom.app() as app:
        client = TestClient(application(app), client=("192.0.2.7", 1))
        client.get("/api/issues")
        refused, page = client.get("/api/issues"), client.get("/")
    assert "too often" in _said(refused, 429)  # type: ignore[arg-type]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/papers/%0A0"])
def test_what_no_route_meets_is_told_in_json(site: Site, path: str) -> None:
    """Also where nothing stands behind the last slash."""
    assert "openapi.json" in str(site.client.get(path).json()["error"])
    assert site.client.get(path).status_code == 404
    assert site.client.get("/apis").headers["content-type"].startswith("text/html")


def test_what_cannot_be_done_is_told_in_json(site: Site) -> None:
    """With what can."""
    answer = site.client.post("/api/papers", content="x" * 20_000)
    assert "only read" in _said(answer, 405)
    assert answer.headers["allow"]


def test_a_fault_of_ours_is_told_in_json(site: Site) -> None:
    """Without details: the log has them."""
    with site.app.database.write() as session:
        session.connection().exec_driver_sql("DROP TABLE issues")
    said = _said(site.client.get("/api/issues"), 500)
    assert "went wrong" in said
    assert "issues" not in said
