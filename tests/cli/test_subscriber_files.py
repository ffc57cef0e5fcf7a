"""``newsletter subscribers import`` and ``export``: whole files, in and out."""

import csv
import io
import json
import stat
import time
from pathlib import Path

import pytest
from newsroom import Answer, Newsroom


def import_(newsroom: Newsroom, content: str | bytes, *args: str, expect: int | None = 0) -> Answer:
    """Import a file that holds *content*."""
    file = newsroom.folder / "list.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return newsroom.run("subscribers", "import", str(file), *args, expect=expect)


def export(newsroom: Newsroom, *args: str) -> str:
    """Return what an export writes to standard output."""
    return newsroom.run("subscribers", "export", *args).out


def listed(newsroom: Newsroom) -> list[dict[str, object]]:
    """Return everyone, as ``show --json`` would."""
    return json.loads(export(newsroom, "--json"))["subscribers"]


def emails(newsroom: Newsroom) -> list[object]:
    """Return every address on the list."""
    return [one["email"] for one in listed(newsroom)]


@pytest.fixture
def other(tmp_path: Path):
    """Return a second newsletter, empty."""
    (tmp_path / "other").mkdir()
    made = Newsroom(tmp_path / "other")
    yield made
    made.close()


@pytest.mark.parametrize(
    "content",
    [
        "ann@example.org\nbob@example.org\n",
        "\n  ann@example.org  \r\n\r\nbob@example.org",
        "ann@example.org\rbob@example.org\r",
        b"\xef\xbb\xbfemail\r\nann@example.org\r\nbob@example.org\r\n",
        'status,"Email"\nactive,"ann@example.org"\n\n,bob@example.org\n',
        '{"email": "ann@example.org"}\n\n{"email": "bob@example.org", "topics": ["a", "-b"], "max_papers": 3}\n',
    ],
)
def test_three_forms_are_read(newsroom: Newsroom, content: str | bytes):
    """One address a line, CSV with a header, JSON lines; with or without BOM, in anybody's line ends."""
    report = import_(newsroom, content, "--json").json

    assert emails(newsroom) == ["ann@example.org", "bob@example.org"]
    assert report == {
        "added": 2, "already_there": 0, "left_alone": 0, "invalid_count": 0, "invalid": [], "ignored_columns": [],
        "dry_run": False, "written": True,
    }  # fmt: skip


def test_preferences_come_along(newsroom: Newsroom):
    """The columns are those of 'show'; topics are joined by semicolons, and a quoted cell may hold anything."""
    row = '"-audio;""large model""",ann@example.org,7:30,Asia/Shanghai,weekly:mon,3'
    import_(newsroom, f"topics,email,hour,zone,frequency,max_papers\n{row}\n")

    (ann,) = listed(newsroom)
    assert ann["topics"] == ["-audio", '"large model"']
    assert (ann["hour"], ann["zone"], ann["frequency"], ann["max_papers"]) == (
        "07:30",
        "Asia/Shanghai",
        "weekly:mon",
        3,
    )
    assert ann["next_due_at"]


def test_standard_input(newsroom: Newsroom):
    """A hyphen reads what is piped in."""
    report = newsroom.run("subscribers", "import", "-", "--json", typed="ann@example.org\n").json

    assert report["added"] == 1


def test_all_or_nothing(newsroom: Newsroom):
    """One wrong line keeps the whole file out, and each is named with its number and the reason."""
    content = 'email,hour\nann@example.org,\n"bob@\nexample.org",\ncarol@example.org,25:00\ndan@example.org,,\n'

    refused = import_(newsroom, content, "--json", expect=2)

    assert emails(newsroom) == []
    assert [invalid["line"] for invalid in refused.json["invalid"]] == [3, 5, 6]
    assert "not an address" in refused.json["invalid"][0]["reason"]
    assert "hour '25:00'" in refused.json["invalid"][1]["reason"]
    assert "3 cells" in refused.json["invalid"][2]["reason"]
    assert not refused.json["written"]
    assert "nothing was written; correct the invalid lines or use --skip-invalid" in refused.err
    told = import_(newsroom, content, expect=2)
    assert "line 5: hour '25:00': use HH:MM" in told.out
    assert "0 added, 0 already there, 0 unsubscribed, suppressed or removed and left alone, 3 invalid" in told.out


def test_invalid_lines_can_be_skipped(newsroom: Newsroom):
    """The others come in, and the report still names what did not."""
    report = import_(newsroom, "ann@example.org\nnobody\n", "--skip-invalid", "--json").json

    assert (report["added"], report["invalid_count"], report["invalid"][0]["line"]) == (1, 1, 2)
    assert emails(newsroom) == ["ann@example.org"]


