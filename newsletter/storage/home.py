"""Where a database is at home: the machine and the place from which it sends.

A copy that runs elsewhere as well would mail everybody twice, so that who finds another home in it must not begin. A
machine is known by the id that systemd gives it, which a new name does not change; where there is none (in a
container), by its name.
"""

import hashlib
import json
import socket
from contextlib import suppress
from pathlib import Path

from sqlmodel import Session

from newsletter.storage import problems
from newsletter.storage.faults import StorageError

HOME = "home"
_MACHINE = Path("/etc/machine-id")


def here(path: Path) -> str:
    """Return how the database at *path* remembers this machine and place."""
    return json.dumps({"host": socket.gethostname(), "machine": _machine(), "path": str(path.resolve())})


def require(session: Session, path: Path) -> None:
    """Raise StorageError where the database at *path* is at home elsewhere. One that never sent is at home here."""
    kept = problems.fact(session, HOME)
    if kept is None:
        problems.keep_fact(session, HOME, here(path))
        return
    was, now = json.loads(kept), json.loads(here(path))
    if (was["machine"], was["path"]) != (now["machine"], now["path"]):
        raise StorageError(
            f"database {path} was last used on {was['host']} as {was['path']}: if nothing sends from there any more, "
            "'newsletter db adopt' takes it over; otherwise every reader would be mailed twice"
        )


def adopt(session: Session, path: Path) -> str | None:
    """Let the database at *path* be at home here. Return where it was, None where it never sent or was here."""
    kept, now = problems.fact(session, HOME), here(path)
    problems.keep_fact(session, HOME, now)
    was = json.loads(kept) if kept else None
    return f"{was['host']}:{was['path']}" if was and kept != now else None


def _machine() -> str:
    """Return a hash of the machine's id, which is not to be told around (machine-id(5))."""
    name = ""
    with suppress(OSError):
        name = _MACHINE.read_text("ascii").strip()
    return hashlib.sha256(f"newsletter:{name or socket.gethostname()}".encode()).hexdigest()[:16]
