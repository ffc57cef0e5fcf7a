"""A paper, its keys, what a source says of it on a day, and merging one paper seen twice.

Not here: how a payload is read (``sources``) and how papers are kept (``storage``).
"""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

# The class in an old id (math.GT/0309136) is no part of its name: the archive itself answers to math/0309136.
_ARXIV = re.compile(
    r"(?i:oai:arxiv\.org:|arxiv:\s*)?(?:(\d{4}\.\d{4,5})|([a-z-]+)(?:\.[A-Z]{2})?(/\d{7}))(?:v(\d+))?", re.ASCII
)
_ARXIV_LINK = re.compile(
    r"(?:[\w.-]+\.)?(?:arxiv\.org/(?:abs|pdf|html)|(?:huggingface|hf)\.co/papers|alphaxiv\.org/abs)"
    r"/(.+?)(?:\.pdf)?/?",
    re.IGNORECASE,
)
_DOI = re.compile(r"10\.\d{4,9}/\S+", re.ASCII)
_TRACKING = re.compile(r"utm_|fbclid$|gclid$|ref$|mc_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What is known of one paper: one source's words, or several merged.

    Texts are on one line and plain (``text.plain``), links are http(s), instants are UTC. Authors stand in
    order, hidden ones left out. ``id`` is 0 until the paper is stored. ``summary`` is the upstream's own
    short one; ``machine_summary`` is no source's word: a language model of ours made it.
    """

    title: str
    id: int = 0
    arxiv_id: str = ""  # without the version
    doi: str = ""  # lower case
    version: int = 0  # 0: the source does not say
    abstract: str = ""
    summary: str = ""
    authors: tuple[str, ...] = ()
    organisation: str = ""
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    published: datetime | None = None
    updated: datetime | None = None
    link: str = ""  # the abstract page
    pdf: str = ""
    discussion: str = ""
    project: str = ""
    code: str = ""
    code_stars: int | None = None
    thumbnail: str = ""
    comment: str = ""
    journal_reference: str = ""
    withdrawn: bool = False
    machine_summary: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what identifies the paper: arXiv id, DOI, canonical link; the first is its name for people."""
        found = [self.arxiv_id, doi_key(self.doi), link_key(self.link)]
        return tuple(dict.fromkeys(key for key in found if key))

    @property
    def key(self) -> str:
        """Return the paper's first key. Raises IndexError for a paper without any: sources never make one."""
        return self.keys[0]


OURS = frozenset({"id", "machine_summary"})  # the fields of a paper that no source says


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One source's view of a paper on one day. ``upvotes`` and ``comments`` are None where there are no votes.

    ``first_seen`` is true where the source keeps no list for a day, so that the day is when we first saw the paper:
    a paper that this source has listed before is not listed again.
    """

    source: str
    day: date
    upvotes: int | None = None
    comments: int | None = None
    position: int = 0  # from 1, in the source's own order
    submitter: str = ""
    first_seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A paper as a source told it at ``seen_at``. ``listing`` is None where it is not news: a replacement, a lookup."""

    source: str
    kind: str
    seen_at: datetime
    paper: Paper
    listing: Listing | None = None


def arxiv_key(text: str) -> tuple[str, int] | None:
    """Return the arXiv id in *text* and its version (0 when it names none), or None if it is not one."""
    found = _ARXIV.fullmatch(text.strip())
    return (found[1] or found[2] + found[3], int(found[4] or 0)) if found else None


def doi_key(text: str) -> str:
    """Return the key of a DOI, bare or as a link; an arXiv DOI gives the arXiv id, anything else ''."""
    bare = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:)", "", text.strip(), flags=re.IGNORECASE).lower()
    if not _DOI.fullmatch(bare):
        return ""
    arxiv = arxiv_key(bare.removeprefix("10.48550/arxiv."))
    return arxiv[0] if arxiv and bare.startswith("10.48550/arxiv.") else bare


def link_key(link: str) -> str:
    """Return the canonical form of *link*, or the arXiv id or DOI that it points at; '' if it is no web link."""
    try:
        url = urlsplit(link.strip())
        host = (url.hostname or "") + (f":{url.port}" if url.port not in {None, 80, 443} else "")
        # Blank values and fragments stay: a page may tell its articles apart by nothing else.
        query = urlencode([(k, v) for k, v in parse_qsl(url.query, keep_blank_values=True) if not _TRACKING.match(k)])
    except ValueError:
        return ""
    host = host.removeprefix("www.")
    if url.scheme not in {"http", "https"} or not host:
        return ""
    if (found := _ARXIV_LINK.fullmatch(host + url.path)) and (arxiv := arxiv_key(found[1])):
        return arxiv[0]
    if doi := doi_key(link):
        return doi
    canonical = f"https://{host}{url.path.rstrip('/')}"
    canonical += (f"?{query}" if query else "") + (f"#{url.fragment}" if url.fragment else "")
    return canonical if canonical == link else link_key(canonical)  # until there is nothing left to take away


def key_of(text: str) -> str:
    """Return the key that a person's *text* (id, DOI or link) names, or '' when it names none."""
    arxiv = arxiv_key(text)
    return arxiv[0] if arxiv else doi_key(text) or link_key(text)


# Who is believed first. The archives know a paper's own facts; the community's list knows what surrounds it.
_ARCHIVES_FIRST = ("arxiv", "biorxiv", "huggingface", "feed", "file")
_COMMUNITY_FIRST = ("huggingface", "file", "feed", "biorxiv", "arxiv")
_SURROUNDINGS = {"summary", "organisation", "keywords", "discussion", "project", "code", "code_stars", "thumbnail"}
_NEVER = datetime.min.replace(tzinfo=UTC)


def merge(sightings: Iterable[Sighting]) -> Paper:
    """Return the one paper that *sightings* speak of, each field from the best source, then the newest version.

    The order and repetition of *sightings* do not matter. Withdrawn is what any source's newest word says.
    """
    ordered = sorted(sightings, key=freshness)
    newest = {s.source: s for s in ordered}
    merged: dict[str, Any] = {name: _best(ordered, name, unknown) for name, unknown in _MERGED.items()}
    return Paper(**merged, withdrawn=any(s.paper.withdrawn for s in newest.values()))


# What a field says when the source does not. A paper without stars has 0, which is something that is known.
_MERGED: dict[str, Any] = {
    f.name: "" if f.default is MISSING else f.default for f in fields(Paper) if f.name not in OURS | {"withdrawn"}
}


def _best(sightings: list[Sighting], name: str, unknown: object) -> object:
    """Return the field *name* as the best source tells it, of *sightings* from the stalest to the freshest."""
    precedence = _COMMUNITY_FIRST if name in _SURROUNDINGS else _ARCHIVES_FIRST
    said = [(s.kind, getattr(s.paper, name)) for s in reversed(sightings)]
    known = [(kind, value) for kind, value in said if value != unknown]
    return min(known, key=lambda one: _place(one[0], precedence))[1] if known else unknown


def _place(kind: str, precedence: tuple[str, ...]) -> int:
    return precedence.index(kind) if kind in precedence else len(precedence)


def freshness(sighting: Sighting) -> tuple[int, datetime, datetime, str, str]:
    """Return what tells a newer sighting from an older one: version, update, when it was seen, then what it says.

    No two different sightings are equally fresh, so that whichever comes first, the same one is kept.
    """
    paper = sighting.paper
    return (paper.version, paper.updated or _NEVER, sighting.seen_at, sighting.source, repr(paper))
