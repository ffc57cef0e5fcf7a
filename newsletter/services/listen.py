"""Listening: what is done with a mail that comes to the address for what comes back, whichever way it came in.

A mail to an address that unsubscribes does that, whoever sent it: mail programs do. What a report says is taken to
heart (``bounces``). Each mail is acted on once. Not here: the ways in (``mailboxes``, the pages, the listener).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from newsletter.domain.bounce import Effect, Kind
from newsletter.errors import IllegalMoveError, NotFoundError
from newsletter.mail.bounce_report import Report
from newsletter.mail.bounces import read
from newsletter.mail.tokens import Purpose
from newsletter.services import bounces, commands
from newsletter.services.dispatch import Dispatch
from newsletter.services.subscribe import unsubscribe
from newsletter.storage import returns
from newsletter.storage.returns import Return


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one mail: what was kept of it, nothing where it was read before."""

    report: Report
    kept: Sequence[Return] = ()

    @property
    def lines(self) -> list[str]:
        """Return what a person is told of it."""
        if not self.kept:
            return [f"{self.report.kind}: read before"]
        return [_line(one) for one in self.kept]


async def hear(dispatch: Dispatch, raw: bytes, now: datetime, to: Sequence[str] = ()) -> Heard:
    """Read a mail that came back, *to* being the addresses of its envelope where they are known, and do what follows.

    Raises StorageError, after which the same mail may come again.
    """
    report = read(raw)
    report = replace(report, returned_to=tuple(dict.fromkeys((*(one.lower() for one in to), *report.returned_to))))
    if left := _leaving(dispatch, report, now):
        return left
    may_ask = report.kind is Kind.OTHER and dispatch.settings.bounces.takes_commands
    if may_ask and (commanded := await commands.obey(dispatch, report, raw, now)):
        return Heard(report, [commanded])
    return obey(dispatch, report, raw, now)


def obey(dispatch: Dispatch, report: Report, raw: bytes, now: datetime) -> Heard:
    """Do what follows from a *report*, of which *raw* is the original."""
    with dispatch.database.write() as session:
        return Heard(report, bounces.take(session, dispatch.mail, report, raw, now))


def _leaving(dispatch: Dispatch, report: Report, now: datetime) -> Heard | None:
    """Unsubscribe where the mail came to an address made for that; None where it did not."""
    claims = bounces.signed(dispatch.mail, Purpose.UNSUBSCRIBE, report.returned_to, now)
    if claims is None or report.kind not in {
        Kind.OTHER,
        Kind.AUTO_REPLY,
    }:  # programs write these, and call them replies
        return None
    with dispatch.database.read() as session:  # who has come back since must not leave again by the same mail
        if returns.is_known(session, bounces.fingerprint(report)):
            return Heard(report)
    with suppress(NotFoundError, IllegalMoveError):  # who was removed or is suppressed gets nothing anyway
        unsubscribe(dispatch.database, claims.subscriber, now)
    one = Return(came_at=now, kind="command", effect="unsubscribed", subscriber_id=claims.subscriber)
    with dispatch.database.write() as session:
        kept = returns.keep(session, bounces.fingerprint(report), one)
    return Heard(report, [kept] if kept else [])


_FOLLOWS: dict[str, str] = {
    Effect.SUPPRESSED: "the reader is suppressed",
    Effect.COUNTED: "counted",
    Effect.TOLD: "the operator is told",
    Effect.UNKNOWN: "kept, since it is of no mail that we sent",
}


def _line(one: Return) -> str:
    about = f" of {one.address}" if one.address else ""
    why = f" ({one.reason})" if one.reason and one.kind == Kind.BOUNCE else ""
    return f"{one.kind}{about}{why}: {_FOLLOWS.get(one.effect, one.effect)}"
