"""Forgetting a person: out of the tables, the texts that name them, the free pages and the write-ahead log.

What stays is the hash that keeps an import from bringing them back, and how many mails went out. Not here: what is
known of them (``known``).
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.errors import IncompleteError, NotFoundError
from newsletter.mail.addresses import Address, parse_address
from newsletter.services.alone import Service, alone
from newsletter.storage import remains, sign_ups, subscribers, suppressions, traces
from newsletter.storage.database import Database, fold, rewrite


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """Who was forgotten, and the ``copies`` of the database beside it that still know them."""

    email: str
    copies: list[Path]


def forget(service: Service, email: str) -> Forgotten:
    """Forget the person with this address. Safe to repeat; who was removed before can be forgotten too.

    Raises NotFoundError where nothing is known of them, BusyError where their traces lie in pages that nobody uses any
    more and another run is at work, IncompleteError where somebody reads the write-ahead log for too long.
    """
    address, path = parse_address(email), service.database.path
    from_tables(service.database, address, service.clock())
    _fold(path, address)
    if _is_left(path, address):
        with alone(service):  # for a list of a million it takes a minute, in which nobody else writes
            rewrite(path)
        _fold(path, address)
    found = {copy for name in _spellings(address) for copy in remains.copies(path, name)}
    return Forgotten(email=address.email, copies=sorted(found))


def from_tables(database: Database, address: Address, now: datetime) -> None:
    """Delete every row and blot every text that names the person. Raises NotFoundError where nothing is known of them.

    What they leave in free pages and the write-ahead log is the business of ``forget``.
    """
    with database.write() as session:
        held = subscribers.get(session, address.key)
        asked = sign_ups.erase_of(session, _spellings(address))
        if held is None and not asked and suppressions.of(session, address.key) is None:
            raise NotFoundError(f"nothing is known of {address.email}")
        if held:
            subscribers.remove(session, held, address.key, now)
            traces.erase(session, held.id)
        for name in _spellings(address):
            traces.blot(session, name, ledger=held is None)


def _fold(path: Path, address: Address) -> None:
    if not fold(path):
        raise IncompleteError(
            f"{address.email}: gone from the tables, but somebody reads the database; give the command again"
        )


def _is_left(path: Path, address: Address) -> bool:
    return any(remains.hold(path, name) for name in _spellings(address))


def _spellings(address: Address) -> set[str]:
    return {address.email, address.key}
