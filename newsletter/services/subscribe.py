"""The verbs of who is on the list: what each changes, and leaving it. Commands and pages call the same ones.

Each is one transaction, and raises UsageError for what was typed wrongly, NotFoundError for who is not on the list,
IllegalMoveError for what may not happen to a subscriber as things stand. Where the newsletter's own settings are
asked for, it is because they hold where a reader chose nothing. Not here: coming on the list (``joining``), and
whole files (``subscriber_files``).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.calendar import Rhythm, after_change, instant, local_date, next_due
from newsletter.domain.issue import Brake
from newsletter.domain.subscriber import Move, Preferences, Status, Subscriber, preference, zone_info
from newsletter.errors import IllegalMoveError, NotFoundError, UsageError
from newsletter.mail.addresses import address_key, parse_address
from newsletter.storage import departures, issues, subscribers, suppressions
from newsletter.storage.database import Database
from newsletter.storage.departures import Departure
from newsletter.storage.subscribers import Selection

_RHYTHM = ("frequency", "hour", "zone", "alerts")
_MATCHING = ("topics", "only_topics", "min_upvotes", "alerts")
COME_BACK = "if they asked to come back: 'subscribers add --resubscribe --source TEXT'"


def defaults(newsletter: NewsletterSettings) -> Preferences:
    """Return what holds where a reader chose nothing."""
    return Preferences(
        only_topics=False,
        frequency="daily",
        hour=newsletter.send_at,
        zone=newsletter.time_zone,
        max_papers=newsletter.max_papers,
        min_upvotes=0,
        format="both",
        language=newsletter.language,
    )


def rhythm_of(preferences: Preferences, newsletter: NewsletterSettings) -> Rhythm:
    """Return when a reader wants mail, with the newsletter's defaults for what is not chosen."""
    return Rhythm(
        frequency=preferences.frequency or "daily",
        hour=newsletter.send_at if preferences.hour is None else preferences.hour,
        zone=zone_info(preferences.zone or newsletter.time_zone),
    )


@dataclass(frozen=True, slots=True)
class Instants:
    """When a reader is due for a digest and when alerts are looked at, None where never."""

    next_due_at: datetime | None
    next_alert_at: datetime | None


def instants(
    preferences: Preferences,
    newsletter: NewsletterSettings,
    now: datetime,
    last: date | None,
    *,
    joins: bool = False,
    promised: datetime | None = None,
) -> Instants:
    """Return when a reader is due after *now*, whose last digest bears the date *last*.

    Who *joins* is due at once, unless they had a digest on their date. Who was *promised* one and waits for it, stays
    due.
    """
    rhythm = rhythm_of(preferences, newsletter)
    # Alerts begin tomorrow where today's hour has passed; a digest of today brings what they find as well.
    alert_at = next_due(rhythm.of_alerts, now, None).at if preferences.alerts else None
    if not rhythm.has_digests:
        return Instants(None, alert_at)
    # One who joins had been promised nothing, but it is the same: due now, once for this date.
    waits = now if joins else promised
    return Instants((after_change(rhythm, now, last, waits) if waits else next_due(rhythm, now, last)).at, alert_at)


def find(database: Database, who: str | int) -> Subscriber:
    """Return the subscriber with this address or id. Raises NotFoundError."""
    with database.read() as session:
        return look_up(session, who)


def page(database: Database, wanted: Selection) -> tuple[list[Subscriber], int]:
    """Return the subscribers *wanted*, and how many there are without its limit."""
    with database.read() as session:
        return subscribers.page(session, wanted)


def edit(
    database: Database, newsletter: NewsletterSettings, who: str | int, texts: Mapping[str, str], now: datetime
) -> Subscriber:
    """Change the preferences in *texts* by name; an empty text goes back to the newsletter's default."""
    with database.write() as session:
        return edit_in(session, newsletter, look_up(session, who), texts, now)


def edit_in(
    session: Session, newsletter: NewsletterSettings, before: Subscriber, texts: Mapping[str, str], now: datetime
) -> Subscriber:
    """Do so within a transaction that is under way; *before* is the reader as they are."""
    after = replace(before, preferences=changed(before.preferences, texts))
    if before.status is Status.ACTIVE and any(name in texts for name in _RHYTHM):
        last = subscribers.last_digest_on(session, before.id)
        due = instants(after.preferences, newsletter, now, last, promised=before.next_due_at)
        after = replace(after, next_due_at=due.next_due_at, next_alert_at=due.next_alert_at)
    subscribers.save(session, before, after, now)
    if any(name in texts for name in _MATCHING):
        subscribers.end_quiet(session, before.id)
    return after


def pause(
    database: Database, newsletter: NewsletterSettings, who: str | int, until: date | None, now: datetime
) -> Subscriber:
    """Send nothing until the reader's local date *until*, or until ``resume``."""
    with database.write() as session:
        held = look_up(session, who)
        today = local_date(now, rhythm_of(held.preferences, newsletter).zone)
        if until and until <= today:
            raise UsageError(f"until {until}: is not after today, {today} where {held.email} is")
        return _apply(session, held, Move.PAUSE, now, paused_until=until)


