"""Proof that readers agreed on the pages: when, from which network, and to which words."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, delete, select

from newsletter.storage.database import upsert
from newsletter.storage.tables import ConsentRow


class Step(StrEnum):
    """What somebody did: they asked for the newsletter, and confirmed by the link that went to the address."""

    ASKED = "asked"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """One step. ``network`` is '' where it is not known, ``text`` what the button stood under."""

    step: Step
    at: datetime
    network: str
    text: str


def record(session: Session, subscriber_id: int, consent: Consent) -> None:
    """Keep *consent*, in the place of an earlier one of the same step."""
    new = {"step": consent.step, "at": consent.at, "network": consent.network, "text": consent.text}
    row = upsert(ConsentRow).values(subscriber_id=subscriber_id, **new)
    session.exec(row.on_conflict_do_update(index_elements=["subscriber_id", "step"], set_=new))


def of(session: Session, subscriber_id: int) -> list[Consent]:
    """Return what a reader agreed to, in the order in which they did."""
    rows = select(ConsentRow).where(col(ConsentRow.subscriber_id) == subscriber_id).order_by(col(ConsentRow.at))
    return [Consent(step=Step(r.step), at=r.at, network=r.network, text=r.text) for r in session.exec(rows)]


def erase(session: Session, subscriber_id: int) -> None:
    """Forget what a reader agreed to."""
    session.exec(delete(ConsentRow).where(col(ConsentRow.subscriber_id) == subscriber_id))
