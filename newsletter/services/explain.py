"""Why a reader got a digest of a date, or none: the decision, as a pure function over what is known.

Not here: finding out what is known (``why``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from newsletter.domain.calendar import Rhythm, instant, local_date
from newsletter.domain.delivery import Delivery
from newsletter.domain.delivery import Status as Sending
from newsletter.domain.issue import Brake, Issue
from newsletter.domain.issue import Status as Editing
from newsletter.domain.pool import Why
from newsletter.domain.subscriber import WEEKDAYS, Status, Subscriber


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

    def when(self, at: datetime) -> str:
        """Return *at* as the reader's clock shows it."""
        zone = self.rhythm.zone
        return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"

    @property
    def next(self) -> str:
        """Return when the next digest comes, '' if none does."""
        return f"next digest: {self.when(self.next_at)}" if self.next_at else ""

    @property
    def left(self) -> str:
        """Return how the reader stands who gets nothing more since what became of a delivery, '' for who does."""
        withdrawn = self.delivery and self.delivery.status is Sending.WITHDRAWN
        return "" if self.subscriber.status is Status.ACTIVE or not self.delivery or withdrawn else _standing(self)[1]


Explained = tuple[Answer, str]


def explain(facts: Facts) -> Explained:
    """Return the answer, and one line that says it to the operator."""
    if facts.delivery:
        return _of_delivery(facts, facts.delivery)
    if facts.day >= local_date(facts.status_since, facts.rhythm.zone) and facts.subscriber.status is not Status.ACTIVE:
        return _standing(facts)
    return _of_date(facts)


def _of_delivery(facts: Facts, delivery: Delivery) -> Explained:
    if delivery.status not in _SETTLED:
        return _waiting(facts, delivery)
    answer, say = _SETTLED[delivery.status]
    return answer, say(facts, delivery)


def _sent(facts: Facts, delivery: Delivery) -> str:
    server = f" to {delivery.server}, which said" if delivery.server else ""
    return f"sent {_settled(facts, delivery)}{server}: {delivery.reply}{_kind(delivery)}"


def _kind(delivery: Delivery) -> str:
    whys = {why for _, why, _ in delivery.picks}
    if Why.NEAREST in whys:
        return f"; nothing matched since {delivery.since}, which it says once, with what comes closest"
    if Why.ALERT in whys:
        return "; an alert, on a day without a digest"
    return f"; with the best since {delivery.since}" if delivery.since else ""


def _skipped(facts: Facts, delivery: Delivery) -> str:
    silence = f" ({facts.silence})" if facts.silence else ""
    return f"no mail: {delivery.reply}{silence}; 'subscribers preview' shows what was left out and why"


def _failed(facts: Facts, delivery: Delivery) -> str:
    server = f" by {delivery.server}" if delivery.server else ""
    return (
        f"refused for good {_settled(facts, delivery)}{server}: {delivery.reply}; 'deliver --retry-failed' tries again"
    )


def _expired(facts: Facts, delivery: Delivery) -> str:
    early = delivery.settled_at and delivery.settled_at < delivery.expires_at
    why = "the reader's next digest was due" if early else "it was too late"
    return f"given up {_settled(facts, delivery)}, since {why}; {_attempts(delivery)}"


def _withdrawn(facts: Facts, delivery: Delivery) -> str:
    if facts.issue and facts.issue.brake is Brake.CANCELLED:
        why = f"the issue of {facts.issue.date} was cancelled"
    else:
        gone = delivery.reply if delivery.reply in set(Status) else facts.subscriber.status
        why = f"the reader was {gone}" if gone != Status.ACTIVE else "the reader was not active then"
    return f"withdrawn {_settled(facts, delivery)} before it was sent: {why}"


def _held(_facts: Facts, delivery: Delivery) -> str:
    return (
        f"nobody knows whether it arrived: {delivery.reply}; 'deliveries release {delivery.id:016x}' sends it again, "
        "with --assume-sent it counts as sent"
    )


def _settled(facts: Facts, delivery: Delivery) -> str:
    return facts.when(delivery.settled_at or delivery.made_at)


_SETTLED: dict[Sending, tuple[Answer, Callable[[Facts, Delivery], str]]] = {
    Sending.ACCEPTED: (Answer.SENT, _sent),
    Sending.SKIPPED: (Answer.SKIPPED, _skipped),
    Sending.FAILED: (Answer.FAILED, _failed),
    Sending.EXPIRED: (Answer.EXPIRED, _expired),
    Sending.WITHDRAWN: (Answer.WITHDRAWN, _withdrawn),
    Sending.HELD: (Answer.HELD, _held),
}


def _waiting(facts: Facts, delivery: Delivery) -> Explained:
    if facts.issue and facts.issue.brake is Brake.CANCELLED:
        return Answer.WITHDRAWN, f"the issue of {facts.issue.date} was cancelled"
    if delivery.status is Sending.LEASED:
        return Answer.WAITING, "a sender is at work on it now"
    if delivery.status is Sending.OFFERED:
        offered = facts.when(delivery.offered_at or facts.now)
        return Answer.WAITING, f"offered to the server {offered}, whose answer is awaited"
    if halted := _halted(facts.issue):
        return Answer.WAITING, f"{halted}; {_attempts(delivery)}"
    return Answer.WAITING, _until(facts, delivery)


