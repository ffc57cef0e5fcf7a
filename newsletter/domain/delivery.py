"""The states of a delivery, the legal moves between them, what an attempt came to, and the retry schedule.

Not here: what a server's reply means (``mail/replies.py``) and keeping the ledger (``storage/deliveries.py``).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Status(StrEnum):
    """Where a delivery stands. Done is recorded only after it is true."""

    READY = "ready"  # due, nobody at work
    LEASED = "leased"  # claimed by an owner, nothing said to a server yet
    OFFERED = "offered"  # durable before the final dot, with the picks that it carries
    DEFERRED = "deferred"  # a temporary refusal of this address
    HELD = "held"  # uncertain, and a person decides
    ACCEPTED = "accepted"  # a server said 250
    FAILED = "failed"  # a permanent refusal
    EXPIRED = "expired"  # too late
    WITHDRAWN = "withdrawn"  # unsubscribed, suppressed, paused, removed or cancelled before it was offered
    SKIPPED = "skipped"  # due, but nothing was chosen for this reader


LEAVES_TO: dict[Status, frozenset[Status]] = {
    Status.READY: frozenset({Status.LEASED, Status.WITHDRAWN, Status.EXPIRED}),
    Status.LEASED: frozenset({Status.OFFERED, Status.DEFERRED, Status.FAILED, Status.READY, Status.WITHDRAWN}),
    Status.OFFERED: frozenset({Status.ACCEPTED, Status.DEFERRED, Status.FAILED, Status.READY, Status.HELD}),
    Status.DEFERRED: frozenset({Status.LEASED, Status.WITHDRAWN, Status.EXPIRED}),
    Status.HELD: frozenset({Status.READY, Status.ACCEPTED}),
    Status.ACCEPTED: frozenset(),
    Status.FAILED: frozenset({Status.READY}),
    Status.EXPIRED: frozenset(),
    Status.WITHDRAWN: frozenset(),
    Status.SKIPPED: frozenset(),
}
SENT = (Status.OFFERED, Status.ACCEPTED, Status.HELD)  # count as sent to the reader
ON_ITS_WAY = (*SENT, Status.LEASED)  # so does what a sender has taken up, for what is made meanwhile
WAITING = (Status.READY, Status.LEASED, Status.OFFERED)
OPEN = (*WAITING, Status.DEFERRED)  # an issue with any of these is incomplete

MOST_UNCERTAIN = 3  # a delivery is held when it is uncertain for the third time


class Verdict(StrEnum):
    """What an attempt came to."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"  # this address, later
    PERMANENT = "permanent"  # this address, never
    TROUBLE = "trouble"  # the site or the session, not the address: costs no attempt
    UNCERTAIN = "uncertain"  # offered, and no reply came


class Outcome(NamedTuple):
    """What one attempt came to, with the server's own words. A value, never an exception: the others go on."""

    verdict: Verdict
    reply: str
    server: str = ""
    pauses_route: bool = False  # the site refuses: go on later, with nobody hurt
    suppresses: bool = False  # the address does not exist


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One digest on its way to one reader. ``picks`` are paper ids, each with why it is there (``digest.Why``)."""

    id: int
    subscriber_id: int
    issue_id: int
    day: date  # the digest's
    status: Status
    message_id: str
    made_at: datetime
    next_attempt_at: datetime
    expires_at: datetime
    attempts: int = 0
    uncertain: int = 0
    offered_at: datetime | None = None
    settled_at: datetime | None = None
    route: str = ""
    server: str = ""
    reply: str = ""
    since: date | None = None  # set where the digest makes up for days without mail
    picks: tuple[tuple[int, str, str], ...] = ()  # paper id, why, detail
    unlisted: str = ""  # places in the issue's pool (``digest.Pool.places``) of what is not even to be named
    corrections: tuple[int, ...] = ()  # of earlier issues, told at its head


_PACE = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 240))


def retry_after(attempts: int) -> timedelta:
    """Return how long to wait after the *attempts*-th refusal (from 1), growing to four hours.

    RFC 5321 section 4.5.4.1 asks for two attempts in the first hour, since greylisting answers at the second,
    then one every two or three hours.
    """
    return _PACE[min(attempts, len(_PACE)) - 1]


def after_attempt(status: Status, verdict: Verdict, uncertain: int, *, resend: bool) -> Status:
    """Return the state that *verdict* leads to from *status*, leased or offered; ``uncertain`` counts this time.

    Only what was offered can be accepted, or uncertain enough to be held.
    """
    match verdict:
        case Verdict.ACCEPTED if status is Status.OFFERED:
            return Status.ACCEPTED
        case Verdict.TEMPORARY:
            return Status.DEFERRED
        case Verdict.PERMANENT:
            return Status.FAILED
        case Verdict.UNCERTAIN if status is Status.OFFERED and (not resend or uncertain >= MOST_UNCERTAIN):
            return Status.HELD
        case _:
            return Status.READY


def expires_at(made_at: datetime, give_up_after: timedelta, next_due_at: datetime | None) -> datetime:
    """Return when a delivery is too late: ``give_up_after`` since it was made, or when the next digest is due."""
    gives_up = made_at + give_up_after
    return min(gives_up, next_due_at) if next_due_at else gives_up
