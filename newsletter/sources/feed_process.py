"""feedparser's reading of a feed; a large one is read in a process of its own, with little time and memory.

Some feeds of a megabyte, none of them likely by accident, would keep feedparser busy for hours.
Not here: what may be given to it, and what its entries mean (``feeds.py``).
"""

import io
import json
import resource
import subprocess
import sys
from typing import Any

import feedparser

_SMALL = 100_000  # bytes; the worst of this size takes less than a second
_TIME = 12  # seconds
_MEMORY = 500 * 2**20  # bytes of address space, a tenth of it for Python itself
_PROGRAM = f"import json, sys; sys.path = json.loads(sys.argv[1]); import {__name__} as it; it.main()"
_ENTRY_KEYS = (
    *("id", "link", "links", "title", "summary", "content", "published_parsed", "updated_parsed", "authors", "creator"),
    *("tags", "media_thumbnail", "arxiv_announce_type", "announce_type", "arxiv_doi", "arxiv_journal_reference"),
    *("prism_doi", "dc_identifier"),
)


def parse(document: bytes, url: str) -> dict[str, Any]:
    """Return the ``version`` (empty: no feed), ``cut`` (not well-formed) and ``entries`` of a feed in UTF-8 from *url*.

    Raises ValueError where it cannot be read, or not within the limits.
    """
    if len(document) <= _SMALL:
        return _read(document, url)
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path)]
    given = url.encode() + b"\n" + document  # not as an argument, which everybody on the machine may read
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=_TIME, check=True)  # noqa: S603
    except subprocess.SubprocessError as error:
        raise ValueError("it takes more time or memory than a feed should") from error
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _read(document: bytes, url: str) -> dict[str, Any]:
    headers = {"content-type": "application/xml; charset=utf-8", "content-location": url}
    try:
        # A stream, because feedparser would open or fetch what a string names.
        feed = feedparser.parse(
            io.BytesIO(document), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # its lenient parser lets out whatever a hostile feed makes it meet
        raise ValueError(f"its reading fails with {type(error).__name__}") from error
    # By "in", since get() takes one date for the other.
    entries = [{key: entry[key] for key in _ENTRY_KEYS if key in entry} for entry in feed.entries]
    return {"version": feed.get("version", ""), "cut": bool(feed.bozo), "entries": entries}


def main() -> None:
    """Read a URL and the feed that came from it on standard input, and write what it holds as JSON."""
    resource.setrlimit(resource.RLIMIT_CPU, (_TIME, _TIME))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    url = sys.stdin.buffer.readline().rstrip(b"\n").decode()
    json.dump(_read(sys.stdin.buffer.read(), url), sys.stdout)
