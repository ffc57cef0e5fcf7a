"""An issue as digests: every paper and every frame rendered once, each reader's mail joined from them.

Not here: who gets what (``domain.digest``), and headers, MIME and encoding (``mail``). Papers must have been
stored: they are known by their id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import starmap

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
        self._cards: dict[int, _Set] = {}
        self._frames: dict[tuple[str, bool], tuple[Slotted, Slotted]] = {}

    def digest(self, digest: Digest, reader: Reader) -> Rendered:
        """Return *reader*'s mail with the picks of *digest*, in order; without picks it is ``nothing``."""
        if not digest.picks:
            return self.nothing(reader)
        cards = [self._card(pick.candidate) for pick in digest.picks]
        subject = self._subject_of(cards)
        counts = wording.counts(digest.picks, self._masthead.pool_size)
        since = wording.since(digest.since, self._masthead.date) if digest.since else ""
        html, text = self._frame("digest", bool(since))
        html_foot, text_foot = self._foot.of(reader)
        html_cards, text_cards = zip(*starmap(_placed, zip(digest.picks, cards, range(1, len(cards) + 1))), strict=True)
        return Rendered(
            subject=subject,
            html=html.fill({
                "title": str(escape(subject)),
                "preheader": self._preheader(cards),
                "since": since,
                "counts": counts,
                "cards": "".join(html_cards),
                "foot": html_foot,
            }),
            text=text.fill({"since": since, "counts": counts, "cards": "\n\n\n".join(text_cards), "foot": text_foot}),
        )
