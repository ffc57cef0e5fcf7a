"""Proofs: every kind of mail made on invented data, so that a template that does not work is found before readers are.

Not here: how each is made (``press``), and one reader's mail of a real issue (``preview``).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from newsletter.errors import ConfigurationError
from newsletter.services.dispatch import Dispatch
from newsletter.services.press import Press


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One mail. ``content`` is the whole message, b"" where there is none: ``error`` says why, with file and line."""

    name: str  # a short one, for addresses
    title: str
    content: bytes = b""
    error: str = ""


def proofs(dispatch: Dispatch, now: datetime) -> Iterator[Proof]:
    """Yield every kind of mail."""
    for name, title, make in _mails(dispatch, now):
        yield proof(name, title, make)


def proof(name: str, title: str, make: Callable[[], bytes]) -> Proof:
    """Return the mail that *make* makes, or what is wrong with the templates or the configuration."""
    try:
        return Proof(name=name, title=title, content=make())
    except ConfigurationError as error:
        return Proof(name=name, title=title, error=str(error))


def broken(dispatch: Dispatch, now: datetime) -> list[str]:
    """Return a line for each place that does not work, none where every kind of mail can be made."""
    found: dict[str, str] = {}
    for made in proofs(dispatch, now):
        if made.error:
            found.setdefault(made.error.partition(": ")[0], made.error)
    return list(found.values())


def _mails(dispatch: Dispatch, now: datetime) -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yield the name, the title and the making of each kind of mail."""
    press = Press(dispatch, now)
    yield "digest", "A digest", press.digest
    yield "topics", "For a reader with topics", press.topics
    yield "subject", "With the editor’s subject", press.subject
    yield "one", "Of one bare paper", press.one
    yield "long", "As long as can be", press.long
    yield "weekly", "For a weekly reader", press.weekly
    yield "missed", "After days without mail", press.missed
    yield "corrected", "With corrections", press.corrected
    yield "alert", "Found by an alert", press.alert
    yield "quiet", "Nothing matched for a week", press.quiet
    yield "nothing", "Nothing new for a reader", press.nothing
    yield "empty", "Nothing new at all", press.empty
    yield "confirmation", "Confirmation", press.confirmation
    yield "welcome", "Welcome", press.welcome
    yield "welcome-topics", "Welcome, with topics", press.welcome_with_topics
    yield "welcome-alerts", "Welcome, with alerts only", press.welcome_with_alerts
    yield "goodbye", "Goodbye", press.goodbye
    yield "answer", "Answer to a reader's mail", press.answer
    yield "letter", "Letter with a link", press.letter
    yield "operator", "To the operator", press.operator
    yield "draft", "A draft, to its editor", press.draft
    for tag in dispatch.languages.tags:
        if tag != dispatch.languages.default:
            yield f"in-{tag}", f"In another language: {tag}", partial(_in_language, dispatch, now, tag)


def _in_language(dispatch: Dispatch, now: datetime, tag: str) -> bytes:
    """Return a digest in the language *tag*."""
    return Press(dispatch, now, tag).topics()
