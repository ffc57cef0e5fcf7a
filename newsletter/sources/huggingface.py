"""Hugging Face's Daily Papers: a list per day, made by its community, with upvotes.

Documented at https://huggingface.co/docs/hub/api. Lists exist from Monday to Friday, and a day's goes on growing.
"""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from newsletter.domain.paper import Listing, Paper, Sighting, arxiv_key
from newsletter.errors import SourceError
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client
from newsletter.sources.response import Response, StatusError
from newsletter.sources.values import instant, json_body, link, number, text, texts

_PAGE = 100
_PEOPLE = "https://huggingface.co/papers"  # where the pages for people are, whatever mirror answers us


class HuggingFace:
    """The daily lists."""

    kind = "huggingface"

    def __init__(self, *, name: str = kind, base_url: str = "https://huggingface.co"):
        self.name = name
        self._api = f"{base_url.rstrip('/')}/api"

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return the lists of the days asked for that have begun in UTC, which the lists are kept in."""
        sightings: list[Sighting] = []
        try:
            for day in ask.days:
                if day <= ask.now.date():
                    sightings += await self._day(client, day, ask.now)
        except SourceError as failure:
            if not sightings:
                raise
            return Fetched(sightings=sightings, failure=failure)
        return Fetched(sightings=sightings)

    async def _day(self, client: Client, day: date, now: datetime) -> Iterable[Sighting]:
        found: dict[str, Sighting] = {}
        for page in range(1000):
            params: dict[str, str | int] = {"date": day.isoformat(), "limit": _PAGE, "p": page}
            response = await client.get(f"{self._api}/daily_papers", params, accept="application/json")
            items, known = read_list(response), len(found)
            for position, item in enumerate(items, page * _PAGE + 1):
                if sighting := self._sighting(item, now, day, position):
                    found.setdefault(sighting.paper.arxiv_id, sighting)
            if items and not found:
                raise SourceError(f"{response.place}: none of its {len(items)} items is a paper; its format changed")
            # A list moves while it is paged, so a page may repeat the last; one that only repeats is the end.
            if len(items) < _PAGE or len(found) == known:
                break
        return found.values()

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return the paper with the arXiv id *key*, if it has a page."""
        if not arxiv_key(key):
            return None
        try:
            response = await client.get(f"{self._api}/papers/{key}", accept="application/json")
        except StatusError as error:
            if error.status == 404:
                return None
            raise
        item = json_body(response)
        found = read_paper({"paper": item})
        if found is None:
            raise SourceError(f"{response.place}: answered what is not a paper; its format changed")
        return Sighting(source=self.name, kind=self.kind, seen_at=now, paper=found)

    def _sighting(self, item: object, now: datetime, day: date, position: int) -> Sighting | None:
        paper = read_paper(item)
        if paper is None or not isinstance(item, dict):
            return None
        listing = Listing(
            source=self.name,
            day=day,
            upvotes=number(item["paper"].get("upvotes")),
            comments=number(item.get("numComments")),
            position=position,
            submitter=text(_first(item, "submittedBy", "submittedOnDailyBy").get("fullname")),
        )
        return Sighting(source=self.name, kind=self.kind, seen_at=now, paper=paper, listing=listing)


def read_list(response: Response) -> list[object]:
    """Return the items of a list. Raises SourceError for any other shape, such as an error saved as an answer."""
    items = json_body(response)
    if isinstance(items, list):
        return items
    reason = text(items.get("error")) if isinstance(items, dict) else ""
    raise SourceError(f"{response.place}: answered no list of papers" + (f" but: {reason}" if reason else ""))


def read_paper(item: object) -> Paper | None:
    """Return the paper in one *item* of a list, or None if it lacks an id or a title."""
    paper = item.get("paper") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(paper, dict):
        return None
    identity = arxiv_key(text(paper.get("id")))
    title = text(paper.get("title")) or text(item.get("title"))
    if not identity or not title:
        return None
    arxiv_id, version = identity
    organisation = _first(item, "organization")
    return Paper(
        title=title,
        arxiv_id=arxiv_id,
        version=version,
        abstract=text(paper.get("summary")),
        summary=text(paper.get("ai_summary")),
        authors=_authors(paper.get("authors")),
        organisation=text(organisation.get("fullname")) or text(organisation.get("name")),
        keywords=texts(paper.get("ai_keywords")),
        published=instant(paper.get("publishedAt")),
        link=f"https://arxiv.org/abs/{arxiv_id}",
        pdf=f"https://arxiv.org/pdf/{arxiv_id}",
        discussion=f"{_PEOPLE}/{arxiv_id}",
        project=link(paper.get("projectPage")),
        code=link(paper.get("githubRepo")),
        code_stars=number(paper.get("githubStars")),
        thumbnail=link(item.get("thumbnail")) or link(paper.get("thumbnail")),
        withdrawn=bool(paper.get("withdrawnAt")),
    )


def _authors(authors: object) -> tuple[str, ...]:
    shown = [a for a in authors if isinstance(a, dict) and not a.get("hidden")] if isinstance(authors, list) else []
    return texts([author.get("name") for author in shown])


def _first(item: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the first object found under *names*, on the item or on its paper."""
    places = [holder.get(name) for name in names for holder in (item, item["paper"])]
    return next((place for place in places if isinstance(place, dict)), {})
