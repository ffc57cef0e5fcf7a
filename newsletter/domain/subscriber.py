"""A subscriber, what one prefers, and the legal moves between a subscription's states.

Not here: when the next digest is due (``calendar``) and what it holds (``digest``).
"""

import re
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from newsletter.domain.topics import parse_topic
from newsletter.errors import IllegalMoveError, TopicError, UsageError

ALERTS = "alerts"  # the frequency of who wants no digest, only what a saved search finds
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FORMATS = ("html", "text", "both")


class Status(StrEnum):
    """Where a subscription stands."""

    PENDING = "pending"  # asked for, not confirmed
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"  # bounced, complained, or by hand


class LeavingReason(StrEnum):
    """Why somebody leaves, of what the page offers."""

    OFTEN = "too often"
    OFF_TOPIC = "not what interests me"
    UNASKED = "never asked for it"
    OTHER = "something else"


class Move(StrEnum):
    """What can happen to a subscription."""

    CONFIRM = "confirm"
    PAUSE = "pause"
    RESUME = "resume"
    UNSUBSCRIBE = "unsubscribe"
    SUPPRESS = "suppress"
    RESUBSCRIBE = "resubscribe"  # by the person, or vouched for by the operator with --resubscribe --source


_MOVES: dict[Move, tuple[set[Status], Status]] = {
    Move.CONFIRM: ({Status.PENDING, Status.ACTIVE, Status.UNSUBSCRIBED}, Status.ACTIVE),
    Move.PAUSE: ({Status.ACTIVE, Status.PAUSED}, Status.PAUSED),
    Move.RESUME: ({Status.PAUSED, Status.ACTIVE}, Status.ACTIVE),
    Move.UNSUBSCRIBE: (set(Status) - {Status.SUPPRESSED}, Status.UNSUBSCRIBED),
    Move.SUPPRESS: (set(Status), Status.SUPPRESSED),
    Move.RESUBSCRIBE: (set(Status), Status.ACTIVE),
}


def move(status: Status, to: Move) -> Status:
    """Return the state after *to*. Raises IllegalMoveError where it is not a legal move from *status*."""
    allowed, after = _MOVES[to]
    if status not in allowed:
        raise IllegalMoveError(f"cannot {to} a subscriber who is {status}")
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a reader asked for; None (and no topics) where the newsletter's default holds.

    ``alerts`` are saved searches, each a topic that asks for something.
    """

    topics: tuple[str, ...] = ()
    frequency: str | None = None  # daily, weekdays, weekly:DAY, alerts
    hour: time | None = None
    zone: str | None = None
    max_papers: int | None = None
    min_upvotes: int | None = None
    format: str | None = None
    language: str | None = None
    only_topics: bool | None = None  # nothing but what a topic or an alert finds
    alerts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """One address on the list. Instants are UTC, None unless active.

    ``next_due_at`` is the next digest's, None also for who wants none; ``next_alert_at`` is when alerts are looked at.
    """

    id: int
    email: str
    status: Status
    preferences: Preferences
    created_at: datetime
    confirmed_at: datetime | None = None
    next_due_at: datetime | None = None
    next_alert_at: datetime | None = None
    paused_until: date | None = None
    suppression_reason: str | None = None
    consent_source: str = ""


def preference(name: str, text: str) -> object:
    """Return the value that *text* gives the preference *name*, checked. Raises UsageError saying what is allowed.

    ``topics`` and ``alerts`` are separated by ``;``. An empty text means the newsletter's default.
    """
    if not text.strip():
        return () if name in _LISTS else None
    return _PARSERS[name](text.strip())


def preferences(texts: dict[str, str]) -> Preferences:
    """Return Preferences from texts by name, as a CSV row or the command line gives them."""
    return Preferences(**{name: preference(name, text) for name, text in texts.items()})  # type: ignore[arg-type]


def preference_texts(chosen: Preferences) -> dict[str, str]:
    """Return what ``preferences`` takes back: each preference as text, '' where it is not set."""
    return {f.name: _as_text(getattr(chosen, f.name)) for f in fields(chosen)}


def _as_text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ";".join(value)
        case time():
            return value.strftime("%H:%M")
        case _:
            return str(value)


def _topics(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_topic(part).text for part in text.split(";") if part.strip()))


def _alerts(text: str) -> tuple[str, ...]:
    found = _topics(text)
    for one in found:
        if parse_topic(one).excludes:
            raise TopicError(f"alert {one!r}: only leaves out; an alert needs something to look for", "excludes")
    return found


def _flag(name: str, text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise UsageError(f"{name} {text!r}: use yes or no")
    return _FLAGS[text.lower()]


def _frequency(text: str) -> str:
    chosen = text.lower()
    rhythm, _, day = chosen.partition(":")
    if chosen in {"daily", "weekdays", ALERTS} or (rhythm == "weekly" and day in WEEKDAYS):
        return chosen
    raise UsageError(
        f"frequency {text!r}: use daily, weekdays, alerts or weekly:DAY with DAY one of {', '.join(WEEKDAYS)}"
    )


def parse_hour(text: str) -> time:
    """Return the time of day in *text* as HH:MM. Raises UsageError."""
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", text)
    if not found:
        raise UsageError(f"hour {text!r}: use HH:MM between 00:00 and 23:59")
    return time(int(found[1]), int(found[2]))


def parse_zone(text: str) -> str:
    """Return *text* if it names a time zone. Raises UsageError."""
    if text not in _zones():
        raise UsageError(f"zone {text!r}: not a time zone; use a name like Europe/Zurich, Asia/Shanghai or UTC")
    return text


@cache
def _zones() -> set[str]:
    return available_timezones()


zone_info = cache(ZoneInfo)


def _number(name: str, lowest: int, highest: int, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text) or not lowest <= int(text) <= highest:
        raise UsageError(f"{name} {text!r}: use a whole number from {lowest} to {highest}")
    return int(text)


def _format(text: str) -> str:
    if text.lower() not in FORMATS:
        raise UsageError(f"format {text!r}: use {', '.join(FORMATS)}")
    return text.lower()


def parse_language(text: str) -> str:
    """Return *text* if it has the shape of a language tag (RFC 5646). Raises UsageError."""
    if not re.fullmatch(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*", text):
        raise UsageError(f"language {text!r}: use a tag like en, de or zh-Hans")
    return text


_LISTS = ("topics", "alerts")
_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_PARSERS = {
    "topics": _topics,
    "only_topics": lambda text: _flag("only-topics", text),
    "alerts": _alerts,
    "frequency": _frequency,
    "hour": parse_hour,
    "zone": parse_zone,
    "max_papers": lambda text: _number("max-papers", 1, 100, text),
    "min_upvotes": lambda text: _number("min-upvotes", 0, 1_000_000, text),
    "format": _format,
    "language": parse_language,
}
