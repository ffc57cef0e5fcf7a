"""Sign-ups that were answered and are not done yet: a queue that survives a crash, and keeps nothing of what is done.

Each is one row of the same shape, whoever's address it is. Who takes one up has it to themselves for a while, longer
each time, so that a process that died with it holds it up and no more. Not here: what is done (``services/signup``).
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, and_, col, delete, func, or_, select, update

from newsletter.storage.tables import SignUpRow

_AT_FIRST = timedelta(minutes=2)  # for who answered it, before others may think that they died
_WHILE = timedelta(minutes=15)  # for who took it up; four times as long each time
_AT_ONCE = 100
_R = SignUpRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A sign-up, ``taken_at`` before. ``subscriber_id`` and ``mail``: who is on the list by it, and gets which mail."""

    id: int
    asked_at: datetime
    taken_at: datetime | None
    email: str
    texts: Mapping[str, str]
    network: str
    agreed: str
    subscriber_id: int | None
    mail: str


def keep(session: Session, email: str, texts: Mapping[str, str], *, network: str, agreed: str, now: datetime) -> int:
    """Keep what was asked, and return its number."""
    row = _R(
        asked_at=now,
        due_at=now + _AT_FIRST,
        email=email,
        texts=json.dumps(dict(texts), ensure_ascii=False),
        network=network,
        agreed=agreed,
    )
    session.add(row)
    session.flush()
    assert row.id is not None
    return row.id


def waiting(session: Session, most: int) -> int:
    """Return how many wait, *most* where they are more."""
    return session.exec(select(func.count()).select_from(select(col(_R.id)).limit(most).subquery())).one()


def left(session: Session, now: datetime) -> list[int]:
    """Return the numbers of some that nobody is at, the oldest first."""
    query = select(_R.id).where(col(_R.due_at) <= now).order_by(col(_R.id)).limit(_AT_ONCE)
    return [number for number in session.exec(query) if number]


def take(session: Session, number: int, now: datetime) -> Asked | None:
    """Take up a sign-up, None where it is done or somebody is at it."""
    free = or_(col(_R.tries) == 0, col(_R.due_at) <= now)
    row = session.exec(select(_R).where(and_(col(_R.id) == number, free))).first()
    if row is None:
        return None
    asked = _asked(row)
    row.taken_at, row.due_at, row.tries = now, now + _WHILE * 4**row.tries, row.tries + 1
    session.add(row)
    return asked


def is_held(session: Session, number: int, taken_at: datetime) -> bool:
    """Return whether who took a sign-up up then still has it: nobody forgot it, or took it up since."""
    held = select(_R.id).where(col(_R.id) == number, col(_R.taken_at) == taken_at)
    return session.exec(held).first() is not None


def enter(session: Session, asked: Asked, subscriber_id: int, mail: str) -> None:
    """Remember that somebody is on the list by a sign-up and gets *mail*; what they typed is in its place."""
    cleared = {"email": "", "texts": "{}", "network": "", "agreed": ""}
    session.exec(update(_R).where(col(_R.id) == asked.id).values(subscriber_id=subscriber_id, mail=mail, **cleared))


def put_off(session: Session, number: int, until: datetime) -> None:
    """Leave a sign-up alone until then."""
    session.exec(update(_R).where(col(_R.id) == number).values(due_at=until))


def end(session: Session, number: int) -> None:
    """Forget a sign-up: it is done, or will not be."""
    session.exec(delete(_R).where(col(_R.id) == number))


def drop(session: Session, before: datetime) -> int:
    """Give up what was asked before *before*. Return how many those were."""
    return session.exec(delete(_R).where(col(_R.asked_at) < before)).rowcount


def erase(session: Session, subscriber_id: int) -> None:
    """Forget what still was to be done for a reader."""
    session.exec(delete(_R).where(col(_R.subscriber_id) == subscriber_id))


def erase_of(session: Session, names: Collection[str]) -> int:
    """Forget what was asked for one of these addresses. Return how often that was."""
    found = [asked.id for asked in of(session, names)]
    return session.exec(delete(_R).where(col(_R.id).in_(found))).rowcount


def of(session: Session, names: Collection[str]) -> list[Asked]:
    """Return what was asked for one of these addresses, written in whatever case, and nobody is on the list by yet."""
    wanted = {name.casefold() for name in names}
    rows = session.exec(select(_R).where(col(_R.email) != ""))
    return [_asked(row) for row in rows if row.email.casefold() in wanted]


def _asked(row: SignUpRow) -> Asked:
    assert row.id is not None
    return Asked(
        id=row.id,
        asked_at=row.asked_at,
        taken_at=row.taken_at,
        email=row.email,
        texts=json.loads(row.texts),
        network=row.network,
        agreed=row.agreed,
        subscriber_id=row.subscriber_id,
        mail=row.mail,
    )
