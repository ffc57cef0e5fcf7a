"""``newsletter demo``: what a stranger sees first, played to its end as that stranger would."""

import contextlib
import json
import mailbox
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

ANNA, MEI, FELIX, NOOR = (f"{name}@example.org" for name in ("anna", "mei", "felix", "noor"))
WEEK = [f"2026-07-{day:02}" for day in range(6, 11)]
PAPERS = Path(__file__).resolve().parents[2] / "newsletter/demo/papers.jsonl"


def newsletter(*args: str, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the newsletter; *code* is run before it."""
    program = ["-c", f"{code}; from newsletter.cli.main import main; main()"] if code else ["-m", "newsletter"]
    command = [sys.executable, *program, *args]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **env})


@dataclass(frozen=True)
class Week:
    """A demo of five days, as it was left behind."""

    folder: Path
    done: subprocess.CompletedProcess[str]

    @property
    def answer(self) -> dict[str, Any]:
        """Return what it answered."""
        return json.loads(self.done.stdout)

    def sources(self) -> list[bytes]:
        """Return the files of the inbox."""
        return [path.read_bytes() for path in sorted((self.folder / "inbox/new").iterdir())]

    def mails(self, to: str) -> list[EmailMessage]:
        """Return what a reader got, oldest first."""
        found = [message_from_bytes(source, policy=policy.default) for source in self.sources()]
        return sorted((mail for mail in found if mail["To"] == to), key=lambda m: parsedate_to_datetime(m["Date"]))


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    """Return a demo of five days, asked for JSON."""
    folder = tmp_path_factory.mktemp("demo") / "here"
    return Week(folder, newsletter("demo", "--dir", str(folder), "--days", "5", "--no-serve", "--json"))


def papers(mail: EmailMessage) -> list[str]:
    """Return the keys of a mail's papers."""
    return mail["X-Papers"].split()


def bundled() -> Mapping[str, dict[str, Any]]:
    """Return the bundled papers by key."""
    return {paper["arxiv_id"]: paper for paper in map(json.loads, PAPERS.read_text("utf-8").splitlines())}


def says(paper: Mapping[str, Any], word: str) -> bool:
    """Return whether a paper says *word*, also in the plural, where topics look for it."""
    said = " ".join([paper["title"], paper.get("summary", ""), *paper.get("keywords", [])])
    return re.search(rf"\b{word}s?\b", said.replace("-", " "), re.IGNORECASE) is not None


def test_the_answer_is_one_document(week: Week) -> None:
    """Asked for JSON, the demo prints one document and nothing else, on either stream."""
    assert (week.done.returncode, week.done.stderr) == (0, "")
    answer = week.answer
    assert list(answer) == ["dir", "config", "database", "inbox", "days", "why", "mails"]
    assert {name: answer[name] for name in ("dir", "config", "database", "inbox")} == {
        "dir": str(week.folder),
        "config": str(week.folder / "newsletter.toml"),
        "database": str(week.folder / "newsletter.db"),
        "inbox": str(week.folder / "inbox"),
    }
    assert [(day["date"], day["status"], day["deliveries"]["accepted"]) for day in answer["days"]] == [
        (day, "done", 3 if day == WEEK[-1] else 2) for day in WEEK
    ]
    assert sum(day["sources"][0]["new"] for day in answer["days"]) == len(bundled())
    assert sorted((mail["to"], mail["date"][:10]) for mail in answer["mails"]) == sorted(
        [(ANNA, day) for day in WEEK] + [(MEI, day) for day in WEEK] + [(FELIX, WEEK[-1])]
    )
    assert len({mail["subject"] for mail in answer["mails"]}) > len(WEEK)


def test_the_next_digest_comes_when_the_mails_say(week: Week) -> None:
    """For who reads in another zone too."""
    for reader in (ANNA, MEI):
        mails = week.mails(reader)
        for mail, following in pairwise(mails):
            body = mail.get_body(("plain",))
            assert body
            told = re.search(r"Next digest: (\w+, \d+ \w+ \d+, [\d:]+) \((.+?)\)", " ".join(body.get_content().split()))
            assert told
            came = parsedate_to_datetime(following["Date"]).astimezone(ZoneInfo(told[2]))
            assert told[1] == f"{came:%A}, {came.day} {came:%B %Y, %H:%M}"


def test_it_ends_by_asking_why(week: Week) -> None:
    """The ledger explains each of the four: three were sent the last day's digest, one has left."""
    assert [(why["email"], why["date"], why["answer"]) for why in week.answer["why"]] == [
        (ANNA, WEEK[-1], "sent"),
        (MEI, WEEK[-1], "sent"),
        (FELIX, WEEK[-1], "sent"),
        (NOOR, WEEK[-1], "unsubscribed"),
    ]


def test_what_it_leaves_can_be_used(week: Week) -> None:
    """The folder is a whole newsletter: its configuration works, and only its owner reads the secret."""
    assert {path.name for path in week.folder.iterdir()} >= {
        "newsletter.toml",
        "newsletter.db",
        "inbox",
        "secret",
        "papers.jsonl",
    }
    assert (week.folder / "secret").stat().st_mode & 0o777 == 0o600
    asked = newsletter("--config", str(week.folder / "newsletter.toml"), "why", ANNA, "--date", WEEK[-1], "--json")
    assert (asked.returncode, json.loads(asked.stdout)["answer"]) == (0, "sent")
    listed = newsletter("--config", str(week.folder / "newsletter.toml"), "subscribers", "list", "--json")
    assert NOOR in listed.stdout


def test_the_inbox_is_a_maildir(week: Week) -> None:
    """Any mail program reads it: one file a mail, Unix line ends, the envelope above the message."""
    assert len(mailbox.Maildir(week.folder / "inbox", create=False)) == 11
    assert [source for source in week.sources() if b"\r" in source] == []
    assert all(re.match(rb"Return-Path: <bounces\+\S+@example\.org>\nDelivered-To: ", s) for s in week.sources())
    assert list((week.folder / "inbox/tmp").iterdir()) == []


def test_headers_arrive_as_they_were_sent(week: Week) -> None:
    """Unsubscribing by one click, and by mail, survives the way; every mail has an id of its own."""
    sources = week.sources()
    link = rb"\nList-Unsubscribe: <https://papers\.example\.org/unsubscribe/\w+>, <mailto:\S+@example\.org\?\S+>\n"
    assert [source for source in sources if not re.search(link, source)] == []
    assert [
        source for source in sources if b"\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\n" not in source
    ] == []
    assert len({re.search(rb"\nMessage-ID: (.*)", source)[1] for source in sources}) == len(sources)  # type: ignore[index]
    for mail in week.mails(ANNA):
        assert mail.defects == []
        assert mail["From"] == "Daily Papers <papers@example.org>"
        assert mail["List-Id"] == "Daily Papers <daily-papers.example.org>"
        assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_no_paper_comes_twice(week: Week) -> None:
    """Each reader sees each paper once, however many days are played."""
    for reader, count in ((ANNA, 5), (MEI, 5), (FELIX, 1)):
        seen = [paper for mail in week.mails(reader) for paper in papers(mail)]
        assert len(week.mails(reader)) == count
        assert len(seen) == len(set(seen)) > 0


def test_who_left_gets_nothing(week: Week) -> None:
    """No mail names the reader who unsubscribed."""
    assert [source for source in week.sources() if NOOR.encode() in source] == []


def test_the_weekly_reader_gets_the_week(week: Week) -> None:
    """One mail, on Friday, with papers of several days."""
    [mail] = week.mails(FELIX)
    assert parsedate_to_datetime(mail["Date"]).date() == date(2026, 7, 10)
    assert len({bundled()[paper]["day"] for paper in papers(mail)}) > 1


def test_preferences_show(week: Week) -> None:
    """Plain text alone; what is followed comes first, and what is excluded never, though others get it."""
    known = bundled()
    for mail in week.mails(MEI):
        assert mail.get_content_type() == "text/plain"
        assert [paper for paper in papers(mail) if says(known[paper], "video")] == []
        assert says(known[papers(mail)[0]], "language model")
        assert "matches “language model”" in mail.get_content()
    assert any(says(known[paper], "video") for mail in week.mails(ANNA) for paper in papers(mail))


def test_each_mail_announces_the_next(week: Week) -> None:
    """The foot names a date after the digest's own, on which there is something to send."""
    announced = [re.search(r"Next digest: (\w+, \d+ July) 2026", mail.as_string()) for mail in week.mails(ANNA)]
    assert [found and found[1] for found in announced] == [
        "Tuesday, 7 July",
        "Wednesday, 8 July",
        "Thursday, 9 July",
        "Friday, 10 July",
        "Monday, 13 July",
    ]


def test_nothing_is_overwritten(week: Week) -> None:
    """A folder that holds any of a demo's files is refused, and stays as it is."""
    before = {path: path.stat().st_mtime_ns for path in week.folder.rglob("*")}
    again = newsletter("demo", "--dir", str(week.folder), "--no-serve")
    assert (again.returncode, again.stdout) == (2, "")
    assert re.fullmatch(r"newsletter: \S+/newsletter\.toml is there already, .*--dir\n", again.stderr)
    assert {path: path.stat().st_mtime_ns for path in week.folder.rglob("*")} == before


def test_without_a_terminal_it_tells_and_ends(tmp_path: Path) -> None:
    """One day in a new temporary folder: titles, subjects, reasons, where it lies, and what to try."""
    told = newsletter("demo", TMPDIR=str(tmp_path))
    assert (told.returncode, told.stderr) == (0, "")
    [folder] = tmp_path.iterdir()
    for said in (
        "Friday, 10 July 2026",
        "15 papers gathered",
        "1  Vidu S1: A Real-Time",
        f"{MEI}     Daily Papers · 10 July",
        "unsubscribed since",
        f"Everything lies in {folder}",
        f"export NEWSLETTER_CONFIG={folder}/newsletter.toml",
    ):
        assert said in told.stdout
    assert max(map(len, told.stdout.partition("Everything lies")[0].splitlines())) <= 80
    assert len(list((folder / "inbox/new").iterdir())) == 3


def test_it_keeps_away_from_a_real_newsletter(tmp_path: Path) -> None:
    """What the environment says of another newsletter, its database and server, is not for the demo."""
    elsewhere = tmp_path / "real.db"
    told = newsletter(
        "demo",
        "--dir",
        str(tmp_path / "demo"),
        "--no-serve",
        NEWSLETTER_DATABASE__URL=f"sqlite:///{elsewhere}",
        NEWSLETTER_SMTP__PORT="9",
        NEWSLETTER_CONFIG=str(tmp_path / "real.toml"),
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert not elsewhere.exists()
    refused = newsletter("--config", str(tmp_path / "real.toml"), "demo")
    assert refused.returncode == 2
    assert "leave out --config" in refused.stderr


def test_without_its_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """Where there is no SMTP server to embed, one line names the remedy, and nothing is written."""
    missing = "import sys; sys.modules['aiosmtpd'] = None"
    told = newsletter("demo", "--dir", str(tmp_path / "demo"), code=missing)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.count("\n") == 1
    assert "pip install '.[demo]'" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("days", ["0", "6", "x"])
def test_days_are_one_to_five(days: str) -> None:
    """There are papers for five days."""
    assert newsletter("demo", "--days", days).returncode == 2


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Return a demo on a terminal, and what it wrote there until it named the address of its inbox."""
    ours, its = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "demo", "--dir", str(tmp_path / "demo")],
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    told = b""
    with contextlib.suppress(OSError):  # it ended
        while b"Ctrl-C" not in told:
            told += os.read(ours, 4096)
    yield process, told.decode()
    process.kill()
    process.wait(timeout=10)
    os.close(ours)


def test_on_a_terminal_it_shows_the_inbox(served: tuple[subprocess.Popen[bytes], str], tmp_path: Path) -> None:
    """The page is there until Ctrl-C, and so is the inbox: who subscribes meanwhile gets a mail there too."""
    process, told = served
    [url] = re.findall(r"inbox is at \S*(http://127\.0\.0\.1:\d+/)", told)
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert answer.read().count(b"<li><a") == 3
    config = str(tmp_path / "demo/newsletter.toml")
    newsletter("--config", config, "subscribers", "add", "you@example.net")
    assert newsletter("--config", config, "run", "--date", WEEK[-1], "--now").returncode == 0
    with urllib.request.urlopen(url, timeout=10) as answer:
        assert b"you@example.net" in answer.read()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=10) == 0


def test_it_opens_the_desk(served: tuple[subprocess.Popen[bytes], str]) -> None:
    """With the name and password that it tells; on the morning after, with a draft of what is left of the papers."""
    _, told = served
    plain = re.sub(r"\x1b\[\d+m", "", told)
    found = re.search(r"The desk is at (\S+)/desk, on Monday morning: name (\S+), password (\S+)", plain)
    assert found
    url, name, password = found.groups()
    with httpx2.Client(base_url=url, trust_env=False, follow_redirects=True, timeout=60) as client:
        assert client.get("/").status_code == 200
        [token] = re.findall(r'name="token" value="([^"]+)"', client.get("/desk").text)
        page = client.post("/desk/login", data={"token": token, "name": name, "password": password})
    assert page.url.path == "/desk/issues/2026-07-13"
    assert 'id="up-' in page.text
