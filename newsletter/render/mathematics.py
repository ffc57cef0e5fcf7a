"""TeX in titles and abstracts as people read it: what is exact becomes Unicode, everything else stays as it is.

A formula between dollars is converted whole or left whole (``formula``). So is what stands without dollars, which
some upstreams strip: where one bare command or script of a text has no exact form, all of them stay. Outside formulas
escapes (``\\%``), accents (``\\'e``), emphasis (``\\textbf{…}``) and quotes are converted, and ties and dashes where a
text is surely TeX. A dollar before an amount is money. A text without dollar, backslash, brace or double backquote
holds no TeX.

Three libraries that do this were tried, and none kept formulas whole: ``x^{10}`` became ``x^10``, ``\\frac{a+b}{c}``
``a+b/c``, ``\\log n`` ``łog n``, and ``$5 and $10`` ``5 and10``.
"""

import re
import unicodedata
from enum import Enum
from typing import NamedTuple

from newsletter.domain.text import plain
from newsletter.render.formula import STRUCTURES, formula
from newsletter.render.symbols import EMPHASES, FUNCTIONS, LETTERS, OPERATORS, RELATIONS, SYMBOLS, TEXT_ACCENTS

_TEX = ("$", "\\", "{", "``")
_MARK = re.compile(r"[$\\{}~^_-]|``|''")
_DISPLAYED = re.compile(r"\$\$((?:[^$\\]|\\.)+)\$\$|\\\[(.{1,500}?)\\\]|\\\((.{1,500}?)\\\)")
_INLINE = re.compile(r"\$(?=\S)((?:[^$\\]|\\.)+(?<![\s/(:])|\\[A-Za-z]+\s+)\$")
_PROSE = re.compile(r"\s[a-z]{2,}\s")
_GROUP = re.compile(r"\{[^{}]*\}")
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_EMPTY = re.compile(r"\{\}")
_AFTER_LETTER = re.compile(r"\{\}|\s*")
_LETTER_GROUP = re.compile(r"\{\\([A-Za-z]+)\}")
_BRACES = re.compile(r"\\.|[{}]")
_SCRIPTS = re.compile(r"(?:[_^](?:\{[^{}]*\}|\\[A-Za-z]+|\w))*")
_NUMBER_SCRIPT = re.compile(r"[_^]\{[+-]?\d+\}(?![_^])")
_FONT = re.compile(r"\{\\(?:em|it|bf|sc|tt|sf|rm|sl)(?:\s+|(?=\\))")
_LETTER = r"[^\W\d_]"
_ACCENT = re.compile(
    rf"""\\(?: (['`^"~]) (?: {{\\?({_LETTER})}} | \\?({_LETTER}) )
      | ([=.cvHukrdb]) {{\\?({_LETTER})}} | ([cvHukrdb]) \s ({_LETTER}) )""",
    re.VERBOSE,
)
_QUOTE = re.compile(r'\\"(?!\{?\\?[^\W\d_])')  # no accent: then none of its like in the text is one
_POSSESSIVE = re.compile(r"\\'s\b")
_DASH = re.compile(r"(?<!-)-{2,3}(?!-)")
_ESCAPES = {c: c for c in "%$&#_{}"} | dict.fromkeys(",;: ", " ") | dict.fromkeys("!/-", "")
_SAID = {"LaTeX": "LaTeX", "TeX": "TeX", "textregistered": "®", "texttrademark": "™", "textdegree": "°", "S": "§"} | {
    "pounds": "£", "euro": "€", "texteuro": "€", "copyright": "©", "textendash": "–", "textemdash": "—",
    "textellipsis": "…", "quad": " ", "textquoteright": "’",
}  # fmt: skip
_SYMBOLS = (RELATIONS | OPERATORS | SYMBOLS).keys() | FUNCTIONS


class _Sort(Enum):
    """What depends on the rest of the text."""

    TEXT = "text"
    FORMULA = "formula"
    COMMAND = "command"
    BARE = "bare"  # mathematics without dollars: readable if all of it is
    TIE = "tie"  # a blank or dash if the text is TeX


class _Piece(NamedTuple):
    source: str
    shown: str | None = None  # None: as it stands
    sort: _Sort = _Sort.TEXT


