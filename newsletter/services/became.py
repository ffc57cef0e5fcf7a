"""What became of a delivery, and what may be done about it. Not here: why there is none (``explain``)."""

from collections.abc import Callable

from newsletter.domain.delivery import Delivery, Verdict, after_attempt
from newsletter.domain.delivery import Status as Sending
from newsletter.domain.issue import Brake
from newsletter.domain.pool import Why
from newsletter.domain.subscriber import Status
from newsletter.services.facts import Answer, Explained, Facts, halted


def of_delivery(facts: Facts, delivery: Delivery) -> Explained:
    """Return the answer where there is a delivery, and one line that says it."""
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
        died = "the sender that had it died; the next run sends it"
        return Answer.WAITING, "a sender is at work on it now" if facts.is_sending else died
    if delivery.status is Sending.OFFERED:
        offered = facts.when(delivery.offered_at or facts.now)
        answer = "whose answer is awaited" if facts.is_sending else _unanswered(facts, delivery)
        return Answer.WAITING, f"offered to the server {offered}, {answer}"
    if stopped := halted(facts.issue):
        return Answer.WAITING, f"{stopped}; {_attempts(delivery)}"
    return Answer.WAITING, _until(facts, delivery)


def _unanswered(facts: Facts, delivery: Delivery) -> str:
    after = after_attempt(delivery.status, Verdict.UNCERTAIN, delivery.uncertain + 1, resend=facts.resends)
    then = "holds it for a person to decide" if after is Sending.HELD else "sends it again, so that it may come twice"
    return f"and the sender died before it read an answer; the next run {then}"


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
