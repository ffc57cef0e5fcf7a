"""What is known of one reader and one date, and what can be the answer to why they got a digest or none.

Not here: finding it out (``why``), and the decision (``explain``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from newsletter.domain.calendar import Rhythm
from newsletter.domain.delivery import Delivery
from newsletter.domain.issue import Brake, Issue
from newsletter.domain.subscriber import Subscriber


class Answer(StrEnum):
    """What became of a reader's digest of one date."""

    SENT = "sent"  # a server accepted it
    SKIPPED = "skipped"  # not one of the reader's days, or nothing new for this reader
    WAITING = "waiting"  # on its way, or held up
    FAILED = "failed"  # refused for good
    HELD = "held"  # nobody knows whether it arrived; a person decides
    EXPIRED = "expired"  # too late
    WITHDRAWN = "withdrawn"  # no longer wanted before it was sent
    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    PAUSED = "paused"
    PENDING = "pending"  # the reader has not confirmed
    NOT_DUE = "not_due"  # its time has not come
    TOTALS = "totals"  # too long ago: how many got it is known, not who
    NO_ISSUE = "no_issue"  # the newsletter had nothing to send


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one reader and one date.

    ``issue`` is the one that ``delivery`` brings; without a delivery that of the date, and ``came_on`` then the date
    of the digest that brought it. ``owed`` is the issue for which the reader is due, and of which there is no
    delivery yet.
    """

    now: datetime
    day: date  # the digest's: local to the reader
    subscriber: Subscriber
    status_since: datetime
    rhythm: Rhythm
    days: tuple[str, ...]  # on which issues appear
    seals_at: datetime  # of that date
    delivery: Delivery | None = None
    next_at: datetime | None = None  # when the next digest comes
    issue: Issue | None = None
    came_on: date | None = None
    owed: Issue | None = None
    route_paused_until: datetime | None = None
    stopped: str = ""  # why the last run could send to nobody, as with a template that does not work
    is_sending: bool = False  # whoever has claimed deliveries is alive
    resends: bool = True  # what nobody knows the end of
    broken: str = ""  # what is wrong with a template, so that no issue is sealed
    totals: str = ""  # of the issue: how many deliveries ended how, of those that are not kept one by one any more
    left_because: str = ""
    silent: tuple[str, ...] = ()  # sources that were asked and listed nothing on that date, or the issue's
    failed: Mapping[str, str] = field(default_factory=dict)  # sources that gave nothing since, and what went wrong

    @property
    def silence(self) -> str:
        """Return what upstreams did not bring, and why, '' where they did."""
        day = self.issue.date if self.issue else self.day
        holiday = "a weekend there" if day.weekday() > 4 else "a holiday there"
        quiet = f"{' and '.join(self.silent)} listed nothing on {day:%A} {day}, {holiday}" if self.silent else ""
        return "; ".join(filter(None, (quiet, self.failure)))

    @property
    def failure(self) -> str:
        """Return what went wrong with upstreams, '' where nothing did."""
        return "; ".join(f"{name} failed and was not heard since: {why}" for name, why in self.failed.items())

    @property
    def obstacles(self) -> str:
        """Return what keeps an issue from being sealed, '' where nothing is known to."""
        return "; ".join(filter(None, (self.broken, self.failure)))

    def when(self, at: datetime) -> str:
        """Return *at* as the reader's clock shows it."""
        zone = self.rhythm.zone
        return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"

    @property
    def next(self) -> str:
        """Return when the next digest comes, '' if none does."""
        return f"next digest: {self.when(self.next_at)}" if self.next_at else ""


Explained = tuple[Answer, str]


def halted(issue: Issue | None) -> str:
    """Return that an issue is halted, and what lets it go on; '' where it is not."""
    if issue is None or issue.brake is not Brake.HALTED:
        return ""
    return f"the issue of {issue.date} is halted ({issue.reason}); 'issues resume {issue.date}' lets it go on"
