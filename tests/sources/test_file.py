"""The file of papers: its format to the letter, and faults that name their place."""

import json
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from newsletter.domain.paper import OURS, Paper
from newsletter.errors import SourceError
from newsletter.sources import file
from newsletter.sources.file import PaperFile

FULL = {
    "day": "2026-07-15",
    "arxiv_id": "2607.00001v2",
    "doi": "https://doi.org/10.1234/ABC",
    "title": "A  title",
    "abstract": "Long.",
    "summary": "Short.",
    "authors": ["Ada One", "Bo Two"],
    "organisation": "The Lab",
    "categories": ["cs.CL"],
    "published": "2026-07-13",
    "updated": "2026-07-14T10:00:00+02:00",
    "links": {
        "abstract": "https://lab.example/a",
        "pdf": "https://lab.example/a.pdf",
        "discussion": "https://lab.example/d",
        "project": "https://lab.example/p",
        "code": "https://lab.example/c",
    },
    "code_stars": 5,
    "thumbnail": "https://lab.example/t.png",
    "keywords": ["trees"],
    "comment": "12 pages",
    "journal_reference": "J. Sums 3",
    "upvotes": 7,
    "comments": 2,
    "position": 4,
    "submitter": "Cy Three",
}


@pytest.fixture
def written(tmp_path):
    """Return what writes lines into a file and gives the source that reads it."""

    def write(*lines):
        path = tmp_path / "papers.jsonl"
        path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
        return PaperFile(path=path)

    return write


def test_every_key_is_kept(written, fetch):
    """Each in its place of the paper or of the listing."""
    (sighting,) = fetch(written(FULL)).sightings
    assert sighting.paper == Paper(
        title="A title",
        arxiv_id="2607.00001",
        doi="10.1234/abc",
        version=2,
        abstract="Long.",
        summary="Short.",
        authors=("Ada One", "Bo Two"),
        organisation="The Lab",
        categories=("cs.CL",),
        keywords=("trees",),
        published=datetime(2026, 7, 13, tzinfo=UTC),
        updated=datetime(2026, 7, 14, 8, tzinfo=UTC),
        link="https://lab.example/a",
        pdf="https://lab.example/a.pdf",
        discussion="https://lab.example/d",
        project="https://lab.example/p",
        code="https://lab.example/c",
        code_stars=5,
        thumbnail="https://lab.example/t.png",
        comment="12 pages",
        journal_reference="J. Sums 3",
    )
    listing = sighting.listing
    assert (listing.source, listing.day, listing.first_seen) == ("file", date(2026, 7, 15), False)
    assert (listing.upvotes, listing.comments, listing.position, listing.submitter) == (7, 2, 4, "Cy Three")


def test_only_the_days_asked_for_are_given(written, fetch):
    """The others wait in the file; positions are those of the day where a line names none."""
    days = ["2026-07-13", "2026-07-14", "2026-07-14", "2026-07-15", "2026-07-16"]
    source = written(*({"day": day, "title": f"T{n}", "doi": f"10.1234/{n}"} for n, day in enumerate(days)))
    found = fetch(source, since="2026-07-14").sightings
    assert [(s.paper.title, s.listing.day.day, s.listing.position) for s in found] == [
        ("T1", 14, 1),
        ("T2", 14, 2),
        ("T3", 15, 1),
    ]
    assert [s.paper.title for s in fetch(source, "2026-07-13").sightings] == ["T0"]


def test_a_line_without_a_day_is_listed_when_first_seen(written, fetch):
    """Or, of a date, if it was published on it."""
    source = written(
        {"title": "Old", "arxiv_id": "2607.00001", "published": "2026-07-02"},
        {"title": "Undated", "arxiv_id": "2607.00002"},
    )
    found = fetch(source, since="2026-07-15").sightings
    assert [(s.paper.title, s.listing.day.day, s.listing.first_seen) for s in found] == [
        ("Old", 15, True),
        ("Undated", 15, True),
    ]
    assert [s.paper.title for s in fetch(source, "2026-07-02", today=date(2026, 7, 15)).sightings] == ["Old"]


