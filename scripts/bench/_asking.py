"""A client that asks at a constant rate, whether answers come or not, and takes little of the processor itself.

Each request has a connection of its own: one socket, sent to at once and looked at again when the server has closed it,
so that an answer costs the client one look and some calls of the system. (asyncio's streams take several times as much,
and what asks takes from what is measured, where both share the processors.)
"""

import select
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

_ENDED = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
_LARGEST = 1 << 18  # octets of an answer, which wait until all are there


@dataclass(slots=True)
class Answer:
    """What came of one request. ``status`` is 0 where there was no answer."""

    name: str
    status: int
    took_ms: float  # since it was due


@dataclass(slots=True)
class _Waiting:
    name: str
    due: float
    socket: socket.socket
    unsent: bytes = b""

    def send(self) -> int:
        """Send what the socket takes, and return what to wait for."""
        with suppress(BlockingIOError):
            self.unsent = self.unsent[self.socket.send(self.unsent) :]
        return select.EPOLLOUT if self.unsent else _ENDED


def fetch(port: int, asked: bytes) -> tuple[int, int]:
    """Return the status of an answer, and its length."""
    with socket.create_connection(("127.0.0.1", port), 60) as connection:
        connection.sendall(asked)
        said = b"".join(iter(lambda: connection.recv(_LARGEST), b""))
    return _status(said), len(said.partition(b"\r\n\r\n")[2])


def ask_on(
    port: int, asked: Callable[[int], tuple[str, bytes]], rate: float, goes_on: Callable[[int], bool]
) -> list[Answer]:
    """Ask *rate* times a second for what is *asked* by number, as long as it *goes_on*, and return the answers."""
    answers: list[Answer] = []
    waiting: dict[int, _Waiting] = {}
    began, numbers = time.perf_counter(), count()
    number: int | None = next(numbers)
    with select.epoll() as poll:
        while waiting or number is not None:
            while number is not None and began + number / rate <= time.perf_counter():
                if goes_on(number):
                    _begin(poll, waiting, port, began + number / rate, *asked(number))
                    number = next(numbers)
                else:
                    number = None
            until_next = None if number is None else max(0, began + number / rate - time.perf_counter())
            for place, _ in poll.poll(until_next) if waiting or number is not None else ():
                answers += _look(poll, waiting, place)
    return answers


def _begin(poll: select.epoll, waiting: dict[int, _Waiting], port: int, due: float, name: str, asked: bytes) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LARGEST)
    connection.setblocking(False)
    connection.connect_ex(("127.0.0.1", port))
    one = _Waiting(name, due, connection, asked)
    try:
        wanted = one.send()
    except OSError:  # not connected yet, or never
        wanted = select.EPOLLOUT
    waiting[connection.fileno()] = one
    poll.register(connection, wanted | select.EPOLLHUP | select.EPOLLERR)


def _look(poll: select.epoll, waiting: dict[int, _Waiting], place: int) -> list[Answer]:
    one = waiting[place]
    try:
        if one.unsent:
            poll.modify(place, one.send() | select.EPOLLHUP | select.EPOLLERR)
            return []
        said = b"".join(iter(lambda: one.socket.recv(_LARGEST), b""))
    except OSError:
        said = b""
    poll.unregister(place)
    del waiting[place]
    one.socket.close()
    return [Answer(one.name, _status(said), 1000 * (time.perf_counter() - one.due))]


def _status(said: bytes) -> int:
    """Return the status of an answer, 0 of what is none."""
    first = said.split(b" ", 2)
    return int(first[1]) if len(first) > 1 and first[1].isdigit() else 0
