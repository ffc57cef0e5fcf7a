"""Mails to one reader alone that are no digests: when each last went out, and whether another one may.

Not here: how long another one waits, and what is sent (``services``).
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, or_, true
from sqlmodel import Session, col, update

from newsletter.domain.subscriber import Status
from newsletter.storage.tables import SubscriberRow


class Single(StrEnum):
    """A mail to one reader alone that is no digest, and the column that remembers when it last went out."""

    CONFIRMATION = "asked_at"
    WELCOME = "welcomed_at"
    GOODBYE = "parted_at"
    REMINDER = "reminded_at"  # to who is subscribed and asked for it again
    LINK = "linked_at"  # to what is known of a reader


_WANTED_BY: dict[Single, tuple[Status, ...]] = {
    Single.CONFIRMATION: (Status.PENDING, Status.UNSUBSCRIBED),
    Single.WELCOME: (Status.ACTIVE,),
    Single.GOODBYE: (Status.UNSUBSCRIBED,),
    Single.REMINDER: (Status.ACTIVE, Status.PAUSED),
    Single.LINK: (Status.ACTIVE, Status.PAUSED),
}


def claim(session: Session, mail: Single, subscriber_id: int, now: datetime, since: datetime) -> bool:
    """Record that *mail* goes out at *now*. False where it must not: one did after *since*, or nobody wants it.

    One that greets or parts goes out once for each time that somebody confirmed or left.
    """
    sent_at = col(getattr(SubscriberRow, mail))
    again: dict[Single, ColumnElement[bool]] = {
        Single.WELCOME: sent_at < col(SubscriberRow.confirmed_at),
        Single.GOODBYE: sent_at < col(SubscriberRow.status_at),
    }
    row = (
        col(SubscriberRow.id) == subscriber_id,
        col(SubscriberRow.status).in_(_WANTED_BY[mail]),
        or_(sent_at.is_(None), and_(sent_at <= since, again.get(mail, true()))),
    )
    return session.exec(update(SubscriberRow).where(*row).values({mail: now})).rowcount == 1


def not_sent(session: Session, mail: Single, subscriber_id: int, at: datetime) -> None:
    """Record that the *mail* of the instant *at* was not sent after all."""
    row = (col(SubscriberRow.id) == subscriber_id, col(getattr(SubscriberRow, mail)) == at)
    session.exec(update(SubscriberRow).where(*row).values({mail: None}))
