"""The list at the desk: found, explained, changed; files that come in after a look, and go out."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk import Visitor, set_password, visitor
from served import Site

from newsletter.services import subscribe
from newsletter.web.desk import files
from newsletter.web.webhooks.base import LONGEST

TABLES = {"newsletter": {"base_url": "http://127.0.0.1"}}  # cookies of https do not travel without TLS
ANN, BOB = "ann@example.org", "bob@example.net"


def at_the_desk(site: Site) -> Visitor:
    """Return a browser that is logged in."""
    set_password(site)
    came = visitor(site)
    came.log_in()
    return came


def upload(came: Visitor, content: str, name: str = "people.csv", **fields: str) -> None:
    """Send a file by the form of the page."""
    came.get("/desk/subscribers/import")
    sent = {"token": came.token, **fields}
    came.answer = came._followed(
        came.client.post("/desk/subscribers/import", data=sent, files={"file": (name, content.encode())})
    )


def hidden(came: Visitor, name: str) -> str:
    """Return the value of a hidden field of the page."""
    return came.page.partition(f'name="{name}" value="')[2].partition('"')[0]


def test_a_reader_is_found_explained_and_changed(site: Site) -> None:
    """By a part of the address or of a topic; what is typed wrongly stays in the form, with what is allowed."""
    site.room.subscribe(ANN, topics="robots")
    site.room.subscribe(BOB)
    came = at_the_desk(site)
    for asked, there in (("q=ANN", ANN), ("topic=robot", ANN), ("status=active&q=bob", BOB)):
        came.get(f"/desk/subscribers?{asked}")
        assert there in came.page
        assert "1 subscriber<" in came.page
    who = subscribe.find(site.app.database, ANN).id
    came.get(f"/desk/subscribers/{who}")
    assert "no issue" in came.page.lower()
    came.post(f"/desk/subscribers/{who}/preferences", topics="proofs;-video", max_papers="three")
    assert came.answer is not None
    assert came.answer.status_code == 422
    assert "use a whole number from 1 to 100" in came.page
    assert "proofs;-video</textarea>" in came.page
    came.post(f"/desk/subscribers/{who}/preferences", topics="proofs;-video", max_papers="3", zone="")
    chosen = subscribe.find(site.app.database, ANN).preferences
    assert (chosen.topics, chosen.max_papers, chosen.zone) == (("proofs", "-video"), 3, None)
    told = site.room.run("desk", "log", "--json").json["changes"][0]["what"]
    assert told == f"subscriber {who} (a…@example.org): preferences changed: topics, max_papers"


def test_a_subscription_is_paused_resumed_and_ended(site: Site) -> None:
    """Each by its button; what only the person can take back wants a tick in the box, and a suppression a reason."""
    site.room.subscribe(ANN, BOB)
    came = at_the_desk(site)
    ann, bob = (subscribe.find(site.app.database, who).id for who in (ANN, BOB))
    came.get(f"/desk/subscribers/{ann}")
    came.post(f"/desk/subscribers/{ann}", do="pause", until="2100-01-01")
    assert site.status(ANN) == "paused"
    came.post(f"/desk/subscribers/{ann}", do="resume")
    came.post(f"/desk/subscribers/{ann}", do="unsubscribe")
    assert (site.status(ANN), "tick the box" in came.said) == ("active", True)
    came.post(f"/desk/subscribers/{ann}", do="unsubscribe", sure="yes")
    assert site.status(ANN) == "unsubscribed"
    came.get(f"/desk/subscribers/{bob}")
    came.post(f"/desk/subscribers/{bob}", do="suppress", reason=" ")
    came.post(f"/desk/subscribers/{bob}", do="suppress", reason="wrote to us")
    assert subscribe.find(site.app.database, BOB).suppression_reason == "wrote to us"


def test_a_file_comes_in_after_a_look(site: Site) -> None:
    """The report names what is wrong; nothing is written before the button; nobody who left comes back."""
    site.room.subscribe(ANN, BOB)
    site.room.run("subscribers", "unsubscribe", BOB)
    came = at_the_desk(site)
    people = f"email,topics,shoe\n{ANN},,\n{BOB},,\ncy@example.org,proofs,42\nno address,,\ndi@example.org,,\n"
    upload(came, people)
    for said in ("2 subscribers would be added", "1 line is invalid", "shoe", "no address"):
        assert said in came.page
    assert "Import 2 subscribers" not in came.page
    upload(came, people, skip="yes")
    assert "Import 2 subscribers" in came.page
    assert len(site.room.run("subscribers", "list", "--json").json["subscribers"]) == 2
    given = {name: hidden(came, name) for name in ("upload", "name", "skip")}
    came.post("/desk/subscribers/import/apply", **given)
    assert came.said.startswith("Imported 2 subscribers of people.csv; 1 were there, 1 had left")
    assert subscribe.find(site.app.database, "cy@example.org").preferences.topics == ("proofs",)
    came.get("/desk/subscribers/import")
    came.post("/desk/subscribers/import/apply", **given)
    assert "that file is gone" in came.said


def test_what_is_no_list_is_refused(site: Site) -> None:
    """Something else than a file of subscribers, or none, is one sentence or a page without details, never a fault."""
    came = at_the_desk(site)
    upload(came, "\0\1\2 not a list", "picture.png")
    assert came.said
    came.get("/desk/subscribers/import")
    sent = {"token": came.token}
    for given in ({"file": ("a.csv", b"x", "text/csv"), "more": ("b.csv", b"y")}, {"other": ("a.csv", b"x")}):
        assert came.client.post("/desk/subscribers/import", data=sent, files=given).status_code == 400
    assert came.client.post("/desk/subscribers/import", data={"token": "x"}, files={"file": b"x"}).status_code == 403
    for upload_id in ("", "../newsletter.db", "0" * 32):
        came.get("/desk/subscribers/import")
        came.post("/desk/subscribers/import/apply", upload=upload_id)
        assert "that file is gone" in came.said


def test_the_list_goes_out_as_it_comes_in(site: Site) -> None:
    """The export is what the command writes, and no cell of it is run by a spreadsheet."""
    site.room.join(ANN, at=datetime.now(UTC), topics="=cmd")
    came = at_the_desk(site)
    answer = came.get("/desk/subscribers/export.csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    [row] = csv.DictReader(io.StringIO(answer.text))
    assert (row["email"], row["topics"]) == (ANN, "'=cmd")


def test_pictures_say_the_same_as_tables(site: Site) -> None:
    """Of an empty newsletter as of one with issues, failures and reactions; nothing in them is style or script."""
    came = at_the_desk(site)
    assert came.get("/desk/pictures").status_code == 200
    today = str(datetime.now(UTC).date())  # of old mail no more is kept than counts
    [key] = site.room.publish(today, "Alpha <b>")
    site.room.join(ANN, BOB, at=datetime.now(UTC) - timedelta(days=1))
    site.room.sink.refusals[BOB] = "550 5.1.1 no such user"
    site.room.run("run", "--date", today, "--now")
    site.room.run("subscribers", "feedback", ANN, key, "save")
    came.get("/desk/pictures")
    for said in ("example.net</th><td", "Alpha &lt;b&gt;", '<td class="figure">1</td>', 'role="img"'):
        assert said in came.page
    assert "style=" not in came.page
    assert "<style" not in came.page
    papers, accepted, failed = re.findall(r'<td class="figure">(\d*)</td>', came.get("/desk/issues").text)
    assert (papers, accepted, failed) == ("1", "1", "1")


def test_too_large_a_file_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it arrives, not after; other forms are smaller still."""
    came = at_the_desk(site)
    came.get("/desk/subscribers/import")
    sent = {"token": came.token}
    monkeypatch.setattr(files, "LARGEST", 100_000)
    large = {"file": ("people.csv", b"a@example.org\n" * 20_000)}
    assert came.client.post("/desk/subscribers/import", data=sent, files=large).status_code == 413
    assert came.client.post("/desk/logout", data=sent | {"more": "x" * 20_000}).status_code == 413


def test_the_examples_of_proxies_let_through_what_the_pages_take() -> None:
    """Else a file that the desk would take ends at the proxy before it, and a provider's report too."""
    config = Path(__file__).resolve().parents[2] / "config"
    nginx, caddy = ((config / name).read_text("utf-8") for name in ("nginx.conf", "Caddyfile"))
    for most, place in ((files.LARGEST, "= /desk/subscribers/import {"), (LONGEST, "server_name")):
        size = next(mega for mega in (2, 64) if mega << 20 >= most)
        assert f"client_max_body_size {size}m;" in nginx.partition(place)[2]
        assert f"max_size {size}MiB" in caddy
