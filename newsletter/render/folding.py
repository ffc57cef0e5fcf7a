"""HTML in lines that quoted-printable need not break.

A soft break takes three octets, a line break in place of a blank one more than the blank: it adds up to kilobytes. Such
blanks are those between words and between attributes, where HTML does not tell one from the other. Not here: the
encoding itself (``mail``), for which a line that is too long is as good.
"""

import re

_ROOM = 75  # octets of a line, encoded
_TAG = re.compile(r"(<[^<>]*>?|^[^<>]*>)")  # also one that another line begins or ends
_ATTRIBUTE = re.compile(r' (?=[a-z][a-z:-]*=")')
_VERBATIM = re.compile(r"(<(?:style|script)\b.*?</(?:style|script)>)", re.IGNORECASE | re.DOTALL)  # no HTML in these
_KEPT = re.compile(r"<pre|<textarea|white-space", re.IGNORECASE)  # there it does tell them
_SLOT_ENDS = "\ue001"  # and a line with it: what fills a slot is encoded by itself


def folded(html: str) -> str:
    """Return *html* with line breaks in place of some blanks."""
    if _KEPT.search(html):
        return html
    parts = _VERBATIM.split(html)
    parts[::2] = ["\n".join(map(_folded, part.split("\n"))) for part in parts[::2]]
    return "".join(parts)


def _folded(line: str) -> str:
    if _octets(line) <= _ROOM:
        return line
    first, *words = _words(line)
    pieces, column = [first], _column(_octets(first.rpartition(_SLOT_ENDS)[2]))
    for word in words:
        before, _, after = word.rpartition(_SLOT_ENDS)
        octets = _octets(before or after)
        leaves = (column + octets) // _ROOM > (octets - 1) // _ROOM  # by a soft break less
        pieces += "\n" if leaves else " ", word
        column = _column(_octets(after) if before else octets if leaves else column + 1 + octets)
    return "".join(pieces)


def _words(line: str) -> list[str]:
    """Return *line* parted at the blanks of its texts, and at those of its tags that an attribute follows."""
    words = [""]
    for place, part in enumerate(_TAG.split(line)):
        first, *others = _ATTRIBUTE.split(part) if place % 2 else part.split(" ")
        words[-1] += first
        words += others
    return words


def _column(octets: int) -> int:
    """Return how full the last line of so many *octets* is."""
    return (octets - 1) % _ROOM + 1 if octets else 0


def _octets(text: str) -> int:
    """Return how many octets *text* takes in quoted-printable."""
    octets = text.encode("utf-8", "replace")
    beyond = 0 if text.isascii() else len(octets) - len(text.encode("ascii", "ignore"))
    return len(octets) + 2 * (beyond + text.count("="))