def test_a_dry_run_writes_nothing_and_says_what_would_be(newsroom: Newsroom):
    """Its counts are those of the import that follows."""
    content = "ann@example.org\nbob@example.org\nANN@example.org\n"

    rehearsed = import_(newsroom, content, "--dry-run", "--json").json

    assert emails(newsroom) == []
    assert rehearsed.pop("dry_run")
    assert not rehearsed.pop("written")
    assert import_(newsroom, content, "--json").json.items() >= rehearsed.items()
    assert "0 would be added, 3 already there" in import_(newsroom, content, "--dry-run").out
    partly = import_(newsroom, "carol@example.org\nnobody\n", "--dry-run", "--json", expect=2).json
    assert (partly["added"], partly["invalid_count"], partly["written"]) == (1, 1, False)


def test_nobody_is_changed_and_nobody_comes_back(newsroom: Newsroom):
    """Whatever the file says of them."""
    newsroom.run(
        "subscribers", "add", *(f"{name}@example.org" for name in ("ann", "bob", "carol", "dan")), "--hour", "7:00"
    )
    newsroom.run("subscribers", "unsubscribe", "bob@example.org")
    newsroom.run("subscribers", "suppress", "carol@example.org", "--reason", "bounced")
    before = listed(newsroom)
    newsroom.run("subscribers", "remove", "dan@example.org")
    rows = "".join(f"{name}@EXAMPLE.org,active,09:00\n" for name in ("Ann", "Bob", "Carol", "Dan", "eve", "Eve"))

    report = import_(newsroom, f"email,status,hour\n{rows}", "--json").json

    assert (report["added"], report["already_there"], report["left_alone"]) == (1, 2, 3)
    assert listed(newsroom)[:3] == before[:3]
    assert emails(newsroom)[3:] == ["eve@example.org"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no addresses"),
        ("\n \n\ufeff\n", "nor a header"),
        ("name,address\nAnn,ann@example.org\n", "nor a header with the column email"),
        ("email,topic\nann@example.org,x\n", "unknown column 'topic'; did you mean topics?"),
        ("e-mail\nann@example.org\n", "did you mean email?"),
        ("email,email\na@example.org,b@example.org\n", "two columns are named 'email'"),
        ("email\nann@example.org\njürgen@example.org\n".encode("latin-1"), "line 3 is not UTF-8"),
        ("email\nann@example.org\n".encode("utf-16"), "line 1 is not UTF-8"),
        ('email\nann@example.org\n"bob@example.org\n', "line 3: unexpected end of data"),
        ("email\n" + "a" * 70000, "line 2 is too long"),
        (b"\x7fELF\x02\x01\xff\xfe" * 100, "line 1 is not UTF-8"),
    ],
)
def test_what_is_no_list(newsroom: Newsroom, content: str | bytes, said: str):
    """One clear line, exit status 2, and nothing is written."""
    refused = import_(newsroom, content, "--skip-invalid", expect=2)

    assert said in refused.err
    assert len(refused.err.splitlines()) == 1
    assert refused.out == ""
    assert emails(newsroom) == []


@pytest.mark.parametrize("path", ["missing.csv", "."])
def test_what_cannot_be_read(newsroom: Newsroom, path: str):
    """The file is named, with the reason."""
    refused = newsroom.run("subscribers", "import", str(newsroom.folder / path), expect=2)

    assert "cannot be read" in refused.err


def test_columns_that_mean_nothing_are_named(newsroom: Newsroom):
    """A list from elsewhere comes in with what is known here; the rest is said to be left out."""
    told = import_(newsroom, "Name,Email,Joined by\nAnn,ann@example.org,form\n")

    assert "columns that mean nothing here: joined_by, name" in told.out
    assert emails(newsroom) == ["ann@example.org"]


@pytest.mark.parametrize(
    "line",
    [
        "[1]",
        '{"email": 5}',
        '{"email": "ann@example.org", "topics": [1]}',
        '{"email": "ann@example.org", "max_papers": true}',
        '{"email": "ann@example.org", "hour": {}}',
        '{"email": "ann@example.org", "suppression_reason": "\\ud800"}',
        '{"email": "ann@example.org", "status": "friend"}',
        '{"email": "ann@example.org", "created_at": "yesterday"}',
        '{"email": "ann@example.org", "created_at": "2026-07-15T08:00:00"}',
        '{"email": "ann@example.org"',
        '{"topics": []}',
        "[" * 5000,
        "ann@example.org",
    ],
)
def test_json_of_something_else(newsroom: Newsroom, line: str):
    """A line that says nothing of a subscriber is invalid, and the others are not."""
    report = import_(newsroom, f'{{"email": "first@example.org"}}\n{line}\n', "--skip-invalid", "--json").json

    assert [invalid["line"] for invalid in report["invalid"]] == [2]
    assert emails(newsroom) == ["first@example.org"]


