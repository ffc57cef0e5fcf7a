"""An issue as digests: every paper and every frame rendered and encoded once, each reader's mail joined from them.

Not here: who gets what (``domain.digest``), cards and lines themselves (``cards``, ``lines``), and headers, MIME and
the encoding itself (``mail``). Papers must have been stored: they are known by their id.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache, partial
from itertools import chain, count
from operator import attrgetter

from markupsafe import escape

from newsletter.domain.digest import Digest
from newsletter.domain.issue import Correction
from newsletter.domain.pool import Why
from newsletter.domain.ranking import newest_day
from newsletter.domain.text import plain
from newsletter.errors import ConfigurationError
from newsletter.render import wording
from newsletter.render.cards import Cards
from newsletter.render.environment import Templates
from newsletter.render.foot import ANY_TOKEN, HTML, LINK_MARK, TEXT, Foot, Reader
from newsletter.render.groups import groups
from newsletter.render.lines import Also, Lines, Pieces
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Imprint, Typesetter
from newsletter.render.wrapping import shorten

__all__ = ["Encoded", "IssueRenderer", "Masthead", "Reader"]

_SUBJECT = 110  # characters: what wide inboxes show
_SHOWN = 200  # characters of a preheader: then no inbox goes on with what follows it in the mail
_BLANK, _FILLER = "&#847;&zwnj;&nbsp;", 70  # what goes there else, so often at most
_REST_HEAD = 700  # octets that the heading over the rest takes at most
_OWN = 899  # and what is each reader's own but for tokens, which comes in later
LARGEST = 90_000  # octets of HTML as sent: past 99 KB the largest mail service clips a message
_SURELY_FITS = LARGEST // 2  # octets without links' tokens: each has more around it than it has itself
_stored, _topic = map(attrgetter, ("stored", "topic"))
_first_listed = attrgetter("candidate.first_listed")  # date.max: when, is not known
_KINDS = ("digest", "alert", "quiet")  # mails with papers, each with templates of its own
_FRAME = ("title", "preheader", "corrections", "since", "counts", "cards", "also", "foot")
_MARKS = slots(*_FRAME)
_Frame = tuple[Slotted, Slotted]  # before the foot, and behind it
Around = tuple[list[bytes], list[bytes]]  # the pieces before the foot, and those behind it


@dataclass(frozen=True, slots=True, kw_only=True)
class Masthead(Imprint):
    """What the head of an issue says. ``subject`` is the editor's, or '' for the template's.

    ``note`` is the editor's; empty lines part its paragraphs. ``pool_size`` is the number of papers chosen from.
    """

    date: date
    pool_size: int
    note: str = ""
    subject: str = ""


@dataclass(slots=True, kw_only=True)  # not frozen: freezing takes time
class Encoded:
    """A digest, both parts encoded, in pieces to be joined."""

    subject: str
    html: list[bytes]
    text: list[bytes]


@dataclass(slots=True, kw_only=True)  # not frozen either
class Edition:
    """What all readers of a digest get alike: as much but for the foot, whose place is between."""

    subject: str
    parts: tuple[Around, Around]  # HTML, TEXT


class IssueRenderer:
    """Renders the digests of one issue. ``notes`` are the editor's, by paper id.

    ``encode`` encodes every text; the encodings of two texts, joined, must be one of the two texts joined. What many
    readers share is encoded once, and what is kept does not grow with their number.

    Every method raises ConfigurationError for a template that does not work.
    """

    def __init__(
        self,
        environment: Templates,
        masthead: Masthead,
        notes: Mapping[int, str],
        encode: Callable[[str], bytes],
    ) -> None:
        self._masthead = replace(masthead, name=plain(masthead.name), subject=plain(masthead.subject))
        self._encode = encode
        self._type = Typesetter(environment, self._masthead)
        self.foot = Foot(self._type, encode)
        self._subjects = lru_cache(maxsize=len(_KINDS))(self._subject_of)
        self._subjects("digest")  # a template that does not work is found at once
        self._nothing = self._type.line("nothing.subject.txt")
        self._note = [paragraph for part in masthead.note.split("\n\n") if (paragraph := plain(part))]
        self._dot = encode(" · ")
        self._filler = lru_cache(maxsize=_SHOWN)(lambda left: encode(min(left, _FILLER) * _BLANK))
        self._cards = Cards(self._type, notes, masthead.date, encode)
        self._lines = Lines(self._type, encode)
        self._also = lru_cache(maxsize=256)(partial(Also, self._lines))
        self._frames: dict[tuple[str, str], tuple[_Frame, _Frame]] = {}
        self._titled = lru_cache(maxsize=4096)(self._title)
        self._counts = lru_cache(maxsize=1024)(self._counts_anew)
        self._since = lru_cache(maxsize=64)(self._since_anew)
        self._corrections = lru_cache(maxsize=256)(self._corrections_anew)

    def digest(self, digest: Digest, reader: Reader, corrections: tuple[Correction, ...] = ()) -> Encoded:
        """Return *reader*'s mail with the picks of *digest*, in order; without any it says that there is nothing.

        At its head it has the *corrections* of earlier issues.
        """
        feet = self.foot.whole(reader)
        edition = self.edition(digest, len(feet[HTML]), corrections)
        html, text = ([*before, foot, *behind] for (before, behind), foot in zip(edition.parts, feet, strict=True))
        return Encoded(subject=edition.subject, html=html, text=text)

    def edition(
        self, digest: Digest, foot: int, corrections: tuple[Correction, ...] = (), *, only_text: bool = False
    ) -> Edition:
        """Return what all readers of *digest* get alike, whose feet take so many octets of HTML.

        A digest that is too long is shortened in both parts, unless it is sent as text only.
        """
        corrected = self._corrections(corrections)
        if not digest.picks:
            return _spread(self._nothing, self._frame("nothing"), {"corrections": corrected})
        self._cards.set_in_type(digest.picks)
        stored = list(map(_stored, digest.picks))
        papers, whys, _ = zip(*stored, strict=True)
        kind = _kind(set(whys))
        subject, title = self._titled(papers[0], len(papers), kind)
        headings = groups(digest, self._type.language)
        placed = map(self._cards.placed, stored, count(1), self._cards.sizes(len(papers)), headings)
        html_cards, text_cards = zip(*placed, strict=True)
        parts = {
            "title": title,
            "preheader": self._preheader(papers),
            "corrections": corrected,
            "since": self._since(digest.since, kind),
            "counts": self._counts(len(papers), len(papers) - list(map(_topic, digest.picks)).count(""), kind),
            "cards": (html_cards, text_cards),
            "also": self._also(digest.named).pieces(papers, _newest_day(digest)),
        }
        frame = self._frame(kind, since=_between(digest))
        edition = _spread(subject, frame, parts)
        html, others = edition.parts[HTML], foot + _OWN
        if only_text or sum(map(len, chain(*html))) + others <= _SURELY_FITS:
            return edition
        if (size := _octets(chain(*html)) + others) <= LARGEST:
            return edition
        return _spread(subject, frame, {**parts, **self._shortened(digest, size, html_cards, text_cards)})

    def _shortened(self, digest: Digest, size: int, html: Sequence[bytes], text: Sequence[bytes]) -> dict[str, Pieces]:
        """Return the parts of a digest whose HTML has too large a *size*, with fewer lines, and then fewer cards.

        What loses its line is counted, what loses its card (of those in *html* and *text*) has a line.
        """
        papers = [pick.candidate.paper.id for pick in digest.picks]
        also, kept, rest = self._also(digest.named), len(html), list[tuple[bytes, bytes]]()
        lines = also.sizes(papers)
        size += _REST_HEAD
        while size > LARGEST and lines:
            size -= lines.pop()
        while size > LARGEST and kept > 1:
            kept -= 1
            rest.insert(0, self._lines.line(digest.picks[kept].candidate))
            size += len(rest[0][0]) - _octets(html[kept : kept + 1])
        cards = html[:kept], text[:kept]
        if rest:
            heading = self._type.language.gettext("The rest of this digest")
            html_lines, text_lines = zip(*rest, strict=True)
            html_rest, text_rest = self._lines.pieces(heading, html_lines, text_lines)
            cards = [*cards[0], *html_rest], [*cards[1], self._lines.gap, *text_rest]
        return {"cards": cards, "also": also.pieces(papers, _newest_day(digest), len(lines))}

    def _title(self, first: int, papers: int, kind: str) -> tuple[str, Pieces]:
        """Return the subject of a mail of so many *papers*, and the same as HTML."""
        others = wording.others(self._type.language, papers - 1)
        room = _SUBJECT - len(self._subject_with("", others, kind))
        subject = self._subject_with(shorten(self._cards.title(first), max(room, _SUBJECT // 3)), others, kind)
        return subject, self._both(_html(subject))

    def _subject_with(self, title: str, others: str, kind: str) -> str:
        return self._subjects(kind).fill({"title": title.encode(), "others": others.encode()}).decode()

    def _subject_of(self, kind: str) -> Slotted:
        return Slotted(self._type.line(f"{kind}.subject.txt", slots=slots("title", "others")), str.encode)

    def _counts_anew(self, papers: int, matching: int, kind: str) -> Pieces:
        if kind == "alert":
            return self._both(wording.found(self._type.language, papers))
        return self._both(wording.counts(self._type.language, papers, matching, self._masthead.pool_size))

    def _since_anew(self, first: date | None, kind: str) -> Pieces:
        if kind == "quiet" and first:
            return self._both(wording.quiet_since(self._type.language, first, self._masthead.date))
        return self._both(wording.since(self._type.language, first, self._masthead.date) if first else "")

    def _both(self, text: str) -> Pieces:
        """Return a text that is the same in both parts."""
        alone = (self._encode(text),)
        return alone, alone

    def _corrections_anew(self, corrections: tuple[Correction, ...]) -> Pieces:
        """Return what the head of a digest says of earlier issues, as HTML and as text."""
        if not corrections:
            return (), ()
        html = self._type.fragment("corrections.html", corrections=corrections)
        text = self._type.text("corrections.txt", corrections=corrections)
        return [self._encode(html)], [self._encode(f"{text}\n\n\n")]

    def _preheader(self, papers: Sequence[int]) -> Pieces:
        """Return what continues the subject: the titles that it does not name, and blanks where these are few."""
        first = 0 if self._masthead.subject else 1
        said = list(map(self._cards.brief, papers[first:4])) or [self._cards.opening(papers[0])]
        texts, lengths = zip(*said, strict=True)
        pieces = (self._dot.join(texts), self._filler(_SHOWN - sum(lengths)))
        return pieces, pieces

    def _frame(self, name: str, *, since: str = "") -> tuple[_Frame, _Frame]:
        """Return the mail *name* without what is the reader's own, in both parts."""
        if (name, since) not in self._frames:
            said = {"slots": _MARKS, "since": since, "subject": self._nothing, "note": self._note}
            html, text = self._type.document(f"{name}.html", **said), self._type.text(f"{name}.txt", **said)
            needed = {"corrections", "foot", *(["cards"] if name in _KINDS else [])}
            self._frames[name, since] = (
                self._holding(html, needed, f"{name}.html"),
                self._holding(text, needed, f"{name}.txt"),
            )
        return self._frames[name, since]

    def _holding(self, rendered: str, needed: set[str], template: str) -> _Frame:
        """Return *rendered* with its slots. Raises ConfigurationError if its template left out one it must have."""
        for name in sorted(needed):
            if _MARKS[name] not in rendered:
                raise ConfigurationError(f"template email/{template}: {{{{ slots.{name} }}}} is missing; put it back")
        before, *behind = rendered.split(_MARKS["foot"])
        if len(behind) > 1:
            raise ConfigurationError(f"template email/{template}: {{{{ slots.foot }}}} stands there twice; leave one")
        return Slotted(before, self._encode), Slotted(behind[0], self._encode)


