"""Why a reader got a digest, or none: what the ledger, the issues and the list know of it.

Not here: the decision (``explain``).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlmodel import Session

from newsletter.domain.calendar import instant, local_date
from newsletter.domain.delivery import Delivery
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.services import records, subscribe
from newsletter.services.bounces import standing
from newsletter.services.coming import coming
from newsletter.services.dispatch import Dispatch
from newsletter.services.explain import explain, left
from newsletter.services.facts import Answer, Facts
from newsletter.services.records import PickedPaper
from newsletter.services.seal import TEMPLATES
from newsletter.storage import (
    deliveries,
    departures,
    fetches,
    issues,
    locks,
    papers,
    problems,
    retention,
    subscribers,
)
from newsletter.storage.fetches import Fetch
from newsletter.storage.returns import Return


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The answer for one reader and one date of theirs."""

    subscriber: Subscriber
    day: date
    answer: Answer
    text: str
    next: str  # when the next digest comes, '' if none does
    delivery: dict[str, Any] | None
    papers: list[PickedPaper]
    returns: list[Return]  # what came back of that mail, the newest first

    @property
    def document(self) -> dict[str, Any]:
        """Return the answer as ``why --json`` gives it; ``returns`` only where something came back."""
        back = {"returns": [one.document for one in self.returns]} if self.returns else {}
        return {
            "email": self.subscriber.email,
            "status": self.subscriber.status,
            "date": self.day,
            "answer": self.answer,
            "text": self.text,
            "delivery": self.delivery,
            "papers": [paper.document for paper in self.papers],
            **back,
        }


def why(dispatch: Dispatch, email: str, day: date | None, now: datetime) -> Why:
    """Return what became of the digest that *email* was to get on their local date *day*.

    Without *day* it is their newest digest, or what stands in the way of the one that is due. Raises NotFoundError.
    """
    subscriber = subscribe.find(dispatch.database, email)
    with dispatch.database.read() as session:
        zone = subscribe.rhythm_of(subscriber.preferences, dispatch.settings.newsletter).zone
        asked, delivery = _asked(session, subscriber, day, now, zone)
        facts = _facts(session, dispatch, subscriber, asked, delivery, now)
        answer, text = explain(facts)
        line = deliveries.get(session, delivery.id) if delivery else None
        picked = records.papers_of(session, delivery) if delivery else []
        came_back = [
            one for one in standing(session, subscriber.id, now)[0] if delivery and one.delivery_id == delivery.id
        ]
    told = records.document(line) if line else None
    back = [f"it came back {facts.when(one.came_at)}: {one.summary}" for one in came_back]
    return Why(
        subscriber=subscriber,
        day=asked,
        answer=answer,
        text="; ".join(filter(None, [text, *back, left(facts)])),
        next=facts.next,
        delivery=told,
        papers=picked,
        returns=came_back,
    )


def _asked(
    session: Session, subscriber: Subscriber, day: date | None, now: datetime, zone: ZoneInfo
) -> tuple[date, Delivery | None]:
    """Return the date asked about, and the delivery that answers, if one does."""
    if day:
        return day, deliveries.of_reader(session, subscriber.id, day)
    newest = deliveries.of_reader(session, subscriber.id)
    if subscriber.status is not Status.ACTIVE:  # who leaves asks about the mail of today
        today = local_date(now, zone)
        return today, newest if newest and newest.day == today else None
    due = subscriber.next_due_at or now
    if newest and (due > now or newest.day >= local_date(due, zone)):
        return newest.day, newest
    return local_date(due, zone), None


def _silent(session: Session, asked: Mapping[str, Fetch], day: date, zone: ZoneInfo) -> tuple[str, ...]:
    """Return the sources that were asked since *day* began and listed nothing on it: it was a holiday there."""
    listed = papers.sources_of(session, day)
    return tuple(name for name, last in asked.items() if name not in listed and _answered(last.succeeded_at, day, zone))


def _failed(asked: Mapping[str, Fetch], day: date, zone: ZoneInfo) -> dict[str, str]:
    """Return the sources that were asked since *day* began and have given nothing since, with what went wrong."""
    return {
        name: last.error.partition("; ")[0]
        for name, last in asked.items()
        if last.error and _answered(last.attempted_at, day, zone) and not _answered(last.succeeded_at, day, zone)
    }


def _answered(at: datetime | None, day: date, zone: ZoneInfo) -> bool:
    return at is not None and local_date(at, zone) >= day


def _facts(
    session: Session, dispatch: Dispatch, subscriber: Subscriber, day: date, delivery: Delivery | None, now: datetime
) -> Facts:
    newsletter = dispatch.settings.newsletter
    issue = issues.by_id(session, delivery.issue_id) if delivery else issues.get(session, day)
    elsewhere = deliveries.of_issue(session, subscriber.id, issue.id) if issue and not delivery else None
    rhythm = subscribe.rhythm_of(subscriber.preferences, newsletter)
    history = subscribers.history(session, subscriber.id)
    due = subscriber.next_due_at
    newest = issues.newest_sealed(session)
    listed_on, given = issue.date if issue else day, fetches.newest_fetches(session, dispatch.policy.shares)
    asked = {name: given[name] for name in dispatch.policy.shares if name in given}
    is_due = due is not None and due <= now and local_date(due, rhythm.zone) <= day
    return Facts(
        now=now,
        day=day,
        subscriber=subscriber,
        status_since=history.status_at,
        rhythm=rhythm,
        days=newsletter.days,
        seals_at=instant(day, newsletter.send_at, newsletter.zone),
        next_at=coming(session, newsletter, now).digest_at(due, rhythm, history.last_issue_on) if due else None,
        delivery=delivery,
        issue=issue,
        came_on=elsewhere.day if elsewhere else None,
        owed=newest if is_due and newest and newest.date > (history.last_issue_on or date.min) else None,
        route_paused_until=dispatch.paused_until(session, now),
        stopped=problems.open_text(session, problems.DELIVERY),
        is_sending=locks.any_alive(session, dispatch.database.path, now, dispatch.settings.smtp.lease),
        resends=dispatch.settings.smtp.on_uncertain == "resend",
        broken=problems.open_text(session, TEMPLATES),
        totals=_totals(session, issue.id) if issue else "",
        left_because=str(departures.of(session, subscriber.id) or ""),
        silent=_silent(session, asked, listed_on, newsletter.zone),
        failed=_failed(asked, listed_on, newsletter.zone),
    )


def _totals(session: Session, issue_id: int) -> str:
    found = retention.totals(session, issue_id)
    return " and ".join(
        f"{count:,} {'was' if count == 1 else 'were'} {status}" for status, count in sorted(found.items())
    )
