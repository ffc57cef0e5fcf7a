"""An SMTP server that does as it is told, for what no real server can be asked to do."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

SILENCE = "silence"  # instead of an answer
DROP = "drop"  # the connection instead of an answer

Script = dict[str, str | list[str]]

WELL: Script = {
    "GREETING": "220 scripted.example ESMTP",
    "EHLO": "250-scripted.example\n250-SIZE 1000000\n250-SMTPUTF8\n250-STARTTLS\n250 AUTH PLAIN LOGIN",
    "STARTTLS": "220 go on",
    "AUTH": "235 2.7.0 ok",
    "DATA": "354 go on",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedServer:
    """Answers each verb as scripted, and well where nothing is; ``GREETING`` and ``.`` count as verbs.

    A list of answers is used up from the front, the last one staying.
    """

    script: Script
    starttls: ssl.SSLContext | None = None
    port: int = 0
    heard: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until there is nothing more to hear."""
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            verb = "GREETING"
            while (answer := self.answer(verb)) != DROP:
                if answer != SILENCE:
                    writer.write(answer.replace("\n", "\r\n").encode() + b"\r\n")
                    await writer.drain()
                if verb == "STARTTLS" and answer.startswith("220"):
                    await writer.start_tls(self.starttls)
                if verb == "DATA" and answer.startswith("354"):
                    self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                    verb = "."
                    continue
                line = (await reader.readline()).decode().strip()
                if not line or verb == "QUIT":
                    break
                self.heard.append(line)
                verb = line.split()[0].upper()
        writer.transport.abort()

    def answer(self, verb: str) -> str:
        """Return what to say to *verb*."""
        scripted = self.script.get(verb, WELL.get(verb, "250 2.0.0 ok"))
        if isinstance(scripted, str):
            return scripted
        return scripted.pop(0) if len(scripted) > 1 else scripted[0]


@contextlib.asynccontextmanager
async def scripted(
    script: Script | None = None, *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server on loopback, with TLS from the start or by STARTTLS where a context is given."""
    server = ScriptedServer(script or {}, starttls)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0.01)  # for both ends to close their sockets
