"""An issue as digests: every paper and every frame rendered once, each reader's mail joined from them.

Not here: who gets what (``domain.digest``), and headers, MIME and encoding (``mail``). Papers must have been
stored: they are known by their id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import count

from jinja2.sandbox import SandboxedEnvironment
from markupsafe import escape

from newsletter.domain.digest import Digest, Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import first_sentences, plain
from newsletter.errors import ConfigurationError
from newsletter.render import wording
from newsletter.render.card import card
from newsletter.render.foot import Foot, Reader
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Imprint, Rendered, Typesetter
from newsletter.render.wrapping import WIDTH, shorten, wrap, wrapped

__all__ = ["IssueRenderer", "Masthead", "Reader", "Rendered"]

_SUBJECT = 110  # characters: what wide inboxes show
_BRIEF = 90  # a title in the preheader
_OPENING = 140  # a summary in the preheader
_INDENT = 4  # of a card's text, and so the room for its rank
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


@dataclass(frozen=True, slots=True)
class _Set:
    """A paper set in type, but for the reader's slots. ``brief`` and ``opening`` are escaped."""

    title: str
    heading: str  # the first line of the title in the text part, where the rank goes
    brief: str
    opening: str
    html: Slotted
    text: Slotted


_Frame = tuple[Slotted, Slotted]


class IssueRenderer:
    """Renders the digests of one issue. ``notes`` are the editor's, by paper id.

    Every method raises ConfigurationError for a template that does not work.
    """

    def __init__(self, environment: SandboxedEnvironment, masthead: Masthead, notes: Mapping[int, str]) -> None:
        self._masthead = replace(masthead, name=plain(masthead.name), subject=plain(masthead.subject))
        self._notes = notes
        self._type = Typesetter(environment, self._masthead)
        self._foot = Foot(self._type)
        self._subject = Slotted(self._type.line("digest.subject.txt", slots=slots("title", "others")))
        self._nothing = self._type.line("nothing.subject.txt")
        self._note = [paragraph for part in masthead.note.split("\n\n") if (paragraph := plain(part))]
        self._cards: dict[int, _Set] = {}
        self._frames: dict[tuple[str, str], _Frame] = {}

    def digest(self, digest: Digest, reader: Reader) -> Rendered:
        """Return *reader*'s mail with the picks of *digest*, in order; without picks it is ``nothing``."""
        if not digest.picks:
            return self.nothing(reader)
        cards = [self._card(pick.candidate) for pick in digest.picks]
        html_cards, text_cards = zip(*map(_placed, count(1), digest.picks, cards), strict=True)
        subject = self._subject_of(cards)
        said = {
            "counts": wording.counts(digest.picks, self._masthead.pool_size),
            "since": wording.since(digest.since, self._masthead.date) if digest.since else "",
        }
        html, text = self._frame("digest", since=_between(digest))
        html_foot, text_foot = self._foot.of(reader)
        head = {"title": _html(subject), "preheader": self._preheader(cards)}
        return Rendered(
            subject=subject,
            html=html.fill(said | head | {"cards": "\n".join(html_cards), "foot": html_foot}),
            text=text.fill(said | {"cards": "\n\n\n".join(text_cards), "foot": text_foot}),
        )

    def nothing(self, reader: Reader) -> Rendered:
        """Return the mail that says that there is nothing new for *reader*."""
        html_foot, text_foot = self._foot.of(reader)
        html, text = self._frame("nothing")
        return Rendered(subject=self._nothing, html=html.fill({"foot": html_foot}), text=text.fill({"foot": text_foot}))

    def _subject_of(self, cards: Sequence[_Set]) -> str:
        others = wording.others(len(cards) - 1)
        room = _SUBJECT - len(self._subject.fill({"title": "", "others": others}))
        return self._subject.fill({"title": shorten(cards[0].title, max(room, _SUBJECT // 3)), "others": others})

    def _preheader(self, cards: Sequence[_Set]) -> str:
        """Return what continues the subject: the titles that it does not name."""
        first = 0 if self._masthead.subject else 1
        return " · ".join(card.brief for card in cards[first:3]) or cards[0].opening

    def _card(self, candidate: Candidate) -> _Set:
        paper_id = candidate.paper.id
        if paper_id not in self._cards:
            self._cards[paper_id] = self._set(candidate)
        return self._cards[paper_id]

    def _set(self, candidate: Candidate) -> _Set:
        said = card(candidate, self._notes.get(candidate.paper.id, ""), self._masthead.date)
        heading, *continued = wrapped(said.title, WIDTH - _INDENT - 1)  # a rank of three figures takes one more
        html = self._type.fragment("card.html", card=said, slots=slots("rank", "reason"))
        text = self._type.text("card.txt", card=said, continued=continued, slots=slots("heading", "reason"))
        return _Set(
            title=said.title,
            heading=heading,
            brief=_html(shorten(said.title, _BRIEF)),
            opening=_html(first_sentences(said.summary, _OPENING)),
            html=Slotted(html),
            text=Slotted(text),
        )

    def _frame(self, name: str, *, since: str = "") -> _Frame:
        """Return the mail *name* without what is the reader's own, in both parts."""
        if (name, since) not in self._frames:
            said = {"slots": slots(*_FRAME), "since": since, "subject": self._nothing, "note": self._note}
            html, text = self._type.document(f"{name}.html", **said), self._type.text(f"{name}.txt", **said)
            needed = {"foot", "cards"} if name == "digest" else {"foot"}
            self._frames[name, since] = (_holding(html, needed, f"{name}.html"), _holding(text, needed, f"{name}.txt"))
        return self._frames[name, since]


def _holding(rendered: str, needed: set[str], template: str) -> Slotted:
    """Return *rendered* with its slots. Raises ConfigurationError if its template left out one that it must have."""
    slotted = Slotted(rendered)
    for missing in sorted(needed - slotted.names):
        raise ConfigurationError(f"template email/{template}: {{{{ slots.{missing} }}}} is missing; put it back")
    return slotted


def _between(digest: Digest) -> str:
    """Return what lay between the last digest and this one: nothing, days that were missed, the reader's own rhythm."""
    if digest.since is None:
        return ""
    return "missed" if digest.missed else "rhythm"


def _placed(rank: int, pick: Pick, card: _Set) -> tuple[str, str]:
    """Return a card as it stands in one digest, as HTML and as text."""
    html, text = _reason(pick.why, pick.detail)
    return (
        card.html.fill({"rank": str(rank), "reason": html}),
        card.text.fill({"heading": f"{rank:>2}. {card.heading}", "reason": text}),
    )


@lru_cache(maxsize=4096)
def _reason(why: Why, detail: str) -> tuple[str, str]:
    reason = wording.reason(why, detail)
    return _html(reason), wrap(reason, _INDENT)


def _html(text: str) -> str:
    return str(escape(text))
