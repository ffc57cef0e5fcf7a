"""The errors a person can act on. Each says in one line what happened, to what, and what to do next.

Anything else that escapes is a fault of the program and shows a traceback.
"""

from datetime import datetime


class NewsletterError(Exception):
    """Something failed; the command ends with ``exit_status``."""

    exit_status = 1


class NotFoundError(NewsletterError):
    """No such subscriber, issue, paper or delivery."""


class UsageError(NewsletterError):
    """A wrong argument, or an input file that cannot be taken as it is."""

    exit_status = 2


class TopicError(UsageError):
    """A topic that cannot be read: ``what`` is wrong, from the character ``at`` (from 1, 0 for the whole), of ``word``.

    ``what`` is one of long, empty, quote, field, operator, star, nothing and, of an alert, excludes.
    """

    def __init__(self, message: str, what: str, at: int = 0, word: str = ""):
        super().__init__(message)
        self.what, self.at, self.word = what, at, word


class ConfigurationError(NewsletterError):
    """The configuration is missing or wrong: names the key, its value and what is allowed."""

    exit_status = 2


class ExtraError(ConfigurationError):
    """What is asked for needs an extra that is not installed: says which, and how it is."""

    def __init__(self, what: str, extra: str, instead: str = ""):
        super().__init__(f"{what} needs the extra {extra!r}: pip install '.[{extra}]'{instead}")


class IncompleteError(NewsletterError):
    """The work is not done, and the next run continues it."""

    exit_status = 3


class BusyError(NewsletterError):
    """Another run is at work."""

    exit_status = 4


class SourceError(NewsletterError):
    """A source did not give what was asked; recorded, never fatal for the other sources.

    ``retry_at`` is the UTC instant before which the upstream does not want to be asked again, where it said so.
    """

    def __init__(self, message: str, *, retry_at: datetime | None = None):
        super().__init__(message)
        self.retry_at = retry_at


class IllegalMoveError(NewsletterError):
    """A subscriber, issue or delivery is not in a state that allows this."""


class TokenError(NewsletterError):
    """A token in a link or a return address is malformed, forged, or made for another purpose."""


class TokenExpiredError(TokenError):
    """A token was genuine, but its time is over: a fresh one helps."""