def _spread(subject: str, frame: tuple[_Frame, _Frame], parts: Mapping[str, Pieces]) -> Edition:
    """Return both parts in pieces, of which most are shared with other editions."""
    (html, html_end), (text, text_end) = frame
    around_html = html.spread(parts, HTML), html_end.spread(parts, HTML)
    around_text = text.spread(parts, TEXT), text_end.spread(parts, TEXT)
    return Edition(subject=subject, parts=(around_html, around_text))


def _kind(whys: Collection[str]) -> str:
    """Return which mail brings papers for these reasons: a digest, what alerts found, or that nothing matched."""
    if Why.NEAREST in whys:
        return "quiet"
    return "alert" if Why.ALERT in whys else "digest"


def _newest_day(digest: Digest) -> date:
    """Return the newest day on which any paper with a card was listed, as far as it is known."""
    return newest_day(map(_first_listed, digest.picks)) or date.min


def _octets(html: Iterable[bytes]) -> int:
    """Return how many octets of *html* are sent, with each reader's own links in it."""
    return sum(len(piece) + piece.count(LINK_MARK) * (len(ANY_TOKEN) - 1) for piece in html)


def _between(digest: Digest) -> str:
    """Return what lay between the last digest and this one: nothing, days that were missed, the reader's own rhythm."""
    if digest.since is None:
        return ""
    return "missed" if digest.missed else "rhythm"


def _html(text: str) -> str:
    return str(escape(text))
