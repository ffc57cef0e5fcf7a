"""Picks as the ledger keeps them: what a reader was sent is remembered in a few octets a paper, for as long as it is.

A line of one text has the papers: of each how far its id is from the one before, in hexadecimal, and a capital for why
it is there, with the number of its detail before that, where it has one. The details follow, each on a line of its own
and once. So ``3f2.0A-1C2.0A`` and ``rag`` are three papers, two of them for the topic *rag*. Not here: choosing
(``domain.digest``).
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Dialect, String, TypeDecorator, cast, func

from newsletter.domain.pool import Why

Picks = tuple[tuple[int, str, str], ...]

_LETTERS = {
    Why.TOPIC.value: "A",
    Why.TASTE.value: "B",
    Why.FRONT.value: "C",
    Why.POOL.value: "D",
    Why.TOP.value: "E",
    Why.EDITOR.value: "F",
    Why.OURS.value: "G",
    Why.ALERT.value: "H",
    Why.NEAREST.value: "I",
}  # for ever: old rows have them
_REASONS = {letter: why for why, letter in _LETTERS.items()}
_PICK = re.compile(r"(-?[0-9a-f]+)(?:\.([0-9a-f]+))?([A-Z])")


def packed(picks: Iterable[Sequence[Any]]) -> str:
    """Return *picks*, each a paper's id, a reason and its detail, as they are kept."""
    before, line, details = 0, "", dict[str, int]()
    for paper_id, why, detail in picks:
        if detail:
            line += (
                f"{paper_id - before:x}.{details.setdefault(' '.join(detail.split()), len(details)):x}{_LETTERS[why]}"
            )
        else:
            line += f"{paper_id - before:x}{_LETTERS[why]}"
        before = paper_id
    return "\n".join((line, *details))


@lru_cache(maxsize=4096)  # readers who follow the same get the same
def unpacked(kept: str) -> Picks:
    """Return the picks that are *kept*."""
    line, *details = kept.split("\n")
    found, paper_id = [], 0
    for step, number, letter in _PICK.findall(line):
        paper_id += int(step, 16)
        found.append((paper_id, _REASONS.get(letter, letter), details[int(number, 16)] if number else ""))
    return tuple(found)


def papers_in(line: str) -> list[int]:
    """Return the papers of the first line of what is kept, by the ids that they had then."""
    found, paper_id = [], 0
    for step, _, _ in _PICK.findall(line):
        paper_id += int(step, 16)
        found.append(paper_id)
    return found


class Packed(TypeDecorator[Sequence[Any]]):
    """Picks that are packed on their way into the database, and unpacked on their way out."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: Sequence[Any] | None, dialect: Dialect) -> str:
        """Return *value* as it is kept."""
        return packed(value or ())

    def process_result_value(self, value: str | None, dialect: Dialect) -> Picks:
        """Return what is kept as picks."""
        return unpacked(value or "")


def papers_line(column: Any) -> ColumnElement[str]:
    """Return the first line of a *column* of picks, which has the papers and no detail."""
    kept, end = cast(column, String), func.char(10)
    return func.substr(kept, 1, func.instr(kept.concat(end), end) - 1)
