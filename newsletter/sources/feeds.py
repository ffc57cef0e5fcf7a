"""Any RSS or Atom feed, arXiv's own included.

A feed keeps no list of a day: an entry is listed when it is first seen. arXiv's feeds also tell of replacements,
which are not news.
"""

import asyncio
import calendar
import codecs
import html
import re
from datetime import UTC, datetime
from typing import Any

import nh3

from newsletter.domain.paper import Listing, Paper, Sighting, arxiv_key, link_key
from newsletter.errors import SourceError
from newsletter.sources import feed_process
from newsletter.sources.base import Ask, Fetched
from newsletter.sources.client import Client
from newsletter.sources.response import Response
from newsletter.sources.values import doi, link, text

_ACCEPT = "application/atom+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1"
_ANNOUNCEMENT = re.compile(r"arXiv:\S+\s+Announce Type:\s*[\w-]+\s+(?:Abstract:\s*)?")

# All that may stand before the first element. An internal subset, where entities are declared, is not among it.
_HEAD = re.compile(
    r"\ufeff?(?:\s|(?><\?.*?\?>)|(?><!--.*?-->))*+"
    r"(?:<!DOCTYPE(?:[^\[\]<>\"']|\"[^\"\[]*\"|'[^'\[]*')*+>(?:\s|(?><\?.*?\?>)|(?><!--.*?-->))*+)?"
    r"(?=<[A-Za-z_])",
    re.DOTALL | re.IGNORECASE,
)
_DECLARATION = re.compile(r"\A\s*<\?xml\s.*?\?>", re.DOTALL)
_DECLARED_ENCODING = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([\w.-]+)["']""")
_CHARSET = re.compile(r"""charset\s*=\s*"?([\w.-]+)""", re.IGNORECASE)
_ENCODINGS = re.compile(
    r"utf-?8|iso-8859-\d+|latin-?1|us-ascii|windows-\d+|koi8-\w|gb\w+|big5|euc-\w+|shift_jis", re.IGNORECASE
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)

# Mathematics such as "x<y and y>z" is no tag, so only names that HTML knows count as such.
_MARKUP = re.compile(
    rf"</?(?:{'|'.join(nh3.ALLOWED_TAGS)}|script|style|font|iframe|svg|p)[\s>/]|&#?\w+;", re.IGNORECASE
)
_BLOCK = re.compile(r"<(?=/?(?:p|br|div|li|ul|ol|h[1-6]|tr|td|th|table|blockquote|pre|hr)\b)", re.IGNORECASE)


class Feed:
    """The feed at *url*."""

    kind = "feed"

    def __init__(self, *, url: str, name: str = kind):
        self.name = name
        self._url = url

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return the entries that are not older than what is asked for; none if the feed has not changed."""
        validator = None if ask.dated else ask.validators.get(self._url)
        response = await client.get(self._url, validator=validator, accept=_ACCEPT)
        if response.status == 304:
            return Fetched(sightings=[])
        # A feed of two thousand entries takes most of a second to read, in which nobody should wait.
        entries = await asyncio.to_thread(read_entries, response)
        sightings = [self._sighting(entry, paper, ask, n) for n, (entry, paper) in enumerate(entries, 1)]
        # What a dated ask left out must not count as known when the next one finds the feed unchanged.
        validators = {} if ask.dated else {self._url: response.validator}
        return Fetched(sightings=[s for s in sightings if s], validators=validators)

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return None: a feed cannot be asked for one paper."""
        return None

    def _sighting(self, entry: dict[str, Any], paper: Paper, ask: Ask, position: int) -> Sighting | None:
        said = paper.published or paper.updated
        day = ask.day_of(said)
        if day is None or (said and said.date() < ask.since):
            return None
        listing = Listing(source=self.name, day=day, position=position, first_seen=True)
        return Sighting(
            source=self.name,
            kind=self.kind,
            seen_at=ask.now,
            paper=paper,
            listing=None if _is_replacement(entry) else listing,
        )


def read_entries(response: Response) -> list[tuple[dict[str, Any], Paper]]:
    """Return the entries of a feed, each with its paper. Raises SourceError where there is no feed.

    Entries without a title or a link are left out.
    """
    try:
        feed = feed_process.parse(_document(response), response.url)
    except ValueError as error:
        raise SourceError(f"{response.place}: answered a feed that cannot be read: {error}") from error
    if not feed["version"] or (feed["cut"] and not feed["entries"]):
        raise SourceError(f"{response.place}: answered what is not an RSS or Atom feed; check this source's url")
    papers = ((entry, _paper(entry, response.url)) for entry in feed["entries"])
    return [(entry, paper) for entry, paper in papers if paper]


