"""bioRxiv and medRxiv: what was posted between two dates.

Documented at https://api.biorxiv.org. It sends numbers as texts and dates without zeros. There is no list of a
day: a preprint is listed when it is first seen.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import quote

from newsletter.domain.paper import Listing, Paper, Sighting, doi_key
from newsletter.errors import SourceError
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client
from newsletter.sources.response import Response
from newsletter.sources.values import doi, instant, json_body, number, text

_LAG = timedelta(days=2)  # within which a posted preprint reaches the API


class BioRxiv:
    """The preprints of *server*, ``biorxiv`` or ``medrxiv``."""

    kind = "biorxiv"

    def __init__(self, *, server: str = kind, name: str = kind, base_url: str = "https://api.biorxiv.org"):
        self.name = name
        self._server = server
        self._url = f"{base_url.rstrip('/')}/details/{server}"

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return what was posted on the date asked for, or else since two days before the last success."""
        today = ask.now.date()
        first, last = ask.days[0], ask.days[-1]
        if not ask.dated:
            first, last = min(first, (ask.caught_up or today) - _LAG), today
        papers = _newest(await self._papers(client, first, last)) if first <= today else []
        day = ask.days[-1] if ask.dated else ask.today
        return Fetched(
            sightings=[
                self._sighting(paper, ask.now, Listing(source=self.name, day=day, position=position, first_seen=True))
                for position, paper in enumerate(papers, 1)
            ]
        )

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return the preprint with the DOI *key*, in its latest version."""
        if not doi(key):
            return None
        page = self._read(await self._ask(client, f"{quote(doi_key(key))}/na/json"))
        papers = [paper for paper in _newest(page.papers) if paper.doi == doi_key(key)]
        return self._sighting(papers[0], now, None) if papers else None

    def _sighting(self, paper: Paper, now: datetime, listing: Listing | None) -> Sighting:
        return Sighting(source=self.name, kind=self.kind, seen_at=now, paper=paper, listing=listing)

    async def _papers(self, client: Client, first: date, last: date) -> list[Paper]:
        found: list[Paper] = []
        cursor, total = 0, 1
        while cursor < total:
            page = self._read(await self._ask(client, f"{first}/{last}/{cursor}/json"))
            if page.count == 0 < page.total:
                raise SourceError(f"{self._url}: gave {cursor} of {page.total} preprints; the next run asks again")
            found += page.papers
            cursor, total = cursor + page.count, page.total
        return found

    async def _ask(self, client: Client, path: str) -> Response:
        return await client.get(f"{self._url}/{path}", accept="application/json")

    def _read(self, response: Response) -> "Page":
        return read_page(response, self._server)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: its preprints, how many the server counts on it, and how many in all."""

    papers: list[Paper]
    count: int
    total: int


def read_page(response: Response, server: str) -> Page:
    """Return what an answer of *server* holds. Raises SourceError for errors and other shapes."""
    body = json_body(response)
    collection = body.get("collection") if isinstance(body, dict) else None
    messages = body.get("messages") if isinstance(body, dict) else None
    message = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(message, dict) or not isinstance(collection, list):
        raise SourceError(f"{response.place}: answered no collection of preprints; its format changed")
    status = text(message.get("status"))
    if status != "ok" and not (status.lower().startswith("no posts found") and not collection):
        raise SourceError(f"{response.place}: answered an error: {status or 'no reason'}")
    papers = list(_papers(collection, server))
    if collection and not papers:
        raise SourceError(f"{response.place}: none of its {len(collection)} items is a preprint; its format changed")
    count = number(message.get("count")) or len(collection)
    total = number(message.get("total"))
    return Page(papers, count if collection else 0, count if total is None else total)


def _papers(collection: list[object], server: str) -> Iterator[Paper]:
    for item in collection:
        if isinstance(item, dict) and doi(item.get("doi")) and text(item.get("title")):
            yield _paper(item, server)


def _paper(item: dict[str, object], server: str) -> Paper:
    identity, version = doi(item["doi"]), number(item.get("version")) or 0
    title, posted = text(item["title"]), _instant(item.get("date"))
    category, journal = text(item.get("category")), text(item.get("published"))
    return Paper(
        title=title,
        doi=identity,
        version=version,
        abstract=text(item.get("abstract")),
        authors=tuple(_natural(name) for name in text(item.get("authors")).split(";") if name.strip()),
        organisation=text(item.get("author_corresponding_institution")),
        categories=(category,) if category else (),
        published=posted if version <= 1 else None,  # a date is its version's
        updated=posted,
        link=f"https://doi.org/{identity}",
        pdf=f"https://www.{server}.org/content/{identity}v{version}.full.pdf" if version else "",
        journal_reference="" if journal == "NA" else journal,
        withdrawn=title.upper().startswith("WITHDRAWN") or text(item.get("type")).lower() == "withdrawn",
    )


def _natural(name: str) -> str:
    """Return "Last, F. M." as "F. M. Last"."""
    last, _, first = name.partition(",")
    return f"{first.strip()} {last.strip()}".strip()


def _instant(value: object) -> datetime | None:
    parts = text(value).split("-")
    padded = "-".join(part.zfill(2) for part in parts)
    return instant(padded) if len(parts) == 3 else None


def _newest(papers: Iterable[Paper]) -> list[Paper]:
    """Return one paper for each DOI, in its latest version, with the date of the first where that is known."""
    newest: dict[str, Paper] = {}
    for paper in papers:
        known = newest.setdefault(paper.doi, paper)
        better = max(known, paper, key=lambda one: one.version)
        newest[paper.doi] = replace(better, published=known.published or paper.published)
    return list(newest.values())
