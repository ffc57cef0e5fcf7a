"""Feeds that readers' programs subscribe to: Atom (RFC 4287) and JSON Feed 1.1, of the same entries.

lxml, which reads other people's feeds here, writes ours: the library for writing them (feedgen) needs it too, knows no
JSON Feed, and would be longer to call than this is. Not here: what is in a feed (``web/feeds.py``).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from newsletter.domain.text import plain

ATOM_TYPE, JSON_TYPE = "application/atom+xml", "application/feed+json"
_ATOM = "http://www.w3.org/2005/Atom"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_GRAVE_DAY = datetime(1970, 1, 1, tzinfo=UTC)  # when a feed without entries changed last


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. ``url`` is a whole link and its id for good; ``html`` is ours, safe as it is; texts are plain."""

    title: str
    url: str
    updated: datetime
    html: str
    summary: str = ""
    published: datetime | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed, newest entry first. ``page`` is the page for people that shows the same; links are whole."""

    title: str
    page: str
    atom: str
    json: str
    author: str
    language: str
    entries: Sequence[Entry]
    subtitle: str = ""
    next_atom: str = ""
    next_json: str = ""

    @property
    def updated(self) -> datetime:
        """Return when the newest of its entries changed."""
        return max((entry.updated for entry in self.entries), default=_GRAVE_DAY)


def atom(feed: Feed) -> bytes:
    """Return *feed* as an Atom document."""
    root = etree.Element(f"{{{_ATOM}}}feed", {_LANG: feed.language}, nsmap={None: _ATOM})  # type: ignore[dict-item]
    _put(root, "id", feed.atom)
    _put(root, "title", plain(feed.title))
    _put(root, "subtitle", plain(feed.subtitle))
    _put(root, "updated", _instant(feed.updated))
    _put(_put(root, "author"), "name", plain(feed.author))
    _put(root, "link", rel="self", type=ATOM_TYPE, href=feed.atom)
    _put(root, "link", rel="alternate", type="text/html", href=feed.page)
    if feed.next_atom:
        _put(root, "link", rel="next", type=ATOM_TYPE, href=feed.next_atom)
    for entry in feed.entries:
        _put_entry(_put(root, "entry"), entry)
    return etree.tostring(root, encoding="utf-8", xml_declaration=True)


def _put_entry(parent: etree._Element, entry: Entry) -> None:
    _put(parent, "id", entry.url)
    _put(parent, "title", plain(entry.title))
    _put(parent, "updated", _instant(entry.updated))
    if entry.published:
        _put(parent, "published", _instant(entry.published))
    _put(parent, "link", rel="alternate", type="text/html", href=entry.url)
    for name in entry.authors:
        _put(_put(parent, "author"), "name", plain(name))
    for tag in entry.tags:
        _put(parent, "category", term=plain(tag))
    _put(parent, "summary", plain(entry.summary))
    _put(parent, "content", entry.html, type="html")


def _put(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{_ATOM}}}{name}", attributes)
    made.text = text or None
    return made


def json_feed(feed: Feed) -> bytes:
    """Return *feed* as a JSON Feed."""
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": plain(feed.title),
        "description": plain(feed.subtitle),
        "home_page_url": feed.page,
        "feed_url": feed.json,
        "next_url": feed.next_json,
        "language": feed.language,
        "authors": [{"name": plain(feed.author)}],
        "items": [_item(entry) for entry in feed.entries],
    }
    return json.dumps({n: v for n, v in document.items() if v != ""}, ensure_ascii=False).encode()


def _item(entry: Entry) -> dict[str, Any]:
    said = {
        "id": entry.url,
        "url": entry.url,
        "title": plain(entry.title),
        "summary": plain(entry.summary),
        "content_html": entry.html,
        "date_published": _instant(entry.published or entry.updated),
        "date_modified": _instant(entry.updated),
        "authors": [{"name": plain(name)} for name in entry.authors],
        "tags": [plain(tag) for tag in entry.tags],
    }
    return {name: value for name, value in said.items() if value or name == "content_html"}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# By the ending of their addresses: what writes a feed, and its media type.
FORMATS = {"atom": (atom, ATOM_TYPE), "json": (json_feed, JSON_TYPE)}
