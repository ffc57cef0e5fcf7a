"""What a library of references proposes that a reader follows. Not here: reading it (``library``)."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from newsletter.domain.library import proposals
from newsletter.services.library import read_library


@dataclass(frozen=True, slots=True)
class Proposal:
    """Topics, each with how many of the ``references`` suggest it."""

    references: int
    found: list[tuple[str, int]]

    @property
    def topics(self) -> list[str]:
        """Return the topics as they would be added."""
        return [text for text, _ in self.found]

    @property
    def lines(self) -> list[str]:
        """Return a line for each topic."""
        return [f"{text}  ({count} of {self.references})" for text, count in self.found]

    @property
    def document(self) -> list[dict[str, Any]]:
        """Return the topics as JSON gives them."""
        return [{"topic": text, "references": count} for text, count in self.found]


def propose(file: Path, known: Collection[str]) -> Proposal:
    """Return what the library *file* suggests besides the *known* topics. Raises UsageError."""
    found = read_library(file)
    return Proposal(len(found), proposals(found, known))
