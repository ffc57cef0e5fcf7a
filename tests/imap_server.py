"""A small IMAP server (RFC 3501) on loopback: what a mailbox needs that is only read from and moved out of."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PASSWORD = "open sesame"


@dataclass
class Mailboxes:
    """The folders, each with its mails by uid, and every command that came."""

    folders: dict[str, dict[int, bytes]] = field(default_factory=lambda: {"INBOX": {}})
    heard: list[str] = field(default_factory=list)
    port: int = 0

    def deliver(self, *mails: bytes) -> None:
        """Put mails into the inbox."""
        for mail in mails:
            self.folders["INBOX"][1 + max((uid for box in self.folders.values() for uid in box), default=0)] = mail


def _answers(held: Mailboxes, command: str) -> Iterator[bytes]:
    """Yield the untagged answers to a command. Raises LookupError for one that is refused."""
    words = re.findall(r'"([^"]*)"|(\S+)', command)
    verb, *rest = [quoted or plain for quoted, plain in words]
    match verb.upper(), *rest:
        case "CAPABILITY", *_:
            yield b"* CAPABILITY IMAP4rev1 MOVE"
        case "LOGOUT", *_:
            yield b"* BYE"
        case "LOGIN", _, password if password != PASSWORD:
            raise LookupError
        case "SELECT", folder:
            yield b"* %d EXISTS" % len(held.folders[folder])
        case "LIST", *_, folder if folder in held.folders:
            yield f'* LIST () "/" "{folder}"'.encode()
        case "CREATE", folder:
            held.folders[folder] = {}
        case "UID", "SEARCH", *_:
            yield b"* SEARCH " + b" ".join(str(uid).encode() for uid in sorted(held.folders["INBOX"]))
        case "UID", "FETCH", uid, *_:
            mail = held.folders["INBOX"][int(uid)]
            yield b"* 1 FETCH (UID %s BODY[] {%d}\r\n%s)" % (uid.encode(), len(mail), mail)
        case "UID", "MOVE", uid, folder:
            held.folders[folder][int(uid)] = held.folders["INBOX"].pop(int(uid))


@contextmanager
def imap_server() -> Iterator[Mailboxes]:
    """Serve while inside."""
    held = Mailboxes()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK ready\r\n")
            for line in self.rfile:
                tag, _, command = line.decode().strip().partition(" ")
                held.heard.append(command)
                try:
                    for answer in _answers(held, command):
                        self.wfile.write(answer + b"\r\n")
                    self.wfile.write(f"{tag} OK done\r\n".encode())
                except LookupError:
                    self.wfile.write(f"{tag} NO refused\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        held.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield held
        server.shutdown()
