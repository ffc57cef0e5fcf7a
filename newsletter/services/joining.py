"""Coming on the list: added by the operator, who vouches for their consent, or by an answered confirmation mail.

Each is one transaction. Not here: what happens to who is on the list (``subscribe``), and the mail that asks
(``confirm``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.subscriber import Move, Preferences, Status, Subscriber
from newsletter.errors import IllegalMoveError, UsageError
from newsletter.mail.addresses import Address, address_key, parse_address
from newsletter.services.subscribe import COME_BACK, Instants, activate, changed, edit_in, has_issue, instants, look_up
from newsletter.storage import consents, subscribers, suppressions
from newsletter.storage.consents import Consent
from newsletter.storage.database import Database


class Outcome(StrEnum):
    """What ``add`` found and did."""

    ADDED = "added"
    ALREADY = "already there"  # and nothing was changed
    ASKED = "to be confirmed"  # the person must answer a mail
    WAITING = "asked less than a day ago, and not again"
    CONFIRMED = "confirmed"  # was pending; the operator vouches
    RESUBSCRIBED = "resubscribed"


@dataclass(frozen=True, slots=True)
class Added:
    """What became of one address."""

    subscriber: Subscriber
    outcome: Outcome


def add(
    database: Database,
    newsletter: NewsletterSettings,
    addresses: Sequence[str],
    texts: Mapping[str, str],
    now: datetime,
    *,
    source: str = "",
    pending: bool = False,
    resubscribe: bool = False,
) -> list[Added]:
    """Put *addresses* on the list, all or none, with the preferences in *texts* by name.

    They are active and due at once for the newest issue, the operator vouching for their consent, recorded as
    *source*; with *pending* they first have to confirm (``confirm``). Who is active or paused stays as they are. Who
    unsubscribed or was suppressed or removed is refused, except to ``resubscribe``; who unsubscribed or was removed may
    be asked to confirm.
    """
    if resubscribe and (pending or not source):
        raise UsageError("--resubscribe: needs --source TEXT saying how they asked to come back, and no --confirm")
    wanted = {address.key: address for address in map(parse_address, addresses)}
    chosen = changed(Preferences(), texts)
    with database.write() as session:
        new = _Newcomers(session, newsletter, chosen, tuple(texts), now, source)
        return [new.add(address, pending=pending, resubscribe=resubscribe) for address in wanted.values()]


def ask(
    session: Session,
    newsletter: NewsletterSettings,
    address: Address,
    texts: Mapping[str, str],
    now: datetime,
    source: str,
) -> Subscriber:
    """Put who is new on the list, to be confirmed, and return who it is.

    Who has not confirmed yet gets the preferences that were asked for last; everybody else stays as they are. Raises
    IllegalMoveError for who must not be mailed.
    """
    new = _Newcomers(session, newsletter, changed(Preferences(), texts), tuple(texts), now, source)
    held = new.add(address, pending=True, resubscribe=False).subscriber
    return edit_in(session, newsletter, held, texts, now) if held.status is Status.PENDING else held


@dataclass(frozen=True)
class _Newcomers:
    """What the addresses of one ``add`` have in common."""

    session: Session
    newsletter: NewsletterSettings
    chosen: Preferences
    given: tuple[str, ...]
    now: datetime
    source: str

    def add(self, address: Address, *, pending: bool, resubscribe: bool) -> Added:
        held = subscribers.get(self.session, address.key)
        if held is None:
            return self._new(address, pending=pending, resubscribe=resubscribe)
        match held.status:
            case Status.ACTIVE | Status.PAUSED:
                return Added(held, Outcome.ALREADY)
            case Status.PENDING | Status.UNSUBSCRIBED if pending:
                return Added(held, Outcome.ASKED)
            case Status.PENDING:
                return Added(self._activate(held, Move.CONFIRM), Outcome.CONFIRMED)
            case _ if resubscribe:
                return Added(self._activate(held, Move.RESUBSCRIBE), Outcome.RESUBSCRIBED)
            case Status.UNSUBSCRIBED:
                raise IllegalMoveError(f"{held.email} has unsubscribed; --confirm asks them by mail, or {COME_BACK}")
            case _:
                raise IllegalMoveError(f"{held.email} is suppressed ({held.suppression_reason}); {COME_BACK}")

    def _new(self, address: Address, *, pending: bool, resubscribe: bool) -> Added:
        gone = suppressions.reasons(self.session, [address.key]).get(address.key)
        if gone and not resubscribe and not (pending and not gone.startswith(Status.SUPPRESSED)):
            raise IllegalMoveError(f"{address.email} was removed from the list ({gone}); {COME_BACK}")
        if not pending:
            suppressions.lift(self.session, address.key)
        due = Instants(None, None) if pending else self._joins(self.chosen)
        subscriber = Subscriber(
            id=subscribers.new_id(),
            email=address.email,
            status=Status.PENDING if pending else Status.ACTIVE,
            preferences=self.chosen,
            created_at=self.now,
            confirmed_at=None if pending else self.now,
            next_due_at=due.next_due_at,
            next_alert_at=due.next_alert_at,
            consent_source=self.source,
        )
        subscribers.add(self.session, [(address.key, subscriber)], self.now)
        outcome = Outcome.ASKED if pending else Outcome.RESUBSCRIBED if gone else Outcome.ADDED
        return Added(subscriber, outcome)

    def _joins(self, chosen: Preferences) -> Instants:
        return instants(chosen, self.newsletter, self.now, None, joins=has_issue(self.session))

    def _activate(self, held: Subscriber, to: Move) -> Subscriber:
        chosen = replace(held.preferences, **{name: getattr(self.chosen, name) for name in self.given})
        vouched = replace(held, preferences=chosen, confirmed_at=self.now, consent_source=self.source)
        return activate(self.session, self.newsletter, vouched, to, self.now)


def confirm(
    database: Database, newsletter: NewsletterSettings, subscriber_id: int, now: datetime, agreed: Consent | None = None
) -> Subscriber:
    """Make who answered the confirmation mail active, and keep what they *agreed* to; nothing happens where they are.

    Raises IllegalMoveError.
    """
    with database.write() as session:
        held = look_up(session, subscriber_id)
        if held.status is Status.ACTIVE:
            return held
        if agreed:
            consents.record(session, held.id, agreed)
        suppressions.lift(session, address_key(held.email))
        return activate(session, newsletter, replace(held, confirmed_at=now), Move.CONFIRM, now)
