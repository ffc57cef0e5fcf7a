"""Who watches the service sees how it is: its log, its counts for Prometheus, and one address that says "ok"."""

import json
import logging
import re
from datetime import timedelta

import httpx2
import pytest
from newsroom import Newsroom, instant

from newsletter.services.health import ailments
from newsletter.services.journal import keeping
from newsletter.web.server import serving

DAY = "2026-07-15"
ANN = "ann@example.net"
AT_ONCE = {"patience": timedelta(0)}  # a server that is not there is not waited for
SAMPLE = re.compile(r'newsletter_(?P<name>\w+)(?:\{(?P<labels>\w+="(?:[^"\\\n]|\\.)*")\})? (?P<value>\S+)')


@pytest.fixture
def newsroom(tmp_path):
    """A newsletter with one reader and one paper."""
    made = Newsroom(tmp_path)
    made.publish(DAY, "Alpha")
    made.subscribe(ANN)
    yield made
    made.close()


def counted(exposition):
    """Return each sample by name and label, as a collector reads them; every line is one, or a comment."""
    lines = [line for line in exposition.splitlines() if not line.startswith("# ")]
    found = [SAMPLE.fullmatch(line) for line in lines]
    assert all(found), lines
    return {(sample["name"], sample["labels"]): float(sample["value"]) for sample in found}


def test_a_run_leaves_one_line_with_its_facts(newsroom):
    """As JSON it can be searched: what --json answers is in it."""
    newsroom.configure(logging={"path": "papers.log", "format": "json"})
    said = newsroom.run("run", "--date", DAY, "--now", "--json").json
    (line,) = map(json.loads, (newsroom.folder / "papers.log").read_text().splitlines())
    assert line["text"] == f"run of {DAY}: done"
    assert line["facts"] == said
    assert (line["level"], line["logger"]) == ("info", "newsletter.services.run")
    assert instant(line["at"])


def test_a_log_for_people_has_the_time_and_what_happened(newsroom):
    """Readers' addresses are not in it."""
    newsroom.configure(logging={"path": "papers.log"})
    newsroom.run("run", "--date", DAY, "--now")
    log = (newsroom.folder / "papers.log").read_text()
    assert re.match(rf"\d{{4}}-\d\d-\d\d .* INFO newsletter\.services\.run: run of {DAY}: done {{", log)
    assert ANN not in log


def test_no_address_stands_in_a_log(newsroom):
    """Of one that a server names the domain is left: what is not kept needs no forgetting."""
    for form in ("json", "text"):
        newsroom.configure(logging={"path": f"{form}.log", "format": form})
        with newsroom.app() as app, keeping(app.settings.logging, on_screen=logging.CRITICAL):
            logging.getLogger("newsletter").warning("550 <Ann.Lee+x@example.net>: gone", extra={"facts": {"to": ANN}})
        log = (newsroom.folder / f"{form}.log").read_text()
        assert "550 <…@example.net>: gone" in log
        assert "ann" not in log.lower()


def test_nothing_is_logged_where_no_log_is_wanted(newsroom):
    """And a run under cron says nothing."""
    answer = newsroom.run("run", "--date", DAY, "--now")
    assert (answer.out, answer.err) == ("", "")
    assert not list(newsroom.folder.glob("*.log*"))


def test_a_full_log_is_put_aside_and_the_oldest_goes(newsroom):
    """As many are kept as is asked for."""
    log = newsroom.folder / "papers.log"
    newsroom.configure(logging={"path": "papers.log", "max_mb": 1, "keep": 2})
    for number in range(3):
        log.write_text(f"{number}" * (1 << 20))
        newsroom.run("run", "--date", DAY, "--now")
        assert not log.exists()
        newsroom.run("run", "--date", DAY, "--now")
        assert log.stat().st_size < 10_000
    assert [file.name for file in sorted(newsroom.folder.glob("papers.log.*"))] == ["papers.log.1", "papers.log.2"]
    assert (newsroom.folder / "papers.log.1").read_text().startswith("2222")
    assert (newsroom.folder / "papers.log.2").read_text().startswith("1111")


