"""A sample of the messages that a list gets: how long they are, that no two are alike, and what other senders send.

Delivered by ``newsletter deliver`` from a small list, made as the long one is, to a server that keeps them.
"""

import hashlib
import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _options import configured
from _postfix import dumped, source
from _room import PAPERS, Room, Wishes, mixed

_CARDS = re.compile(rb"^X-Papers:([^\r]*(?:\r\n[ \t][^\r]*)*)", re.MULTILINE)


@dataclass(frozen=True)
class Sample:
    """Messages with their recipients."""

    mails: list[tuple[str, bytes]]

    @property
    def mean_bytes(self) -> int:
        """The length of a message on the wire, in the mean."""
        return round(statistics.mean(len(content) for _, content in self.mails))

    def document(self) -> dict[str, Any]:
        """Return the facts. Different are whole messages, and choices of papers in their order."""
        sizes = [len(content) for _, content in self.mails]
        return {
            "sampled": len(sizes),
            "different": len({hashlib.sha256(content).digest() for _, content in self.mails}),
            "different_choices": len({_cards(content) for _, content in self.mails}),
            "bytes": {"least": min(sizes), "mean": self.mean_bytes, "most": max(sizes)},
        }


def _cards(content: bytes) -> bytes:
    found = _CARDS.search(content)
    assert found is not None, "a digest without X-Papers"
    return found[1]


def sample(folder: Path, asked: Any, count: int, wishes: Wishes = mixed, papers: int = PAPERS) -> Sample:
    """Deliver to *count* readers of a list in *folder*, and return what arrived: to each of them one message."""
    place = folder / f"sample-{wishes.__name__}"
    place.mkdir()
    with dumped(place) as (server, dump):
        room = Room(place, papers=papers, **configured(asked, smtp={"port": server.port}))
        readers = room.add_readers(count, wishes=wishes)
        room.run("deliver", timeout=asked.timeout)
        mails = list(dump)
    if sorted(recipient for recipient, _ in mails) != sorted(readers):
        raise SystemExit(f"{len(mails)} messages came for {count} readers, or not one for each")
    return Sample(mails)


def text_size(folder: Path, wanted: int) -> int:
    """Return how much text smtp-source to ask smtp-source for, so that its messages are *wanted* bytes in all."""
    place = folder / "measure"
    place.mkdir()
    with dumped(place) as (server, dump):
        subprocess.run(source(server.port, count=1, connections=1, size=1000), check=True, timeout=60)
        [(_, content)] = list(dump)
    return wanted - (len(content) - 1000)
