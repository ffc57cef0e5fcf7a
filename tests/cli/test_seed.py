"""``newsletter subscribers seed``: topics proposed from a library of references."""

import json
from pathlib import Path

import pytest
from newsroom import Newsroom

from newsletter.services.library import read_library

ANN = "ann@example.org"
BIBTEX = r"""
@comment{exported}
@article{a, author = {Okafor, Ada and M{\"u}ller-Lind, J{\"u}rgen and others}, title = {Fast {KV} Caches},
  keywords = {Speculative decoding, memory}, abstract = {Never read, \textbf{and broken.}}}
@article{b, author = "Ada Okafor and Wang, L.", title = "A KV cache for all", keywords = {speculative decoding}}
@misc{broken, author = {Nobody
@inproceedings{c, author = {A. Okafor and Wang, Li}, title = {On {KV} caches}, keywords={speculative decoding; x}}
@book{d, author = {{The Example Group} and Li Wang}, title = {Something else}}
"""
RIS = "".join(
    f"TY  - JOUR\nAU  - {author}\nAU  - Wang, Li\nTI  - {title}\nKW  - Speculative decoding\nER  - \n\n"
    for author, title in (("Okafor, Ada", "Fast KV caches"), ("Okafor, Ada", "A KV cache"), ("Okafor, A.", "KV caches"))
)
CSL = json.dumps([
    {"type": "article", "title": title, "keyword": "speculative decoding, other",
     "author": [{"family": "Okafor", "given": given}, {"family": "Wang", "given": "Li"}, {"literal": "A Group"}]}
    for given, title in (("Ada", "Fast KV caches"), ("Ada", "A KV cache"), ("A.", "KV caches"))
])  # fmt: skip


@pytest.fixture
def reader(newsroom: Newsroom) -> Newsroom:
    """Return a newsletter with one reader, who follows a word."""
    newsroom.run("subscribers", "add", ANN, "--topic", "rag")
    return newsroom


def seed(newsroom: Newsroom, name: str, content: str | bytes, *args: str, expect: int = 0, typed: str = ""):
    """Run the command on a file with this *content*."""
    file = newsroom.folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return newsroom.run("subscribers", "seed", ANN, str(file), *args, expect=expect, typed=typed)


def topics(newsroom: Newsroom) -> list[str]:
    """Return what the reader follows."""
    return newsroom.run("subscribers", "show", ANN, "--json").json["topics"]


@pytest.mark.parametrize(("name", "content"), [("library.bib", BIBTEX), ("refs.ris", RIS), ("refs.json", CSL)])
def test_a_library_proposes_whom_it_cites_and_what_it_repeats(reader: Newsroom, name: str, content: str):
    """Initials count for the whole name, accents and braces are read, what is broken is passed over."""
    found = seed(reader, name, content, "--yes", "--json").json
    proposed = {one["topic"]: one["references"] for one in found["proposed"]}
    assert proposed["author:Ada Okafor"] == 3
    assert proposed['"speculative decoding"'] == 3
    assert proposed['"kv cache"'] == 3
    assert not any("Nobody" in topic or "Group" in topic for topic in proposed if name == "library.bib")
    assert found["added"] is True
    assert topics(reader) == ["rag", *proposed]
    again = seed(reader, name, content, "--yes", "--json").json
    assert (again["proposed"], again["added"]) == ([], False)


def test_it_asks_first(reader: Newsroom):
    """Nothing is added on no; with --json it only proposes; a file without a known ending is known by its content."""
    said = seed(reader, "library", RIS, typed="n\n")
    assert "author:Ada Okafor  (3 of 3)" in said.err
    assert seed(reader, "library", RIS, "--json").json["added"] is False
    assert topics(reader) == ["rag"]
    assert "5 topics added, 6 in all" in seed(reader, "library", CSL, typed="y\n").out


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("a.bib", "", "holds no references"),
        ("b.bib", "@article{" + "{" * 100_000, "cannot be read as bibtex: line 1: expected comma after entry key"),
        ("b.bib", BIBTEX[:60], "cannot be read as bibtex: line 3: unexpectedly reached end of file"),
        ("c.json", "[" * 100_000, "too deeply nested"),
        ("d.json", '{"items": 3}', "cannot be read as csl"),
        ("e.json", "[1, 2]", "cannot be read as csl"),
        ("f.json", "nonsense", "cannot be read as csl"),
        ("g", b"\x00\xff\xfe" * 1000, "holds no references"),
        ("h.bib", b"x" * 30_000_001, "larger than 30 MB"),
        ("i.ris", "TY  - JOUR\nER  - \n" * 10_001, "more than 10,000 references"),
    ],
)
def test_what_is_no_library_is_refused_in_one_line(reader: Newsroom, name: str, content: str | bytes, line: str):
    """Broken, hostile or huge: a status of 2, and nothing is changed."""
    said = seed(reader, name, content, "--yes", expect=2)
    assert line in said.err
    assert len(said.err.splitlines()) == 1
    assert topics(reader) == ["rag"]


def test_a_file_that_is_not_there(reader: Newsroom, tmp_path: Path):
    """Nor a folder."""
    assert "No such file" in reader.run("subscribers", "seed", ANN, str(tmp_path / "none.bib"), expect=2).err
    assert "Is a directory" in reader.run("subscribers", "seed", ANN, str(tmp_path), expect=2).err


def test_a_group_whose_name_has_commas_keeps_its_reference(tmp_path: Path):
    """Braces hold a name together; accents inside it are read all the same."""
    file = tmp_path / "group.bib"
    file.write_text(
        "@misc{x,\n author={{Institute of A, B, C, and D} and M{\\\"u}ller, Ada},\n title={{On {\\'E}tudes}},\n}"
    )
    [found] = read_library(file)
    assert found.title == "On Études"
    assert any("Müller" in name for name in found.authors)
