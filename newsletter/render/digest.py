"""An issue as digests: every paper and every frame rendered and encoded once, each reader's mail joined from them.

Not here: who gets what (``domain.digest``), and headers, MIME and the encoding itself (``mail``). Papers must have
been stored: they are known by their id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import count
from operator import attrgetter

from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape

from newsletter.domain.digest import Digest, Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import first_sentences, plain
from newsletter.errors import ConfigurationError
from newsletter.render import wording
from newsletter.render.card import card
from newsletter.render.foot import TOKEN, Foot, Reader
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Imprint, Typesetter
from newsletter.render.wrapping import WIDTH, shorten, wrap, wrapped

__all__ = ["TOKEN", "Encoded", "IssueRenderer", "Masthead", "Reader"]

_SUBJECT = 110  # characters: what wide inboxes show
_BRIEF = 90  # a title in the preheader
_OPENING = 140  # a summary in the preheader
_INDENT = 4  # of a card's text, and so the room for its rank
_paper_id, _why, _detail = map(attrgetter, ("candidate.paper.id", "why", "detail"))
_FRAME = ("title", "preheader", "since", "counts", "cards", "foot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Masthead(Imprint):
    """What the head of an issue says. ``subject`` is the editor's, or '' for the template's.

    ``note`` is the editor's; empty lines part its paragraphs. ``pool_size`` is the number of papers chosen from.
    """

    date: date
    pool_size: int
    note: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """A digest, both parts encoded, in pieces to be joined."""

    subject: str
    html: list[bytes]
    text: list[bytes]


@dataclass(frozen=True, slots=True)
class _Set:
    """A paper set in type, but for the reader's slots. ``brief`` and ``opening`` are HTML."""

    title: str
    heading: str  # the first line of the title in the text part, where the rank goes
    brief: bytes
    opening: bytes
    html: Slotted
    text: Slotted


