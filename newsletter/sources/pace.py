"""The pace that an upstream asks of a whole machine: one request at a time, and a pause after each.

Kept in a lock file in the system's folder for temporary files, so that it holds across processes and users.
Which requests are paced is ``client.py``'s to say.
"""

import asyncio
import fcntl
import os
import re
import stat
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from newsletter.errors import SourceError

INTERVAL = 3.0  # seconds, https://info.arxiv.org/help/api/tou.html
_POLL = 0.05


class TooLateError(SourceError):
    """The turn cannot come in time."""

    def __init__(self, path: Path):
        super().__init__(f"{path}: other programs' requests take all the time there is; the next run asks again")


@asynccontextmanager
async def turn(name: str, deadline: float, folder: Path | None = None) -> AsyncIterator[None]:
    """Hold the one turn that this machine has for *name*, from ``INTERVAL`` after the last one ended.

    *deadline* is the event loop's time. Raises TooLateError where the turn cannot come before it, and SourceError
    where the lock file is not ours to use.
    """
    path = (folder or _temporary()) / f"papers-newsletter-pace-{re.sub('[^a-z0-9.-]', '_', name.lower())}"
    lock = await _locked(path, deadline)
    try:
        pause = _remaining(lock)
        if asyncio.get_running_loop().time() + pause > deadline:
            raise TooLateError(path)
        await asyncio.sleep(pause)
        _note(lock)
        try:
            yield
        finally:
            # Counted from the end, for the server sees a request later than we start it.
            _note(lock)
    finally:
        os.close(lock)


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise SourceError(
            f"no folder to keep the pace in ({error.strerror}); make /tmp writable, or set TMPDIR"
        ) from error


async def _locked(path: Path, deadline: float) -> int:
    """Return the descriptor of *path*, locked. Polls, so that a waiting turn can be cancelled and blocks nobody."""
    while True:
        lock = _opened(path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _same_file(lock, path):
                return lock
        except BlockingIOError:
            pass
        os.close(lock)
        if asyncio.get_running_loop().time() + _POLL > deadline:
            raise TooLateError(path)
        await asyncio.sleep(_POLL)


def _opened(path: Path) -> int:
    """Open the lock file, making it for everyone on the machine. Follows no link and trusts no odd file."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        try:
            lock = os.open(path, flags)
        except FileNotFoundError:
            lock = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(lock, 0o666)
    except FileExistsError:
        return _opened(path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be opened to keep the pace ({error.strerror}); remove it") from error
    status = os.fstat(lock)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(lock)
        raise SourceError(f"{path}: is not a plain file of its own, so the pace cannot be kept in it; remove it")
    return lock


def _same_file(lock: int, path: Path) -> bool:
    """Return whether the locked file still has its name: one that was cleaned away keeps nobody out."""
    try:
        return os.path.samestat(os.fstat(lock), path.lstat())
    except FileNotFoundError:
        return False


def _remaining(lock: int) -> float:
    last = re.match(rb"\d{1,12}\.\d{3}", os.pread(lock, 32, 0))
    # The clock may have been set back, and anyone may write the file: never more than one interval.
    return min(max(float(last[0]) + INTERVAL - time.time(), 0.0), INTERVAL) if last else 0.0


def _note(lock: int) -> None:
    os.pwrite(lock, f"{time.time():<31.3f}\n".encode(), 0)
