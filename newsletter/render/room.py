"""How much one operation of a template may give, looked at before it is done, since one is enough to fill the memory.

Rather too much is let through than too little: what an operation did give is counted once more (``sandbox``). Not
looked at is what Python makes of lists in lists.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jinja2.exceptions import SecurityError
from markupsafe import soft_str

_WIDEST = 10_000
_MOST = 50_000_000  # characters
_REPEATING = frozenset({"expandtabs", "indent", "replace", "translate", "urlize", "wordwrap"})  # for each of a text
_NUMBER = re.compile(r"(?<=[%):<>=^+# .,_-])\d+")  # a width or a precision, perhaps
_ASKS_VALUES = re.compile(r"\*|\{[^{}]*\{")  # for a width or a precision


def look_at_call(name: str, subject: Any, others: Sequence[Any]) -> None:
    """Raise SecurityError where the filter or method *name* would make too much of *subject*."""
    if name == "replace":  # numbers are what stands there instead, or how often
        others = [one for one in others if not isinstance(one, int)]
    if any(isinstance(one, int) and abs(one) > _WIDEST for one in others):
        raise SecurityError(f"{name} is for small numbers only")
    if name in _REPEATING:
        length = len(subject) if isinstance(subject, str | bytes) else len(str(subject))
        _look(name, length, max(map(_size, others), default=0))


def look_at_format(text: str | bytes, values: Any) -> None:
    """Raise SecurityError where *text*, with ``%`` or ``{}`` in it, would be too long with one or more *values*."""
    text = text if isinstance(text, str) else text.decode("latin-1")
    given = values.values() if isinstance(values, Mapping) else values if isinstance(values, tuple) else (values,)
    asks = bool(_ASKS_VALUES.search(text))
    sizes = [_size(one) for one in given if asks or not isinstance(one, int)]
    widths = [int(number) if len(number) < 10 else _MOST + 1 for number in _NUMBER.findall(text)]
    _look("formatting", text.count("%") + text.count("{"), max(sizes + widths, default=0))


def joinable(items: Iterable[Any], between: Any) -> Iterator[Any]:
    """Yield *items*. Raises SecurityError when they are too much to be joined with *between* them."""
    length = 0
    for item in items:
        length += _size(between) + len(item if isinstance(item, str | bytes) else soft_str(item))
        _look("join", length, 1)
        yield item


def _look(name: str, times: int, much: int) -> None:
    if times * much > _MOST:
        raise SecurityError(f"{name} would give far too much")


def _size(value: Any) -> int:
    if isinstance(value, Mapping):
        return max((_size(one) for one in value.values() if not isinstance(one, Mapping)), default=0)
    return len(value) if isinstance(value, str | bytes) else value if isinstance(value, int) else 0
