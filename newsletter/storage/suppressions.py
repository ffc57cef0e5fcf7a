"""Who was removed from the list and must not come back by an import: a hash of the address, never the address.

The hash has a pepper of its own, kept in this database, so that a copied table of hashes alone tells nothing.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select

from newsletter.storage.database import upsert
from newsletter.storage.tables import MetaRow, SuppressionRow

PEPPER = "suppression_pepper"


def suppress(session: Session, key: str, reason: str, now: datetime) -> None:
    """Remember that the address compared by *key* must not be mailed again, and why."""
    new = {"hash": hashed(_pepper(session), key), "reason": reason, "created_at": now}
    session.exec(upsert(SuppressionRow).values(new).on_conflict_do_update(index_elements=["hash"], set_=new))


def lift(session: Session, key: str) -> None:
    """Forget the suppression of the address compared by *key*, if there is one."""
    pepper = session.get(MetaRow, PEPPER)
    if pepper:
        session.exec(delete(SuppressionRow).where(col(SuppressionRow.hash) == hashed(pepper.value, key)))


def reasons(session: Session, keys: Iterable[str]) -> dict[str, str]:
    """Return why those of *keys* (some thousands at most) that are suppressed are so."""
    pepper = session.get(MetaRow, PEPPER)
    if pepper is None:
        return {}
    hashes = {hashed(pepper.value, key): key for key in keys}
    found = select(SuppressionRow.hash, SuppressionRow.reason).where(col(SuppressionRow.hash).in_(hashes))
    return {hashes[digest]: reason for digest, reason in session.exec(found)}


def of(session: Session, key: str) -> dict[str, Any] | None:
    """Return what is remembered of the address compared by *key*, None where it is nothing."""
    pepper = session.get(MetaRow, PEPPER)
    row = session.get(SuppressionRow, hashed(pepper.value, key)) if pepper else None
    return {"hash": row.hash, "reason": row.reason, "created_at": row.created_at} if row else None


def _pepper(session: Session) -> str:
    """Return the pepper, made once."""
    kept = session.get(MetaRow, PEPPER)
    if kept is None:
        kept = MetaRow(key=PEPPER, value=secrets.token_hex(32))
        session.add(kept)
        session.flush()
    return kept.value


def hashed(pepper: str, key: str) -> str:
    """Return the hash of the address compared by *key*."""
    return hmac.new(bytes.fromhex(pepper), key.encode(), hashlib.sha256).hexdigest()
