"""Papers, issues and search as JSON, for programs: everything that the public pages show, read only.

Any site may read it (CORS), since it is the same for everybody and knows no reader. What is wrong is one JSON object
with ``error``. ``/api/openapi.json`` describes it, and docs/api.md shows it.
"""

import json
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.paper import Paper
from newsletter.domain.ranking import Candidate
from newsletter.errors import NotFoundError, UsageError
from newsletter.services import archive
from newsletter.storage import papers, search
from newsletter.web.openapi import openapi
from newsletter.web.search import asked_for, look_for
from newsletter.web.turnstile import retry_after

_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "public, max-age=300",
}
_ISSUES = 50  # in one answer
_NOTHING = "there is nothing here; /api/openapi.json describes what there is"
_SAID = {
    404: _NOTHING,
    405: "this cannot be done here; papers are only read",
    413: "that is too much; send less",
    429: "that was too often; Retry-After says when to come back",
    500: "something went wrong here; try again in a while",
}
_OTHER = "that cannot be answered; /api/openapi.json describes what can be asked"
_Find = Callable[[App, Request], Any]


def api_routes(app: App) -> list[Route]:
    """Return the routes of the API of *app*."""
    return [
        Route("/api/openapi.json", _answering(app, _openapi)),
        Route("/api/papers", _answering(app, _search)),
        Route("/api/papers/{key:path}", _answering(app, _paper)),
        Route("/api/issues", _answering(app, _issues)),
        Route("/api/issues/{day}", _answering(app, _issue)),
        Route("/api/{rest:path}", _answering(app, _nothing)),
    ]


def concerns(request: Request) -> bool:
    """Return whether a request is about the API."""
    return request.url.path.split("/")[1:2] == ["api"]


def refusal(status: int) -> Response:
    """Return what is answered where no route does: there is none, it is too much, or the fault is ours."""
    answer = _json({"error": _SAID.get(status, _OTHER)}, status)
    answer.headers["Cache-Control"] = "no-store"  # the next time it may be otherwise
    return answer


def too_often(wait: timedelta) -> Response:
    """Return what is answered to who asked too much, and may ask again after *wait*."""
    answer = refusal(429)
    answer.headers.update(retry_after(wait))
    return answer


def _answering(app: App, find: _Find) -> Callable[[Request], Response]:
    def answer(request: Request) -> Response:
        try:
            return _json(find(app, request))
        except NotFoundError as error:
            return _json({"error": str(error)}, 404)
        except UsageError as error:
            return _json({"error": str(error)}, 422)

    return answer


def _json(document: Any, status: int = 200) -> Response:
    content = json.dumps(document, ensure_ascii=False, default=_written)
    return Response(content, status, _HEADERS, "application/json")


def _written(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _search(app: App, request: Request) -> Any:
    asked = asked_for(request)
    found = look_for(app, asked)
    return {
        "query": asked.wanted.text,
        "sort": asked.sort,
        "page": asked.page,
        "total": min(found.total, search.COUNTED),
        "total_is_exact": found.total <= search.COUNTED,
        "next": f"/api/papers?{asked.query}&page={asked.page + 1}" if found.more else None,
        "papers": [_listed(candidate) for candidate in found.papers],
    }


def _paper(app: App, request: Request) -> Any:
    named: str = request.path_params["key"]
    with app.database.read() as session:
        paper = papers.find(session, named)
        if paper is None:
            raise NotFoundError(f"no paper is called {named!r}")
        listings = papers.days_listed(session, paper.id)
    said = [{"source": n.source, "day": n.day, "upvotes": n.upvotes, "comments": n.comments} for n in listings]
    return _short(paper) | {"abstract": paper.abstract, "summary": paper.summary, "listings": said}


def _issues(app: App, request: Request) -> Any:
    before = request.query_params.get("before")
    found = archive.entries(app.database, limit=_ISSUES, before=_before(before) if before is not None else None)
    return {"issues": [{"date": one.date, "headline": one.headline, "papers": one.papers} for one in found]}


def _issue(app: App, request: Request) -> Any:
    shown = archive.issue(app.database, app.policy, _day(request.path_params["day"]))
    return {
        "date": shown.issue.date,
        "subject": shown.issue.subject,
        "note": shown.issue.note,
        "corrections": [{"made_at": one.made_at, "text": one.text} for one in shown.corrections],
        "papers": [_listed(one) | {"note": shown.hand.notes.get(one.paper.id, "")} for one in shown.arranged.front],
    }


def _nothing(_app: App, _request: Request) -> Any:
    raise NotFoundError(_NOTHING)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise NotFoundError(f"{text!r} is no date; use one like 2026-07-10") from error


def _before(text: str) -> date:
    try:
        return _day(text)
    except NotFoundError as error:
        raise UsageError(f"before {error}") from error


def _listed(candidate: Candidate) -> dict[str, Any]:
    return _short(candidate.paper) | {"upvotes": candidate.upvotes, "first_listed": candidate.first_listed}


def _short(paper: Paper) -> dict[str, Any]:
    return {
        "key": paper.key,
        "title": paper.title,
        "authors": paper.authors,
        "organisation": paper.organisation,
        "categories": paper.categories,
        "published": paper.published,
        "arxiv_id": paper.arxiv_id,
        "doi": paper.doi,
        "link": paper.link,
        "pdf": paper.pdf,
    }


def _openapi(app: App, _request: Request) -> Any:
    newsletter = app.settings.newsletter
    return openapi(newsletter.name, newsletter.base_url or "/")
