"""The papers of an issue as cards: each set in type and encoded once, placed for all who get it at the same rank.

Not here: what a card says (``card``) and how it is worded (``wording``). Papers must have been stored: they are known
by their id.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import chain, repeat

from markupsafe import Markup, escape

from newsletter.domain.pool import Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.render import wording
from newsletter.render.card import Card, card
from newsletter.render.foot import ANY_TOKEN, LINK_MARK
from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter
from newsletter.render.wrapping import WIDTH, columns, shorten, wrap, wrapped

_BRIEF = 90  # a title in the preheader
_INDENT = 4  # of a card's text, and so the room for its rank
_FOLLOWED = {Why.TOPIC, Why.OURS, Why.ALERT, Why.NEAREST}  # whose detail is a topic
GAP = "\u2002"  # behind the end of a line; both vanish where the line ends on the screen, as a dot would not
# Papers that have a whole card; those after them have a short one: nobody reads fifty, many skim them.
_FULL = 12
_MANY = 25  # papers of a digest; where there are more, short cards have no room for a summary


@dataclass(slots=True)
class _Set:
    """A paper set in type, but for the reader's slots. ``brief`` and ``opening`` are HTML, each with its length."""

    card: Card
    heading: str  # the first line of the title in the text part, where the rank goes
    brief: tuple[bytes, int]
    opening: tuple[bytes, int]
    text: Slotted
    html: dict[str, Slotted] = field(default_factory=dict)  # by size