@pytest.mark.parametrize(
    ("keys", "link", "key"),
    [
        ({"arxiv_id": "2607.00001"}, "https://arxiv.org/abs/2607.00001", "2607.00001"),
        ({"doi": "10.1234/ABC"}, "https://doi.org/10.1234/abc", "10.1234/abc"),
        ({"links": {"abstract": "https://lab.example/a"}}, "https://lab.example/a", "https://lab.example/a"),
    ],
)
def test_one_key_is_enough(written, fetch, keys, link, key):
    """The link to the abstract follows from an id."""
    (sighting,) = fetch(written({"day": "2026-07-15", "title": "T", **keys})).sightings
    assert (sighting.paper.link, sighting.paper.key) == (link, key)


WRONG = {
    "day": ["15 July", "2026-02-30", 20260715],
    "arxiv_id": ["abc", "", 2607.00001],
    "doi": ["abc", "10.48550/arXiv.2607.00001", 10],
    "version": ["2", -1, 1.5, True],
    "title": [7, ["T"]],
    "authors": ["Ada One", [1], {"name": "Ada"}],
    "published": ["yesterday", 2026],
    "links": [
        ["https://lab.example/"],
        "https://lab.example/",
        {"pdf": "file:///x"},
        {"pdf": 7},
        {"home": "https://x.y"},
    ],
    "code_stars": [-1, "many", 2**40],
    "thumbnail": ["t.png", "javascript:1"],
    "keywords": ["trees"],
    "upvotes": ["7", 1.5],
    "position": [0],
    "colour": ["red", None],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in WRONG.items() for value in values])
def test_a_wrong_key_or_value_names_its_place(written, fetch, key, value):
    """File, line and key, and what is allowed; nothing of the file counts."""
    good = {"day": "2026-07-15", "title": "T", "arxiv_id": "2607.00001"}
    with pytest.raises(
        SourceError, match=rf"papers\.jsonl, line 3, {key}[.a-z]*: (must be|is no key of this format; known are)"
    ):
        fetch(written(good, "", {**good, key: value}))


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("{", "is not JSON"),
        ("[1]", "is not an object"),
        ("[" * 100_000, "is not JSON"),
        ('{"title": "T"}', "needs a title and one of"),
        ('{"arxiv_id": "2607.00001"}', "needs a title and one of"),
        ('{"arxiv_id": "2607.00001", "title": " "}', "needs a title and one of"),
    ],
)
def test_a_wrong_line_names_its_place(written, fetch, line, fault):
    """What is no JSON, no object, or no paper."""
    with pytest.raises(SourceError, match=rf"papers\.jsonl, line 1: {fault}"):
        fetch(written(line))


def test_bytes_that_are_no_text_name_their_line(tmp_path, fetch):
    """Such as Latin-1."""
    path = tmp_path / "papers.jsonl"
    path.write_bytes('{"title": "Grüße", "arxiv_id": "2607.00001"}\n'.encode("latin-1"))
    with pytest.raises(SourceError, match="line 1: is not JSON"):
        fetch(PaperFile(path=path))


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, fetch, name):
    """It is not there, or is a folder."""
    with pytest.raises(SourceError, match=r"cannot be read \(.*\); check this source's path"):
        fetch(PaperFile(path=tmp_path / name))


def test_an_empty_file_is_a_success(written, fetch):
    """Nothing yet."""
    assert fetch(written("")).sightings == []


def test_null_is_as_if_left_out(written, fetch):
    """Programs write it so."""
    nulls = dict.fromkeys(FULL) | {"title": "T", "arxiv_id": "2607.00001"}
    (sighting,) = fetch(written(nulls), since="2026-07-15").sightings
    assert (sighting.paper.title, sighting.listing.upvotes) == ("T", None)


def test_a_paper_is_looked_up_by_any_key(written, look_up):
    """The last line that has it counts."""
    source = written(FULL, {**FULL, "title": "Newer"}, {"title": "Other", "doi": "10.1234/other"})
    for key in ("2607.00001", "10.1234/abc", "https://lab.example/a"):
        assert look_up(source, key).paper.title == "Newer"
    assert look_up(source, "2607.00009") is None


def test_the_documentation_names_every_key():
    """The table of the format in docs/sources.md and the reader agree."""
    text = (Path(__file__).resolve().parents[2] / "docs/sources.md").read_text()
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows == (file._KEYS.keys() - {"links"}) | {f"links.{name}" for name in file._LINKS}


def test_the_format_holds_all_that_is_kept_of_a_paper():
    """What sources say of a paper, a file can say; but that it was withdrawn."""
    said = file._KEYS.keys() | file._LINKS.keys() | {"link"}
    assert {field.name for field in fields(Paper)} - said == OURS | {"withdrawn"}
