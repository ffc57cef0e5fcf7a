"""Feeds for everyone: of the issues, and of each search, topic and category. As Atom and as JSON Feed.

A reader's program asks again and again: what has not changed is answered with 304. The database numbers what can change
a feed (``editions``), so that nothing is made to find that out. The ids of entries are whole links, for good: without a
``base_url`` nobody knows them, least of all who asks, and there are no feeds. Not here: how feeds are written
(``render/feeds``), and the private one of saved papers (``saved``).
"""

import html
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.ranking import Candidate
from newsletter.domain.search import Search, Sort, parse_search
from newsletter.domain.text import plain
from newsletter.render.card import card
from newsletter.render.feeds import FORMATS, Entry, Feed
from newsletter.services import archive
from newsletter.storage import search
from newsletter.web.known import unchanged
from newsletter.web.pages import Pages, Site
from newsletter.web.shown import page_of

_NEWEST = 30  # entries
_FRESH = "public, max-age=300"
_Made = Callable[[Request, Pages], Feed]


class Feeds:
    """The feeds of one newsletter."""

    def __init__(self, app: App, site: Site) -> None:
        self._app, self._site = app, site

    def routes(self, below: str) -> list[Route]:
        """Return the feeds of one language, whose addresses begin with *below*: none without a ``base_url``."""
        if not self._app.settings.newsletter.base_url:
            return []
        made: dict[str, _Made] = {
            "issues": self._issues,
            "search": self._search,
            "topic/{said:path}": self._topic,
            "category/{said}": self._category,
        }
        return [
            Route(f"{below}/feeds/{name}.{kind}", self._answering(kind, make))
            for name, make in made.items()
            for kind in FORMATS
        ]

    def _answering(self, kind: str, make: _Made) -> Callable[[Request], Response]:
        write, media_type = FORMATS[kind]

        def feed(request: Request) -> Response:
            headers = {"Cache-Control": _FRESH, "ETag": self._tag(request)}
            if known := unchanged(request, headers):  # before anything is made
                return known
            made = make(request, self._site.asked(request))
            headers["Last-Modified"] = format_datetime(made.updated.astimezone(UTC), usegmt=True)
            known = unchanged(request, headers, made.updated)
            return known or Response(write(made), media_type=media_type, headers=headers)

        return feed

    def _tag(self, request: Request) -> str:
        """Return what is another one when the feed may be another one."""
        edition = search.edition(self._app.database)
        asked = sha256(f"{edition} {request.url.path}?{request.url.query}".encode()).hexdigest()
        return f'"{asked[:20]}"'

    def _issues(self, _request: Request, pages: Pages) -> Feed:
        entries = [self._issue(pages, one) for one in archive.entries(self._app.database, limit=_NEWEST)]
        return self._feed(pages, "", "issues", "", "archive", entries)

    def _issue(self, pages: Pages, issue: archive.Entry) -> Entry:
        shown = archive.issue(self._app.database, self._app.policy, issue.date)
        sealed = shown.issue.sealed_at or datetime.combine(issue.date, time(), UTC)
        cards = [card(one, "", issue.date, pages.language) for one in shown.arranged.front]
        items = "".join(f"<li>{_link(each.title, each.url)}<p>{html.escape(each.opening)}</p></li>" for each in cards)
        corrected = max((one.made_at for one in shown.corrections), default=sealed)
        return Entry(
            title=f"{pages.language.long_date(issue.date)}: {issue.headline}" if issue.headline else f"{issue.date}",
            url=self._url(pages, "archive", f"{issue.date}"),
            updated=max(sealed, corrected),
            published=sealed,
            html=f"<ol>{items}</ol>",
            summary=", ".join(each.short_title for each in cards),
        )

    def _search(self, request: Request, pages: Pages) -> Feed:
        wanted = parse_search(request.query_params.get("q", ""))
        return self._of_search(pages, wanted, "search", f"q={quote(wanted.text)}")

    def _topic(self, request: Request, pages: Pages) -> Feed:
        said: str = request.path_params["said"]
        return self._of_search(pages, parse_search(said), f"topic/{quote(said)}", "")

    def _category(self, request: Request, pages: Pages) -> Feed:
        said: str = request.path_params["said"]
        return self._of_search(pages, parse_search(f"cat:{said}"), f"category/{quote(said)}", "")

    def _of_search(self, pages: Pages, wanted: Search, name: str, query: str) -> Feed:
        with self._app.database.read() as session:
            found = search.find(session, wanted, Sort.DATE, limit=_NEWEST)
        entries = list(self._papers(pages, found.papers))
        return self._feed(pages, wanted.text, name, query, f"search?q={quote(wanted.text)}", entries)

    def _papers(self, pages: Pages, found: tuple[Candidate, ...]) -> Iterator[Entry]:
        for candidate in found:
            shown = card(candidate, "", candidate.first_listed, pages.language)
            day = datetime.combine(candidate.first_listed, time(), UTC)
            yield Entry(
                title=shown.title,
                url=self._url(pages, page_of(candidate.paper)),
                updated=candidate.paper.published or day,
                html=f"<p>{html.escape(shown.summary)}</p>" + "".join(_link(one.label, one.url) for one in shown.links),
                summary=shown.opening,
                authors=shown.names,
                tags=shown.categories,
            )

    def _feed(self, pages: Pages, what: str, name: str, query: str, page: str, entries: list[Entry]) -> Feed:
        own, ask = plain(self._app.settings.newsletter.name), f"?{query}" if query else ""
        return Feed(
            title=f"{own}: {what}" if what else own,
            page=self._url(pages, page),
            atom=self._url(pages, "feeds", f"{name}.atom{ask}"),
            json=self._url(pages, "feeds", f"{name}.json{ask}"),
            author=own,
            language=pages.language.tag,
            entries=entries,
        )

    def _url(self, pages: Pages, *parts: str) -> str:
        """Return a whole link."""
        return "/".join((pages.base_url, *parts))


def _link(label: str, url: str) -> str:
    return f'<a href="{html.escape(url)}">{html.escape(label)}</a> ' if url else f"{html.escape(label)} "
