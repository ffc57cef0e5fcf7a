"""The live view of sending: one line on the terminal, drawn anew several times a second and gone at the end.

A thread of its own draws, so that a sender that tells thousands of times a second pays for storing a reference, and a
terminal that was stopped (Ctrl-S) or hung up stops nobody's mail. Nothing of the terminal is changed that a kill would
leave behind. Not here: what is counted (``services/post``).
"""

import os
import sys
import threading
import time
import unicodedata
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from heapq import nlargest

from newsletter.services.post import Progress

_EVERY = 0.2  # seconds between two drawings
_EVERY_PLAIN = 10.0  # seconds between two lines on a terminal that cannot draw
_WINDOW = 5.0  # seconds over which the rate is taken
_STANDS = 0.05  # a second: slower than that, nobody can say how long it takes
_NAMED = 3  # destinations
_WORDS = 20  # columns that a reason takes at least
_ERASE = "\r\x1b[K"
# What is left out first where the line is too long.
_LEAVES = ("failed", "deferred", "waiting", "left", "rate")


@contextmanager
def live_view(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """Give a function that takes how far sending is; drawn on standard error where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _progress: None
        return
    view = _View(sys.stderr.fileno(), draws=os.environ.get("TERM") not in {None, "", "dumb"})
    try:
        yield view.told
    finally:
        view.close()


class _View:
    def __init__(self, terminal: int, *, draws: bool) -> None:
        self._terminal, self._draws = terminal, draws
        self._progress: Progress | None = None
        self._pace = Pace()
        self._drawn = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="live view", daemon=True)
        self._thread.start()

    def told(self, progress: Progress) -> None:
        """Remember how far sending is."""
        self._progress = progress

    def close(self) -> None:
        """End, and take the line away. A terminal that takes nothing is not waited for."""
        self._ended.set()
        self._thread.join(1)
        if self._drawn and not self._thread.is_alive():
            self._write(_ERASE)

    def _watch(self) -> None:
        with suppress(OSError):  # the terminal is gone
            while not self._ended.wait(_EVERY if self._draws else _EVERY_PLAIN):
                if self._progress:
                    self._show(self._progress)

    def _show(self, progress: Progress) -> None:
        rates = self._pace.rates(time.monotonic(), progress)
        columns = os.get_terminal_size(self._terminal).columns or 80  # 0 where nobody set it
        line = status_line(progress, *rates, columns - 1)  # in the last column some terminals wrap
        if self._draws:
            self._drawn = True
            self._write(f"\r{line}\x1b[K")
        else:
            self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        # Past Python's own stream, whose lock would be kept by a write that the terminal does not take.
        os.write(self._terminal, text.encode(sys.stderr.encoding, "replace"))


class Pace:
    """How fast it goes, over the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def rates(self, now: float, progress: Progress) -> tuple[float, float]:
        """Return how many a second were sent, and how many were settled in any way; *now* is in seconds."""
        settled = progress.accepted + progress.failed + progress.deferred
        self._seen.append((now, progress.accepted, settled))
        while now - self._seen[0][0] > _WINDOW:
            self._seen.popleft()
        then, accepted_then, settled_then = self._seen[0]
        seconds = max(now - then, _EVERY)
        return (progress.accepted - accepted_then) / seconds, (settled - settled_then) / seconds


def status_line(progress: Progress, sent: float, settled: float, columns: int) -> str:
    """Return how far sending is in at most so many *columns*; *sent* and *settled* are what a second brings.

    While no server takes mail, why stands in the place of how fast it goes.
    """
    line = _counted(progress, sent, settled, columns)
    return line + _reason(progress.trouble, columns - _columns(line))


def _counted(progress: Progress, sent: float, settled: float, columns: int) -> str:
    goes = not progress.trouble
    ends = goes and progress.waiting and settled > _STANDS
    parts = {
        "stopping": "stopping" if progress.by_hand else "",
        "sent": f"sent {progress.accepted:,}",
        "rate": f"{sent:,.0f}/s" if goes else "",
        "waiting": f"waiting {progress.waiting:,}" if progress.waiting else "",
        "left": f"{_duration(progress.waiting / settled)} left" if ends else "",
        "failed": f"failed {progress.failed:,}" if progress.failed else "",
        "deferred": f"deferred {progress.deferred:,}" if progress.deferred else "",
    }
    counts = dict(progress.deferred_by)  # in one step, since the sender goes on counting
    for named in range(_NAMED, -1, -1):
        line = "  ".join(filter(None, [*parts.values(), _destinations(counts, named)]))
        if _columns(line) <= columns:
            return line
    for name in _LEAVES:
        del parts[name]
        line = "  ".join(filter(None, parts.values()))
        if len(line) <= columns:
            return line
    return line[:columns]


def _destinations(counts: Mapping[str, int], named: int) -> str:
    most = nlargest(named, counts.items(), key=lambda item: item[1])
    more = f" and {len(counts) - len(most):,} more" if len(counts) > len(most) else ""
    return f"({', '.join(f'{name} {count:,}' for name, count in most)}{more})" if most else ""


def _reason(why: str, room: int) -> str:
    """Return as much of *why* as there is *room* for, nothing where that would say little."""
    if not why or room < _WORDS:
        return ""
    why = f"  {why}"
    if _columns(why) <= room:
        return why
    while _columns(why) >= room:
        why = why[:-1]
    return f"{why}…"


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60:,} h {minutes % 60:02} min"


def _columns(text: str) -> int:
    """Return how wide *text* is on a terminal: domains may be written in any script."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)
