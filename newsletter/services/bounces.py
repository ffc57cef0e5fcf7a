"""What follows from a report that came back: whose mail it was, whether that counts, and what is kept of it.

A report counts only for mail that we sent: where the signed return address says so, else a Message-ID of ours, else the
address of a reader to whom a digest went lately. Each is read once, by whichever way and however often it comes. Not
here: reading a report (``mail/bounces``), the decision (``domain/bounce``), and the ways in (``listen``).
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlmodel import Session

from newsletter.domain.bounce import Effect, Judgement, Kind, Reason, judge, score
from newsletter.domain.delivery import SENT, Delivery
from newsletter.domain.subscriber import Status, Subscriber
from newsletter.errors import TokenError, UsageError
from newsletter.mail.addresses import address_key, parse_address
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.mail.tokens import Claims, Purpose
from newsletter.services.correspondence import Correspondence
from newsletter.services.subscribe import suppress_now
from newsletter.storage import deliveries, returns, subscribers
from newsletter.storage.returns import Return

LATELY = timedelta(days=14)  # within which a report without our marks may speak of a digest
_BACKLOG = timedelta(days=30)  # of reports that nobody read for a while; each counts on its own day
_KEPT = 64_000  # octets of a mail that nobody understood
_ID = re.compile(r"<([0-7][0-9a-f]{15})@")
_MAILED = (Status.ACTIVE, Status.PAUSED, Status.PENDING)


def take(session: Session, mail: Correspondence, report: Report, raw: bytes, now: datetime) -> list[Return]:
    """Keep what a report says, and do what follows from it. Return what was new: nothing where it was read before."""
    intake = _Intake(session, report, raw, now, _came_at(report, now))
    whose = _marked(session, mail, report, now)
    said = [_about(session, report, whose)] if whose else _said(report)
    taken: list[Return] = []
    for each in said:
        if one := intake.take(each, whose or _by_address(session, each.address, now)):
            taken.append(one)
            intake = replace(intake, raw=b"") if one.content else intake  # one mail is kept whole once
    return taken


def signed(mail: Correspondence, purpose: Purpose, addresses: Iterable[str], now: datetime) -> Claims | None:
    """Return for whom one of *addresses* was signed by us for *purpose*, None where none was."""
    for token in filter(None, map(mail.token_in, addresses)):
        try:
            return mail.signer.read(purpose, token, now)
        except TokenError:
            continue
    return None


def fingerprint(report: Report, address: str = "") -> str:
    """Return what is the same for a report about an address whenever it comes."""
    return hashlib.sha256(f"{report.mark} {address.casefold()}".encode("utf-8", "replace")).hexdigest()[:32]


def _came_at(report: Report, now: datetime) -> datetime:
    sent_at = report.sent_at
    return sent_at if sent_at and now - _BACKLOG <= sent_at <= now else now


def _marked(session: Session, mail: Correspondence, report: Report, now: datetime) -> Claims | None:
    """Return whose mail it was by the marks that we put on it."""
    if by_address := signed(mail, Purpose.BOUNCE, report.returned_to, now):
        return by_address
    for message_id in report.ids:
        found = _ID.match(message_id)
        line = deliveries.get(session, int(found[1], 16)) if found else None
        if line and line.delivery.message_id == message_id and _was_sent(line.delivery):
            return Claims(line.delivery.subscriber_id, line.delivery.id)
    return None


def _was_sent(delivery: Delivery) -> bool:
    return delivery.status in SENT or delivery.offered_at is not None


def _by_address(session: Session, address: str, now: datetime) -> Claims | None:
    """Return whose address it is, where a digest went there lately."""
    try:
        held = subscribers.get(session, parse_address(address).key) if address else None
    except UsageError:
        return None
    newest = deliveries.of_reader(session, held.id) if held else None
    is_recent = newest and _was_sent(newest) and newest.offered_at and newest.offered_at >= now - LATELY
    return Claims(newest.subscriber_id, newest.id) if newest and is_recent else None


def _said(report: Report) -> Sequence[Recipient]:
    """Return what is said of whom; a report without addresses says it of nobody."""
    reason = Reason.COMPLAINED if report.kind is Kind.COMPLAINT else Reason.UNCLEAR
    return report.recipients or [Recipient("", "", reason, "")]


def _about(session: Session, report: Report, whose: Claims) -> Recipient:
    """Return what is said of the reader: a mail has one. Who has it passed on to several is gone with the last."""
    held, said = subscribers.by_id(session, whose.subscriber), _said(report)
    theirs = [one for one in said if held and address_key(one.address) == address_key(held.email)]
    return (theirs or sorted(said, key=lambda one: one.permanent))[0]


@dataclass(frozen=True)
class _Intake:
    """One report on its way into the database."""

    session: Session
    report: Report
    raw: bytes
    now: datetime
    came_at: datetime

    def take(self, said: Recipient, whose: Claims | None) -> Return | None:
        key = fingerprint(self.report, "" if whose and not said.address else said.address)
        if returns.is_known(self.session, key):
            return None
        held = subscribers.by_id(self.session, whose.subscriber) if whose else None
        judged = self._judged(said, held, whose) if held else Judgement(_of_nobody(self.report.kind))
        new = Return(
            came_at=self.came_at,
            kind=self.report.kind,
            effect=judged.effect,
            subscriber_id=held.id if held else None,
            delivery_id=(whose.delivery or None) if whose and held else None,
            address=said.address,
            status=said.status,
            reason=said.reason,
            said=said.said,
            subject=self.report.subject,
            content=self.raw[:_KEPT].decode("latin-1") if self._is_unclear(held) else None,
        )
        kept = returns.keep(self.session, key, new)
        if kept and held and judged.effect is Effect.SUPPRESSED:
            suppress_now(self.session, held.id, _why(kept, judged), self.now)
        return kept

    def _judged(self, said: Recipient, held: Subscriber, whose: Claims | None) -> Judgement:
        since = subscribers.history(self.session, held.id).status_at
        earlier = returns.of_reader(self.session, held.id, since, effect=Effect.COUNTED)
        judged = judge(self.report.kind, said.reason, [one.came_at for one in earlier], self.came_at)
        line = deliveries.get(self.session, whose.delivery) if whose and whose.delivery else None
        is_old = line is not None and held.confirmed_at is not None and line.delivery.made_at < held.confirmed_at
        is_idle = judged.effect in {Effect.SUPPRESSED, Effect.COUNTED} and (is_old or held.status not in _MAILED)
        return Judgement(Effect.NOTED, judged.score) if is_idle else judged

    def _is_unclear(self, held: Subscriber | None) -> bool:
        return self.report.kind is Kind.OTHER or (held is None and self.report.kind is not Kind.AUTO_REPLY)


def _of_nobody(kind: Kind) -> Effect:
    return Effect.NOTED if kind is Kind.AUTO_REPLY else Effect.UNKNOWN


def _why(kept: Return, judged: Judgement) -> str:
    if kept.kind == Kind.COMPLAINT:
        return f"complained on {kept.came_at:%Y-%m-%d}"
    words = f": {kept.said}" if kept.said else ""
    if judged.is_enough:
        return f"bounced again and again, last on {kept.came_at:%Y-%m-%d} ({kept.reason}){words}"[:300]
    return f"bounced on {kept.came_at:%Y-%m-%d} ({kept.reason}){words}"[:300]


def standing(session: Session, subscriber_id: int, now: datetime) -> tuple[list[Return], float]:
    """Return what came back from a reader lately, the newest first, and the score that it comes to."""
    since = subscribers.history(session, subscriber_id).status_at
    found = returns.of_reader(session, subscriber_id, now - _BACKLOG)
    counted = [one.came_at for one in found if one.effect == Effect.COUNTED and one.came_at >= since]
    return found, score(counted, now)


def refused(session: Session, now: datetime) -> str:
    """Return what the operator should be told of mail that was refused for what it is, '' where none was."""
    found = returns.told(session, Effect.TOLD, now - timedelta(days=1))
    if not found:
        return ""
    said = ", ".join(f"{count} {reason}" for reason, count in found)
    return (
        f"mail came back since yesterday for what it is or who sends it: {said}; "
        "'newsletter bounces list --effect told' shows the servers' words, and no reader is suppressed for it"
    )
