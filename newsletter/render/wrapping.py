"""Plain text in lines: wrapping by the columns of a terminal, and shortening. It never breaks a link.

A wide character (CJK, emoji) takes two columns and may end a line anywhere; a combining mark takes none and
stays with what it marks. At a no-break space no line ends; it becomes a plain one.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

WIDTH = 72

_WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f"
    "\uff01-\uff60\uffe0-\uffe6\U0001f300-\U0001faff\U00020000-\U0003fffd"
)
# What must not begin a line: closing punctuation of CJK, marks and variants of what they follow.
_STAYS = (
    "\u0300-\u036f\u3001\u3002\u3009\u300b\u300d\u300f\u3011\ufe00-\ufe0f"
    "\uff01\uff09\uff0c\uff0e\uff1a\uff1b\uff1f\U0001f3fb-\U0001f3ff"
)
_KEPT = "\u00a0"
_BLANK = re.compile(rf"[^\S{_KEPT}]+")
_PIECE = re.compile(rf"[^\S{_KEPT}]+|[{_WIDE}](?:\u200d[^\s]|[{_STAYS}])*|(?:{_KEPT}|[^\s{_WIDE}])+")


_SIGN = re.compile(r" ?(?<![\w-])-(?:\w| (?=\S))")
_JOINER = "\u2060"


def unbroken(text: str) -> str:
    """Return *text* so that no line ends after a ``-`` that begins a word or stands alone.

    Browsers break there, even before a no-break space (UAX 14, LB12a).
    """
    return _SIGN.sub(lambda found: _held(found.group()), text)


def _held(sign: str) -> str:
    kept = sign.replace(" ", _KEPT) if sign.endswith(" ") else sign
    return kept.replace("-", f"-{_JOINER}")


def columns(text: str) -> int:
    """Return how many columns *text* takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, width: int = WIDTH) -> list[str]:
    """Return *text* in lines of at most *width* columns. A longer word is broken, a link never."""
    folded = " ".join(filter(None, _BLANK.split(text)))
    if columns(folded) <= width:
        return [folded.replace(_KEPT, " ")] if folded else []
    if folded.isascii() and max(map(len, folded.split(" "))) <= width:
        return list(_cut(folded, width))
    lines = [""]
    used = 0
    for piece in _pieces(folded, width):
        taken = columns(piece)
        if used + taken > width and lines[-1]:
            lines.append("")
            used = 0
        if lines[-1] or piece != " ":
            lines[-1] += piece
            used += taken
    return [line.rstrip().replace(_KEPT, " ") for line in lines if line]


def _cut(text: str, width: int) -> Iterator[str]:
    """Yield the lines of *text* where nothing but a blank can end one, and none of its words is too long."""
    start = 0
    while len(text) - start > width:
        end = text.rfind(" ", start, start + width + 1)
        yield text[start:end]
        start = end + 1
    yield text[start:]


def _pieces(text: str, width: int) -> list[str]:
    """Return the parts between which *text* may be broken; together they are *text*."""
    pieces: list[str] = []
    for found in _PIECE.findall(text):
        pieces.extend([found] if "://" in found or columns(found) <= width else _broken(found, width))
    return pieces


def _broken(word: str, width: int) -> list[str]:
    parts = [""]
    used = 0
    for character in word:
        taken = _columns(character)
        if used + taken > width:
            parts.append("")
            used = 0
        parts[-1] += character
        used += taken
    return parts


def wrap(text: str, indent: int = 0, width: int = WIDTH) -> str:
    """Return *text* wrapped at *width* columns, every line indented by *indent* blanks."""
    return "\n".join(" " * indent + line for line in wrapped(text, width - indent))


def pad(text: str, width: int) -> str:
    """Return *text* with blanks behind it, so that it takes *width* columns."""
    return text + " " * (width - columns(text))


def shorten(text: str, limit: int) -> str:
    """Return *text* in at most *limit* characters, ending with an ellipsis where something is left out.

    It ends at a word; where there are none to end at (CJK, or one endless word), at a whole character.
    """
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    end = head.rfind(" ")
    if end < limit // 2:
        end = limit - 2
        while end > 1 and _joined(text, end):
            end -= 1
    return head[:end].rstrip(" ,;:-–—") + " …"


def _joined(text: str, at: int) -> bool:
    """Return whether the characters of *text* on both sides of *at* are one for a reader."""
    return "\u200d" in text[at - 1 : at + 1] or not _columns(text[at])
