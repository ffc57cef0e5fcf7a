"""Foreign values made ours: each function takes whatever an upstream sent and returns something safe, or nothing.

Not here: which value of a payload means what (each source).
"""

import json
from datetime import UTC, datetime

import httpx2

from newsletter.domain.paper import doi_key
from newsletter.domain.text import plain
from newsletter.errors import SourceError
from newsletter.sources.response import Response

LONGEST = 20_000  # characters of one text; the longest abstracts have some five thousand
_LONGEST_LINK = 2_000
_LARGEST = 2**31 - 1  # what every database keeps as an integer


def text(value: object) -> str:
    """Return *value* as plain text on one line, or '' if it is no text."""
    return plain(value[:LONGEST]) if isinstance(value, str) else ""


def texts(value: object) -> tuple[str, ...]:
    """Return the plain texts in the list *value*, empty ones left out."""
    found = (text(item) for item in value) if isinstance(value, list) else ()
    return tuple(item for item in found if item)


def number(value: object) -> int | None:
    """Return *value*, a number or its digits, as a count; None if it is none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _LARGEST else None


def link(value: object, base: str = "") -> str:
    """Return the absolute http or https link *value*, one relative to *base* joined; '' if it is none.

    A link with a user name is none: it shows one host and leads to another.
    """
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_LINK:
        return ""
    try:
        url = httpx2.URL(base).join(value.strip()) if base else httpx2.URL(value.strip())
    except (httpx2.InvalidURL, ValueError):
        return ""
    return str(url) if url.scheme in {"http", "https"} and url.host and not url.userinfo else ""


def doi(value: object) -> str:
    """Return the DOI *value* in lower case, without a resolver; '' if it is none, or one that arXiv gave."""
    key = doi_key(value) if isinstance(value, str) else ""
    return key if key.startswith("10.") and key.isprintable() else ""


def instant(value: object) -> datetime | None:
    """Return the ISO 8601 date or date and time *value* in UTC (which it is in when it names no zone), or None."""
    try:
        found = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
        return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC) if found else None
    except (ValueError, OverflowError):
        return None


def json_body(response: Response) -> object:
    """Return the JSON that *response* carries. Raises SourceError if it is none."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise SourceError(
            f"{response.place}: answered what is not JSON; the next run asks again, and if it stays so, check the URL"
        ) from None
