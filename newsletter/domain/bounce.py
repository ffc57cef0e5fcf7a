"""What came back says of an address, and what follows from it.

A report is of one *kind*; of each address in it a *reason* is known. Only four reasons say that the address takes no
mail for good; a complaint ends a subscription too. The rest adds up, and fades. What was refused for what we wrote is
the operator's business and no reader's fault. Not here: reading reports (``mail/bounces``), and whose address it is
(``services/bounces``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class Kind(StrEnum):
    """What a mail that came back is."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


class Reason(StrEnum):
    """Why a mail did not arrive, as servers say it."""

    UNKNOWN = "no such address"
    NO_HOST = "no such host"
    MOVED = "address has moved"
    NO_MAIL = "host takes no mail"
    FULL = "mailbox full"
    DISABLED = "mailbox disabled"
    REFUSED = "refused by the reader's filter"
    SPAM = "taken for spam"
    POLICY = "refused by policy"
    SIZE = "too big"
    BUSY = "too much mail at once"
    LATE = "given up after trying for long"
    TROUBLE = "trouble of a server"
    DELAYED = "delayed, still being tried"
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNCLEAR = "unclear"

    @property
    def permanent(self) -> bool:
        """Return whether nothing sent to the address can arrive."""
        return self in _PERMANENT


_PERMANENT = {Reason.UNKNOWN, Reason.NO_HOST, Reason.MOVED, Reason.NO_MAIL}
_OURS = {Reason.SPAM, Reason.POLICY, Reason.SIZE}
_NOTHING = {Reason.DELAYED, Reason.DELIVERED}


class Effect(StrEnum):
    """What follows from a report on one address."""

    SUPPRESSED = "suppressed"
    COUNTED = "counted"  # adds up with others of its kind
    TOLD = "told"  # the operator, since no reader can help it
    NOTED = "noted"  # and nothing more
    UNKNOWN = "not ours"  # nobody whom we mailed


ENOUGH = 5.0  # of the score: on so many days in a row
STALE = timedelta(days=7)  # without a bounce for longer than that, what was before counts no more
GONE = timedelta(days=60)  # in full for as long as STALE, then less and less until here


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows, and the score that temporary bounces came to."""

    effect: Effect
    score: float = 0.0

    @property
    def is_enough(self) -> bool:
        """Return whether the score is reached."""
        return self.score >= ENOUGH


def judge(kind: Kind, reason: Reason, earlier: Iterable[datetime], now: datetime) -> Judgement:
    """Return what follows from a report on a reader's address at *now*; *earlier* are instants of those counted."""
    if kind is Kind.COMPLAINT or (kind is Kind.BOUNCE and reason.permanent):
        return Judgement(Effect.SUPPRESSED)
    if kind is not Kind.BOUNCE or reason in _NOTHING:
        return Judgement(Effect.NOTED)
    if reason in _OURS:
        return Judgement(Effect.TOLD)
    total = score([*earlier, now], now)
    return Judgement(Effect.SUPPRESSED if total >= ENOUGH else Effect.COUNTED, total)


def score(counted: Iterable[datetime], now: datetime) -> float:
    """Return what temporary bounces at these instants come to at *now*.

    A day counts once, however many reports it brings. A gap longer than STALE ends what was before it, also the one
    until *now*.
    """
    days: dict[object, datetime] = {}
    for at in sorted(at for at in counted if at <= now):
        days.setdefault(at.date(), at)
    total, later = 0.0, now
    for at in sorted(days.values(), reverse=True):
        if later - at > STALE:
            break
        total, later = total + _weight(now - at), at
    return total


def _weight(age: timedelta) -> float:
    return max(0.0, min(1.0, (GONE - age) / (GONE - STALE)))
