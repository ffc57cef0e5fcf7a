"""The newsletter's own people, whose papers lead the issue.

A name is compared folded, in any order of its words; an author may have more of them. An affiliation tells namesakes
apart where a paper names any: one that names none is theirs by the name alone, since most sources do not say.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from newsletter.domain.paper import Paper
from newsletter.domain.ranking import Candidate
from newsletter.domain.text import words


@dataclass(frozen=True)
class Person:
    """One of ours. ``affiliations`` are alternatives; none: any."""

    name: str
    affiliations: tuple[str, ...] = ()

    @cached_property
    def _name(self) -> frozenset[str]:
        return frozenset(words(self.name))

    @cached_property
    def _places(self) -> list[str]:
        return [_folded(place) for place in self.affiliations]

    def wrote(self, paper: Paper) -> bool:
        """Return whether one of the paper's authors is this person, as far as it says."""
        if not any(self._name <= set(words(author)) for author in paper.authors):
            return False
        known = _folded(paper.organisation)
        return not self._places or not known.strip() or any(place in known for place in self._places)


def by_ours(candidates: Iterable[Candidate], people: Collection[Person]) -> frozenset[int]:
    """Return the ids of the papers that one of *people* wrote."""
    if not people:
        return frozenset()
    return frozenset(c.paper.id for c in candidates if any(person.wrote(c.paper) for person in people))


def ours_first(order: Sequence[Candidate], people: Collection[Person]) -> list[Candidate]:
    """Return *order* with the papers of our own people before the others."""
    ours = by_ours(order, people)
    return sorted(order, key=lambda candidate: candidate.paper.id not in ours)


def _folded(place: str) -> str:
    return f" {' '.join(words(place))} "