def _document(response: Response) -> bytes:
    """Return the XML in UTF-8. Raises SourceError where it declares entities, or is no XML."""
    document = _decoded(response)
    head = _HEAD.match(document)
    if not head or "<!ENTITY" in head[0].upper():
        raise SourceError(
            f"{response.place}: answered what is not a feed, or XML that declares entities, which is refused;"
            " check this source's url"
        )
    return _DECLARATION.sub("", document.removeprefix("\ufeff"), count=1).encode("utf-8", "replace")


def _decoded(response: Response) -> str:
    """Return the body as text, in the encoding that its first bytes, the header or its declaration name.

    Decoded once and here, so that what is checked for entities is what is parsed.
    """
    encoding = next((name for mark, name in _BOMS if response.body.startswith(mark)), "")
    if not encoding:
        charset = _CHARSET.search(response.headers.get("content-type", ""))
        declared = _DECLARED_ENCODING.match(response.body)
        named = charset[1] if charset else declared[1].decode("ascii", "replace") if declared else ""
        encoding = named if _ENCODINGS.fullmatch(named) else "utf-8"
    try:
        return response.body.decode(encoding, "replace")
    except LookupError:
        return response.body.decode("utf-8", "replace")


def _paper(entry: dict[str, Any], base: str) -> Paper | None:
    arxiv = arxiv_key(text(entry.get("id")))
    address = link(entry.get("link"), base) or (f"https://arxiv.org/abs/{arxiv[0]}" if arxiv else "")
    arxiv = arxiv or arxiv_key(link_key(address))
    title = text(entry.get("title")) if arxiv else _from_html(entry.get("title"))
    if not title or not address:
        return None
    arxiv_id, version = arxiv or ("", 0)
    body = entry.get("summary") or next((part.get("value") for part in entry.get("content", ())), "")
    published, updated = _instant(entry.get("published_parsed")), _instant(entry.get("updated_parsed"))
    if arxiv:  # its feeds date the announcement, and the feed itself
        published, updated = (None, published) if _is_replacement(entry) else (published, None)
    return Paper(
        title=title,
        arxiv_id=arxiv_id,
        version=version,
        doi=_doi(entry),
        abstract=text(_ANNOUNCEMENT.sub("", text(body), count=1)) if arxiv else _from_html(body),
        authors=_authors(entry, bool(arxiv)),
        categories=tuple(dict.fromkeys(filter(None, (text(tag.get("term")) for tag in entry.get("tags", ()))))),
        published=published,
        updated=updated,
        link=address,
        pdf=f"https://arxiv.org/pdf/{arxiv_id}" if arxiv else _enclosed_pdf(entry, base),
        thumbnail=link(next((image.get("url") for image in entry.get("media_thumbnail", ())), ""), base),
        journal_reference=text(entry.get("arxiv_journal_reference")),
    )


def _is_replacement(entry: dict[str, Any]) -> bool:
    kind = entry.get("arxiv_announce_type") or entry.get("announce_type") or ""
    return str(kind).startswith("replace")


def _doi(entry: dict[str, Any]) -> str:
    names = ("arxiv_doi", "prism_doi", "dc_identifier", "id")
    return next(filter(None, (doi(entry.get(name)) for name in names)), "")


def _authors(entry: dict[str, Any], together: bool) -> tuple[str, ...]:
    """Return the names of the authors; arXiv puts them all *together* into one."""
    names = [author.get("name", "") for author in entry.get("authors", ())] or [entry.get("creator", "")]
    if together:
        names = [part for name in names for part in name.split(", ")]
    return tuple(filter(None, map(_from_html, names)))


def _enclosed_pdf(entry: dict[str, Any], base: str) -> str:
    found = (one.get("href") for one in entry.get("links", ()) if one.get("type") == "application/pdf")
    return link(next(found, ""), base)


def _instant(parsed: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(parsed), UTC) if parsed else None
    except (ValueError, OverflowError, OSError):
        return None


def _from_html(value: object) -> str:
    """Return what a reader of the HTML *value* sees, as plain text."""
    if not isinstance(value, str) or not _MARKUP.search(value):
        return text(value)
    return text(html.unescape(nh3.clean(_BLOCK.sub(" <", value), tags=set())))
