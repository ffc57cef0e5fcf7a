"""Why a reader got a digest of a date, or none: the decision, as a pure function over what is known.

Not here: finding out what is known (``why``), and what became of a delivery (``became``).
"""

from datetime import date

from newsletter.domain.calendar import instant, local_date
from newsletter.domain.delivery import Status as Sending
from newsletter.domain.issue import Brake, Issue
from newsletter.domain.issue import Status as Editing
from newsletter.domain.subscriber import WEEKDAYS, Status
from newsletter.services.became import of_delivery
from newsletter.services.facts import Answer, Explained, Facts, halted


def explain(facts: Facts) -> Explained:
    """Return the answer, and one line that says it to the operator."""
    if facts.delivery:
        return of_delivery(facts, facts.delivery)
    if facts.day >= local_date(facts.status_since, facts.rhythm.zone) and facts.subscriber.status is not Status.ACTIVE:
        return _standing(facts)
    return _of_date(facts)


def left(facts: Facts) -> str:
    """Return how the reader stands who gets nothing more since what became of a delivery, '' for who does."""
    withdrawn = facts.delivery and facts.delivery.status is Sending.WITHDRAWN
    return "" if facts.subscriber.status is Status.ACTIVE or not facts.delivery or withdrawn else _standing(facts)[1]


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
        return Answer.WAITING, halted(facts.owed) or _due(facts, facts.owed)
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
        return Answer.NO_ISSUE, _and_next(facts, f"the newsletter has no issue on a {day:%A}", facts.obstacles)
    if day < today:
        return Answer.NO_ISSUE, _and_next(facts, f"no issue of {day} was sealed", facts.obstacles)
    obstacles = f"; {facts.obstacles}" if facts.obstacles else ""
    if facts.now < facts.seals_at:
        return Answer.NOT_DUE, f"the issue of {day} will be sealed {facts.when(facts.seals_at)}{obstacles}"
    return Answer.WAITING, f"the issue of {day} is not sealed yet; 'run' says what it waits for{obstacles}"


def _without_delivery(facts: Facts, issue: Issue, today: date) -> Explained:
    if facts.came_on:
        return Answer.SKIPPED, f"the issue of {issue.date} came with the digest of {facts.came_on}"
    if facts.totals:
        text = f"older than what is kept one by one; of the issue of {issue.date} it is known that {facts.totals}"
        return Answer.TOTALS, _and_next(facts, text)
    if issue.brake is Brake.CANCELLED:
        return Answer.NO_ISSUE, _and_next(facts, f"the issue of {issue.date} was cancelled")
    if stopped := halted(issue):
        return Answer.WAITING, stopped
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


def _and_next(facts: Facts, *said: str) -> str:
    return "; ".join(filter(None, (*said, facts.next)))
