"""An issue: one dated number of the newsletter, from draft to sealed, its front, and the editor's hand.

The pool is everything listed on the issue's days, in the newsletter's order (``ranking``). The front is what the
archive shows, and what a reader without preferences gets.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from newsletter.domain.people import Person, by_ours, ours_first
from newsletter.domain.ranking import Candidate, newsletter_order
from newsletter.domain.topics import Topic
from newsletter.errors import IllegalMoveError, UsageError


class Status(StrEnum):
    """Where an issue stands. Only a draft can be edited; the others are final."""

    DRAFT = "draft"
    SEALED = "sealed"
    EMPTY = "empty"  # nothing was listed that the last issue did not know
    SKIPPED = "skipped"  # nobody approved it before the deadline


class Brake(StrEnum):
    """The stop button of a sealed issue."""

    NONE = "none"
    HALTED = "halted"  # nobody gets it until resumed
    CANCELLED = "cancelled"  # nobody not reached yet will get it


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """What the editor did, by paper id; it survives later gathers.

    Each has its undoing: of pin and add it is unpin, of drop undrop, of a move one to 0, of a note an empty one.
    """

    added: tuple[int, ...] = ()  # in order
    pinned: tuple[int, ...] = ()  # lead the front, in order
    dropped: frozenset[int] = frozenset()
    moved: Mapping[int, int] = field(default_factory=dict)  # to a place in the front, from 1
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def chosen(self) -> frozenset[int]:
        """Return the papers that are in the issue because the editor wants them there."""
        return frozenset((*self.added, *self.pinned, *self.moved)) - self.dropped

    def add(self, paper: int) -> "Hand":
        """Put *paper* into the front, listed or not; one that was dropped comes back."""
        return replace(self, added=_with(self.added, paper), dropped=self.dropped - {paper})

    def pin(self, paper: int) -> "Hand":
        """Let *paper* lead the front, after those pinned before; one that was dropped comes back."""
        return replace(self, pinned=_with(self.pinned, paper), dropped=self.dropped - {paper})

    def unpin(self, paper: int) -> "Hand":
        """Undo ``pin``, or ``add`` of a paper that is not pinned. Raises IllegalMoveError."""
        if paper in self.pinned:
            return replace(self, pinned=_without(self.pinned, paper))
        if paper in self.added:
            return replace(self, added=_without(self.added, paper))
        raise IllegalMoveError("that paper is neither pinned nor added")

    def drop(self, paper: int) -> "Hand":
        """Leave *paper* out of the issue, whatever else was done to it."""
        return replace(self, dropped=self.dropped | {paper})

    def leave(self, paper: int, front: Sequence[int]) -> "Hand":
        """Drop *paper* from the *front* as it is now, and move what was moved before along.

        All others keep the order that they have, but for a paper that takes the room.
        """
        places = {i: place for place, i in enumerate((i for i in front if i != paper), 1)}
        return replace(self.drop(paper), moved={i: places.get(i, place) for i, place in self.moved.items()})

    def undrop(self, paper: int) -> "Hand":
        """Undo ``drop``: what else was done to the paper holds again. Raises IllegalMoveError."""
        if paper not in self.dropped:
            raise IllegalMoveError("that paper is not dropped")
        return replace(self, dropped=self.dropped - {paper})

    def move(self, paper: int, position: int) -> "Hand":
        """Let *paper* stand at *position* of the front, from 1, also one that was dropped; 0 undoes that.

        Raises UsageError.
        """
        if not 0 <= position <= 100:
            raise UsageError(f"position {position}: use a place in the front from 1 to 100, or 0 to undo a move")
        others = {i: place for i, place in self.moved.items() if i != paper}
        if not position:
            return replace(self, moved=others)
        return replace(self, moved=others | {paper: position}, dropped=self.dropped - {paper})

    def stand(self, paper: int, position: int, front: Sequence[int]) -> "Hand":
        """Let *paper* stand at *position* of the *front* as it is now, and all others in the order that they have.

        Whatever was moved before is moved along. Raises UsageError for what is not in the front, or a place outside.
        """
        if paper not in front or not 1 <= position <= len(front):
            raise UsageError(f"position {position}: use a place in the front from 1 to {len(front)}")
        others = [i for i in front if i != paper]
        places = {i: place for place, i in enumerate([*others[: position - 1], paper, *others[position - 1 :]], 1)}
        moved = {i: places.get(i, place) for i, place in self.moved.items() if i != paper}
        return replace(self, moved=moved | {paper: position})

    def note(self, paper: int, text: str) -> "Hand":
        """Write the editor's note on *paper*; an empty text takes it away."""
        others = {i: said for i, said in self.notes.items() if i != paper}
        return replace(self, notes=others | ({paper: text} if text else {}))


