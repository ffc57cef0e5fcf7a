"""Answering who asks for what they have already: with 304 and without the content (RFC 9110 section 13)."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import Response


def unchanged(request: Request, headers: Mapping[str, str], updated: datetime | None = None) -> Response | None:
    """Return a 304 with *headers* to who has what they tag, or what was *updated* last; None to anybody else.

    A tag, where who asks has one, says it better than an instant does.
    """
    tags = request.headers.get("if-none-match", "")
    if tags:
        has = headers["ETag"] in {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    else:
        has = updated is not None and _is_since(request.headers.get("if-modified-since", ""), updated)
    return Response(status_code=304, headers=headers) if has else None


def _is_since(said: str, updated: datetime) -> bool:
    try:
        return updated.replace(microsecond=0) <= parsedate_to_datetime(said)
    except (ValueError, TypeError):
        return False
