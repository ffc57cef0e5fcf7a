"""Postfix's own test programs: ``smtp-sink``, which takes mail and counts it, and ``smtp-source``, which makes load.

The sink's count is the truth of what arrived. It writes it to a file for each message, so that looking costs the
sender nothing. Linux only: the kernel's table of connections says when the first one came.
"""

import os
import pwd
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_LISTENS, _ESTABLISHED = "0A", "01"  # as /proc/net/tcp has them
_COUNT = re.compile(rb"mesg=(\d+)\s")


def program(name: str) -> str:
    """Return the path of one of Postfix's programs, which lie where only root looks."""
    found = shutil.which(name, path=_PATH)
    if not found:
        raise SystemExit(f"{name} is not there; it comes with Postfix (Debian: apt-get install postfix)")
    return found


def free_port() -> int:
    """Return a port of this machine at which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when something listens at *port*, without connecting to it."""
    ends = time.monotonic() + 10
    while not _states(port) & {_LISTENS}:
        if process.poll() is not None or time.monotonic() > ends:
            raise SystemExit(f"{process.args!r} does not listen")
        time.sleep(0.005)


def _states(port: int) -> set[str]:
    """Return the states in which connections at the local *port* are."""
    ours = f":{port:04X}"
    with Path("/proc/net/tcp").open() as table:
        lines = [line.split(None, 4) for line in table]
    return {line[3] for line in lines if line[1].endswith(ours)}


class Sink:
    """An ``smtp-sink`` on loopback that counts, and drops what it takes."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, counts: Path) -> None:
        self.process, self.port = process, port
        self._counts = os.open(counts, os.O_RDONLY)

    @property
    def connected(self) -> bool:
        """Whether a sender is connected now."""
        return _ESTABLISHED in _states(self.port)

    @property
    def messages(self) -> int:
        """How many messages it has taken."""
        end = os.fstat(self._counts).st_size
        found = _COUNT.findall(os.pread(self._counts, 200, max(0, end - 200)))
        return int(found[-1]) if found else 0

    @property
    def cpu_seconds(self) -> float:
        """The processor time that it has taken."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(timeout=30)
        os.close(self._counts)


@contextmanager
def sink(folder: Path, *options: str) -> Iterator[Sink]:
    """Give a sink at a port of its own, with more *options* of smtp-sink; its counts go to a file in *folder*."""
    port, counts = free_port(), folder / "counts"
    as_root = ["-u", pwd.getpwuid(0).pw_name] if os.geteuid() == 0 else []  # it asks root to say as whom
    command = [program("smtp-sink"), *as_root, "-c", *options, f"127.0.0.1:{port}", "1000"]
    with counts.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stdin=subprocess.DEVNULL)
    opened = Sink(process, port, counts)
    try:
        wait_for_port(port, process)
        yield opened
    finally:
        opened.close()


def source(port: int, *, count: int, connections: int, size: int) -> list[str]:
    """Return the command line of an ``smtp-source`` that keeps its connections; *size* is that of the text alone."""
    load = ["-s", str(connections), "-m", str(count), "-l", str(size)]
    return [program("smtp-source"), "-d", *load, "-f", "papers@example.org", "-t", "a@example.net", f"127.0.0.1:{port}"]


@contextmanager
def dumped(folder: Path) -> Iterator[tuple[Sink, "Dump"]]:
    """Give a sink that keeps each message in a file of its own in *folder*, and what reads them."""
    kept = folder / "dumped"
    kept.mkdir()
    try:
        with sink(folder, "-d", str(kept / "m.")) as opened:
            yield opened, Dump(kept)
    finally:
        shutil.rmtree(kept)


class Dump:
    """The messages that a sink has kept, as it got them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield each recipient and message, with the line ends of the wire."""
        for path in sorted(self._folder.iterdir()):
            yield _read(path.read_bytes())


def _read(dumped: bytes) -> tuple[str, bytes]:
    """Take off what smtp-sink writes around a message: ``X-...-Args`` and a Received above it, an empty line below."""
    recipient = re.search(rb"^X-Rcpt-Args: <([^>]*)>", dumped, re.MULTILINE)
    received = re.search(rb"^Received: .*\n(?:[ \t].*\n)*", dumped, re.MULTILINE)
    assert recipient is not None
    assert received is not None
    return recipient[1].decode(), dumped[received.end() : -1].replace(b"\n", b"\r\n")
