"""arXiv's API: what was submitted in some categories, as Atom.

Documented at https://info.arxiv.org/help/api/user-manual.html. Submissions are announced up to four days later,
so what is new is what this source has not given before. arXiv's feeds are read by ``feeds.py``.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from lxml import etree

from newsletter.domain.paper import Listing, Paper, Sighting, arxiv_key
from newsletter.errors import SourceError
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client
from newsletter.sources.response import Response
from newsletter.sources.values import doi, instant, number, text

_PAGE = 1000  # entries; the API gives at most 2,000 at once
_MOST = 30_000  # entries of one query, by the API's own limit
_EMPTY_PAGES = 3  # how often an empty page is asked again
_ATOM, _ARXIV, _SEARCH = (
    "{http://www.w3.org/2005/Atom}",
    "{http://arxiv.org/schemas/atom}",
    "{http://a9.com/-/spec/opensearch/1.1/}",
)
# How authors and arXiv word it, at the start of the comment or of the abstract.
_WITHDRAWN = re.compile(
    r"(?:(?:this|the|our)\s+)?(?:(?:arxiv\s+)?(?:paper|article|submission|manuscript|preprint|work|version)\s+)?"
    r"(?:(?:has|have)\s+been\s+|is\s+|was\s+)?(?:temporarily\s+)?withdrawn\b"
    r"|(?:the\s+)?authors?\s+(?:has|have)\s+withdrawn\b",
    re.IGNORECASE,
)


class ArXiv:
    """What the archive got in *categories*, such as ``cs.CL`` or ``cs.*``."""

    kind = "arxiv"

    def __init__(self, *, categories: Sequence[str], name: str = kind, base_url: str = "https://export.arxiv.org"):
        self.name = name
        self._categories = tuple(categories)
        self._url = f"{base_url.rstrip('/')}/api/query"
        self._page = _PAGE

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return what was submitted on the date asked for, or else since the last announcements' submissions."""
        last = ask.days[-1] if ask.dated else ask.now.date()
        categories = " OR ".join(f"cat:{category}" for category in self._categories)
        query = f"({categories}) AND submittedDate:[{ask.since:%Y%m%d}0000 TO {last:%Y%m%d}2359]"
        papers: dict[str, Paper] = {}
        failure: SourceError | None = None
        try:
            if ask.since <= ask.now.date():
                await self._collect(client, query, papers)
        except SourceError as error:
            if not papers:
                raise
            failure = error
        day = ask.days[-1] if ask.dated else ask.today
        return Fetched(
            sightings=[
                self._sighting(paper, ask.now, Listing(source=self.name, day=day, position=position, first_seen=True))
                for position, paper in enumerate(papers.values(), 1)
            ],
            failure=failure,
        )

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return the paper with the arXiv id *key*, in its latest version."""
        if not arxiv_key(key):
            return None
        page = read_feed(await self._ask(client, {"id_list": key, "max_results": 1}))
        return self._sighting(page.papers[0], now, None) if page.papers else None

    def _sighting(self, paper: Paper, now: datetime, listing: Listing | None) -> Sighting:
        return Sighting(source=self.name, kind=self.kind, seen_at=now, paper=paper, listing=listing)

    async def _collect(self, client: Client, query: str, found: dict[str, Paper]) -> None:
        """Put all that *query* finds into *found*, newest first. New ones move pages, so ids may repeat."""
        start, empty = 0, 0
        while empty <= _EMPTY_PAGES:
            order = {"search_query": query, "sortBy": "submittedDate", "sortOrder": "descending"}
            page = read_feed(await self._ask(client, {**order, "start": start, "max_results": self._page}))
            if page.total > _MOST:
                raise SourceError(f"{self._url}: finds {page.total} papers, more than it gives; name fewer categories")
            for paper in page.papers:
                found.setdefault(paper.arxiv_id, paper)
            start += page.entries
            if start >= page.total:
                return
            empty = 0 if page.entries else empty + 1
        raise SourceError(f"{self._url}: gave {start} of {page.total} papers, then nothing; the next run asks again")

    async def _ask(self, client: Client, params: dict[str, str | int]) -> Response:
        return await client.get(self._url, params, accept="application/atom+xml", paced=True)


class Page(NamedTuple):
    """One answer: its papers, of how many entries they were made, and how many entries the whole query has."""

    papers: list[Paper]
    entries: int
    total: int


def read_feed(response: Response) -> Page:
    """Return what an answer holds. Raises SourceError for errors and other shapes."""
    parser = etree.XMLParser(resolve_entities=False, load_dtd=False, no_network=True, remove_comments=True)
    try:
        feed = etree.fromstring(response.body, parser)
    except etree.XMLSyntaxError as error:
        raise SourceError(f"{response.place}: answered what is not XML ({text(error.msg)})") from None
    if feed.getroottree().docinfo.internalDTD is not None:
        raise SourceError(f"{response.place}: answered XML with a document type, which is refused")
    if feed.tag != f"{_ATOM}feed":
        raise SourceError(f"{response.place}: answered what is not an Atom feed; check this source's base_url")
    entries = list(feed.iterfind(f"{_ATOM}entry"))
    for entry in entries:
        if "/api/errors" in _text(entry, f"{_ATOM}id") or _text(entry, f"{_ATOM}title") == "Error":
            raise SourceError(f"{response.place}: answered an error: {_text(entry, f'{_ATOM}summary') or 'no reason'}")
    papers = list(_papers(entries))
    if entries and not papers:
        raise SourceError(f"{response.place}: none of its {len(entries)} entries is a paper; its format changed")
    total = number(_text(feed, f"{_SEARCH}totalResults"))
    return Page(papers, len(entries), len(entries) if total is None else total)


def _papers(entries: list[etree._Element]) -> Iterator[Paper]:
    for entry in entries:
        identity = arxiv_key(_text(entry, f"{_ATOM}id").rpartition("/abs/")[2])
        title = _text(entry, f"{_ATOM}title")
        if identity and title:
            yield _paper(entry, *identity, title)


def _paper(entry: etree._Element, arxiv_id: str, version: int, title: str) -> Paper:
    abstract, comment = _text(entry, f"{_ATOM}summary"), _text(entry, f"{_ARXIV}comment")
    return Paper(
        title=title,
        arxiv_id=arxiv_id,
        version=version,
        doi=doi(_text(entry, f"{_ARXIV}doi").split(" ")[0]),
        abstract=abstract,
        authors=tuple(filter(None, (_text(author, f"{_ATOM}name") for author in entry.iterfind(f"{_ATOM}author")))),
        organisation=_text(entry, f"{_ATOM}author/{_ARXIV}affiliation"),
        categories=_categories(entry),
        published=instant(_text(entry, f"{_ATOM}published")),
        updated=instant(_text(entry, f"{_ATOM}updated")),
        link=f"https://arxiv.org/abs/{arxiv_id}",
        pdf=f"https://arxiv.org/pdf/{arxiv_id}",
        comment=comment,
        journal_reference=_text(entry, f"{_ARXIV}journal_ref"),
        withdrawn=bool(_WITHDRAWN.match(comment) or _WITHDRAWN.match(abstract)),
    )


def _categories(entry: etree._Element) -> tuple[str, ...]:
    elements = (*entry.iterfind(f"{_ARXIV}primary_category"), *entry.iterfind(f"{_ATOM}category"))
    terms = (text(element.get("term")) for element in elements)
    return tuple(dict.fromkeys(term for term in terms if term))


def _text(element: etree._Element, path: str) -> str:
    return text(element.findtext(path))
