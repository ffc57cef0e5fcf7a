"""Watching a process that sends: when it connected, when the server took the first message and the last, what it cost.

What a server took is counted at the server. Times are seconds of one clock; they are looked at 200 times a second.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _postfix import Sink

_LOOKS = 0.005  # seconds between two looks
_LOOKS_AT_MEMORY = 0.05


@dataclass(kw_only=True)
class Sent:
    """What became of one sender. Instants are seconds since it was started; None for what never happened."""

    asked: int
    connected: float | None = None
    first: float | None = None  # message at the server
    last: float | None = None
    ended: float = 0
    taken: int = 0
    status: int = 0
    cpu_seconds: float = 0  # of the sender and its children
    sink_cpu_seconds: float = 0
    peak_bytes: int = 0  # resident
    output: str = ""  # what the sender said on standard output

    @property
    def sending(self) -> float:
        """Seconds from the first connection to the last message that the server took."""
        if self.last is None or self.connected is None:
            raise SystemExit(f"the server took {self.taken} of {self.asked} messages")
        return max(self.last - self.connected, _LOOKS)  # a few messages can come and go between two looks

    @property
    def per_second(self) -> float:
        """Messages per second of the sending time."""
        return self.asked / self.sending

    def require_all(self) -> "Sent":
        """Return this, or end where the server took fewer or more messages than asked for, or the sender failed."""
        if self.taken != self.asked or self.status != 0:
            counts = f"the server took {self.taken} messages, asked for were {self.asked}"
            raise SystemExit(f"{counts}; the sender ended with {self.status}: {self.output[-2000:]}")
        return self

    def document(self) -> dict[str, Any]:
        """Return the figures, rounded to what they are worth."""
        return {
            "messages": self.taken,
            "process_seconds": round(self.ended, 3),
            "to_first_message_seconds": None if self.first is None else round(self.first, 3),
            "sending_seconds": round(self.sending, 3),
            "messages_per_second": round(self.per_second),
            "cpu_us_per_message": round(self.cpu_seconds / self.asked * 1e6),
            "sink_cpu_us_per_message": round(self.sink_cpu_seconds / self.asked * 1e6),
            "peak_mb": round(self.peak_bytes / 1e6, 1),
        }


def watch(command: list[str], server: Sink, count: int, *, timeout: float, until_first: bool = False) -> Sent:
    """Run *command*, which sends *count* messages to *server*, to its end; with *until_first* ask it to end then.

    It is killed after *timeout* seconds.
    """
    before, sent = server.cpu_seconds, Sent(asked=count)
    with tempfile.TemporaryFile() as output:
        began = time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output)
        try:
            usage = _follow(process, server, sent, began, timeout, until_first=until_first)
        finally:
            if process.returncode is None:
                process.kill()
                process.wait()
        output.seek(0)
        sent.output = output.read().decode(errors="replace")
    sent.cpu_seconds, sent.status = usage.ru_utime + usage.ru_stime, process.returncode
    sent.sink_cpu_seconds, sent.taken = server.cpu_seconds - before, server.messages
    return sent


def _follow(
    process: subprocess.Popen[bytes], server: Sink, sent: Sent, began: float, timeout: float, *, until_first: bool
) -> Any:
    told, looked = False, -1.0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        now = time.monotonic() - began
        _look(server, sent, now)
        if ended:
            process.returncode = os.waitstatus_to_exitcode(status)
            sent.ended = now
            return usage
        if now - looked > _LOOKS_AT_MEMORY:
            sent.peak_bytes, looked = max(sent.peak_bytes, peak_bytes(process.pid)), now
        if until_first and sent.first is not None and not told:
            process.terminate()
            told = True
        if now > timeout:
            raise SystemExit(f"{process.args!r} was not ready after {timeout:.0f} s: {server.messages} messages taken")
        time.sleep(_LOOKS)


def _look(server: Sink, sent: Sent, now: float) -> None:
    if sent.connected is None and server.connected:
        sent.connected = now
    if sent.last is None:
        taken = server.messages
        if taken and sent.first is None:
            sent.first = now
            sent.connected = now if sent.connected is None else sent.connected
        if taken >= sent.asked:
            sent.last = now


def peak_bytes(pid: int) -> int:
    """Return the most memory that the process was resident in so far, 0 when it has ended.

    Not what ``getrusage`` says of a child: that counts in the parent's memory at the fork.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except ProcessLookupError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)


def say(text: str) -> None:
    """Tell a person how far it is."""
    print(text, file=sys.stderr, flush=True)
