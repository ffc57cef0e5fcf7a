"""One formula of TeX as Unicode, whole or not at all.

A reader of the mathematics that titles and abstracts hold: letters, symbols, scripts, accents, alphabets, functions,
small fractions and roots. Whatever it does not know exactly (an unknown command, an exponent without superscript
characters, a matrix) makes the formula unreadable, so nothing is ever half converted or lost.

Not here: finding formulas in a text (``mathematics``), the blanks between atoms (``atoms``), the tables (``symbols``).
"""

import re
import unicodedata

from newsletter.render.atoms import Atom, Kind, UnreadableError, in_line
from newsletter.render.symbols import (
    ALPHABETS,
    BOLD,
    FUNCTIONS,
    MATH_ACCENTS,
    OPERATORS,
    RELATIONS,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    SYMBOLS,
    WORDS,
    in_alphabet,
)

_TOKEN = re.compile(r"(\\[A-Za-z]+\*?)\s*|\\.|\s+|\d+(?:\{,\}\d+|[.,]\d+)*|.", re.DOTALL)
_LONGEST = 400  # characters of TeX
_DEEPEST = 12  # groups within groups
_SIZES = re.compile(r"\\(?:[bB]igg?[lrm]?|left|right|middle)")
_NOTHING = {r"\!", r"\displaystyle", r"\textstyle", r"\limits", r"\nolimits", r"\nonumber"}
_BLANKS = {" ", r"\,", r"\;", r"\:", r"\>", r"\ ", "~", r"\quad", r"\qquad"}
_ESCAPED = {r"\%": "%", r"\$": "$", r"\#": "#", r"\&": "&", r"\_": "_", r"\{": "{", r"\}": "}", r"\|": "‖"}
_MEANINGLESS = frozenset('}\\$#&`"@')
_GROUP = "{"
_SCRIPTS = ("^", "_", "'")
_ROOTS = {"": "√", "2": "√", "3": "∛", "4": "∜"}
_RELATIONS = {*RELATIONS.values(), "=", "<", ">"}
_OPERATORS = {*OPERATORS.values(), "+", "−"}
_NUMBER = re.compile(r"\d+(\.\d+)?")


STRUCTURES = {*MATH_ACCENTS, *ALPHABETS, *WORDS, "operatorname", "not", "frac", "dfrac", "tfrac", "sqrt", "binom"} | {
    "left", "right", "begin", "stackrel", "overset", "underset", "overbrace", "underbrace", "substack"
}  # fmt: skip


def formula(tex: str) -> str | None:
    """Return what stands between a formula's dollars as Unicode, or None where that is not exact."""
    if len(tex) > _LONGEST:
        return None
    try:
        shown = in_line(_Reader(tex).atoms())
    except UnreadableError:
        return None
    return unicodedata.normalize("NFC", shown) or None


