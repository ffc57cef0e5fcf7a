"""Languages other than English: their words from a gettext catalogue (a .po file), their dates and numbers from Babel.

A catalogue is read as it is, without a step that compiles it. What is wrong with one is a ConfigurationError with file
and line when it is read, so that no mail meets it. Not here: where catalogues lie (``languages``).
"""

import re
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from babel.numbers import format_decimal
from babel.support import Translations

from newsletter.errors import ConfigurationError
from newsletter.render.language import Language

_PLACE = re.compile(r"%(?:%|\((\w+)\)s)")


class Translated(Language):
    """The language *tag*, its words from the *catalogues*: what one does not say, the next does, then English."""

    def __init__(self, tag: str, catalogues: Sequence[Path]) -> None:
        self._locale = _locale(tag, catalogues[0])
        words, *others = (_words(file) for file in catalogues)
        for other in others:
            words.add_fallback(other)
        super().__init__(tag, words)

    def day(self, value: date, beside: date | None = None) -> str:
        """Return *value* as day and month, with its year where *beside* is given and of another one."""
        if beside and beside.year != value.year:
            return self.dated(value)
        return format_skeleton("MMMMd", value, locale=self._locale)

    def dated(self, value: date) -> str:
        """Return *value* with its year."""
        return format_date(value, "long", locale=self._locale)

    def month(self, value: date) -> str:
        """Return the month of *value* with its year."""
        return format_skeleton("yMMMM", value, locale=self._locale)

    def long_date(self, value: date) -> str:
        """Return *value* with its year and the day of the week."""
        return format_date(value, "full", locale=self._locale)

    def number(self, value: int) -> str:
        """Return *value* with its thousands apart."""
        return format_decimal(value, locale=self._locale)


def _locale(tag: str, file: Path) -> Locale:
    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError) as error:
        raise ConfigurationError(f"{file}: {tag!r} is no language; name the file like de.po or zh-Hans.po") from error


def _words(file: Path) -> Translations:
    catalogue = _read(file)
    for message in catalogue:
        if message.id and message.string:
            _check(message, file)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)


def _read(file: Path) -> Catalog:
    try:
        with file.open("rb") as source:
            return read_po(source, abort_invalid=True)
    except PoFileError as error:
        raise ConfigurationError(f"{file}:{error.lineno + 1}: {error}; correct it") from error
    except (OSError, ValueError) as error:  # gone, not text, or a plural rule that is none
        raise ConfigurationError(f"{file}: {error}; correct it, or remove it") from error


def _check(message: Message, file: Path) -> None:
    """Raise ConfigurationError for a translation that could not be filled in as its message is."""
    ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    wanted = _places(ids[-1])
    for said in filter(None, strings):
        # Of one paper, or where there is but one form, a number may be left out.
        if _places(said) not in (wanted, wanted - {"num"}):
            places = " and ".join(f"%({name})s" for name in sorted(wanted)) or "none"
            raise ConfigurationError(
                f"{file}:{message.lineno}: the translation of {ids[0]!r} must have its places ({places}), "
                "and %% for a percent sign; correct it"
            )


def _places(text: str) -> set[str]:
    """Return the names of the places in *text*, and "%" for a percent sign that stands alone."""
    rest = _PLACE.sub("", text)
    return {name for name in _PLACE.findall(text) if name} | ({"%"} if "%" in rest else set())
