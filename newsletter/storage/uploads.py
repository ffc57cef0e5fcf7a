"""Files of subscribers that lie beside the database until they are imported, for an hour at most.

Whoever owns the database alone may read them; any process of the pages finds them.
"""

import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

_KEPT = timedelta(hours=1)
_CHUNK = 1 << 18
_NAME = re.compile("[0-9a-f]{32}")


def keep(database: Path, file: IO[bytes], now: datetime) -> str:
    """Keep what *file* holds, and return the name by which it is found. What is older than an hour goes."""
    drop_old(database, now)
    name = secrets.token_hex(16)
    kept = _place(database, name)
    kept.touch(mode=0o600)
    with kept.open("wb") as to:
        while part := file.read(_CHUNK):
            to.write(part)
    return name


def find(database: Path, name: str, now: datetime) -> Path | None:
    """Return the file of this name, None where there is none any more."""
    place = _place(database, name) if _NAME.fullmatch(name) else None
    return place if place and not _is_over(place, now) else None


def drop(database: Path, name: str) -> None:
    """Delete the file of this name."""
    if _NAME.fullmatch(name):
        _place(database, name).unlink(missing_ok=True)


def drop_old(database: Path, now: datetime) -> None:
    """Delete every file that was kept for an hour."""
    for place in database.parent.glob(f"{database.name}.import-*"):
        if _is_over(place, now):
            place.unlink(missing_ok=True)


def _is_over(place: Path, now: datetime) -> bool:
    try:
        return place.stat().st_mtime < (now - _KEPT).timestamp()
    except FileNotFoundError:  # another process dropped it just now
        return True


def _place(database: Path, name: str) -> Path:
    return database.with_name(f"{database.name}.import-{name}")
