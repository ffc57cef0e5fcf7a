"""Papers as single lines: of a day what has no card, and of a long digest what has no room for one.

A line is encoded once for all readers, and a list is a join of lines. Not here: which papers may be named
(``domain.digest``, ``services.compose``).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import lru_cache
from itertools import filterfalse, islice

from newsletter.domain.digest import Named
from newsletter.domain.ranking import Candidate
from newsletter.render.card import line
from newsletter.render.foot import HTML, TEXT
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter

MOST = 40  # lines under "Also today"; the rest is a count

Pieces = tuple[Sequence[bytes], Sequence[bytes]]  # as HTML and as text


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

    def pieces(self, heading: str, html: Iterable[bytes], text: Iterable[bytes], more: int = 0) -> Pieces:
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

    def pieces(self, carded: Iterable[int], newest: date, most: int = MOST) -> Pieces:
        """Return lines for so many that have no card: those of the newest day, and then all others; and a count.

        ``carded`` are the papers that have one, by id, and ``newest`` is the newest day on which any was listed.
        """
        taken = self._taken(carded)
        shown = self._shown(taken, most)
        more = len(self._candidates) - len(taken) - len(shown)
        first_before = bisect_left(shown, self._before(shown, newest))
        today, before = shown[:first_before], shown[first_before:]
        html, text = self._list(self._lines.today, today, 0 if before else more)
        if before:
            further = self._list(self._lines.before, before, more)
            html, text = [*html, *further[0]], [*text, *([self._lines.gap] if text else []), *further[1]]
        return html, [*text, self._lines.gap] if text else text

    def sizes(self, carded: Iterable[int]) -> list[int]:
        """Return how many octets of HTML each line takes, of as many as there may be."""
        return [len(self._html[place]) for place in self._shown(self._taken(carded), MOST)]

    def _shown(self, taken: set[int], most: int) -> list[int]:
        """Return the places of so many that are not *taken*, whose lines are ready then."""
        shown = list(islice(filterfalse(taken.__contains__, range(len(self._candidates))), most))
        for candidate in self._candidates[len(self._html) : shown[-1] + 1 if shown else 0]:
            html, text = self._lines.line(candidate)
            self._html.append(html)
            self._text.append(text)
        return shown

    def _taken(self, carded: Iterable[int]) -> set[int]:
        return {self._places[paper_id] for paper_id in carded if paper_id in self._places}

    def _before(self, shown: list[int], newest: date) -> int:
        """Return the first place of those listed before the newest day; when some were listed is not known."""
        known = bisect_left(shown, self._first_known)
        newest_age = min((-newest.toordinal(), *(self._ages[place] for place in shown[known : known + 1])))
        return bisect_right(self._ages, newest_age)

    def _list(self, heading: str, shown: list[int], more: int) -> Pieces:
        if not shown and not more:
            return [], []
        html, text = map(self._html.__getitem__, shown), map(self._text.__getitem__, shown)
        return self._lines.pieces(heading, html, text, more)