class _Reader:
    """Reads tokens from the left; a command takes its arguments from what follows it."""

    def __init__(self, tex: str) -> None:
        # The blank that ends a command's name is none of the formula's.
        self._tokens = [found[1] or (" " if found[0].isspace() else found[0]) for found in _TOKEN.finditer(tex)]
        self._at = 0
        self._depth = 0

    def atoms(self, end: str = "") -> list[Atom]:
        """Return the atoms up to the token *end*, or all."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise UnreadableError
        atoms: list[Atom] = []
        while (token := self._next()) != end:
            atoms.append(self._scripted(self._nucleus(token)))
        self._depth -= 1
        return atoms

    def _next(self) -> str:
        """Return the next token, '' after the last."""
        self._at += 1
        return self._tokens[self._at - 1] if self._at <= len(self._tokens) else ""

    def _ahead(self) -> str:
        """Return the next token that is no blank, which is the next then."""
        at = self._at
        while at < len(self._tokens) and self._tokens[at] in _BLANKS:
            at += 1
        return self._tokens[at] if at < len(self._tokens) else ""

    def _nucleus(self, token: str) -> Atom:
        if token in _SCRIPTS:  # of what stands before the formula
            self._at -= 1
            return Atom("")
        if token == _GROUP:
            inner = self.atoms("}")
            kinds = {atom.kind for atom in inner} & {Kind.FRACTION, Kind.ROOT}
            return Atom(in_line(inner), min(kinds, key=lambda kind: kind.value, default=Kind.PLAIN))
        if _SIZES.fullmatch(token):
            delimiter = self._argument_token()
            return Atom("") if delimiter == "." else self._nucleus(delimiter)
        if token in _NOTHING:
            return Atom("")
        if token in _BLANKS:
            return Atom(" ", Kind.BLANK)
        return self._command(token[1:]) if len(token) > 1 and token[1].isalpha() else _character(token)

    def _command(self, name: str) -> Atom:
        for table, kind in ((RELATIONS, Kind.RELATION), (OPERATORS, Kind.OPERATOR), (SYMBOLS, Kind.PLAIN)):
            if name in table:
                return Atom(table[name], kind)
        if name in FUNCTIONS:
            return Atom(name.removeprefix("b"), Kind.FUNCTION)
        if name in MATH_ACCENTS:
            return _accented(self._argument(), MATH_ACCENTS[name])
        if name in WORDS:
            return Atom(self._words())
        if name in ALPHABETS:
            return Atom(_lettered(name, self._argument()))
        return self._structure(name)

    def _structure(self, name: str) -> Atom:
        match name:
            case "frac" | "dfrac" | "tfrac":
                return Atom(_part(self._argument()) + "/" + _part(self._argument()), Kind.FRACTION)
            case "sqrt":
                return self._root()
            case "operatorname" | "operatorname*":
                return Atom(self._words(), Kind.FUNCTION)
            case "not":
                return _negated(self._nucleus(self._argument_token()).text)
            case "colon":
                return Atom(": ")
        raise UnreadableError

    def _root(self) -> Atom:
        degree = ""
        if self._ahead() == "[":
            self._argument_token()
            degree = in_line(self.atoms("]"))
        if degree not in _ROOTS:
            raise UnreadableError
        body = self._argument()
        return Atom(_ROOTS[degree] + (body if body.isdecimal() or len(body) == 1 else f"({body})"), Kind.ROOT)

    def _argument_token(self) -> str:
        while (token := self._next()) in _BLANKS:
            pass
        if token in {"", "}", *_SCRIPTS}:
            raise UnreadableError
        return token

    def _argument(self) -> str:
        """Return what a command or a script takes: a group, or one token."""
        token = self._argument_token()
        if len(token) > 1 and token[0].isdecimal():  # TeX takes one digit, and few who write this mean it
            raise UnreadableError
        text = self._nucleus(token).text
        if token in {"-", "+", "*"} and self._ahead()[:1].isalnum():  # 10^-3, x^*y
            raise UnreadableError
        return text

    def _words(self) -> str:
        """Return the words in a group that is not mathematics."""
        if (token := self._argument_token()) != _GROUP:
            return self._nucleus(token).text
        said = ""
        while (token := self._next()) != "}":
            if token in {"", "{", "$", "^", "_"} or (
                token[0] == "\\" and token not in _ESCAPED | dict.fromkeys(_BLANKS)
            ):
                raise UnreadableError
            said += " " if token in _BLANKS else _ESCAPED.get(token, token)
        return said

    def _scripted(self, nucleus: Atom) -> Atom:
        """Return *nucleus* with its scripts, the lower before the upper, as they are read aloud."""
        scripts = {"^": "", "_": "", "'": ""}
        while nucleus.kind is not Kind.BLANK and (mark := self._ahead()) in scripts:
            if scripts[mark] and mark != "'":
                raise UnreadableError
            while self._next() in _BLANKS:
                pass
            scripts[mark] += self._script(mark)
        raised = scripts["_"] + scripts["'"] + scripts["^"]
        if raised and (nucleus.kind in {Kind.FRACTION, Kind.ROOT} or nucleus.text[-1:] in _RAISED):
            raise UnreadableError
        return Atom(nucleus.text + raised, nucleus.kind)

    def _script(self, mark: str) -> str:
        if mark == "'":
            return "′"
        text = self._argument().replace(" ", "")
        table = SUPERSCRIPTS if mark == "^" else SUBSCRIPTS
        if not text or any(character not in table for character in text):
            raise UnreadableError
        return "".join(table[character] for character in text)


_RAISED = {*SUPERSCRIPTS.values(), *SUBSCRIPTS.values()} - {"′", "*"}


def _character(token: str) -> Atom:
    if not token or token in _MEANINGLESS or (token[0] == "\\" and token not in _ESCAPED):
        raise UnreadableError
    text = _ESCAPED.get(token, token).replace("{,}", ",").replace("-", "−")
    if text in _RELATIONS:
        return Atom(text, Kind.RELATION)
    return Atom(text, Kind.OPERATOR if text in _OPERATORS else Kind.PLAIN)


def _lettered(command: str, text: str) -> str:
    if command in BOLD and text.isalnum() and len(text) > 1:  # bold is a vector's meaning and only a word's weight
        return text
    shown = [in_alphabet(command, letter) for letter in text]
    if not all(shown):
        raise UnreadableError
    return "".join(shown)


def _accented(text: str, accent: str) -> Atom:
    if len(text) != 1 or not text.isalpha():
        raise UnreadableError
    return Atom(unicodedata.normalize("NFC", text.replace("ı", "i").replace("ȷ", "j") + accent))


def _negated(relation: str) -> Atom:
    composed = unicodedata.normalize("NFC", relation + "\u0338")
    if len(composed) != 1:
        raise UnreadableError
    return Atom(composed, Kind.RELATION)


def _part(text: str) -> str:
    """Return a part of a fraction, in parentheses if it could fall apart."""
    if not text:
        raise UnreadableError
    bases = [character for character in text if character not in _RAISED]
    whole = _NUMBER.fullmatch(text) or (len(bases) == 1 and text[0].isalpha())
    return text if whole else f"({text})"
