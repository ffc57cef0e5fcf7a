"""An SMTP server that does as it is told, for what no real server can be asked to do."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

SILENCE = "silence"  # instead of an answer, and from then on
DROP = "drop"  # the connection instead of an answer

Script = dict[str, str | list[str]]

_EXTENSIONS = ("SIZE 1000000", "SMTPUTF8", "STARTTLS", "AUTH PLAIN LOGIN")
WELL: Script = {
    "GREETING": "220 scripted.example ESMTP",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 ok",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedServer:
    """Answers each verb as scripted, and well where nothing is; ``GREETING`` and ``.`` count as verbs.

    A list of answers is used up from the front, the last one staying. The answers to the verbs that it ``holds`` are
    sent together with the next one, as RFC 2920 allows, which stops a client that waits for each; all are sent byte
    by byte where it ``drips``.
    """

    script: Script
    starttls: ssl.SSLContext | None = None
    pipelining: bool = False
    holds: set[str] = field(default_factory=set)
    drips: bool = False
    port: int = 0
    heard: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)  # of each message
    cut_off: list[bytes] = field(default_factory=list)  # what came of messages that never ended

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until there is nothing more to hear."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            verb, line, held = "GREETING", "", ""
            sender, recipient = False, ""
            while (answer := self.answer(verb, sender=sender, recipient=recipient)) != DROP:
                if answer == SILENCE:
                    await reader.read()
                    break
                held += answer.replace("\n", "\r\n") + "\r\n"
                if verb not in self.holds:
                    await self.say(writer, held.encode())
                    held = ""
                taken = answer.startswith("2")
                if verb == "STARTTLS" and taken:
                    await writer.start_tls(self.starttls)
                if verb == "DATA" and answer.startswith("354"):
                    await self.take(reader, recipient)
                    verb, sender, recipient = ".", False, ""
                    continue
                if verb == "MAIL":
                    sender, recipient = taken, ""
                elif verb == "RSET":
                    sender, recipient = False, ""
                elif verb == "RCPT" and taken:
                    recipient = line.partition("<")[2].partition(">")[0]
                line = (await reader.readline()).decode().strip()
                if not line or verb == "QUIT":
                    break
                self.heard.append(line)
                verb = line.split()[0].upper()
        writer.transport.abort()

    async def take(self, reader: asyncio.StreamReader, recipient: str) -> None:
        """Read a message."""
        try:
            self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
            self.readers.append(recipient)
        except asyncio.IncompleteReadError as error:
            self.cut_off.append(error.partial)
            raise
        except ConnectionError:
            self.cut_off.append(bytes(reader._buffer))
            raise

    async def say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        """Send *answer*."""
        for piece in [answer[i : i + 1] for i in range(len(answer))] if self.drips else [answer]:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    def answer(self, verb: str, *, sender: bool, recipient: str) -> str:
        """Return what to say to *verb*."""
        if verb in self.script:
            scripted = self.script[verb]
            if isinstance(scripted, str):
                return scripted
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if verb == "EHLO":
            lines = ["scripted.example", *(["PIPELINING"] if self.pipelining else []), *_EXTENSIONS]
            return "\n".join(f"250-{line}" for line in lines[:-1]) + f"\n250 {lines[-1]}"
        if verb == "RCPT" and not sender:
            return "503 5.5.1 no sender"
        if verb == "DATA":
            return "354 go on" if recipient else "503 5.5.1 no recipient"
        return str(WELL.get(verb, "250 2.0.0 ok"))


@contextlib.asynccontextmanager
async def scripted(
    script: Script | None = None, *, tls: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server on loopback, with TLS from the start, or by STARTTLS where such a context is given."""
    server = ScriptedServer(script or {}, **settings)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls, limit=2**24)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0.01)  # for both ends to close their sockets
