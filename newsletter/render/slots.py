"""A rendered text with named slots, filled for each reader by one join.

A slot is written into a template as ``{{ slots.NAME }}`` and stands in the rendered text between two private-use
characters, U+E000 and U+E001. No foreign text can forge one: ``domain.text.plain`` removes private-use characters,
and values are filled in without being read again. What stands between slots is encoded once, by whatever way of
encoding the caller has: one that lets the encodings of two texts be joined to one of both.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

_SLOT = re.compile("\ue000([a-z_]+)\ue001")


def slots(*names: str) -> dict[str, str]:
    """Return the marks to render in place of what each reader's message will hold, by name."""
    return {name: f"\ue000{name}\ue001" for name in names}


class Slotted:
    """A text rendered and encoded once, with places for what is the reader's own; *known* is what all have alike."""

    __slots__ = ("_parts", "_places", "names")

    def __init__(
        self, rendered: str, encode: Callable[[str], bytes], known: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        first, *rest = _SLOT.split(rendered)
        self._parts, self._places = [encode(first)], list[tuple[int, str]]()
        for name, text in zip(rest[::2], rest[1::2], strict=True):
            if name in known:
                self._parts[-1] += known[name] + encode(text)
            else:
                self._places.append((len(self._parts), name))
                self._parts += [b"", encode(text)]
        self.names = frozenset(name for _, name in self._places)

    def fill(self, values: Mapping[str, bytes]) -> bytes:
        """Return the text with *values*, encoded for it, in their places. One too many does no harm."""
        parts = self._parts.copy()
        for at, name in self._places:
            parts[at] = values[name]
        return b"".join(parts)

    def spread(self, values: Mapping[str, Sequence[Iterable[bytes]]], part: int) -> list[bytes]:
        """Return the pieces of the text, with those that *values* have for this *part* of the mail in their places."""
        pieces = self._parts[:1]
        for at, name in self._places:
            pieces += values[name][part]
            pieces.append(self._parts[at + 1])
        return pieces