def readable(text: str) -> str:
    """Return *text* with its TeX as Unicode where that is exact, on one line. Converted again, it stays the same."""
    if not any(sign in text for sign in _TEX):
        return text
    shown = _converted(text)
    # Where what comes out could be taken for TeX itself (two sums of money), it had better stay as it was.
    return shown if _converted(shown) == shown else text


def _converted(text: str) -> str:
    scanner = _Scanner(text)
    pieces = scanner.pieces()
    if scanner.closing:  # a brace closes inside a formula
        return text
    bare = all(piece.shown is not None for piece in pieces if piece.sort is _Sort.BARE)
    tex = any(piece.sort is _Sort.FORMULA or (piece.shown is not None and _is_tex(piece, bare)) for piece in pieces)
    allowed = {_Sort.FORMULA: True, _Sort.COMMAND: True, _Sort.BARE: bare, _Sort.TIE: tex, _Sort.TEXT: False}
    said = "".join(p.shown if p.shown is not None and allowed[p.sort] else p.source for p in pieces)
    return plain(said) if said != text else text


def _is_tex(piece: _Piece, bare: bool) -> bool:
    return piece.sort is _Sort.COMMAND or (piece.sort is _Sort.BARE and bare)


class _Scanner:
    """Cuts a text into pieces, from the left. ``closing`` are the places of braces that close what was opened."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._quoting = bool(_QUOTE.search(text))
        self._quoted = False
        self._closers = _closers(text)
        self.closing: set[int] = set()

    def pieces(self) -> list[_Piece]:
        """Return the pieces, which together are the text."""
        pieces, at = [], 0
        while mark := _MARK.search(self._text, at):
            if mark.start() > at:
                pieces.append(_Piece(self._text[at : mark.start()]))
            pieces.append(self._piece(mark[0], mark.start()))
            at = mark.start() + len(pieces[-1].source)
        return [*pieces, _Piece(self._text[at:])]

    def _piece(self, mark: str, at: int) -> _Piece:
        if mark == "\\":
            return self._displayed(at) or self._accent(at, at) or self._command(at) or self._escape(at)
        if mark == "}" and at in self.closing:
            self.closing.remove(at)
            return _Piece(mark, "", _Sort.COMMAND)
        readers = {"$": self._formula, "{": self._brace, "^": self._script, "_": self._script, "~": self._tie}
        readers |= {"-": self._dash, "``": self._quotation, "''": self._quotation}
        return readers[mark](at) if mark in readers else _Piece(mark)

    def _formula(self, at: int) -> _Piece:
        if shown := self._displayed(at):
            return shown
        found = _INLINE.match(self._text, at)
        if not found or _is_money(found[1], self._text[found.end() :]):
            # One that belongs to no sum of money may belong to mathematics that cannot be made out.
            return _Piece("$", None, _Sort.TEXT if self._text[at + 1 : at + 2].isdecimal() else _Sort.BARE)
        return _Piece(found[0], formula(found[1]), _Sort.FORMULA)

    def _displayed(self, at: int) -> _Piece | None:
        found = _DISPLAYED.match(self._text, at)
        return _Piece(found[0], formula(found[found.lastindex or 0]), _Sort.FORMULA) if found else None

    def _accent(self, at: int, start: int) -> _Piece | None:
        """Return the accented letter whose backslash is at *at*, and which may have had braces from *start* on."""
        found = _ACCENT.match(self._text, at)
        if not found or (found[1] == '"' and self._quoting) or (_POSSESSIVE.match(self._text, at) and at):
            return None
        mark, *letters = (part for part in found.groups() if part)
        composed = unicodedata.normalize("NFC", letters[0] + TEXT_ACCENTS[mark])
        end = found.end() + (at - start)
        if len(composed) > 1 or (start < at and self._text[end - 1 : end] != "}"):
            return None
        return _Piece(self._text[start:end], composed, _Sort.COMMAND)

    def _command(self, at: int) -> _Piece | None:
        found = _COMMAND.match(self._text, at)
        if not found:
            return None
        name, end = found[1], found.end()
        if name in EMPHASES:
            return self._emphasis(at, end)
        if name in LETTERS or name in _SAID:
            after = _AFTER_LETTER if name in LETTERS else _EMPTY
            ended = after.match(self._text, end)
            return _Piece(self._text[at : ended.end() if ended else end], (LETTERS | _SAID)[name], _Sort.COMMAND)
        if name in _SYMBOLS:
            return self._symbol(at, end)
        return _Piece(found[0], None, _Sort.BARE if name in STRUCTURES else _Sort.TEXT)

    def _emphasis(self, at: int, end: int) -> _Piece:
        after = self._text[end : end + 1]
        if after == "{":
            return self._opened(at, end, end + 1)
        # A letter right after it is beyond ASCII, or it would be part of the name.
        return _Piece(self._text[at:end], "" if after.isalpha() else None, _Sort.COMMAND)

    def _symbol(self, at: int, end: int) -> _Piece:
        scripts = _SCRIPTS.match(self._text, end)
        source = self._text[at : scripts.end() if scripts else end]
        around = self._text[max(at - 1, 0) : at] + self._text[at + len(source) : at + len(source) + 1]
        return _Piece(source, None if set(around) & set("_^{") else formula(source), _Sort.BARE)

    def _opened(self, at: int, brace: int, content: int) -> _Piece:
        """Return what opens a group at *at* with its *brace*, to be closed by the one that belongs to it."""
        if brace not in self._closers:
            return _Piece(self._text[at:content])
        self.closing.add(self._closers[brace])
        return _Piece(self._text[at:content], "", _Sort.COMMAND)

    def _escape(self, at: int) -> _Piece:
        escaped = self._text[at + 1 : at + 2]
        return _Piece("\\" + escaped, _ESCAPES.get(escaped), _Sort.COMMAND if escaped in _ESCAPES else _Sort.TEXT)

    def _brace(self, at: int) -> _Piece:
        if font := _FONT.match(self._text, at):
            return self._opened(at, at, font.end())
        if accent := self._accent(at + 1, at):
            return accent
        if self._text.startswith("{,}", at) and self._text[at - 1 : at].isdecimal():
            return _Piece("{,}", ",", _Sort.COMMAND)
        letter = _LETTER_GROUP.match(self._text, at)
        if letter and letter[1] in LETTERS:
            return _Piece(letter[0], LETTERS[letter[1]], _Sort.COMMAND)
        return _Piece("{")

    def _script(self, at: int) -> _Piece:
        group = _GROUP.match(self._text, at + 1)
        if not group:
            return _Piece(self._text[at])
        source = self._text[at : group.end()]
        sure = _NUMBER_SCRIPT.match(self._text, at) and self._text[at - 1 : at].isalnum()
        return _Piece(source, formula(source) if sure else None, _Sort.BARE)

    def _tie(self, at: int) -> _Piece:
        before, after = self._text[at - 1 : at], self._text[at + 1 : at + 2]
        ties = (before.isalnum() or before in {".", ")", "}"}) and (after.isalnum() or after in {"\\", "$", "("})
        return _Piece("~", " " if ties and not before.isdecimal() else None, _Sort.TIE)

    def _dash(self, at: int) -> _Piece:
        found = _DASH.match(self._text, at)
        if not found:
            return _Piece("-")
        option = self._text[at - 1 : at] in {"", " "} and self._text[found.end() : found.end() + 1].isalpha()
        return _Piece(found[0], None if option else "—" if found[0] == "---" else "–", _Sort.TIE)

    def _quotation(self, at: int) -> _Piece:
        mark = self._text[at : at + 2]
        if mark == "''" and not self._quoted:
            return _Piece(mark)
        if mark == "``" and (self._quoted or self._text.find("''", at) < 0):
            return _Piece(mark)
        self._quoted = mark == "``"
        return _Piece(mark, "“" if self._quoted else "”", _Sort.COMMAND)


def _closers(text: str) -> dict[int, int]:
    """Return the place of the brace that closes what each one opens."""
    opened: list[int] = []
    closers = {}
    for brace in _BRACES.finditer(text):
        if brace[0] == "{":
            opened.append(brace.start())
        elif brace[0] == "}" and opened:
            closers[opened.pop()] = brace.start()
    return closers


def _is_money(tex: str, after: str) -> bool:
    """Return whether what stands between two dollars is an amount and the words up to the next amount."""
    return bool(_PROSE.search(_GROUP.sub("", tex))) or (tex[0].isdecimal() and after[:1].isdecimal())
