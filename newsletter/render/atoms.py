"""The pieces of a readable formula, and how they stand in one line.

Blanks follow TeX's classes: around relations always, around operators where the author left them. Not here: what the
pieces are in Unicode (``formula``).
"""

from enum import Enum
from typing import NamedTuple

_OPENING = set("([{⟨⌊⌈|‖,;:")
_CLOSING = set(")]}⟩⌋⌉|‖,;:.")


class Kind(Enum):
    """How an atom stands among others."""

    PLAIN = "plain"
    RELATION = "relation"
    OPERATOR = "operator"
    FUNCTION = "function"
    FRACTION = "fraction"
    ROOT = "root"
    BLANK = "blank"


class Atom(NamedTuple):
    """A readable piece of a formula."""

    text: str
    kind: Kind = Kind.PLAIN


class UnreadableError(Exception):
    """The formula says something that has no exact form in Unicode."""


def in_line(atoms: list[Atom]) -> str:
    """Return *atoms* in one line, with the blanks that keep them apart."""
    out, before, gap = "", Atom("", Kind.RELATION), False
    for atom in atoms:
        if atom.kind is Kind.BLANK:
            gap = True
        elif atom.text:
            if out and not _may_follow(before, atom):
                raise UnreadableError
            out += _spaced(atom, before, first=not out, gap=gap)
            before, gap = atom, False
    return " ".join(out.split())


def _may_follow(before: Atom, atom: Atom) -> bool:
    """Return whether a fraction or a root would still be read as one beside its neighbour."""
    apart = {Kind.RELATION, Kind.OPERATOR}
    if before.kind is Kind.FRACTION and not (atom.kind in apart or atom.text[0] in _CLOSING):
        return False
    if atom.kind is Kind.FRACTION and not (before.kind in apart or before.text[-1] in _OPENING):
        return False
    return before.kind is not Kind.ROOT or before.text[-1] == ")" or not atom.text[0].isalnum()


def _spaced(atom: Atom, before: Atom, *, first: bool, gap: bool) -> str:
    text, open_ended = atom.text, before.kind in {Kind.RELATION, Kind.OPERATOR}
    if first:
        return text
    if atom.kind is Kind.RELATION:
        return f" {text} "
    if atom.kind is Kind.OPERATOR:
        return f" {text} " if gap and not open_ended else text
    if open_ended or before.text[-1] in "([{⟨⌊⌈√/":
        return text
    applied = before.kind is Kind.FUNCTION and text[0] not in "([{⟨|)]},;"
    return f" {text}" if gap or applied or atom.kind is Kind.FUNCTION else text
