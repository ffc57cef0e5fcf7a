"""Where sentences end, and the beginning of a text in whole ones. Which sentences matter is ``summary``'s business.

A stop ends a sentence where a blank and a new beginning follow it: not after an abbreviation or an initial, not inside
a number or a formula that stayed TeX. The full stops of CJK need no blank.
"""

import re
from itertools import pairwise

from newsletter.render.wrapping import shorten

# Looked for from the first of several on: from each of thousands it would take seconds.
_STOP = re.compile(
    r"(?<![.!?…。！？])[.!?…。！？]+[\"'”’»)\]」』）]*(?:\s+(?=[^\sa-z])|(?<=[。！？])\s*|(?<=[。！？][”’」』）])\s*)"
)
# As lists nobody could read them. The second are other words too, unless a number follows.
_ABBREVIATIONS = frozenset(
    "al approx ca cf dr e.g ed eds esp i.e incl mr mrs ms prof resp viz vs w.r.t".split()  # noqa: SIM905
)
_OF_NUMBERS = frozenset(
    """app apr art aug ch chap dec def eq eqs feb fig figs jan jul jun lem mar no nos nov oct p pp prop ref refs sec
    sect sep sept tab thm vol""".split()  # noqa: SIM905
)
_LAST_WORD = re.compile(r"[^\s(\[\"“]+$")
_ENUMERATOR = re.compile(r"(?:^|[:;,]\s|\(|and )\(?(?:\d{1,2}|[A-Za-z])$")
_LOOK_BACK = 40  # characters: longer words are no abbreviations
_FORMULA = re.compile(r"\$\$?(?=\S)[^$]+\$\$?|\\\[.{1,500}?\\\]|\\\(.{1,500}?\\\)")


def sentences(text: str) -> list[str]:
    """Return the sentences of *text*, each with the blanks that follow it: joined they are *text*."""
    formulas = _formulas(text)
    ends = [stop.end() for stop in _STOP.finditer(text) if _ends(text, stop, formulas)]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)]) if start < end]


def first_sentences(text: str, limit: int) -> str:
    """Return the beginning of *text*, at most *limit* characters: whole sentences, else whole words and formulas."""
    if len(text) <= limit:
        return text
    end = 0
    for sentence in sentences(text):
        if end + len(sentence.rstrip()) > limit:
            break
        end += len(sentence)
    return text[:end].rstrip() if end >= limit // 3 else whole_words(text, limit)


def whole_words(text: str, limit: int) -> str:
    """Return *text* in at most *limit* characters, with an ellipsis where something is left out.

    No word is cut and no formula, unless there is nothing before it.
    """
    short = shorten(text, limit)
    if short == text:
        return text
    cut = len(short) - len(" …")
    before = next((start for start, end in _formulas(text) if 0 < start < cut < end), cut)
    return shorten(text, before + 2) if before < cut else short


def _formulas(text: str) -> list[tuple[int, int]]:
    return [found.span() for found in _FORMULA.finditer(text)] if "$" in text or "\\" in text else []


def _ends(text: str, stop: re.Match[str], formulas: list[tuple[int, int]]) -> bool:
    """Return whether a sentence ends at *stop*."""
    if any(start < stop.start() < end for start, end in formulas):
        return False
    if text[stop.start()] != "." or not stop[0].startswith(". "):
        return True
    before = text[max(stop.start() - _LOOK_BACK, 0) : stop.start()]
    word = found[0] if (found := _LAST_WORD.search(before)) else ""
    initial = len(word) == 1 and word.isupper()
    if text[stop.end() : stop.end() + 1].isdecimal() and word.lower() in _OF_NUMBERS:
        return False
    return not (initial or word.lower() in _ABBREVIATIONS or _ENUMERATOR.search(before))
