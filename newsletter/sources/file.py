"""A file of papers, one JSON object a line, in the format of ``docs/sources.md``: the way in for anything else.

A person or their program writes it, so it is read strictly: every fault names the file, the line and the key.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any

from newsletter.domain.paper import Listing, Paper, Sighting, arxiv_key
from newsletter.errors import SourceError
from newsletter.sources import values
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client


class PaperFile:
    """The papers in the file at *path*."""

    kind = "file"

    def __init__(self, *, path: Path, name: str = kind):
        self.name = name
        self._path = path

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return what the file lists on the days asked for; a line without a day is listed when it is first seen."""
        return Fetched(sightings=await asyncio.to_thread(lambda: list(self._listed(ask))))

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return the paper with *key* as the last line that has it tells it."""
        lines = await asyncio.to_thread(lambda: [line.paper for line in read_lines(self._path)])
        found = next((paper for paper in reversed(lines) if key in paper.keys), None)
        return Sighting(source=self.name, kind=self.kind, seen_at=now, paper=found) if found else None

    def _listed(self, ask: Ask) -> Iterator[Sighting]:
        positions: Counter[date] = Counter()
        for line in read_lines(self._path):
            day = line.day or ask.day_of(line.paper.published)
            if day is None or (line.day and day not in ask.days):
                continue
            positions[day] += 1
            listing = Listing(
                source=self.name,
                day=day,
                upvotes=line.upvotes,
                comments=line.comments,
                position=line.position or positions[day],
                submitter=line.submitter,
                first_seen=line.day is None,
            )
            yield Sighting(source=self.name, kind=self.kind, seen_at=ask.now, paper=line.paper, listing=listing)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file. ``position`` is 0 where it names none."""

    paper: Paper
    day: date | None
    upvotes: int | None
    comments: int | None
    position: int
    submitter: str


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of the file at *path*, blank ones left out. Raises SourceError for the first that is wrong."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _line(line, f"{path}, line {number}")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check this source's path") from error


def _line(line: bytes, place: str) -> Line:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{place}: is not JSON ({error}); each line holds one paper") from None
    if not isinstance(found, dict):
        raise SourceError(f"{place}: is not an object; each line holds one paper")
    known = _read(found, _KEYS, place, "")
    links = _read(found.get("links") or {}, _LINKS, place, "links.")
    arxiv_id, version = known.get("arxiv_id", ("", 0))
    address = _address(links.get("abstract", ""), arxiv_id, known.get("doi", ""))
    if not known.get("title") or not address:
        raise SourceError(f"{place}: needs a title and one of arxiv_id, doi and links.abstract")
    listing = {name: known.pop(name, None) for name in ("day", "upvotes", "comments", "position", "submitter")}
    known |= {"arxiv_id": arxiv_id, "version": known.get("version") or version, "link": address}
    known |= {name: link for name, link in links.items() if name != "abstract"}
    known.pop("links", None)
    return Line(
        paper=Paper(**known),
        day=listing["day"],
        upvotes=listing["upvotes"],
        comments=listing["comments"],
        position=listing["position"] or 0,
        submitter=listing["submitter"] or "",
    )


def _address(abstract: str, arxiv_id: str, doi: str) -> str:
    if abstract or not (arxiv_id or doi):
        return abstract
    return f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else f"https://doi.org/{doi}"


def _read(found: dict[str, Any], keys: "dict[str, _Key]", place: str, prefix: str) -> dict[str, Any]:
    """Return the values of *found*, each as its key reads it; null is as if left out."""
    known = {}
    for name, value in found.items():
        if name not in keys:
            raise SourceError(
                f"{place}, {prefix}{values.text(name)}: is no key of this format; known are {', '.join(keys)}"
            )
        if value is None:
            continue
        what, read = keys[name]
        if (ours := read(value)) is None:
            raise SourceError(f"{place}, {prefix}{name}: must be {what}, not {json.dumps(value)[:80]}")
        known[name] = ours
    return known


# What reads a value gives None for a wrong one.
_Key = tuple[str, Callable[[Any], Any]]


def _text(value: object) -> str | None:
    return values.text(value) if isinstance(value, str) else None


def _texts(value: object) -> tuple[str, ...] | None:
    good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    return values.texts(value) if good else None


def _number(value: object, least: int = 0) -> int | None:
    found = values.number(value) if not isinstance(value, str) else None
    return found if found is not None and found >= least else None


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _instant(value: object) -> datetime | None:
    day = _day(value)
    return datetime.combine(day, time(), UTC) if day else values.instant(value)


def _arxiv(value: object) -> tuple[str, int] | None:
    return arxiv_key(value) if isinstance(value, str) else None


_TEXT: _Key = ("a text", _text)
_TEXTS: _Key = ("a list of texts", _texts)
_COUNT: _Key = ("a whole number from 0", _number)
_INSTANT: _Key = ('a date and time such as "2026-07-15T08:00:00Z" or a date', _instant)
_LINK: _Key = ("an http or https link", lambda value: values.link(value) or None)
_LINKS: dict[str, _Key] = dict.fromkeys(("abstract", "pdf", "discussion", "project", "code"), _LINK)
_KEYS: dict[str, _Key] = {
    "day": ('a date such as "2026-07-15"', _day),
    "arxiv_id": ('an arXiv id such as "2607.01234"', _arxiv),
    "doi": ('a DOI such as "10.1234/abc"', lambda value: values.doi(value) or None),
    "version": _COUNT,
    "title": _TEXT,
    "abstract": _TEXT,
    "summary": _TEXT,
    "authors": _TEXTS,
    "organisation": _TEXT,
    "categories": _TEXTS,
    "published": _INSTANT,
    "updated": _INSTANT,
    "links": ("an object of links", lambda value: value if isinstance(value, dict) else None),
    "code_stars": _COUNT,
    "thumbnail": _LINK,
    "keywords": _TEXTS,
    "comment": _TEXT,
    "journal_reference": _TEXT,
    "upvotes": _COUNT,
    "comments": _COUNT,
    "position": ("a whole number from 1", partial(_number, least=1)),
    "submitter": _TEXT,
}
