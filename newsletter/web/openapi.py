"""What describes the API to programs (OpenAPI 3.1). Not here: what it answers (``api``); a test compares the two."""

from collections.abc import Mapping
from typing import Any

from newsletter import __version__
from newsletter.domain.search import Sort


def openapi(name: str, url: str) -> dict[str, Any]:
    """Return the description of the API of the newsletter *name*, whose pages are at *url*."""
    query = {"name": "q", "in": "query", "description": "as on the page", "schema": {"type": "string"}}
    sort = {"name": "sort", "in": "query", "schema": {"type": "string", "enum": list(Sort), "default": "relevance"}}
    page = {"name": "page", "in": "query", "schema": {"type": "integer", "minimum": 1, "default": 1}}
    before = {"name": "before", "in": "query", "schema": {"type": "string", "format": "date"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": name, "version": __version__, "description": "Papers, issues and search, read only."},
        "servers": [{"url": url}],
        "paths": {
            "/api/papers": _described("Search papers; without q none are found", "Found", query, sort, page),
            "/api/papers/{key}": _described("One paper, with when it was listed", "Paper", _in_path("key")),
            "/api/issues": _described("The newest issues, or those before a date", "Issues", before),
            "/api/issues/{day}": _described("One issue with its papers", "Issue", _in_path("day", format="date")),
        },
        "components": {"schemas": _SCHEMAS},
    }


def _in_path(name: str, **schema: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **schema}}


def _described(summary: str, schema: str, *parameters: Mapping[str, Any]) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    asks = any(parameter["in"] == "query" for parameter in parameters)
    status, why = ("422", "a parameter is none that there is") if asks else ("404", "there is no such thing")
    answers = {
        "200": {"description": "found", "content": content(schema)},
        status: {"description": why, "content": content("Error")},
        "429": {
            "description": "too many requests of one network; Retry-After says when to come back",
            "content": content("Error"),
        },
    }
    return {"get": {"summary": summary, "parameters": list(parameters), "responses": answers}}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


_TEXT, _NUMBER, _DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}
_INSTANT, _TEXTS = {"type": ["string", "null"], "format": "date-time"}, {"type": "array", "items": {"type": "string"}}
_SHORT = {
    **dict.fromkeys(("key", "title", "organisation", "arxiv_id", "doi", "link", "pdf"), _TEXT),
    "authors": _TEXTS,
    "categories": _TEXTS,
    "published": _INSTANT,
}
_VOTES = {"type": ["integer", "null"]}
_LISTED = _object(**_SHORT, upvotes=_VOTES, first_listed=_DAY)
_LISTING = _object(source=_TEXT, day=_DAY, upvotes=_VOTES, comments=_VOTES)


def _list(of: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


_SCHEMAS = {
    "Error": _object(error=_TEXT),
    "Paper": _object(**_SHORT, abstract=_TEXT, summary=_TEXT, listings=_list(_LISTING)),
    "Found": _object(
        query=_TEXT,
        sort=_TEXT,
        page=_NUMBER,
        total=_NUMBER,
        total_is_exact={"type": "boolean"},
        next={"type": ["string", "null"]},
        papers=_list(_LISTED),
    ),
    "Issues": _object(issues=_list(_object(date=_DAY, headline=_TEXT, papers=_NUMBER))),
    "Issue": _object(
        date=_DAY,
        subject=_TEXT,
        note=_TEXT,
        corrections=_list(_object(made_at=_INSTANT, text=_TEXT)),
        papers=_list(_LISTED | {"properties": _LISTED["properties"] | {"note": _TEXT}}),
    ),
}