class IssueRenderer:
    """Renders the digests of one issue. ``notes`` are the editor's, by paper id.

    ``encode`` encodes every text; the encodings of two texts, joined, must be one of the two texts joined. What many
    readers share is encoded once, and what is kept does not grow with their number.

    Every method raises ConfigurationError for a template that does not work.
    """

    def __init__(
        self,
        environment: SandboxedEnvironment,
        masthead: Masthead,
        notes: Mapping[int, str],
        encode: Callable[[str], bytes],
    ) -> None:
        self._masthead = replace(masthead, name=plain(masthead.name), subject=plain(masthead.subject))
        self._notes = notes
        self._encode = encode
        self._type = Typesetter(environment, self._masthead)
        self.foot = Foot(self._type, encode)
        self._subject = Slotted(self._type.line("digest.subject.txt", slots=slots("title", "others")), str.encode)
        self._nothing = self._type.line("nothing.subject.txt")
        self._note = [paragraph for part in masthead.note.split("\n\n") if (paragraph := plain(part))]
        self._dot = encode(" · ")
        self._cards: dict[int, _Set] = {}
        self._frames: dict[tuple[str, str], tuple[Slotted, Slotted]] = {}
        self._placed = lru_cache(maxsize=8192)(self._place)
        self._reason = lru_cache(maxsize=16384)(self._reason_anew)
        self._titled = lru_cache(maxsize=4096)(self._title)
        self._counts = lru_cache(maxsize=1024)(self._counts_anew)
        self._since = lru_cache(maxsize=64)(self._since_anew)

    def digest(self, digest: Digest, reader: Reader) -> Encoded:
        """Return *reader*'s mail with the picks of *digest*, in order; without any it says that there is nothing."""
        edition, own = self.edition(digest, self.foot.pieces(reader)), self.foot.own(reader)
        return Encoded(
            subject=edition.subject,
            html=[own.get(piece, piece) for piece in edition.html],
            text=[own.get(piece, piece) for piece in edition.text],
        )

    def edition(self, digest: Digest, foot: tuple[list[bytes], list[bytes]]) -> Encoded:
        """Return what all readers of *digest* get alike, with this *foot* of theirs as HTML and as text."""
        if not digest.picks:
            return self._spread(self._nothing, self._frame("nothing"), {}, ([], []), foot)
        self._set_in_type(digest.picks)
        papers, whys = list(map(_paper_id, digest.picks)), list(map(_why, digest.picks))
        subject, title = self._titled(papers[0], len(papers))
        said = {
            "title": title,
            "preheader": self._preheader(papers),
            "counts": self._counts(len(papers), whys.count(Why.TOPIC)),
            "since": self._since(digest.since),
        }
        cards = list(map(self._placed, papers, count(1), whys, map(_detail, digest.picks)))
        html_cards, text_cards = [html for html, _ in cards], [text for _, text in cards]
        frame = self._frame("digest", since=_between(digest))
        return self._spread(subject, frame, said, (html_cards, text_cards), foot)

    def _spread(
        self,
        subject: str,
        frame: tuple[Slotted, Slotted],
        said: dict[str, bytes],
        cards: tuple[list[bytes], list[bytes]],
        foot: tuple[list[bytes], list[bytes]],
    ) -> Encoded:
        """Return both parts in pieces, of which most are shared with other editions."""
        alike = {name: [piece] for name, piece in said.items()}
        return Encoded(
            subject=subject,
            html=frame[0].spread({**alike, "cards": cards[0], "foot": foot[0]}),
            text=frame[1].spread({**alike, "cards": cards[1], "foot": foot[1]}),
        )

    def _place(self, paper_id: int, rank: int, why: Why, detail: str) -> tuple[bytes, bytes]:
        """Return a card that was set, as it stands at *rank* after the others, with its reason."""
        card = self._cards[paper_id]
        html_reason, text_reason = self._reason(why, detail)
        html = card.html.fill({"rank": self._encode(str(rank)), "reason": html_reason})
        text = card.text.fill({"heading": self._encode(f"{rank:>2}. {card.heading}"), "reason": text_reason})
        if rank == 1:
            return html, text
        return self._encode("\n") + html, self._encode("\n\n\n") + text

    def _reason_anew(self, why: Why, detail: str) -> tuple[bytes, bytes]:
        reason = wording.reason(why, detail)
        return self._encode(_html(reason)), self._encode(wrap(reason, _INDENT))

    def _title(self, first: int, papers: int) -> tuple[str, bytes]:
        """Return the subject of a digest of so many *papers*, and the same as HTML."""
        others = wording.others(papers - 1)
        room = _SUBJECT - len(self._subject_with("", others))
        subject = self._subject_with(shorten(self._cards[first].title, max(room, _SUBJECT // 3)), others)
        return subject, self._encode(_html(subject))

    def _subject_with(self, title: str, others: str) -> str:
        return self._subject.fill({"title": title.encode(), "others": others.encode()}).decode()

    def _counts_anew(self, papers: int, matching: int) -> bytes:
        return self._encode(wording.counts(papers, matching, self._masthead.pool_size))

    def _since_anew(self, first: date | None) -> bytes:
        return self._encode(wording.since(first, self._masthead.date) if first else "")

    def _preheader(self, papers: list[int]) -> bytes:
        """Return what continues the subject: the titles that it does not name."""
        first = 0 if self._masthead.subject else 1
        briefs = [self._cards[paper].brief for paper in papers[first:3]]
        return self._dot.join(briefs) or self._cards[papers[0]].opening

    def _set_in_type(self, picks: Sequence[Pick]) -> None:
        for pick in picks:
            if pick.candidate.paper.id not in self._cards:
                self._cards[pick.candidate.paper.id] = self._set(pick.candidate)

    def _set(self, candidate: Candidate) -> _Set:
        said = card(candidate, self._notes.get(candidate.paper.id, ""), self._masthead.date)
        heading, *continued = wrapped(said.title, WIDTH - _INDENT - 1)  # a rank of three figures takes one more
        html = self._type.fragment("card.html", card=said, slots=slots("rank", "reason"))
        text = self._type.text("card.txt", card=said, continued=continued, slots=slots("heading", "reason"))
        return _Set(
            title=said.title,
            heading=heading,
            brief=self._encode(_html(shorten(said.title, _BRIEF))),
            opening=self._encode(_html(first_sentences(said.summary, _OPENING))),
            html=Slotted(html, self._encode),
            text=Slotted(text, self._encode),
        )

    def _frame(self, name: str, *, since: str = "") -> tuple[Slotted, Slotted]:
        """Return the mail *name* without what is the reader's own, in both parts."""
        if (name, since) not in self._frames:
            said = {"slots": slots(*_FRAME), "since": since, "subject": self._nothing, "note": self._note}
            html, text = self._type.document(f"{name}.html", **said), self._type.text(f"{name}.txt", **said)
            needed = {"foot", "cards"} if name == "digest" else {"foot"}
            self._frames[name, since] = (
                self._holding(html, needed, f"{name}.html"),
                self._holding(text, needed, f"{name}.txt"),
            )
        return self._frames[name, since]

    def _holding(self, rendered: str, needed: set[str], template: str) -> Slotted:
        """Return *rendered* with its slots. Raises ConfigurationError if its template left out one it must have."""
        slotted = Slotted(rendered, self._encode)
        for missing in sorted(needed - slotted.names):
            raise ConfigurationError(f"template email/{template}: {{{{ slots.{missing} }}}} is missing; put it back")
        return slotted


def _between(digest: Digest) -> str:
    """Return what lay between the last digest and this one: nothing, days that were missed, the reader's own rhythm."""
    if digest.since is None:
        return ""
    return "missed" if digest.missed else "rhythm"


def _html(text: str) -> str:
    return str(escape(text))
