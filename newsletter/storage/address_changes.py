"""Addresses to which subscriptions move once their owners confirm it: one for each reader, the one named last."""

from datetime import datetime

from sqlmodel import Session, col, delete

from newsletter.storage.database import upsert
from newsletter.storage.tables import AddressChangeRow


def ask(session: Session, subscriber_id: int, nonce: int, email: str, now: datetime) -> None:
    """Keep that a subscription is to move to *email*, by the link that has *nonce*, and by no earlier one."""
    new = {"nonce": nonce, "email": email, "asked_at": now}
    row = upsert(AddressChangeRow).values(subscriber_id=subscriber_id, **new)
    session.exec(row.on_conflict_do_update(index_elements=["subscriber_id"], set_=new))


def wanted(session: Session, subscriber_id: int, nonce: int) -> str:
    """Return the address that the link with *nonce* confirms, '' where it does not work any more."""
    row = session.get(AddressChangeRow, subscriber_id)
    return row.email if row and row.nonce == nonce else ""


def erase(session: Session, subscriber_id: int) -> None:
    """Forget that a subscription was to move."""
    session.exec(delete(AddressChangeRow).where(col(AddressChangeRow.subscriber_id) == subscriber_id))
