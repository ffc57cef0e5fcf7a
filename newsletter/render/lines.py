"""Papers as single lines: of a day what has no card, and of a long digest what has no room for one.

A line is encoded once for all readers, and a list is a join of lines. Not here: which papers may be named
(``domain.digest``, ``services.compose``).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache

from newsletter.domain.digest import Named
from newsletter.domain.ranking import Candidate
from newsletter.render.card import line
from newsletter.render.foot import HTML, TEXT
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter

MOST = 40  # lines under "Also today"; the rest is a count

Pieces = tuple[Sequence[bytes], Sequence[bytes]]  # as HTML and as text
Lists = tuple[list[bytes], list[bytes]]


class Lines:
    """The papers of one issue as lines. ``encode`` encodes every text."""

    def __init__(self, typesetter: Typesetter, encode: Callable[[str], bytes]) -> None:
        self._type = typesetter
        self._encode = encode
        self._lines: dict[int, tuple[bytes, bytes]] = {}  # by paper id
        self._frame = lru_cache(maxsize=1024)(self._framed)
        gettext = typesetter.language.gettext
        self.today, self.before = gettext("Also today"), gettext("From the days before")
        self.gap = encode("\n\n\n")

    def pieces(self, heading: str, html: Iterable[bytes], text: Iterable[bytes], more: int = 0) -> Lists:
        """Return a list of lines under *heading*, and how many *more* papers it leaves out."""
        html_frame, text_frame = self._frame(heading, more)
        lines = {"lines": (html, text)}
        return html_frame.spread(lines, HTML), text_frame.spread(lines, TEXT)

    def line(self, candidate: Candidate) -> tuple[bytes, bytes]:
        """Return the line of a paper as HTML and as text."""
        if candidate.paper.id not in self._lines:
            said = {"line": line(candidate, self._type.language), "upvotes": candidate.upvotes or 0}
            html, text = self._type.fragment("line.html", **said), self._type.text("line.txt", **said)
            self._lines[candidate.paper.id] = self._encode(f"{html}\n"), self._encode(f"\n\n    {text}")
        return self._lines[candidate.paper.id]

    def _framed(self, heading: str, more: int) -> tuple[Slotted, Slotted]:
        said = {"heading": heading, "more": more, "slots": slots("lines")}
        html, text = self._type.fragment("lines.html", **said), self._type.text("lines.txt", **said)
        return Slotted(f"{html}\n", self._encode), Slotted(text, self._encode)


class Also:
    """What digests name without a card, as lines. A paper is known by its place among all that may be named."""

    def __init__(self, lines: Lines, named: Named) -> None:
        self._lines = lines
        self._candidates = named.candidates
        self._places = {candidate.paper.id: at for at, candidate in enumerate(named.candidates)}
        self._ages = [-candidate.first_listed.toordinal() for candidate in named.candidates]
        self._first_known = bisect_right(self._ages, -date.max.toordinal())
        self._html: list[bytes] = []  # of the first ones, as far as any digest went
        self._text: list[bytes] = []

    def pieces(self, carded: Iterable[int], newest: date, most: int = MOST) -> Lists:
        """Return lines for so many that have no card: those of the newest day, and then all others; and a count.

        ``carded`` are the papers that have one, by id, and ``newest`` is the newest day on which any was listed.
        """
        taken = self._taken(carded)
        end = self._end(taken, most)
        html, text = self._shown(taken, end)
        more = len(self._candidates) - len(taken) - len(html)
        today = self._today(taken, end, newest)
        if today == len(html):
            return self._list(self._lines.today, html, text, more)
        first = self._list(self._lines.today, html[:today], text[:today], 0)
        further = self._list(self._lines.before, html[today:], text[today:], more)
        return first[HTML] + further[HTML], first[TEXT] + further[TEXT]

    def sizes(self, carded: Iterable[int]) -> list[int]:
        """Return how many octets of HTML each line takes, of as many as there may be."""
        taken = self._taken(carded)
        return [*map(len, self._shown(taken, self._end(taken, MOST))[HTML])]

    def _taken(self, carded: Iterable[int]) -> list[int]:
        """Return the places of those that have a card, in order."""
        return sorted({self._places[paper_id] for paper_id in carded if paper_id in self._places})

    def _end(self, taken: list[int], most: int) -> int:
        """Return the place behind those of which so many are shown at most: the first that are not *taken*."""
        if len(taken) == len(self._candidates):
            return 0
        for place in taken:
            most += place < most
        return min(most, len(self._candidates))

    def _shown(self, taken: list[int], end: int) -> Lists:
        """Return the lines of those before *end* that are not *taken*."""
        for candidate in self._candidates[len(self._html) : end]:
            html, text = self._lines.line(candidate)
            self._html.append(html)
            self._text.append(text)
        lines = self._html[:end], self._text[:end]
        for place in reversed(taken):
            if place < end:
                del lines[HTML][place], lines[TEXT][place]
        return lines

    def _today(self, taken: list[int], end: int, newest: date) -> int:
        """Return how many of those shown were not listed before the newest day; when some were is not known."""
        known = self._first_known
        while known in taken:
            known += 1
        newest_age = min((-newest.toordinal(), *self._ages[known : min(known + 1, end)]))
        before = min(bisect_right(self._ages, newest_age), end)
        return before - bisect_left(taken, before)

    def _list(self, heading: str, html: Sequence[bytes], text: Sequence[bytes], more: int) -> Lists:
        """Return a list with what parts it from what follows it, nothing where there is nothing to say."""
        if not html and not more:
            return [], []
        lines = self._lines.pieces(heading, html, text, more)
        lines[TEXT].append(self._lines.gap)
        return lines