def _with(papers: tuple[int, ...], paper: int) -> tuple[int, ...]:
    return papers if paper in papers else (*papers, paper)


def _without(papers: tuple[int, ...], paper: int) -> tuple[int, ...]:
    return tuple(i for i in papers if i != paper)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One dated number. ``reason`` says why it is empty or skipped, or why it was halted.

    ``seal_at`` is when a draft will be sealed whose sealing was decided, and until when that can be undone.
    """

    id: int
    date: date
    status: Status
    subject: str = ""  # the editor's; '' for the template's
    note: str = ""
    brake: Brake = Brake.NONE
    reason: str = ""
    sealed_at: datetime | None = None
    edited_at: datetime | None = None
    seal_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was wrong in a sealed issue. It is final: who has read it must find the same words everywhere."""

    id: int
    issue_date: date
    text: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """A pool in the newsletter's order, and the front picked from it."""

    pool: tuple[Candidate, ...]
    front: tuple[Candidate, ...]


def arrange(
    candidates: Iterable[Candidate],
    hand: Hand,
    *,
    day: date,
    earlier_fronts: frozenset[int],
    shares: Mapping[str, int],
    topics: Sequence[Topic],
    max_papers: int,
    people: Collection[Person] = (),
) -> Arranged:
    """Return the pool and the front of the issue of *day*.

    Withdrawn and dropped papers are in neither. The front is the first ``max_papers`` that were in no earlier
    front, sharing by source among those; what the editor pinned leads, then what our own *people* wrote, what the
    editor added is in it, and what the editor moved stands where it was moved to. It is longer only when the editor
    chose more.
    """
    chosen = hand.chosen
    kept = [c for c in candidates if not c.paper.withdrawn and c.paper.id not in hand.dropped]
    eligible = [c for c in kept if c.paper.id not in earlier_fronts or c.paper.id in chosen]
    ranked = ours_first(newsletter_order(eligible, day, shares, topics, among=kept), people)
    pool = ranked
    if len(eligible) != len(kept):
        pool = ours_first(newsletter_order(kept, day, shares, topics), people)
    room = max(0, max_papers - sum(c.paper.id in chosen for c in ranked))
    rest = {c.paper.id for c in [c for c in ranked if c.paper.id not in chosen][:room]}
    front = [c for c in ranked if c.paper.id in chosen or c.paper.id in rest]
    return Arranged(pool=tuple(pool), front=tuple(_moved(_led(front, hand, people), hand.moved)))


def _led(front: Sequence[Candidate], hand: Hand, people: Collection[Person]) -> list[Candidate]:
    """Return *front* with what the editor pinned first, and last what no source lists, each as it was chosen.

    What is of our own people is not left to the last.
    """
    ours = by_ours(front, people)
    by_id = {c.paper.id: c for c in front}
    pinned = [by_id[i] for i in hand.pinned if i in by_id]
    listed = [c for c in front if (c.listings or c.paper.id in ours) and c.paper.id not in hand.pinned]
    unlisted = dict.fromkeys(i for i in (*hand.added, *hand.moved) if i in by_id and i not in hand.pinned)
    return [*pinned, *listed, *(by_id[i] for i in unlisted if by_id[i] not in listed)]


def _moved(front: Sequence[Candidate], moved: Mapping[int, int]) -> list[Candidate]:
    """Return *front* with what was moved at its place; of two for one place the one that was moved last gets it."""
    by_id = {c.paper.id: c for c in front}
    places: dict[int, Candidate] = {}
    for paper_id, position in reversed([m for m in moved.items() if m[0] in by_id]):
        wanted = min(position, len(front)) - 1
        nearest = (*range(wanted, len(front)), *range(wanted - 1, -1, -1))
        places[next(n for n in nearest if n not in places)] = by_id[paper_id]
    others = iter([c for c in front if c.paper.id not in moved])
    return [places[n] if n in places else next(others) for n in range(len(front))]
