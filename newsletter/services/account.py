"""The owner of the desk: one account, whose password is kept as an argon2 hash.

Whoever is wrong about the name, the password or there being an account at all is told the same after the same work.
A new password ends every session: each carries the ``generation`` in which it began.
"""

import secrets
from datetime import datetime
from threading import Lock

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import Session

from newsletter.domain.text import plain
from newsletter.errors import UsageError
from newsletter.storage import changes
from newsletter.storage.changes import COMMAND_LINE
from newsletter.storage.database import Database
from newsletter.storage.problems import fact, keep_fact

SHORTEST, LONGEST = 12, 1000  # characters: short ones are guessed, endless ones only keep the machine busy
_NAME, _HASH, _GENERATION = "desk.name", "desk.password", "desk.generation"
_hasher = PasswordHasher()  # RFC 9106's second choice: 64 MiB, three passes
# What is compared where there is no account, so that it takes as long; nobody knows its password.
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$4gsb2F8ZN8WFZBzQr/9hrA$38S7Lt60x2ySKUBpV7il0geKUZQAKDe1eyZW/aHXRhE"
_one_at_a_time = Lock()  # each takes 64 MiB: many at once could fill the memory


def set_password(database: Database, name: str, password: str, now: datetime) -> None:
    """Let the desk be opened by *name* and *password* alone, and end every session. Raises UsageError."""
    known = plain(name)
    if not known or known != name or len(known) > 100:
        raise UsageError(f"name {name[:40]!r}: use some letters, without blanks around them")
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"password: has {len(password)} characters; use {SHORTEST} to {LONGEST}")
    hashed = _hasher.hash(password)
    with database.write() as session:
        keep_fact(session, _NAME, name)
        keep_fact(session, _HASH, hashed)
        keep_fact(session, _GENERATION, secrets.token_hex(8))
        changes.record(session, COMMAND_LINE, f"the password of {name!r} was set; every session ended", now)


def is_owner(database: Database, name: str, password: str) -> bool:
    """Return whether *name* and *password* open the desk."""
    with database.read() as session:
        known, hashed = fact(session, _NAME), fact(session, _HASH)
    with _one_at_a_time:
        try:
            _hasher.verify(hashed or _NOBODYS, password[: LONGEST + 1])
        except (VerificationError, InvalidHashError):
            return False
    return known is not None and secrets.compare_digest(known.encode(), name.encode("utf-8", "replace"))


def generation(session: Session) -> str | None:
    """Return what the sessions of the present password carry, None where there is no account."""
    return fact(session, _GENERATION)
