"""Mails that wait on this machine: in a Maildir, an mbox, or a file of one mail.

A mail of a Maildir is moved to ``cur`` and marked as seen once it was acted on, and not before; mboxes and files are
left as they are, since every mail is acted on only once anyway. Nothing is ever deleted.
"""

import mailbox
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from newsletter.errors import UsageError

LARGEST = 20_000_000  # octets of a mail; of a larger one only so many are read


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, and what to call when it was acted on."""

    raw: bytes
    done: Callable[[], None] = field(default=lambda: None)


def letters(place: Path) -> Iterator[Letter]:
    """Yield the mails that wait at *place*, the oldest first. Raises UsageError where it cannot be read."""
    try:
        if place.is_dir():
            yield from _of_maildir(place)
        elif _is_mbox(place):
            box = mailbox.mbox(place, create=False)
            yield from (Letter(box.get_bytes(key)) for key in box.iterkeys())
        else:
            yield Letter(place.read_bytes()[:LARGEST])
    except OSError as error:
        raise UsageError(f"{place}: cannot be read ({error.strerror}); name a Maildir, an mbox or a mail") from error


def piped(raw: bytes) -> Letter:
    """Return a mail as procmail and others hand it on: they put a line of an mbox before it."""
    return Letter(raw.partition(b"\n")[2] if raw.startswith(b"From ") else raw)


def _is_mbox(place: Path) -> bool:
    with place.open("rb") as file:
        return file.read(5) == b"From "


def _of_maildir(place: Path) -> Iterator[Letter]:
    if not (place / "new").is_dir():
        raise UsageError(f"{place}: is no Maildir, since it has no folder 'new'; name a Maildir, an mbox or a mail")
    waiting = [file for folder in ("new", "cur") for file in _unseen(place / folder)]
    for file in sorted(waiting, key=lambda file: file.name):
        try:
            raw = file.read_bytes()[:LARGEST]
        except FileNotFoundError:  # somebody else took it
            continue
        yield Letter(raw, partial(_seen, place, file))


def _unseen(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from (f for f in folder.iterdir() if not f.name.startswith(".") and "S" not in f.name.partition(":2,")[2])


def _seen(place: Path, file: Path) -> None:
    name, _, flags = file.name.partition(":2,")
    (place / "cur").mkdir(exist_ok=True)
    file.rename(place / "cur" / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")
