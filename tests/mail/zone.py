"""Run a program in a network of its own, where the only name server knows a few TXT records and nothing else.

    unshare --net --mount --map-root-user python zone.py RESOLV_CONF PROGRAM RECORD…

Each RECORD is a line of a zone file. The program gets this one's standard input, and its exit status becomes ours.
"""

import shlex
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping


def answer(query: bytes, zone: Mapping[str, list[str]]) -> bytes:
    """Return the answer to the one question of *query* (RFC 1035 section 4): its TXT record, or that there is none."""
    at, labels = 12, []
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    question, strings = query[12 : at + 5], zone.get(".".join(labels).lower() + ".", [])
    data = b"".join(bytes([len(text)]) + text.encode() for text in strings)
    record = b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 60, len(data)) + data if strings else b""
    flags = 0x8400 if strings else 0x8403
    return query[:2] + struct.pack(">HHHHH", flags, 1, bool(strings), 0, 0) + question + record


def serve(server: socket.socket, zone: Mapping[str, list[str]]) -> None:
    """Answer for ever."""
    while True:
        query, asker = server.recvfrom(4096)
        server.sendto(answer(query, zone), asker)


def main(resolv_conf: str, program: str, *records: str) -> int:
    """Set the network up, serve, and run *program*."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["mount", "--bind", resolv_conf, "/etc/resolv.conf"], check=True)
    zone = {name.lower(): strings for name, _, *strings in map(shlex.split, records)}
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    threading.Thread(target=serve, args=(server, zone), daemon=True).start()
    return subprocess.run([program], check=False, timeout=30).returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
