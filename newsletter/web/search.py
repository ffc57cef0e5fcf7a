"""Search over everything ever gathered. Not here: what a search may say (``domain/search``), and how it finds."""

from dataclasses import dataclass
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.search import Search, Sort, parse_search
from newsletter.errors import UsageError
from newsletter.services.ledger import Clock
from newsletter.storage import search
from newsletter.storage.search import Found
from newsletter.web.pages import Site
from newsletter.web.results import Results

PAGE = 20  # results


@dataclass(frozen=True, slots=True)
class Asked:
    """What is looked for: the page counts from 1."""

    wanted: Search
    sort: Sort
    page: int

    @property
    def query(self) -> str:
        """Return it as a part of an address, without the page."""
        sort = "" if self.sort is Sort.RELEVANCE else f"&sort={self.sort}"
        return f"q={quote(self.wanted.text)}{sort}"

    @property
    def part(self) -> dict[str, int]:
        """Return which of the results are on the page."""
        return {"limit": PAGE, "offset": PAGE * (self.page - 1)}


def asked_for(request: Request, *, in_any_order: bool = False) -> Asked:
    """Return what a request asks for. Raises UsageError for a page that there is none of.

    And for such an order, unless *in_any_order*: then it is the usual one.
    """
    sort, page = request.query_params.get("sort") or Sort.RELEVANCE, request.query_params.get("page", "1")
    if sort not in set(Sort):
        if not in_any_order:
            raise UsageError(f"sort {sort[:40]!r}: use one of {', '.join(Sort)}")
        sort = Sort.RELEVANCE
    last = search.FARTHEST // PAGE + 1
    if not page.isascii() or not page.isdigit() or not 1 <= int(page[:9]) <= last:
        raise UsageError(f"page {page[:40]!r}: use a number from 1 to {last}")
    return Asked(parse_search(request.query_params.get("q", "")), Sort(sort), int(page))


def look_for(app: App, asked: Asked) -> Found:
    """Return the results of one page."""
    with app.database.read() as session:
        return search.find(session, asked.wanted, asked.sort, **asked.part)


class SearchPages:
    """The page on which one searches."""

    def __init__(self, app: App, site: Site, clock: Clock) -> None:
        self._app, self._site, self._clock = app, site, clock
        self._zone = app.settings.newsletter.zone
        self._results = Results(keeps=app.settings.look.templates is None)

    def routes(self, below: str) -> list[Route]:
        """Return the page of one language, whose addresses begin with *below*."""
        return [Route(f"{below}/search", self.page)]

    def page(self, request: Request) -> Response:
        """Show the results, some at a time."""
        try:
            asked, pages = asked_for(request, in_any_order=True), self._site.asked(request)
        except UsageError as error:  # the addresses of such pages are ours, and there is none like this
            raise HTTPException(404) from error
        today = local_date(self._clock(), self._zone)
        with self._app.database.read() as session:
            found = search.find_places(session, asked.wanted, asked.sort, **asked.part)
            results = self._results.of(session, found.results, today, pages)
        return pages.public(
            "search.html",
            asked=asked,
            sorts=list(Sort),
            results=results,
            first=PAGE * (asked.page - 1) + 1,
            total=min(found.total, search.COUNTED),
            more_than=found.total > search.COUNTED,
            more=found.more,
        )
