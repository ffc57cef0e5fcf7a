"""Runs of ``newsletter deliver`` over a list of any length, checked against what the server counted."""

import argparse
import json
from pathlib import Path

from _options import configured
from _postfix import Sink
from _room import PAPERS, Room, Wishes, mixed
from _watch import Sent, say, watch


def listed(folder: Path, asked: argparse.Namespace, readers: int, wishes: Wishes = mixed, papers: int = PAPERS) -> Room:
    """Return a newsletter in a new folder in *folder*, with so many readers who are due; kept as ``due``."""
    place = folder / f"list-of-{readers}-{wishes.__name__}"
    place.mkdir()
    room = Room(place, papers=papers, **configured(asked, smtp={"connections": asked.connections}))
    say(f"putting {readers} readers on the list ...")
    room.add_readers(readers, wishes=wishes)
    room.keep("due")
    return room


def made(room: Room) -> None:
    """Make the rows of those who are due, and keep the database as ``made``."""
    say("making the rows of those who are due ...")
    room.restore("due")
    room.make_due()
    room.keep("made")


def ready(room: Room, port: int, kept: str = "due") -> list[str]:
    """Put back the database as it was *kept*, and return the command that delivers to the server at *port*."""
    room.restore(kept)
    room.configure(smtp={"port": port})
    return room.command("--json", "deliver")


def delivered(sent: Sent) -> Sent:
    """Return *sent*; end where something is lost or comes twice, or the ledger and the server disagree."""
    accepted = json.loads(sent.require_all().output)["deliveries"]["accepted"]
    if accepted != sent.taken:
        raise SystemExit(f"{accepted} were recorded as accepted, {sent.taken} were taken")
    return sent


def deliver(room: Room, server: Sink, readers: int, *, timeout: float) -> Sent:
    """Deliver to everybody on the list, and return what it took."""
    return delivered(watch(ready(room, server.port), server, readers, timeout=timeout))
