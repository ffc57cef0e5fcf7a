"""Whether an address is left in files that no table shows any more: free pages, the write-ahead log, copies."""

from collections.abc import Iterator
from pathlib import Path

_PART = 1 << 22  # octets
_OF_ADDRESSES = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._+-")


def hold(path: Path, address: str) -> bool:
    """Return whether the database at *path*, or its write-ahead log, has *address* anywhere; also where one begins so.

    An address that ends so is another one. What follows does not tell: SQLite writes texts one behind the other.
    """
    return any(_holds(file, address) for file in (path, path.with_name(path.name + "-wal")) if file.exists())


def copies(path: Path, address: str) -> list[Path]:
    """Return the copies beside the database at *path* that upgrades and restores left, and that have *address*."""
    kept = sorted({*path.parent.glob(f"{path.name}.*.backup"), *path.parent.glob(f"{path.name}.*.partial")})
    return [copy for copy in kept if _holds(copy, address)]


def _holds(file: Path, address: str) -> bool:
    wanted = address.encode().lower()
    return any(_begins(part, wanted) for part in _parts(file, len(wanted)))


def _begins(part: bytes, wanted: bytes) -> bool:
    at = part.find(wanted)
    while at > 0 and part[at - 1] in _OF_ADDRESSES:
        at = part.find(wanted, at + 1)
    return at >= 0


def _parts(file: Path, overlap: int) -> Iterator[bytes]:
    """Yield the file in lower case, in parts of which each begins with the end of the one before."""
    with file.open("rb") as content:
        before = b""
        while part := content.read(_PART):
            yield before + part.lower()
            before = part[-overlap:].lower()
