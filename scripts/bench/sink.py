"""An SMTP server on loopback that takes mail, keeps a log of it, and misbehaves when asked.

    python scripts/bench/sink.py --log FILE [--port 0] [--fault KIND=VALUE]...

The first line on standard output names its port. The log is the truth of what was delivered: one JSON line for each
event, written before the reply that it belongs to. ``event`` is *opened* (a connection), *accepted* (a message, also
where the sender never learns of it: then ``fault`` says why), *refused* (with the reply) or *cut* (not accepted).

Faults, with P a probability, S seconds, N a count, and TEXT a part of an address:

    greylist=S        450 for a recipient until S seconds after it was first seen
    rcpt4=P           451 to RCPT
    dead=P            550 5.1.1 to RCPT, for ever, to that part of all addresses
    refuse=P          554 5.6.0 after the data
    stall=TEXT:S      S seconds of silence before the answer to RCPT
    cut=P             the connection is reset inside the data
    afterdot=P        accepted, then the connection is reset before the reply
    badreply=P        accepted, then a reply that is no SMTP
    tarpit=P:S        accepted, then S seconds before the reply
    close_after=N     421 after N messages on a connection
    shutdown=N:S      421 to everything for S seconds, once N messages were taken in all

Not here: STARTTLS, AUTH and BDAT. Never leaves loopback; SIGTERM ends it.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from zlib import crc32

import uvloop

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(rb"<([^>]*)>")
_OFFERS = ("sink.example", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 50000000")
_TAKEN = "250 2.0.0 taken"


@dataclass(frozen=True)
class Faults:
    """What is to go wrong, by kind, and by which dice."""

    values: dict[str, str]
    dice: random.Random

    def happens(self, kind: str) -> bool:
        """Return whether a fault with a probability strikes now."""
        return kind in self.values and self.dice.random() < float(self.values[kind].partition(":")[0])

    def is_dead(self, address: str) -> bool:
        """Return whether an address is one of the dead ones: always the same, spread over all domains."""
        return "dead" in self.values and crc32(address.encode()) < float(self.values["dead"]) * 2**32

    def stalls(self, address: str) -> bool:
        """Return whether an address is one that is answered late."""
        return "stall" in self.values and self.values["stall"].partition(":")[0] in address

    def number(self, kind: str) -> float:
        """Return the first number of a fault, infinity where it is not asked for."""
        return float(self.values[kind].partition(":")[0]) if kind in self.values else float("inf")

    def seconds(self, kind: str) -> float:
        """Return the second number of a fault."""
        return float(self.values[kind].partition(":")[2])


@dataclass
class Sink:
    """What all sessions share: the log, the faults and the counts."""

    log: int
    faults: Faults
    pipelining: bool = True
    connections: int = 0
    accepted: int = 0
    first_seen: dict[str, float] = field(default_factory=dict)
    _shut_until: float | None = None

    def note(self, event: str, **facts: object) -> None:
        """Write an event to the log; the kernel has it when this returns."""
        os.write(self.log, json.dumps({"event": event, "time": time.time(), **facts}).encode() + b"\n")

    def is_shut(self) -> bool:
        """Return whether the service is shut for a while."""
        if self.accepted < self.faults.number("shutdown"):
            return False
        if self._shut_until is None:
            self._shut_until = time.monotonic() + self.faults.seconds("shutdown")
        return time.monotonic() < self._shut_until

    def refusal(self, address: str) -> str:
        """Return what is said against a recipient, '' where nothing is."""
        faults, now = self.faults, time.monotonic()
        if faults.is_dead(address):
            return "550 5.1.1 no such user"
        if "greylist" in faults.values and now - self.first_seen.setdefault(address, now) < faults.number("greylist"):
            return "450 4.7.1 greylisted, try again later"
        return "451 4.3.0 try again later" if faults.happens("rcpt4") else ""


class Session(asyncio.Protocol):
    """One connection. Commands may come in any grouping; their replies leave in one write."""

    def __init__(self, sink: Sink) -> None:
        self._sink, self._faults = sink, sink.faults
        self._buffer, self._said = b"", b""
        self._searched = 0  # how much of a message was looked through for its end
        self._in_data = self._waits = self._over = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        self._transport = cast("asyncio.Transport", transport)
        self._sink.connections += 1
        self._number = self._sink.connections
        self._sink.note("opened", connection=self._number)
        if not self._leave_if_shut():
            self._say("220 sink.example ESMTP")
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Do what can be done with what is there."""
        self._buffer += data
        self._work()

    def _work(self) -> None:
        while not (self._waits or self._over) and (self._take_data() if self._in_data else self._take_line()):
            pass
        self._flush()

    def _take_line(self) -> bool:
        line, found, rest = self._buffer.partition(b"\r\n")
        if found:
            self._buffer = rest
            self._command(line)
        return bool(found)

    def _take_data(self) -> bool:
        end = self._buffer.find(b"\r\n.\r\n", self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - 4)
            return False
        content, self._buffer = self._buffer[2 : end + 2], self._buffer[end + 5 :]
        self._in_data = False
        self._finish(content)
        return True

    def _command(self, line: bytes) -> None:
        if self._leave_if_shut():
            return
        answer = self._COMMANDS.get(line[:4].upper().decode("ascii", "replace"))
        if answer is None:
            self._say("500 5.5.1 unknown command")
        else:
            answer(self, line)

    def _hello(self, _line: bytes) -> None:
        offers = [*_OFFERS, *["PIPELINING"] * self._sink.pipelining]
        for offer in offers:
            self._say(f"250{' ' if offer is offers[-1] else '-'}{offer}")

    def _mail(self, line: bytes) -> None:
        self._reset()
        self._sender = _address(line)
        self._say("250 2.1.0 ok")

    def _rcpt(self, line: bytes) -> None:
        address = _address(line)
        if self._faults.stalls(address):
            self._wait(self._faults.seconds("stall"), lambda: self._answer_rcpt(address))
        else:
            self._answer_rcpt(address)

    def _answer_rcpt(self, address: str) -> None:
        said = "503 5.5.1 no sender" if self._sender is None else self._sink.refusal(address)
        if said:
            self._refuse(address, said)
        else:
            self._recipients.append(address)
            self._say("250 2.1.5 ok")

    def _data(self, _line: bytes) -> None:
        if not self._recipients:
            self._say("503 5.5.1 no recipient")
        elif self._faults.happens("cut"):
            self._say("354 go on")
            self._wait(0.001, self._cut)
        else:
            self._say("354 go on")
            self._in_data, self._searched = True, 0
            self._buffer = b"\r\n" + self._buffer  # so that a dot on the first line ends the message, too

    def _cut(self) -> None:
        self._sink.note("cut", connection=self._number, recipient=self._recipients[0])
        self._abort()

    def _finish(self, content: bytes) -> None:
        recipients = self._recipients
        self._reset()
        if self._faults.happens("refuse"):
            self._refuse(recipients[0], "554 5.6.0 not a message for us")
            return
        fault = next((kind for kind in ("afterdot", "badreply", "tarpit") if self._faults.happens(kind)), "")
        self._accept(recipients, content, fault)
        if fault == "afterdot":
            self._abort()
        elif fault == "tarpit":
            self._wait(self._faults.seconds("tarpit"), lambda: self._confirm(_TAKEN))
        else:
            self._confirm("2?? huh" if fault == "badreply" else _TAKEN)

    def _accept(self, recipients: list[str], content: bytes, fault: str) -> None:
        found = _MESSAGE_ID.search(content)
        message_id = found[1].decode("ascii", "replace") if found else ""
        for recipient in recipients:
            facts: dict[str, object] = {"recipient": recipient, "message_id": message_id, "size": len(content)}
            facts |= {"fault": fault} if fault else {}
            self._sink.note("accepted", connection=self._number, **facts)
        self._sink.accepted += 1
        self._taken += 1

    def _confirm(self, said: str) -> None:
        self._say(said)
        if self._taken >= self._faults.number("close_after"):
            self._say("421 4.7.0 too many messages on this connection")
            self._close()

    def _again(self, _line: bytes) -> None:
        self._reset()
        self._say("250 2.0.0 ok")

    def _quit(self, _line: bytes) -> None:
        self._say("221 2.0.0 bye")
        self._close()

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    def _refuse(self, address: str, said: str) -> None:
        self._sink.note("refused", connection=self._number, recipient=address, reply=said)
        self._say(said)

    def _leave_if_shut(self) -> bool:
        if shut := self._sink.is_shut():
            self._say("421 4.3.2 shutting down")
            self._close()
        return shut

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Be silent so long, then go on; what was said before leaves at once."""

        def go_on() -> None:
            self._waits = False
            if not self._transport.is_closing():
                then()
                self._work()

        self._waits = True
        asyncio.get_running_loop().call_later(seconds, go_on)

    def _say(self, line: str) -> None:
        self._said += line.encode() + b"\r\n"

    def _flush(self) -> None:
        if self._said and not self._transport.is_closing():
            self._transport.write(self._said)
        self._said = b""
        if self._over:
            self._transport.close()

    def _close(self) -> None:
        self._over = True

    def _abort(self) -> None:
        self._over = True
        self._transport.abort()

    _COMMANDS = {  # noqa: RUF012 - a table of the class's own methods
        "EHLO": _hello,
        "HELO": _hello,
        "MAIL": _mail,
        "RCPT": _rcpt,
        "DATA": _data,
        "RSET": _again,
        "NOOP": _again,
        "QUIT": _quit,
    }


def _address(line: bytes) -> str:
    found = _ADDRESS.search(line)
    return found[1].decode("utf-8", "replace") if found else ""


async def serve(sink: Sink, port: int) -> None:
    """Take mail until SIGTERM or SIGINT."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    server = await loop.create_server(lambda: Session(sink), "127.0.0.1", port, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await told.wait()
    server.close()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=VALUE")
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    values = dict(fault.split("=", 1) for fault in asked.fault)
    log = os.open(asked.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    sink = Sink(log, Faults(values, random.Random(asked.seed)), pipelining=not asked.no_pipelining)
    uvloop.run(serve(sink, asked.port))


if __name__ == "__main__":
    main()
