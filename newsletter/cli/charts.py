"""Bars in the terminal."""

import sys
from collections.abc import Sequence

_WIDTH = 24
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(value: float, most: float) -> str:
    """Return a bar of *value* where *most* is as long as there is room; anything above nothing is seen."""
    eighths = 0 if most <= 0 else round(8 * _WIDTH * value / most)
    eighths = max(eighths, 1 if value > 0 else 0)
    if not _has_blocks():
        return "#" * ((eighths + 7) // 8)
    full, part = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[part] if part else "")


def bars(rows: Sequence[tuple[str, float, str]]) -> list[str]:
    """Return a line for each of *rows*: what it is of, how much, and what to say beside the bar."""
    most = max((value for _, value, _ in rows), default=0)
    return [f"{name}  {bar(value, most):<{_WIDTH}}  {said}".rstrip() for name, value, said in rows]


def _has_blocks() -> bool:
    try:
        _EIGHTHS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True
