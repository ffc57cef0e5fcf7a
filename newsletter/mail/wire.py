"""The stream of an SMTP session: what is said, and the server's replies, each owed to one command.

Promises that replies come out in the order of what asked for them, however the stream was split or joined; that a
reply nobody asked for is given to nobody and ends the session; that no reply is waited for longer than its phase
allows (RFC 5321 section 4.5.3.2); and that memory stays bounded whatever the server says. What a reply means is
decided in ``replies.py``, and what is said, and when, in ``smtp.py``.
"""

import asyncio
import re
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from newsletter.mail.replies import DROPPED, MALFORMED, SILENT

BLOCK = "block"  # the name of a wait among the phases: for the peer to take more of what is being sent

LONGEST_LINE = 8192  # octets without the LF; RFC 5321 section 4.5.3.1.5 allows 512
LONGEST_REPLY = 32768  # octets of all its lines
_SHOWN = 200  # octets of what could not be read
_LATE = 1.0  # seconds that a timer may run late before we suspect ourselves
_LAST = frozenset({421, MALFORMED})  # codes after which nothing is said
_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\n]*))?")


class Reply(NamedTuple):
    """A reply: its code, or MALFORMED, DROPPED or SILENT, and its text, the lines joined by LF."""

    code: int
    text: str


class ReplyReader:
    """Cuts the stream into replies (RFC 5321 section 4.2). A bare LF ends a line too.

    What is no reply becomes one MALFORMED, and nothing after it is read: nobody knows where the next would begin.
    """

    def __init__(self) -> None:
        self._rest = b""  # of the line that has not ended
        self._code = 0  # of the reply that has not ended
        self._lines: list[str] = []
        self._octets = 0
        self._lost = False

    def feed(self, data: bytes) -> list[Reply]:
        """Return the replies that *data*, the next piece of the stream, completes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        replies = [reply for line in lines if (reply := self._after(line))]
        if len(self._rest) > LONGEST_LINE and (reply := self._after(self._rest)):
            replies.append(reply)
        if self._lost:
            self._rest = b""
        return replies

    def _after(self, line: bytes) -> Reply | None:
        """Return the reply that *line* completes, or None where more lines follow."""
        if self._lost:
            return None
        if len(line) > LONGEST_LINE:
            return self._malformed("a line too long: ", line)
        reply, more = _parsed(line)
        if reply is None or (self._lines and reply.code != self._code):
            return self._malformed("no SMTP reply: ", line)
        return reply if not more and not self._lines else self._joined(reply, len(line), more=more)

    def _joined(self, line: Reply, octets: int, *, more: bool) -> Reply | None:
        """Return the reply of several lines that *line* completes."""
        self._octets += octets
        if self._octets > LONGEST_REPLY:
            return self._malformed("a reply too long: ", line.text.encode())
        self._code = line.code
        self._lines.append(line.text)
        if more:
            return None
        reply = Reply(line.code, "\n".join(self._lines))
        self._lines, self._octets = [], 0
        return reply

    def _malformed(self, what: str, line: bytes) -> Reply:
        self._lost, self._lines = True, []
        return Reply(MALFORMED, what + line[:_SHOWN].decode("utf-8", "replace").rstrip("\r"))


@lru_cache(maxsize=128)  # most lines are the same for every message
def _parsed(line: bytes) -> tuple[Reply | None, bool]:
    """Return what *line* says, if it is one of a reply, and whether more of them follow."""
    found = _LINE.fullmatch(line.removesuffix(b"\r"))
    if not found:
        return None, False
    return Reply(int(found[1]), (found[3] or b"").decode("utf-8", "replace").strip()), found[2] == b"-"


class Wire(asyncio.Protocol):
    """Takes over an open *transport*. ``say``, then ``answers``; one caller at a time."""

    def __init__(self, transport: asyncio.Transport, timeouts: Mapping[str, float]) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._timeouts = timeouts
        self._reader = ReplyReader()
        self._owed: deque[str] = deque()  # the phases of what was said and is not answered
        self._replies: list[Reply] = []  # read, and not handed out
        self._wanted = 0
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._is_slow = False  # the kernel did not take all of something at once
        self._kept = b""  # to be said once what stands before it was taken
        self._backlog = 0  # octets not taken when the wait began
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.end: Reply | None = None  # why nothing more is said or heard
        self.unsent = 0  # octets at least that never left us
        # Paused then means that the kernel has not taken everything, which is what the block's time counts (under TLS,
        # that the layer which encrypts has not handed everything on). With 0 as the upper limit TLS would call itself
        # paused and not paused in turns, nothing being kept back.
        transport.set_write_buffer_limits(high=1, low=0)
        transport.set_protocol(self)

    @property
    def alive(self) -> bool:
        """Whether something can be said."""
        return self.end is None and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether a reply was read that is not handed out."""
        return bool(self._replies)

    @property
    def silent(self) -> bool:
        """Whether everything said was answered, and every answer handed out."""
        return not self._owed and not self._replies

    def say(self, data: bytes, *phases: str, behind: bytes = b"") -> bool:
        """Send *data* and what stands *behind* it, for which the server owes one reply in each of *phases*.

        Return false where all is over. Two pieces are not joined here: a message is long, and the kernel joins them.
        Where it does not take all at once, what stands behind is said once it has: not to a peer that goes before.
        Under TLS that is not promised: its transport takes what the kernel has not, and does not tell.
        """
        if self.end is None and self._transport.is_closing():
            self._over(DROPPED, "the server closed the connection")
        if self.end:
            return False
        waiting = bool(self._owed)
        self._owed.extend(phases)
        if self._kept:  # the server answered what it has not read to the end: that comes first all the same
            self._kept += data + behind
        elif behind and not self._is_slow:
            self._transport.writelines((data, behind))
        else:
            self._transport.write(data)
            self._say_behind(behind)
        if not waiting:
            self._wait()
        return True

    def _say_behind(self, data: bytes) -> None:
        if self._paused or self._transport.is_closing():
            self._kept = data
        elif data:
            self._transport.write(data)

    async def answers(self, count: int) -> list[Reply]:
        """Return the next *count* replies, or those before the session ended and then, instead of the next, why.

        Cancelled, it takes nothing.
        """
        if len(self._replies) < count and self.end is None:
            self._wanted, self._waiter = count, self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self.taken(count)

    def taken(self, count: int) -> list[Reply]:
        """Return what ``answers`` would, of what is there already."""
        replies = self._replies[:count]
        del self._replies[:count]
        if self.end and len(replies) < count:
            replies.append(self.end)
        return replies

    def abort(self) -> None:
        """Close at once; what the kernel has not taken is not sent."""
        self._over(DROPPED, "the connection was closed")

    def data_received(self, data: bytes) -> None:
        """Give each reply to the command that it is owed to."""
        replies = self._reader.feed(data)
        for reply in replies:
            if self.end is None:
                self._take(reply)
        if replies and self._owed:
            self._wait()
        if self._waiter and len(self._replies) >= self._wanted:
            self._wake()

    def _take(self, reply: Reply) -> None:
        if not self._owed:
            # A farewell may come at any time (RFC 5321 section 3.8).
            said = reply if reply.code == 421 else Reply(MALFORMED, f"unasked: {reply.code} {reply.text}")
            self._over(*said)
            return
        self._owed.popleft()
        self._replies.append(reply)
        if reply.code in _LAST:
            self._over(DROPPED, "the connection was closed")

    def eof_received(self) -> None:
        """Close our side too."""
        self._over(DROPPED, "the server closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the session."""
        self._over(DROPPED, "the server closed the connection")

    def pause_writing(self) -> None:
        """Wait for the peer to take what is sent."""
        self._paused = self._is_slow = True

    def resume_writing(self) -> None:
        """Wait for the reply, everything being sent."""
        self._paused = False
        if self.end is None and self._kept:
            kept, self._kept = self._kept, b""
            self._transport.write(kept)
        if self._owed and self.end is None:
            self._wait()

    def _over(self, code: int, text: str) -> None:
        if self.end is None:
            self.unsent = self._transport.get_write_buffer_size() + len(self._kept)
            self.end = Reply(code, text)
            self._owed.clear()
            if self._timer:
                self._timer.cancel()
            self._transport.abort()
            self._wake()

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)

    def _wait(self) -> None:
        """Begin the wait for the next reply. One timer serves many waits: setting one for each costs more."""
        self._backlog = self._transport.get_write_buffer_size() if self._paused else 0
        self._deadline = self._loop.time() + self._timeouts[self._awaited()]
        if self._timer is None or self._timer_at > self._deadline:
            self._set_timer()

    def _awaited(self) -> str:
        return BLOCK if self._paused else self._owed[0]

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer_at = self._deadline
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        """End the session if the wait is over, and look again later if it is not."""
        self._timer = None
        if not self._owed:
            return
        late = self._loop.time() - self._deadline
        if self._paused and self._transport.get_write_buffer_size() < self._backlog:
            self._wait()
        elif late < 0:
            self._set_timer()
        elif late > _LATE:
            # It was us who slept, as a stopped process does: the answer may be there, not read yet.
            self._deadline += late + _LATE
            self._set_timer()
        else:
            what = "nothing more was taken" if self._paused else "no answer"
            self._over(SILENT, f"{what} within {self._timeouts[self._awaited()]:g} s")
