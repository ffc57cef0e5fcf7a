"""A client that asks at a constant rate, whether answers come or not, and takes little of the processor itself.

It keeps its connections, as wrk and proxies do, and uses each in turn; where all are waiting it opens one more. An
answer costs it some calls of the system. (asyncio's streams take several times as much, and what asks takes from what
is measured, where both share the processors.)
"""

import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

_LARGEST = 1 << 18  # octets of an answer
_KEPT = 16  # connections
_PATIENCE = 60  # seconds
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Answer:
    """What came of one request. ``status`` is 0 where there was no answer."""

    name: str
    status: int
    took_ms: float  # since it was due


@dataclass(slots=True)
class _Line:
    """One connection, and what is waited for on it."""

    socket: socket.socket
    name: str = ""
    due: float = 0.0
    closed: bool = False
    came: bytearray = field(default_factory=bytearray)

    def take(self) -> bool:
        """Take what has come, and return whether nothing more is to come."""
        try:
            said = self.socket.recv(_LARGEST)
        except OSError:
            said = b""
        self.came += said
        self.closed = not said
        return self.closed or self.is_whole()

    def is_whole(self) -> bool:
        """Return whether the answer is there to its end."""
        head, parted, body = self.came.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        return bool(parted) and found is not None and len(body) >= int(found[1])

    def answer(self) -> Answer:
        """Return the answer, and be ready for another."""
        status = _status(bytes(self.came)) if self.is_whole() else 0
        self.came.clear()
        return Answer(self.name, status, 1000 * (time.perf_counter() - self.due))


def _opened(port: int) -> _Line:
    return _Line(socket.create_connection(("127.0.0.1", port), _PATIENCE))


def fetch(port: int, asked: bytes) -> tuple[int, int]:
    """Return the status of an answer, and its length."""
    line = _opened(port)
    with line.socket:
        line.socket.sendall(asked)
        while not line.take():
            pass
    return _status(bytes(line.came)), len(line.came.partition(b"\r\n\r\n")[2])


def ask_on(
    port: int, asked: Callable[[int], tuple[str, bytes]], rate: float, goes_on: Callable[[int], bool]
) -> list[Answer]:
    """Ask *rate* times a second for what is *asked* by number, as long as it *goes_on*, and return the answers."""
    answers: list[Answer] = []
    with _Lines(port) as lines:
        began, number, ended = time.perf_counter(), 0, False
        while not ended:
            due = began + number / rate
            if due > time.perf_counter():
                answers += lines.answers(due - time.perf_counter())
            elif goes_on(number):
                lines.ask(due, *asked(number))
                number += 1
            else:
                ended = True
        ends = time.perf_counter() + _PATIENCE
        while lines.waiting and time.perf_counter() < ends:
            answers += lines.answers(_PATIENCE)
        answers += lines.unanswered()
    return answers


class _Lines:
    """Connections that are kept: each is used again when it has waited longest."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle = deque(_opened(port) for _ in range(_KEPT))
        self.waiting: dict[int, _Line] = {}
        self._poll = select.epoll()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._poll.close()
        for line in (*self._idle, *self.waiting.values()):
            line.socket.close()

    def ask(self, due: float, name: str, said: bytes) -> None:
        """Send a request, so short that the system takes it at once."""
        line = self._idle.popleft() if self._idle else _opened(self._port)
        line.name, line.due = name, due
        self.waiting[line.socket.fileno()] = line
        self._poll.register(line.socket, select.EPOLLIN)
        with suppress(OSError):  # of a connection that was closed: it has no answer
            line.socket.sendall(said)

    def answers(self, seconds: float) -> Iterator[Answer]:
        """Give the answers that have come, waiting for the first of them so many *seconds* at most."""
        for place, _ in self._poll.poll(max(0, seconds)):
            line = self.waiting[place]
            if line.take():
                self._poll.unregister(place)
                yield self.waiting.pop(place).answer()
                self._leave(line)

    def unanswered(self) -> list[Answer]:
        """Return what nothing has come of."""
        return [line.answer() for line in self.waiting.values()]

    def _leave(self, line: _Line) -> None:
        if line.closed:
            line.socket.close()
        else:
            self._idle.append(line)


def _status(said: bytes) -> int:
    """Return the status of an answer, 0 of what is none."""
    first = said.split(b" ", 2)
    return int(first[1]) if len(first) > 1 and first[1].isdigit() else 0
