"""The language that a reader is spoken to in: its words, dates and numbers.

``Language`` itself is English, the language in which templates and code are written; it needs nothing. Not here: the
other languages (``translated``), and which one a reader gets (``languages``).
"""

from datetime import date
from gettext import NullTranslations

from newsletter.render import formats

ENGLISH = "en"


class Language:
    """One language. ``tag`` is its name (RFC 5646), as ``lang`` gives it in HTML.

    A message is its English text, with named places as ``%(name)s``. Where a number decides the form, its own place
    is ``%(num)s``, and it is written as the language writes numbers.
    """

    def __init__(self, tag: str = ENGLISH, words: NullTranslations | None = None) -> None:
        self.tag = tag
        self.words = words or NullTranslations()

    def gettext(self, message: str, **said: object) -> str:
        """Return *message* in this language."""
        return self.words.gettext(message) % said

    def ngettext(self, one: str, many: str, num: int, **said: object) -> str:
        """Return the form of a message that fits *num*."""
        return self.words.ngettext(one, many, num) % {"num": self.number(num), **said}

    def npgettext(self, about: str, one: str, many: str, num: int, **said: object) -> str:
        """Return the same of a message that says too little by itself: *about* what it is."""
        return self.words.npgettext(about, one, many, num) % {"num": self.number(num), **said}

    def day(self, value: date, beside: date | None = None) -> str:
        """Return *value* like "10 July", with its year where *beside* is given and of another one."""
        return formats.day(value, beside)

    def dated(self, value: date) -> str:
        """Return *value* like "10 July 2026"."""
        return f"{formats.day(value)} {value.year}"

    def month(self, value: date) -> str:
        """Return the month of *value* like "July 2026"."""
        return formats.month(value)

    def long_date(self, value: date) -> str:
        """Return *value* like "Friday, 10 July 2026"."""
        return formats.long_date(value)

    def number(self, value: int) -> str:
        """Return *value* like "12,345"."""
        return formats.number(value)

    def counted(self, value: int, one: str, many: str = "") -> str:
        """Return *value* and its noun, which is in the language of who wrote the template: "1 paper", "12 papers"."""
        return f"{self.number(value)} {one if value == 1 else many or one + 's'}"
