"""Alone: what a run works with, and that nobody else gathers, seals and sends meanwhile.

Who works holds a lease in the database, and takes over from who died. Not here: what a run does (``run``).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from newsletter.config.settings import Settings
from newsletter.errors import BusyError, IncompleteError
from newsletter.services.claimant import TAKEN_OVER
from newsletter.services.dispatch import Dispatch
from newsletter.services.gather import Gathering
from newsletter.services.ledger import Clock
from newsletter.services.summarise import Summaries
from newsletter.services.throttle import Throttle
from newsletter.storage import claims, home, locks, moves
from newsletter.storage.database import Database, cursor
from newsletter.storage.locks import Owner
from newsletter.storage.upgrade import require_current

_LEASE = "run"
_POLL = 0.2  # seconds between looks at a lease that another holds


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a run works with."""

    settings: Settings
    database: Database
    gathering: Gathering
    dispatch: Dispatch
    clock: Clock
    throttle: Throttle
    summaries: Summaries | None = None


@contextmanager
def alone(service: Service, *, wait: bool = False) -> Iterator[Owner]:
    """Give the owner under which this process may gather, seal and send; others are kept out until it ends.

    Raises BusyError when another run is at work, unless told to *wait* for it, IncompleteError when it slept while it
    waited, so that others took it for dead, and OutdatedError when a newer program has upgraded the database.
    """
    with Owner(service.database, service.clock()) as owner:
        while holder := _take(service, owner):
            if not wait:
                raise BusyError(f"another run is at work ({holder}); '--wait' waits for it")
            time.sleep(_POLL)
        try:
            yield owner
        finally:
            with service.database.write() as session:
                locks.release_lease(session, _LEASE, owner.id)


def _take(service: Service, owner: Owner) -> str | None:
    """Recover from owners that died, and take the lease. Return who holds it, if somebody does.

    In one transaction with a look at the schema's version, since an upgrade waits only for who holds the lease.
    """
    now, smtp = service.clock(), service.settings.smtp
    with service.database.write() as session:
        require_current(service.database.path)
        home.require(session, service.database.path)
        for gone, last_beat in locks.dead_owners(session, service.database.path, now, smtp.lease).items():
            moves.serve_since(cursor(session), last_beat)
            locks.bury(session, service.database.path, gone)
        claims.recover(session, now, resend=smtp.on_uncertain == "resend")
        if not locks.beat(session, owner.id, now):
            raise IncompleteError(TAKEN_OVER)
        return locks.take_lease(session, _LEASE, owner.id)
