"""Papers as reference managers take them: BibTeX, RIS and CSL-JSON.

Foreign text cannot leave its field: BibTeX knows no bare brace, backslash or percent sign of a source's, RIS no line
that we did not begin, and links are http(s) only. Names are split by a rule of thumb, since sources tell them whole.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from newsletter.domain.paper import Paper
from newsletter.domain.text import folded, plain, whole_words
from newsletter.render.card import web_link
from newsletter.render.mathematics import readable

# Braces count in BibTeX even behind a backslash, so that they are named.
_TEX = {
    "\\": r"\textbackslash{}", "{": r"\textbraceleft{}", "}": r"\textbraceright{}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "$": r"\$", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_",
}  # fmt: skip
_ESCAPES = str.maketrans(_TEX)
_SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"}
_LITTLE = frozenset("a an the on of in for to from and with is are towards toward".split())  # noqa: SIM905
_BREAKS = re.compile(r"[\\{}%#]")
_NOT_IN_A_LABEL = re.compile(r"[^a-z0-9]")


@dataclass(frozen=True, slots=True)
class _Name:
    """A person's name in its two parts. ``given`` is '' where there is only one."""

    family: str
    given: str


def bibtex(papers: Iterable[Paper]) -> str:
    """Return *papers* as BibTeX, each under a label of its own: author, year, first word."""
    return "\n".join(
        f"@{'article' if paper.journal_reference else 'misc'}{{{label},\n{_fields(paper)}}}\n"
        for label, paper in _labelled(papers)
    )


def ris(papers: Iterable[Paper]) -> str:
    """Return *papers* as RIS. Lines end as its specification asks."""
    return "".join(f"{tag}  - {value}\r\n" for paper in papers for tag, value in _tags(paper))


def csl_json(papers: Iterable[Paper]) -> str:
    """Return *papers* as a list of CSL-JSON items."""
    return json.dumps([_item(label, paper) for label, paper in _labelled(papers)], ensure_ascii=False, indent=1)


# How each kind of file is written, by the end of its name, and its type.
FORMATS: dict[str, tuple[Callable[[Iterable[Paper]], str], str]] = {
    "bib": (bibtex, "application/x-bibtex"),
    "ris": (ris, "application/x-research-info-systems"),
    "json": (csl_json, "application/vnd.citationstyles.csl+json"),
}


def _fields(paper: Paper) -> str:
    authors = " and ".join(_whole(name) for name in _names(paper))
    eprint = {"eprint": paper.arxiv_id, "archiveprefix": "arXiv", "primaryclass": next(iter(paper.categories), "")}
    said = {
        "title": f"{{{_tex(_title(paper))}}}",  # in braces of its own, or styles take away its capitals
        "author": authors,
        "year": f"{paper.published.year}" if paper.published else "",
        "month": f"{paper.published.month}" if paper.published else "",
        "journal": _tex(plain(paper.journal_reference)),
        "doi": doi if not _BREAKS.search(doi := _doi(paper)) else "",  # as it is: styles take it for a link
        **({name: _tex(plain(value)) for name, value in eprint.items()} if paper.arxiv_id else {}),
        "url": web_link(paper.link),
        "abstract": _tex(_abstract(paper)),
    }
    return "".join(f"  {name} = {{{value}}},\n" for name, value in said.items() if value)


def _tex(text: str) -> str:
    return text.translate(_ESCAPES)


def _whole(name: str) -> str:
    """Return a name that BibTeX takes for one: its own words for joining and for leaving out stand in braces."""
    return f"{{{_tex(name)}}}" if _is_whole(name) or name.lower() == "others" else _tex(name)


def _is_whole(name: str) -> bool:
    """Return whether *name* is surely no person's in two parts: of a team, or turned around already."""
    return "," in name or "and" in name.lower().split()


def _tags(paper: Paper) -> Iterator[tuple[str, str]]:
    yield "TY", "JOUR" if paper.journal_reference else "UNPB"
    said = [
        ("TI", _title(paper)),
        *(("AU", f"{n.family}, {n.given}" if n.given else n.family) for n in map(_split, _names(paper))),
        ("PY", f"{paper.published.year}" if paper.published else ""),
        ("DA", f"{paper.published:%Y/%m/%d}" if paper.published else ""),
        ("T2", plain(paper.journal_reference)),
        ("AN", f"arXiv:{plain(paper.arxiv_id)}" if paper.arxiv_id else ""),
        ("DO", _doi(paper)),
        ("UR", web_link(paper.link)),
        ("L1", web_link(paper.pdf)),
        *(("KW", plain(word)) for word in (*paper.categories, *paper.keywords)),
        ("AB", _abstract(paper)),
    ]
    yield from ((tag, value) for tag, value in said if value)
    yield "ER", ""


def _item(label: str, paper: Paper) -> dict[str, Any]:
    names = [_split(name) for name in _names(paper)]
    day = paper.published
    said = {
        "id": label,
        "type": "article-journal" if paper.journal_reference else "article",
        "title": _title(paper),
        "author": [{"family": n.family, "given": n.given} if n.given else {"literal": n.family} for n in names],
        "issued": {"date-parts": [[day.year, day.month, day.day]]} if day else None,
        "container-title": plain(paper.journal_reference),
        "number": f"arXiv:{plain(paper.arxiv_id)}" if paper.arxiv_id else "",
        "publisher": "arXiv" if paper.arxiv_id else "",
        "DOI": _doi(paper),
        "URL": web_link(paper.link),
        "keyword": ", ".join(filter(None, map(plain, (*paper.categories, *paper.keywords)))),
        "abstract": _abstract(paper),
    }
    return {name: value for name, value in said.items() if value}


def _labelled(papers: Iterable[Paper]) -> Iterator[tuple[str, Paper]]:
    """Yield each of *papers* with a label that no other one has."""
    taken = set[str]()
    for paper in papers:
        wanted = _label(paper)
        label = next(name for n in count(1) if (name := wanted if n == 1 else f"{wanted}-{n}") not in taken)
        taken.add(label)
        yield label, paper


def _label(paper: Paper) -> str:
    family = _split(names[0]).family if (names := _names(paper)) else ""
    first = next((word for word in whole_words(_title(paper)) if word not in _LITTLE), "")
    year = f"{paper.published.year}" if paper.published else ""
    made = _ascii(family) + year + _ascii(first)
    return made if made[:1].isalpha() else f"paper{made}"


def _ascii(text: str) -> str:
    return _NOT_IN_A_LABEL.sub("", folded(text))[:40]


def _split(name: str) -> _Name:
    """Return a name's parts: the family begins with its small particles (van der Maaten), else with the last word."""
    words = [name] if _is_whole(name) else name.split()
    last = len(words) - (2 if len(words) > 2 and words[-1].lower() in _SUFFIXES else 1)
    begins = next((at for at in range(1, last) if words[at][:1].islower()), last)
    return _Name(" ".join(words[begins:]), " ".join(words[:begins]))


def _names(paper: Paper) -> list[str]:
    return [name for author in paper.authors if (name := plain(author))]


def _title(paper: Paper) -> str:
    return readable(plain(paper.title))


def _abstract(paper: Paper) -> str:
    return readable(plain(paper.abstract))


def _doi(paper: Paper) -> str:
    """Return its DOI; what stands at arXiv has one by its id."""
    return plain(paper.doi) or (f"10.48550/arXiv.{plain(paper.arxiv_id)}" if paper.arxiv_id else "")
