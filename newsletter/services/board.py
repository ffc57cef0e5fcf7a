"""A draft as its editor sees it, at the desk and by mail: front and pool, and why each paper stands where it does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session

from newsletter.domain.issue import Issue
from newsletter.domain.paper import Paper
from newsletter.domain.people import by_ours
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import words
from newsletter.render import wording
from newsletter.render.formats import counted, day
from newsletter.services import edit
from newsletter.services.edit import Policy, Shown
from newsletter.storage import changes, issues, papers
from newsletter.storage.changes import Change

_AUTHORS = 3
PAGE = 30  # papers of the pool at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A paper on the board. ``rank`` is its place in the front, 0 outside of it; ``why`` says why it is there."""

    id: int
    key: str
    title: str
    link: str
    people: str
    facts: str
    why: str
    rank: int = 0
    note: str = ""
    pinned: bool = False
    added: bool = False
    moved: bool = False
    new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """An issue and its papers. ``rest`` is one page of what is not in the front, ``rest_count`` how many that are."""

    issue: Issue
    front: list[Row]
    rest: list[Row]
    rest_count: int
    pool_count: int
    dropped: list[Row]
    corrections: Sequence[object]
    arrived: int
    last: Change | None = None


def board(session: Session, policy: Policy, when: date, *, search: str = "", page: int = 1) -> Board:
    """Return the board of the issue of *when*, with those of the pool that have all words of *search*.

    Raises NotFoundError.
    """
    shown = edit.show(session, policy, when)
    look = _Look(shown, policy, issues.fronts_before(session, when))
    in_front = {c.paper.id for c in shown.arranged.front}
    rest = [c for c in shown.arranged.pool if c.paper.id not in in_front and _has(c.paper, words(search))]
    undoable = changes.undoable(session, shown.issue.id)
    return Board(
        issue=shown.issue,
        front=[look.front(candidate, rank) for rank, candidate in enumerate(shown.arranged.front, 1)],
        rest=[look.rest(candidate) for candidate in rest[(page - 1) * PAGE : page * PAGE]],
        rest_count=len(rest),
        pool_count=len(shown.arranged.pool),
        dropped=[look.dropped(paper) for paper in _dropped(session, shown)],
        corrections=shown.corrections,
        arrived=len(shown.arrived),
        last=undoable[0] if undoable else None,
    )


def _dropped(session: Session, shown: Shown) -> list[Paper]:
    found = papers.load(session, shown.hand.dropped)
    return sorted({paper.id: paper for paper in found.values()}.values(), key=lambda paper: paper.title)


def _has(paper: Paper, wanted: Collection[str]) -> bool:
    if not wanted:
        return True
    said = " ".join(words(" ".join((paper.title, *paper.authors, paper.organisation, *paper.keys))))
    return all(word in said for word in wanted)


class _Look:
    """Says of each paper of one issue what the editor needs to know."""

    def __init__(self, shown: Shown, policy: Policy, earlier: Collection[int]) -> None:
        self._shown, self._earlier = shown, earlier
        chosen = shown.hand.chosen
        eligible = [c.paper.id for c in shown.arranged.pool if c.paper.id not in earlier or c.paper.id in chosen]
        self._places = {paper: place for place, paper in enumerate(eligible, 1)}
        self._ours = by_ours(shown.arranged.pool, policy.people)

    def front(self, candidate: Candidate, rank: int) -> Row:
        return self._row(candidate, self._why_front(candidate.paper.id), rank)

    def rest(self, candidate: Candidate) -> Row:
        return self._row(candidate, self._why_place(candidate.paper.id), 0)

    def dropped(self, paper: Paper) -> Row:
        return self._row(Candidate(paper=paper, listings=(), first_listed=self._shown.issue.date), "you dropped it", 0)

    def _why_front(self, paper: int) -> str:
        hand = self._shown.hand
        said = [
            "you pinned it" if paper in hand.pinned else "",
            f"you moved it to place {hand.moved[paper]}" if paper in hand.moved else "",
            "you added it" if paper in hand.added and paper not in hand.pinned else "",
            "from our group" if paper in self._ours else "",
        ]
        return "; ".join(filter(None, said)) or self._why_place(paper)

    def _why_place(self, paper: int) -> str:
        place = self._places.get(paper)
        return f"ranked {place} among papers not in an issue yet" if place else "it was in an earlier front"

    def _row(self, candidate: Candidate, why: str, rank: int) -> Row:
        paper, hand = candidate.paper, self._shown.hand
        return Row(
            id=paper.id,
            key=paper.key,
            title=paper.title,
            link=paper.link,
            people=_people(paper),
            facts=_facts(candidate, self._shown.issue.date),
            why=why,
            rank=rank,
            note=hand.notes.get(paper.id, ""),
            pinned=paper.id in hand.pinned,
            added=paper.id in hand.added,
            moved=paper.id in hand.moved,
            new=paper.id in self._shown.arrived,
        )


def _people(paper: Paper) -> str:
    more = len(paper.authors) - _AUTHORS
    named = ", ".join(paper.authors[:_AUTHORS]) + (f" and {more} more" if more > 0 else "")
    return wording.by_whom(named, paper.organisation)


def _facts(candidate: Candidate, issued: date) -> str:
    votes: Mapping[str, int | None] = {"upvote": candidate.upvotes, "comment": candidate.comments}
    said = [counted(count, name) for name, count in votes.items() if count is not None]
    sources = ", ".join(dict.fromkeys(listing.source for listing in candidate.listings if listing.source))
    if candidate.listings:
        said.append(f"{sources}, {day(candidate.first_listed, issued)}" if sources else day(candidate.first_listed))
    return " · ".join(said) or "listed nowhere"
