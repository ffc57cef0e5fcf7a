"""An issue: one dated number of the newsletter, from draft to sealed, its front, and the editor's hand.

The pool is everything listed on the issue's days, in the newsletter's order (``ranking``). The front is what the
archive shows, and what a reader without preferences gets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

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
    """What the editor did, by paper id; it survives later gathers. Each has its undoing."""

    added: tuple[int, ...] = ()  # in order
    pinned: tuple[int, ...] = ()  # lead the front, in order
    dropped: frozenset[int] = frozenset()
    moved: Mapping[int, int] = field(default_factory=dict)  # to a place in the front, from 1
    notes: Mapping[int, str] = field(default_factory=dict)

    @property
    def chosen(self) -> frozenset[int]:
        """Return the papers that are in the issue because the editor wants them there."""
        return frozenset((*self.added, *self.pinned, *self.moved))

    def add(self, paper: int) -> "Hand":
        """Put *paper* into the issue, listed or not; one that was dropped comes back."""
        return replace(self, added=_with(self.added, paper), dropped=self.dropped - {paper})

    def pin(self, paper: int) -> "Hand":
        """Let *paper* lead the front, after those pinned before."""
        return replace(self.add(paper), pinned=_with(self.pinned, paper))

    def unpin(self, paper: int) -> "Hand":
        """Undo ``pin``: the paper stands where its order puts it. Raises IllegalMoveError."""
        if paper not in self.pinned:
            raise IllegalMoveError("that paper is not pinned")
        return replace(self, added=_without(self.added, paper), pinned=_without(self.pinned, paper))

    def drop(self, paper: int) -> "Hand":
        """Leave *paper* out of the issue; what else was done to it, but for its note, is undone."""
        undone = replace(self, added=_without(self.added, paper), pinned=_without(self.pinned, paper))
        return replace(undone.move(paper, 0), dropped=self.dropped | {paper})

    def undrop(self, paper: int) -> "Hand":
        """Undo ``drop``. Raises IllegalMoveError."""
        if paper not in self.dropped:
            raise IllegalMoveError("that paper is not dropped")
        return replace(self, dropped=self.dropped - {paper})

    def move(self, paper: int, position: int) -> "Hand":
        """Let *paper* stand at *position* of the front, from 1; 0 gives it back its own place. Raises UsageError."""
        if not 0 <= position <= 100:
            raise UsageError(f"position {position}: use a place in the front from 1 on, or 0 to undo a move")
        others = {i: place for i, place in self.moved.items() if i != paper}
        return replace(self, moved=others | ({paper: position} if position else {}))

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
    """One dated number. ``reason`` says why it is empty or skipped, or why it was halted."""

    id: int
    date: date
    status: Status
    subject: str = ""  # the editor's; '' for the template's
    note: str = ""
    brake: Brake = Brake.NONE
    reason: str = ""
    sealed_at: datetime | None = None
    edited_at: datetime | None = None


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
) -> Arranged:
    """Return the pool and the front of the issue of *day*.

    Withdrawn and dropped papers are in neither. The front is the first ``max_papers`` that were in no earlier
    front, sharing by source among those; what the editor pinned leads, what the editor added is in it, and what
    the editor moved stands where it was moved to. It is longer only when the editor chose more.
    """
    kept = [c for c in candidates if not c.paper.withdrawn and c.paper.id not in hand.dropped]
    pool = newsletter_order(kept, day, shares, topics)
    fresh = newsletter_order((c for c in kept if c.paper.id not in earlier_fronts), day, shares, topics)
    by_id = {c.paper.id: c for c in pool}
    pinned = [by_id[i] for i in hand.pinned if i in by_id]
    chosen = [by_id[i] for i in (*hand.added, *hand.moved) if i in by_id and i not in hand.pinned]
    chosen = list({c.paper.id: c for c in chosen}.values())
    taken = {c.paper.id for c in (*pinned, *chosen)}
    room = max(0, max_papers - len(taken))
    rest = [c for c in fresh if c.paper.id not in taken][:room]
    front = [*pinned, *_in_order(rest, chosen, pool)]
    return Arranged(pool=tuple(pool), front=tuple(_moved(front, hand.moved)))


def _in_order(rest: list[Candidate], chosen: list[Candidate], pool: list[Candidate]) -> list[Candidate]:
    """Return *rest* with the editor's own choices after it, those that any source lists at their own place."""
    place = {c.paper.id: n for n, c in enumerate(pool)}
    listed = [*rest, *(c for c in chosen if c.listings)]
    return [*sorted(listed, key=lambda c: place[c.paper.id]), *(c for c in chosen if not c.listings)]


def _moved(front: list[Candidate], moved: Mapping[int, int]) -> list[Candidate]:
    by_id = {c.paper.id: c for c in front}
    ordered = [c for c in front if c.paper.id not in moved]
    for paper_id, position in sorted(moved.items(), key=lambda item: item[1]):
        if paper_id in by_id:
            ordered.insert(position - 1, by_id[paper_id])
    return ordered