def test_a_log_that_cannot_be_written_is_one_line(newsroom):
    """Before anything is done."""
    newsroom.configure(logging={"path": "no/such/folder/papers.log"})
    answer = newsroom.run("run", "--date", DAY, "--now", expect=2)
    assert answer.err.startswith("newsletter: logging.path = ")
    assert not newsroom.sink.mails


def test_each_run_leaves_its_counts_for_prometheus(newsroom):
    """The file is whole at any time, and names what an alarm would look at."""
    file = newsroom.folder / "newsletter.prom"
    newsroom.configure(metrics={"path": "newsletter.prom"})
    newsroom.run("run", "--date", DAY, "--now")
    found = counted(file.read_text())
    assert found["deliveries", 'status="accepted"'] == found["subscribers", 'status="active"'] == 1
    assert found["problems", None] == 0
    assert found["last_run_done", None] == 1
    assert found["source_success_timestamp_seconds", 'source="file"'] > 0
    assert found["last_run_timestamp_seconds", None] >= found["last_accepted_timestamp_seconds", None] > 0
    assert [each.name for each in newsroom.folder.glob("*.prom*")] == ["newsletter.prom"]


def test_a_name_cannot_leave_its_label(newsroom):
    """A source may be called anything."""
    newsroom.configure(metrics={"path": "newsletter.prom"})
    newsroom.configure(sources=[{"kind": "file", "path": "papers.jsonl", "name": 'a "b" \\ c'}])
    newsroom.run("run", "--date", DAY, "--now")
    found = counted((newsroom.folder / "newsletter.prom").read_text())
    assert found["source_success_timestamp_seconds", 'source="a \\"b\\" \\\\ c"'] > 0


def test_counts_that_cannot_be_written_are_told_and_stop_nothing(newsroom):
    """The mail goes out, and the operator hears of it once."""
    newsroom.configure(metrics={"path": "no/such/folder/newsletter.prom"})
    assert "metrics.path = " in newsroom.run("run", "--date", DAY, "--now").err
    assert [mail.recipient for mail in newsroom.sink.mails] == [ANN]
    assert newsroom.run("run", "--date", DAY, "--now").err == ""


def test_counts_are_served_to_this_machine_alone(newsroom):
    """Not to whom a proxy brings, and not at all where the operator wants none."""
    newsroom.run("run", "--date", DAY, "--now")
    with newsroom.app() as app, serving(app, "127.0.0.1", 0) as url:
        answer = httpx2.get(f"{url}/metrics")
        assert counted(answer.text)["papers", None] == 1
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        for brought in ({"X-Forwarded-For": "198.51.100.9"}, {"Forwarded": "for=198.51.100.9"}, {"Via": "1.1 proxy"}):
            assert httpx2.get(f"{url}/metrics", headers=brought).status_code == 403
    newsroom.configure(metrics={"serve": False})
    with newsroom.app() as app, serving(app, "127.0.0.1", 0) as url:
        assert httpx2.get(f"{url}/metrics").status_code == 404


def test_it_is_not_well_when_nothing_runs_any_more(newsroom):
    """Cron that died, or mail that nobody sends: a monitor reads why, and who wrote it is no reader."""
    newsroom.configure(smtp={"port": 1})
    ran = instant(f"{DAY}T08:00Z")
    with newsroom.app() as app:
        assert ailments(app.database, app.settings, ran) == []  # it has only just been set up
    newsroom.tick(ran, dispatch=AT_ONCE)
    with newsroom.app() as app:
        assert ailments(app.database, app.settings, ran + timedelta(minutes=59)) == []
        assert ailments(app.database, app.settings, ran + timedelta(minutes=61)) == [f"no run since {DAY} 08:00 UTC"]
    newsroom.tick(ran + timedelta(hours=11), dispatch=AT_ONCE)
    with newsroom.app() as app:
        assert ailments(app.database, app.settings, ran + timedelta(hours=11)) == [f"mail waits since {DAY} 08:00 UTC"]
        with serving(app, "127.0.0.1", 0) as url:
            answer = httpx2.get(f"{url}/healthz")
    assert (answer.status_code, answer.text.splitlines()[0]) == (503, f"no run since {DAY} 19:00 UTC")