class Cards:
    """The cards of one issue of *today*. ``notes`` are the editor's, by paper id; ``encode`` encodes every text."""

    def __init__(
        self, typesetter: Typesetter, notes: Mapping[int, str], today: date, encode: Callable[[str], bytes]
    ) -> None:
        self._type = typesetter
        self._notes = notes
        self._today = today
        self._encode = encode
        self._cards: dict[int, _Set] = {}
        self.placed = lru_cache(maxsize=8192)(self._place)
        self._reason = lru_cache(maxsize=16384)(self._reason_anew)
        self._kicker = lru_cache(maxsize=16384)(self._kicker_anew)
        # Encoded, a token ends its line.
        self._known = {"link_token": LINK_MARK + encode(ANY_TOKEN).removeprefix(ANY_TOKEN.encode())}
        self._gap = encode("\n\n\n")
        self._ranked = lru_cache(maxsize=16384)(self._ranked_anew)
        self._byline = lru_cache(maxsize=8192)(self._byline_anew)
        self._group = lru_cache(maxsize=8192)(self._group_anew)

    def set_in_type(self, picks: Iterable[Pick]) -> None:
        """Make the papers of *picks* ready to be placed."""
        for pick in picks:
            if pick.candidate.paper.id not in self._cards:
                self._cards[pick.candidate.paper.id] = self._set(pick.candidate)

    def sizes(self, papers: int) -> Iterable[str]:
        """Return in which size a digest of so many *papers* shows each."""
        return chain(("lead",), repeat("full", _FULL - 1), repeat("brief" if papers > _MANY else "short"))

    def title(self, paper_id: int) -> str:
        """Return the title of a paper that was set."""
        return self._cards[paper_id].card.title

    def brief(self, paper_id: int) -> tuple[bytes, int]:
        """Return its title as the preheader names it, and in how many characters."""
        return self._cards[paper_id].brief

    def opening(self, paper_id: int) -> tuple[bytes, int]:
        """Return how its summary begins, for a preheader, and in how many characters."""
        return self._cards[paper_id].opening

    def slotted(self) -> list[Slotted]:
        """Return all that was set, with its slots: HTML in every size, and text."""
        return [part for one in self._cards.values() for part in (*one.html.values(), one.text)]

    def _place(self, pick: tuple[int, str, str], rank: int, size: str, heading: str) -> tuple[bytes, bytes]:
        """Return a card that was set, in HTML and text, as it stands at *rank* after the others, with its reason.

        ``pick`` is as the ledger keeps it, ``heading`` is the one over it, '' where it begins no group.
        """
        paper_id, why, detail = pick
        one = self._cards[paper_id]
        html_reason, text_reason, html_why, text_why = self._reason(Why(why), detail)
        followed = detail if why in _FOLLOWED and wording.may_name_author(detail) else ""
        html_byline, text_byline = self._byline(paper_id, followed)
        html_rank, text_title = self._ranked(paper_id, rank)
        html = self._html(one, size).fill(
            {"rank": html_rank, "reason": html_reason, "why": html_why, "byline": html_byline}
        )
        kicker = self._kicker(one.card.votes, Why(why), detail)
        text = one.text.fill(
            {"kicker": kicker, "heading": text_title, "reason": text_reason, "why": text_why, "byline": text_byline}
        )
        html_group, text_group = self._group(heading) if heading else (b"", b"")
        return html_group + html, (b"" if rank == 1 else self._gap) + text_group + text

    def _html(self, one: _Set, size: str) -> Slotted:
        if size not in one.html:
            said = {"card": one.card, "size": size, "slots": slots("rank", "reason", "why", "byline")}
            one.html[size] = Slotted(f"{self._type.fragment('card.html', **said)}\n", self._encode, self._known)
        return one.html[size]

    def _ranked_anew(self, paper_id: int, rank: int) -> tuple[bytes, bytes]:
        return self._encode(str(rank)), self._encode(f"{rank:>2}. {self._cards[paper_id].heading}")

    def _reason_anew(self, why: Why, detail: str) -> tuple[bytes, bytes, bytes, bytes]:
        """Return a reason as HTML and as text; and again as what stands beside upvotes: behind a gap, and as a line."""
        reason = wording.reason(self._type.language, why, detail)
        html, text = str(escape(reason)), wrap(reason, _INDENT)
        beside = (GAP + html, f"{text}\n") if wording.says_more(why) else ("", "")
        return self._encode(html), self._encode(text), self._encode(beside[0]), self._encode(beside[1])

    def _kicker_anew(self, votes: str, why: Why, detail: str) -> bytes:
        """Return what stands above a title in text: the votes, and the reason where it says more or alone something."""
        reason = wording.reason(self._type.language, why, detail) if wording.says_more(why) or not votes else ""
        return self._encode(wrap(" · ".join(filter(None, (votes.replace(" ", "\u00a0"), reason))), _INDENT))

    def _byline_anew(self, paper_id: int, followed: str) -> tuple[bytes, bytes]:
        """Return whom a paper is by, with the authors named and marked that the topic *followed* speaks of."""
        said = self._cards[paper_id].card
        parts = wording.authors(self._type.language, said.names, [followed] if followed else [])
        html = Markup("").join(Markup("<strong>{}</strong>").format(p.text) if p.followed else p.text for p in parts)
        whole = wording.by_whom(html, escape(said.organisation))
        text = wording.by_whom(wording.marked(parts), said.organisation)
        return self._encode(str(whole)), self._encode(wrap(text, _INDENT))

    def _group_anew(self, heading: str) -> tuple[bytes, bytes]:
        html = self._type.fragment("group.html", heading=heading)
        return self._encode(f"{html}\n"), self._encode(f"{wrap(heading)}\n{min(columns(heading), WIDTH) * '-'}\n\n")

    def _set(self, candidate: Candidate) -> _Set:
        said = card(candidate, self._notes.get(candidate.paper.id, ""), self._today, self._type.language)
        heading, *continued = wrapped(said.title, WIDTH - _INDENT - 1)  # a rank of three figures takes one more
        marks = slots("kicker", "heading", "reason", "why", "byline")
        text = self._type.text("card.txt", card=said, continued=continued, slots=marks)
        return _Set(
            card=said,
            heading=heading,
            brief=self._measured(shorten(said.title, _BRIEF)),
            opening=self._measured(said.opening),
            text=Slotted(text, self._encode, self._known),
        )

    def _measured(self, text: str) -> tuple[bytes, int]:
        return self._encode(str(escape(text))), len(text)