def resume(database: Database, newsletter: NewsletterSettings, who: str | int, now: datetime) -> Subscriber:
    """End a pause; nothing happens where there is none."""
    with database.write() as session:
        held = look_up(session, who)
        return held if held.status is Status.ACTIVE else activate(session, newsletter, held, Move.RESUME, now)


def wake(session: Session, newsletter: NewsletterSettings, now: datetime) -> int:
    """End the pauses whose date has come where the reader is; return how many. Each tick calls this once.

    Counted from that date's midnight, so that a tick which comes late does not lose the first digest.
    """
    awake = 0
    for held, last in subscribers.paused_until(session, (now + timedelta(days=1)).date()):
        rhythm = rhythm_of(held.preferences, newsletter)
        if held.paused_until and held.paused_until <= local_date(now, rhythm.zone):
            midnight = instant(held.paused_until, time(), rhythm.zone) - timedelta(seconds=1)
            due = instants(held.preferences, newsletter, midnight, last)
            subscribers.apply(session, held, Move.RESUME, now, **asdict(due))
            awake += 1
    return awake


def unsubscribe(database: Database, who: str | int, now: datetime, said: Departure | None = None) -> Subscriber:
    """Send nothing more, from this instant on; nothing happens where they have unsubscribed before.

    What they *said* about it is kept.
    """
    with database.write() as session:
        held = _apply(session, look_up(session, who), Move.UNSUBSCRIBE, now)
        if said:
            departures.record(session, held.id, said)
        return held


def suppress(database: Database, who: str | int, reason: str, now: datetime) -> Subscriber:
    """Send nothing more, since *reason*: the address bounces, its owner complained, or the operator says so."""
    said = " ".join(reason.split())
    if not said:
        raise UsageError("reason: say why the address must not be mailed any more")
    with database.write() as session:
        return _apply(session, look_up(session, who), Move.SUPPRESS, now, suppression_reason=said)


def suppress_now(session: Session, subscriber_id: int, reason: str, now: datetime) -> None:
    """Suppress a subscriber within a transaction that is under way; one who was removed meanwhile stays away."""
    held = subscribers.by_id(session, subscriber_id)
    if held and held.status is not Status.SUPPRESSED:
        _apply(session, held, Move.SUPPRESS, now, suppression_reason=reason)


def remove(database: Database, who: str | int, now: datetime) -> Subscriber:
    """Erase a subscriber, and return who it was. No import brings the address back."""
    with database.write() as session:
        held = look_up(session, who)
        subscribers.remove(session, held, address_key(held.email), now)
        return held


def look_up(session: Session, who: str | int) -> Subscriber:
    """Return a subscriber by address or id, as they are in *session*. Raises NotFoundError, UsageError."""
    if isinstance(who, int):
        held = subscribers.by_id(session, who)
        if held is None:
            raise NotFoundError("this subscriber is no longer on the list")
        return held
    address = parse_address(who)
    held = subscribers.get(session, address.key)
    if held is None:
        gone = suppressions.reasons(session, [address.key])
        was = f"was removed ({gone[address.key]})" if gone else "'newsletter subscribers list' shows who is there"
        raise NotFoundError(f"no subscriber {address.email}: {was}")
    return held


def changed(chosen: Preferences, texts: Mapping[str, str]) -> Preferences:
    """Return what is *chosen* with the preferences in *texts* by name. Raises UsageError."""
    given: dict[str, Any] = {name: preference(name, text) for name, text in texts.items()}
    return replace(chosen, **given)


def activate(session: Session, newsletter: NewsletterSettings, held: Subscriber, to: Move, now: datetime) -> Subscriber:
    """Make a subscriber active by the move *to*, within a transaction that is under way. Raises IllegalMoveError."""
    last = subscribers.last_digest_on(session, held.id)
    joins = to is not Move.RESUME and has_issue(session)
    return _apply(session, held, to, now, **asdict(instants(held.preferences, newsletter, now, last, joins=joins)))


def has_issue(session: Session) -> bool:
    """Return whether the newest issue goes out: one that is halted is not to be waited for, the next has its hour."""
    newest = issues.newest_sealed(session)
    return newest is not None and newest.brake is Brake.NONE


def _apply(session: Session, held: Subscriber, to: Move, now: datetime, **facts: object) -> Subscriber:
    try:
        return subscribers.apply(session, held, to, now, **facts)
    except IllegalMoveError as error:
        why = f" ({held.suppression_reason}); {COME_BACK}" if held.status is Status.SUPPRESSED else _REMEDY[held.status]
        raise IllegalMoveError(f"{held.email}: {error}{why}") from error


_REMEDY = {
    Status.PENDING: "; 'subscribers add' vouches for them",
    Status.UNSUBSCRIBED: f"; {COME_BACK}",
    Status.ACTIVE: "",
    Status.PAUSED: "",
}
