"""The pages of papers: each one's own, those of a day, a week and a month, and what is talked about now."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.domain.ranking import Candidate
from newsletter.errors import NotFoundError
from newsletter.render import citations
from newsletter.render.card import card, whole
from newsletter.render.language import Language
from newsletter.services import browsing
from newsletter.services.browsing import PAGE, Known, Listed
from newsletter.services.ledger import Clock
from newsletter.web import dates
from newsletter.web.pages import FRESH, Pages, Site
from newsletter.web.shown import address, name_of, named_by, shown_card

_PAGE = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_AUTHORS = 200  # on a paper's page
_UNSAFE = re.compile(r"[^\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of list: what one of them is called in addresses and in its heading, by one of its days."""

    path: str
    name: Callable[[date], str]
    heading: Callable[[Language, date], str]


def _week(language: Language, day: date) -> str:
    year, week, _ = day.isocalendar()
    return language.gettext("Week %(week)s of %(year)s", week=week, year=year)


_DAY = _Kind("day", date.isoformat, lambda language, day: language.long_date(day))
_WEEK = _Kind("week", dates.week_name, _week)
_MONTH = _Kind("month", dates.month_name, lambda language, day: language.month(day))


class PaperPages:
    """The pages of everything that was listed."""

    def __init__(self, app: App, site: Site, clock: Clock) -> None:
        self._app, self._site, self._clock = app, site, clock

    def routes(self, below: str) -> list[Route]:
        """Return the pages of one language, whose addresses begin with *below*."""
        return [
            *(Route(f"{below}/{kind.path}", self._newest(kind)) for kind in (_DAY, _WEEK, _MONTH)),
            Route(f"{below}/day/{{day}}", self.day),
            Route(f"{below}/week/{{week}}", self.week),
            Route(f"{below}/month/{{month}}", self.month),
            Route(f"{below}/trending", self.trending),
            Route(f"{below}/papers/{{name:path}}", self.paper),
        ]

    def files(self, below: str) -> list[Route]:
        """Return what is downloaded, in each language alike; these addresses come before those of papers."""
        path = f"{below}/papers/{{name:path}}/cite"
        return [Route(f"{path}.{kind}", self._file(kind)) for kind in citations.FORMATS]

    def day(self, request: Request) -> Response:
        """List what was listed on a day, in the newsletter's order."""
        day, page = dates.day_of(request.path_params["day"]), _page(request)
        found = browsing.of_day(self._app.database, self._app.policy, day, page)
        return _dated(self._site.asked(request), _DAY, day, day, found, page)

    def week(self, request: Request) -> Response:
        """List what was listed in a week, the most upvoted first."""
        return self._most_upvoted(request, _WEEK, *dates.week_of(request.path_params["week"]))

    def month(self, request: Request) -> Response:
        """List what was listed in a month, the most upvoted first."""
        return self._most_upvoted(request, _MONTH, *dates.month_of(request.path_params["month"]))

    def _most_upvoted(self, request: Request, kind: _Kind, first: date, last: date) -> Response:
        page = _page(request)
        found = browsing.most_upvoted(self._app.database, first, last, page)
        return _dated(self._site.asked(request), kind, first, last, found, page)

    def trending(self, request: Request) -> Response:
        """List what an issue of today chooses from, in the newsletter's order."""
        page, pages = _page(request), self._site.asked(request)
        today = local_date(self._clock(), self._app.settings.newsletter.zone)
        found = browsing.trending(self._app.database, self._app.policy, today, page)
        gettext = pages.language.gettext
        about = gettext("What the newsletter chooses from today, in its order.")
        said = {"heading": gettext("Trending"), "about": about, "way": "trending"}
        return _list(pages, today, found, page, **said, before=None, after=None)

    def _newest(self, kind: _Kind) -> Callable[[Request], Response]:
        def newest(request: Request) -> Response:
            newest = browsing.newest_day(self._app.database)
            day = newest or local_date(self._clock(), self._app.settings.newsletter.zone)
            root = self._site.asked(request).root
            return RedirectResponse(f"{root}/{kind.path}/{kind.name(day)}", 302, headers={"Cache-Control": FRESH})

        return newest

    def paper(self, request: Request) -> Response:
        """Show one paper; each of its other names leads to its one address."""
        pages, known = self._site.asked(request), self._known(request)
        here = address(known.paper, pages)
        if request.path_params["name"] != name_of(known.paper):
            return RedirectResponse(here, 302, headers={"Cache-Control": FRESH})
        return pages.public("paper.html", here=here, **_said(known, pages.language))

    def _known(self, request: Request) -> Known:
        try:
            return browsing.paper(self._app.database, named_by(request.path_params["name"]))
        except NotFoundError as error:
            raise HTTPException(404) from error

    def _file(self, kind: str) -> Callable[[Request], Response]:
        write, media_type = citations.FORMATS[kind]

        def cited(request: Request) -> Response:
            paper = self._known(request).paper
            name = _UNSAFE.sub("-", name_of(paper))
            headers = {"Content-Disposition": f'attachment; filename="{name}.{kind}"', "Cache-Control": FRESH}
            return Response(write([paper]), media_type=media_type, headers=headers)

        return cited


def _page(request: Request) -> int:
    text = request.query_params.get("page", "1")
    if not _PAGE.fullmatch(text):
        raise HTTPException(404)
    return int(text)


def _dated(pages: Pages, kind: _Kind, first: date, last: date, found: Listed, page: int) -> Response:
    """Return the list of some days, with the links to those before and after it."""
    language = pages.language

    def step(day: date | None) -> dict[str, str] | None:
        return {"path": f"{kind.path}/{kind.name(day)}", "heading": kind.heading(language, day)} if day else None

    about = "" if first == last else f"{language.dated(first)} – {language.dated(last)}"
    said = {"heading": kind.heading(language, first), "about": about, "way": kind.path}
    return _list(pages, last, found, page, **said, before=step(found.before), after=step(found.after))


def _list(pages: Pages, day: date, found: Listed, page: int, **said: object) -> Response:
    if page > 1 and not found.papers:
        raise HTTPException(404)
    first = (page - 1) * PAGE + 1
    cards = [(rank, shown_card(one, "", day, pages)) for rank, one in enumerate(found.papers, first)]
    last = first + len(cards) - 1
    return pages.public("papers.html", cards=cards, count=found.count, page=page, more=last < found.count, **said)


def _said(known: Known, language: Language) -> dict[str, object]:
    """Return what the page of a paper says."""
    paper = known.paper
    votes = Candidate(paper=paper, listings=tuple(known.listings), first_listed=date.min)
    published = paper.published.date() if paper.published else date.min
    said = card(votes, "", published, language)
    return {
        "card": said,
        "authors": ", ".join(said.names[:_AUTHORS]),
        "more": max(0, len(said.names) - _AUTHORS),
        "published": language.dated(published) if paper.published else "",
        "abstract": whole(paper.abstract),
        "short": said.summary if paper.summary or paper.machine_summary else "",
        "remarks": [text for text in (whole(paper.journal_reference), whole(paper.comment)) if text],
        "withdrawn": paper.withdrawn,
        "listings": known.listings,
        "appearances": known.appearances,
        "bibtex": citations.bibtex([replace(paper, abstract="")]),
    }
