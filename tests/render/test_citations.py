"""Papers as BibTeX, RIS and CSL-JSON, read again by the libraries that others read them with."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import bibtexparser
import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.domain.paper import Paper
from newsletter.render.citations import bibtex, csl_json, ris
from newsletter.services.library import read_library

PAPER = Paper(
    title="The Gain of $\\alpha$ in 100% of Cases: A_B {and} C",
    arxiv_id="2607.00001",
    authors=("Ada van der Okafor", "Mei Lin Jr.", "The Great Team and Others", "李华"),
    categories=("cs.CL", "cs.LG"),
    keywords=("gain",),
    published=datetime(2026, 7, 9, tzinfo=UTC),
    link="https://arxiv.org/abs/2607.00001",
    pdf="https://arxiv.org/pdf/2607.00001",
    abstract="It is \\textbf{short}.",
)
HOSTILE = [
    "}\n@misc{evil, title={mine}", "a\r\nER  - \r\nTY  - JOUR", "\\input{/etc/passwd}", "% gone", "{{{", "}}}", "\\",
    "and", "others", "@comment{x}", '"},', "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "𝐁\u202e\x00\ud800", "",
]  # fmt: skip
EITHER = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=40))


def test_bibtex_says_what_is_known():
    """A preprint with its archive's fields; capitals, percent signs and names of teams survive LaTeX."""
    said = bibtex([PAPER])
    assert said.startswith(
        "@misc{vanderokafor2026gain,\n"
        "  title = {{The Gain of α in 100\\% of Cases: A\\_B \\textbraceleft{}and\\textbraceright{} C}},\n"
    )
    assert "  author = {Ada van der Okafor and Mei Lin Jr. and {The Great Team and Others} and 李华},\n" in said
    assert "  eprint = {2607.00001},\n  archiveprefix = {arXiv},\n  primaryclass = {cs.CL},\n" in said
    assert "  doi = {10.48550/arXiv.2607.00001},\n" in said
    assert "  url = {https://arxiv.org/abs/2607.00001},\n" in said
    assert bibtex([Paper(title="X", journal_reference="J. of X 3 (2026)")]).startswith("@article{x,")


def test_ris_and_csl_split_names():
    """The family first, with its particles; who has one name keeps it."""
    (entry,) = rispy.loads(ris([PAPER]))
    assert entry["authors"] == ["van der Okafor, Ada", "Lin Jr., Mei", "The Great Team and Others", "李华"]
    assert (entry["year"], entry["doi"], entry["type_of_reference"]) == ("2026", "10.48550/arXiv.2607.00001", "UNPB")
    (item,) = json.loads(csl_json([PAPER]))
    assert item["author"][0] == {"family": "van der Okafor", "given": "Ada"}
    assert item["author"][-1] == {"literal": "李华"}
    assert item["issued"] == {"date-parts": [[2026, 7, 9]]}


def test_each_of_many_has_a_label_of_its_own():
    """Also where author, year and first word are the same, and where nothing is known."""
    many = [PAPER, PAPER, Paper(title=""), Paper(title="!"), Paper(title="2 words")]
    assert [item["id"] for item in json.loads(csl_json(many))] == [
        "vanderokafor2026gain", "vanderokafor2026gain-2", "paper", "paper-2", "paper2",
    ]  # fmt: skip


@pytest.mark.parametrize(("write", "name"), [(bibtex, "a.bib"), (ris, "a.ris"), (csl_json, "a.json")])
def test_our_own_library_reads_them(tmp_path: Path, write: Callable[[list[Paper]], str], name: str):
    """What a reader takes from here, they can follow from there."""
    (tmp_path / name).write_text(write([PAPER]), "utf-8")
    (found,) = read_library(tmp_path / name)
    assert found.title.startswith("The Gain of α in 100% of Cases")
    assert found.authors[0] == "Ada van der Okafor"


@given(texts=st.lists(EITHER, min_size=8, max_size=8))
@settings(max_examples=60, deadline=None)
def test_hostile_text_stays_in_its_field(texts: list[str]):
    """Whatever a source says, one paper is one entry, with balanced braces and only the fields that we wrote."""
    title, one, other, abstract, journal, doi, link, word = texts
    paper = Paper(title=title, authors=(one, other), abstract=abstract, journal_reference=journal, doi=doi,
                  link=link, keywords=(word,), arxiv_id="2607.00001", categories=(word,))  # fmt: skip
    known = {"title", "author", "journal", "doi", "eprint", "archiveprefix", "primaryclass", "url", "abstract"}
    for papers in ([paper], [paper, PAPER]):
        library = bibtexparser.parse_string(bibtex(papers), append_middleware=[])
        assert (len(library.entries), library.failed_blocks, library.comments) == (len(papers), [], [])
        assert library.entries[0].fields_dict.keys() <= known
        tags = [line[:6] for line in ris(papers).split("\r\n")]
        assert (tags.count("TY  - "), tags.count("ER  - ")) == (len(papers), len(papers))
        assert all(line[2:6] == "  - " for line in ris(papers).split("\r\n")[:-1])
        assert len(rispy.loads(ris(papers))) == len(papers)
        assert len(json.loads(csl_json(papers).encode())) == len(papers)
        assert bibtex(papers).replace("\n", "").isprintable()
