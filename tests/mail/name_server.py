"""A name server on loopback that knows what a zone file says, and nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import dns.zone


@contextmanager
def name_server(zone: str) -> Iterator[str]:
    """Serve the records of *zone*, with absolute names, until the end; give its address as HOST:PORT."""
    known = dns.zone.from_text(f"$TTL 60\n{zone}", origin=".", relativize=False, check_origin=False)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=_serve, args=(server, known))
    thread.start()
    try:
        yield "{}:{}".format(*server.getsockname())
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", server.getsockname())
        thread.join()
        server.close()


def _serve(server: socket.socket, zone: dns.zone.Zone) -> None:
    while True:
        query, asker = server.recvfrom(4096)
        if not query:
            return
        server.sendto(_answer(dns.message.from_wire(query), zone).to_wire(), asker)


def _answer(query: dns.message.Message, zone: dns.zone.Zone) -> dns.message.Message:
    answer, asked = dns.message.make_response(query), query.question[0]
    answer.flags |= dns.flags.AA
    node = zone.get_node(asked.name)
    if node is None:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif found := node.get_rdataset(asked.rdclass, asked.rdtype):
        answer.answer.append(dns.rrset.from_rdata_list(asked.name, found.ttl, list(found)))
    return answer