@pytest.fixture
def full(newsroom: Newsroom) -> Newsroom:
    """Return a list with everyone that there can be on it."""
    add = "subscribers", "add"
    newsroom.run(*add, "plain@example.org", "=sum@example.org", "+1@example.org", "zoë@bücher.example")
    newsroom.run(*add, "-picky@example.org", "--topic", "-word", "--topic", "=SUM(A1)", "--topic", "'=x", expect=2)
    newsroom.run(*add, "--topic", "-word", "--topic", "=SUM(A1)", "--hour", "0:00", "--", "-picky@example.org")
    newsroom.run(*add, "quote@example.org", "--topic", "'=cmd", "--topic", '"a, b"')
    chosen = (
        "--frequency weekly:sun --zone Asia/Kathmandu --max-papers 1 --min-upvotes 0 --format both --language zh-Hans"
    )
    wishes = ("--only-topics", "--alert", '"kv cache"', "--alert", "=SUM(A1)")
    newsroom.run(*add, "full@example.org", *chosen.split(), *wishes)
    newsroom.run(*add, "paused@example.org", "gone@example.org", "bad@example.org")
    newsroom.run("subscribers", "pause", "paused@example.org")
    newsroom.run("subscribers", "unsubscribe", "gone@example.org")
    newsroom.run("subscribers", "suppress", "bad@example.org", "--reason", '=HYPERLINK("x"), said "no"; 550 5.1.1')
    import_(
        newsroom,
        '{"email": "asked@example.org", "status": "pending", "created_at": "2020-02-29T12:00:00.000001+05:45"}',
    )
    return newsroom


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_comes_in_as_it_went_out(full: Newsroom, other: Newsroom, form: str):
    """Statuses, reasons, instants and preferences: everything that 'show' says of everyone."""
    file = full.folder / f"everyone.{form}"

    said = full.run("subscribers", "export", "--format", form, "--out", str(file), "--json").json
    report = other.run("subscribers", "import", str(file), "--json").json

    assert said == {"exported": 11, "file": str(file)}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (report["added"], report["invalid"]) == (11, [])
    assert listed(other) == listed(full)
    assert export(other, "--format", form) == export(full, "--format", form) == file.read_bytes().decode()
    again = other.run("subscribers", "import", str(file), "--json").json
    assert (again["added"], again["already_there"], again["left_alone"]) == (0, 9, 2)


def test_no_cell_is_a_formula(full: Newsroom):
    """Nothing that a spreadsheet opens begins as what it would run."""
    rows = list(csv.reader(io.StringIO(export(full), newline="")))

    assert rows[0] == list(listed(full)[0])
    assert [cell for row in rows for cell in row if cell.startswith(tuple("=+-@\t\r"))] == []
    topics = {row[0]: row[2] for row in rows}
    assert topics["'-picky@example.org"] == "'-word;=SUM(A1)"
    assert topics["quote@example.org"] == "''=cmd;\"a, b\""


def test_an_export_replaces_a_file_only_when_it_is_whole(full: Newsroom):
    """Nothing but the export is left beside it; a folder that is not there is named."""
    file = full.folder / "out" / "list.csv"
    assert "cannot be written" in full.run("subscribers", "export", "--out", str(file), expect=2).err

    file.parent.mkdir()
    file.write_text("old")
    full.run("subscribers", "export", "--out", str(file))

    assert [entry.name for entry in file.parent.iterdir()] == ["list.csv"]
    assert file.read_text().startswith("email,")


@pytest.mark.slow
def test_forty_thousand_addresses(newsroom: Newsroom):
    """The command takes them in little memory, as it reads no file whole."""
    file = newsroom.folder / "many.txt"
    file.write_text("".join(f"Reader.{n}@University-{n % 997}.example.org\n" for n in range(40_000)))

    process = newsroom.start("subscribers", "import", str(file), "--json")
    peak = 0
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        peak = max([peak, *(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))])
        time.sleep(0.05)

    assert process.stdout is not None
    assert json.loads(process.stdout.read())["added"] == 40_000
    assert 10_000 < peak < 200_000  # kilobytes
