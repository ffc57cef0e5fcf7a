"""Papers as single lines: of a day what has no card, and of a long digest what has no room for one.

A line is encoded once for all readers, and a list is a join of lines. Not here: which papers they are
(``domain.digest``, ``services.compose``).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter

from newsletter.domain.ranking import Candidate
from newsletter.render.card import line
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter

MOST = 40  # lines under "Also today"; the rest is a count

_paper_id = attrgetter("paper.id")

Pieces = tuple[Sequence[bytes], Sequence[bytes]]  # as HTML and as text


class Lines:
    """The papers of one issue as lines. ``encode`` encodes every text."""

    def __init__(self, typesetter: Typesetter, encode: Callable[[str], bytes]) -> None:
        self._type = typesetter
        self._encode = encode
        self._html: dict[int, bytes] = {}  # by paper id
        self._text: dict[int, bytes] = {}
        self._frame = lru_cache(maxsize=1024)(self._framed)

    def pieces(self, heading: str, candidates: Sequence[Candidate], more: int = 0) -> Pieces:
        """Return a list under *heading*, and how many *more* papers it leaves out; nothing where there are none."""
        if not candidates and not more:
            return [], []
        ids = list(map(_paper_id, candidates))
        try:
            html, text = list(map(self._html.__getitem__, ids)), list(map(self._text.__getitem__, ids))
        except KeyError:
            for candidate in candidates:
                self._set(candidate)
            return self.pieces(heading, candidates, more)
        html_frame, text_frame = self._frame(heading, more)
        return [html_frame.fill({"lines": b"".join(html)})], [text_frame.fill({"lines": b"".join(text)})]

    def size(self, candidate: Candidate) -> int:
        """Return how many octets a line takes in HTML."""
        self._set(candidate)
        return len(self._html[candidate.paper.id])

    def _set(self, candidate: Candidate) -> None:
        if candidate.paper.id in self._html:
            return
        said = {"line": line(candidate, self._type.language), "upvotes": candidate.upvotes or 0}
        html, text = self._type.fragment("line.html", **said), self._type.text("line.txt", **said)
        self._html[candidate.paper.id] = self._encode(f"{html}\n")
        self._text[candidate.paper.id] = self._encode(f"\n\n    {text}")

    def _framed(self, heading: str, more: int) -> tuple[Slotted, Slotted]:
        said = {"heading": heading, "more": more, "slots": slots("lines")}
        html, text = self._type.fragment("lines.html", **said), self._type.text("lines.txt", **said)
        return Slotted(f"{html}\n", self._encode), Slotted(text, self._encode)
