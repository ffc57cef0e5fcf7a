"""What a template may do, and how much of it is left.

Effort is counted, in steps of about a microsecond at most. No clock is asked: on a busy machine templates mean what
they mean on any other. Not here: what takes how much (``sandbox``).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2.exceptions import SecurityError

MOST = 5_000_000  # of ours, the page with every time zone in the world takes most: a fiftieth
_HOLDING = (list, tuple, dict, set, frozenset)
_AT_ONCE = 16  # characters that are compared or searched in a step
_left: ContextVar[list[int]] = ContextVar("left")


@contextmanager
def counting(most: int) -> Iterator[None]:
    """Count what is spent inside, from nothing to *most*."""
    before = _left.set([most])
    try:
        yield
    finally:
        _left.reset(before)


def spend(much: int) -> None:
    """Count so *much*. Raises SecurityError where more is counted than there may be."""
    left = _left.get()
    left[0] -= much
    if left[0] < 0:
        raise endless()


def weigh(value: Any) -> None:
    """Count all that *value* holds, as often as it does: ten lists of ten are a hundred, though they be one list."""
    if isinstance(value, str | bytes):
        spend(1 + len(value) // _AT_ONCE)
    elif isinstance(value, range):
        spend(1 + len(value))
    elif isinstance(value, _HOLDING):
        _weigh_deeply(value)


def endless() -> SecurityError:
    """Return the error of a template that does too much."""
    return SecurityError("this never seems to end, or is far too long")


def _weigh_deeply(value: Any) -> None:
    waiting = [value]
    while waiting:
        held = waiting.pop()
        spend(1 + len(held))
        for ones in (held.keys(), held.values()) if isinstance(held, Mapping) else (held,):
            waiting += [one for one in ones if isinstance(one, _HOLDING)]
            spend(sum(len(one) for one in ones if isinstance(one, str | bytes)) // _AT_ONCE)
