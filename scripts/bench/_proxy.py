"""Put a distance before a server of this machine: what goes through arrives late, but no slower.

    _proxy.py --to PORT --delay SECONDS

Prints the port at which it listens. Each direction is delayed for itself, in order, however much is under way, and
also the end of a connection; what stands in for bandwidth is the machine's own.
"""

import argparse
import asyncio
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop


class Late(asyncio.Protocol):
    """One side of a connection. What it receives is written to ``other`` after *delay* seconds."""

    def __init__(self, delay: float) -> None:
        self.other: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport
        self._delay = delay
        self._under_way: deque[tuple[float, Callable[[asyncio.Transport], None]]] = deque()
        self._delivering: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        self._later(lambda other: other.write(data))

    def eof_received(self) -> bool:
        self._later(lambda other: other.write_eof())
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._later(lambda other: other.close())

    def _later(self, act: Callable[[asyncio.Transport], None]) -> None:
        self._under_way.append((asyncio.get_running_loop().time() + self._delay, act))
        if self._delivering is None or self._delivering.done():
            self._delivering = asyncio.create_task(self._deliver())

    async def _deliver(self) -> None:
        """Do in order what is under way: one clock for all of it, since timers of one instant keep no order."""
        other, loop = await self.other, asyncio.get_running_loop()
        while self._under_way:
            at, act = self._under_way.popleft()
            if (wait := at - loop.time()) > 0:
                await asyncio.sleep(wait)
            if not other.is_closing():
                act(other)


class Near(Late):
    """The sender's side, which opens the other one."""

    def __init__(self, delay: float, to: int) -> None:
        super().__init__(delay)
        self._to = to
        self._opening: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            far_transport, far = await loop.create_connection(lambda: Late(self._delay), "127.0.0.1", self._to)
        except OSError:
            self.transport.abort()
            return
        far.other.set_result(self.transport)
        self.other.set_result(far_transport)


async def serve(to: int, delay: float) -> None:
    """Listen until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Near(delay, to), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def distant(port: int, delay: float) -> Iterator[int]:
    """Give the port of a proxy, a process of its own, before the server at *port*."""
    command = [sys.executable, str(Path(__file__)), "--to", str(port), "--delay", str(delay)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--delay", type=float, required=True)
    asked = parser.parse_args()
    uvloop.run(serve(asked.to, asked.delay))


if __name__ == "__main__":
    main()