def _until(facts: Facts, delivery: Delivery) -> str:
    if facts.route_paused_until:
        until = facts.when(facts.route_paused_until)
        return f"waits until {until}: too many addresses failed; 'deliver --retry-failed' goes on now"
    due, ends, attempts = delivery.next_attempt_at, facts.when(delivery.expires_at), _attempts(delivery)
    if facts.stopped and not (delivery.reply and delivery.reply in facts.stopped):
        return f"{facts.stopped}; each run tries again, until {ends}; {attempts}"
    until = f"waits until {facts.when(due)}" if due > facts.now else "the next run sends it"
    return f"{until}, or gives up {ends}; {attempts}"


def _attempts(delivery: Delivery) -> str:
    tried = f"tried {delivery.attempts} times" if delivery.attempts > 1 else "tried once"
    if not delivery.attempts:
        tried = "put off" if delivery.reply else "not tried yet"
    server = f", last with {delivery.server}" if delivery.server else ""
    # What we say ourselves of a server that did not answer begins with its name.
    reply = delivery.reply.removeprefix(f"{delivery.server}: ") if delivery.reply else ""
    return f"{tried}{server}: {reply}" if reply else tried


def _standing(facts: Facts) -> Explained:
    reader, since = facts.subscriber, facts.when(facts.status_since)
    match reader.status:
        case Status.SUPPRESSED:
            return Answer.SUPPRESSED, f"suppressed since {since}: {reader.suppression_reason}"
        case Status.UNSUBSCRIBED:
            said = f", and said why: {facts.left_because}" if facts.left_because else ""
            return Answer.UNSUBSCRIBED, f"unsubscribed since {since}{said}"
        case Status.PAUSED:
            until = f"until {reader.paused_until}" if reader.paused_until else "until 'subscribers resume'"
            return Answer.PAUSED, f"paused since {since}, {until}"
        case _:
            return Answer.PENDING, f"asked for {since} and not confirmed yet; 'subscribers add' vouches for them"


def _of_date(facts: Facts) -> Explained:
    today, day = local_date(facts.now, facts.rhythm.zone), facts.day
    joined = local_date(facts.subscriber.confirmed_at or facts.subscriber.created_at, facts.rhythm.zone)
    if day < joined:
        return Answer.NOT_DUE, _and_next(facts, f"on the list since {joined} only")
    if not facts.rhythm.includes(day):
        return Answer.SKIPPED, _not_their_day(facts)
    if day > today:
        return Answer.NOT_DUE, _and_next(facts, "not due yet")
    if facts.owed:
        return Answer.WAITING, _halted(facts.owed) or _due(facts, facts.owed)
    if facts.issue is None or facts.issue.status is not Editing.SEALED:
        return _without_issue(facts, today)
    return _without_delivery(facts, facts.issue, today)


def _not_their_day(facts: Facts) -> str:
    if not facts.rhythm.has_digests:
        return "the reader wants no digest, only what alerts find, and they found nothing new"
    day = f"{facts.day:%A} is not one of the reader's days ({facts.rhythm.frequency})"
    alerts = "alerts found nothing new" if facts.subscriber.preferences.alerts else ""
    return _and_next(facts, *filter(None, (day, alerts)))


def _without_issue(facts: Facts, today: date) -> Explained:
    day, issue = facts.day, facts.issue
    if issue and issue.status is not Editing.DRAFT:
        return Answer.NO_ISSUE, _and_next(facts, f"no issue of {day}: {issue.reason}", facts.silence)
    if WEEKDAYS[day.weekday()] not in facts.days:
        return Answer.NO_ISSUE, _and_next(facts, f"the newsletter has no issue on a {day:%A}")
    if day < today:
        return Answer.NO_ISSUE, _and_next(facts, f"no issue of {day} was sealed", facts.failure)
    if facts.now < facts.seals_at:
        return Answer.NOT_DUE, f"the issue of {day} is sealed {facts.when(facts.seals_at)}"
    failure = f"; {facts.failure}" if facts.failure else ""
    return Answer.WAITING, f"the issue of {day} is not sealed yet; 'run' says what it waits for{failure}"


def _without_delivery(facts: Facts, issue: Issue, today: date) -> Explained:
    if facts.came_on:
        return Answer.SKIPPED, f"the issue of {issue.date} came with the digest of {facts.came_on}"
    if facts.totals:
        text = f"older than what is kept one by one; of the issue of {issue.date} it is known that {facts.totals}"
        return Answer.TOTALS, _and_next(facts, text)
    if issue.brake is Brake.CANCELLED:
        return Answer.NO_ISSUE, _and_next(facts, f"the issue of {issue.date} was cancelled")
    if halted := _halted(issue):
        return Answer.WAITING, halted
    if facts.day == today:
        return Answer.NOT_DUE, facts.next
    hour = f"{facts.rhythm.hour:%H:%M} {facts.rhythm.zone.key}"
    why = f"nothing ran after the reader's hour, {hour}, or they joined after it"
    if facts.seals_at > instant(facts.day, facts.rhythm.hour, facts.rhythm.zone):
        why = f"the issue of {issue.date} is sealed after the reader's hour, {hour}"
    return Answer.SKIPPED, _and_next(facts, why)


def _due(facts: Facts, issue: Issue) -> str:
    since = facts.when(facts.subscriber.next_due_at or facts.now)
    stopped = f"; the last one could not: {facts.stopped}" if facts.stopped else ""
    return f"due since {since}; the next run sends the issue of {issue.date}{stopped}"


def _halted(issue: Issue | None) -> str:
    if issue is None or issue.brake is not Brake.HALTED:
        return ""
    return f"the issue of {issue.date} is halted ({issue.reason}); 'issues resume {issue.date}' lets it go on"


def _and_next(facts: Facts, *said: str) -> str:
    return "; ".join(filter(None, (*said, facts.next)))
