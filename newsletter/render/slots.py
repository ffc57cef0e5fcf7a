"""A rendered text with named slots, filled for each reader by one join.

A slot is written into a template as ``{{ slots.NAME }}`` and stands in the rendered text between two private-use
characters, U+E000 and U+E001. No foreign text can forge one: ``domain.text.plain`` removes private-use characters,
and values are filled in without being read again. In the packaged templates each slot of a card or a page has a
line of its own, so that everything around it can be encoded for transport once.
"""

import re
from collections.abc import Mapping

_SLOT = re.compile("\ue000([a-z_]+)\ue001")


def slots(*names: str) -> dict[str, str]:
    """Return the marks to render in place of what each reader's message will hold, by name."""
    return {name: f"\ue000{name}\ue001" for name in names}


class Slotted:
    """A text rendered once, with places for what is the reader's own."""

    __slots__ = ("_parts", "_places", "names")

    def __init__(self, rendered: str) -> None:
        self._parts = _SLOT.split(rendered)
        self._places = [(at, self._parts[at]) for at in range(1, len(self._parts), 2)]
        self.names = frozenset(name for _, name in self._places)

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with *values*, already escaped for it, in their places. One too many does no harm."""
        parts = self._parts.copy()
        for at, name in self._places:
            parts[at] = values[name]
        return "".join(parts)
