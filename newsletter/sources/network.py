"""Connections to public addresses only: a name is resolved, every address checked, and the checked one connected to.

Not here: requests, redirects and retries (``client.py``).
"""

import asyncio
import socket
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from contextlib import AsyncExitStack
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpcore2
import httpx2

from newsletter.errors import SourceError

_CONNECT_TIME = 4.0  # seconds for one address, so that a dead IPv6 route leaves time for IPv4

# The standard library's is_global calls several of these public, so they are listed (IANA special-purpose registries).
_NOT_PUBLIC_4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_6 = IPv6Network("2000::/3")  # all else is loopback, private, link-local, multicast or unassigned
_NOT_PUBLIC_6 = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, ORCHID and the like
        "2001:db8::/32",
        "2002::/16",  # 6to4, which hides any IPv4 address
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether *address* is one of the public internet's, also where it wraps an IPv4 address."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_4)
    if address.ipv4_mapped:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _NOT_PUBLIC_6)


async def _resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    if not 0 < port < 2**16:
        raise SourceError(f"{host} port {port}: is no port; check this source's URL")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"the name {host} does not resolve ({error})") from error
    return [ip_address(sockaddr[0]) for *_, sockaddr in found]


class PublicNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to public addresses, and to any address for the host and port pairs in ``allowed``."""

    def __init__(self) -> None:
        self.allowed: set[tuple[str, int]] = set()
        self._tcp = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Return a stream to the first address of *host* that answers. Raises SourceError for a private one."""
        addresses = await _resolve(host, port)
        if (host, port) not in self.allowed:
            for address in addresses:
                _refuse_private(host, port, address)
        trouble: Exception = httpcore2.ConnectError(f"the name {host} has no address")
        for address in addresses:
            try:
                return await self._tcp.connect_tcp(
                    str(address), port, min(timeout or _CONNECT_TIME, _CONNECT_TIME), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                trouble = error
        raise trouble


def _refuse_private(host: str, port: int, address: IPv4Address | IPv6Address) -> None:
    if not is_public(address):
        raise SourceError(
            f"{host} port {port}: refused, because its address {address} is not a public one; if the source itself is"
            " meant to be there, give that URL and set allow_private_address = true for it"
        )


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part

    async def aclose(self) -> None:
        if close := getattr(self._stream, "aclose", None):
            await close()


class Transport(httpx2.AsyncBaseTransport):
    """Sends requests over a network backend of ours, which httpx2's own transport does not take.

    Errors are httpcore2's.
    """

    def __init__(self, network: httpcore2.AsyncNetworkBackend) -> None:
        self._network = network
        self._pools: dict[str, httpcore2.AsyncConnectionPool] = {}  # by scheme

    def _pool(self, scheme: str) -> httpcore2.AsyncConnectionPool:
        if scheme not in self._pools:
            # Read anew for each client, for it may run for years: certificates come and go. And only for who needs
            # them, for they take longer than a request.
            trusted = httpx2.create_ssl_context() if scheme == "https" else None
            self._pools[scheme] = httpcore2.AsyncConnectionPool(
                ssl_context=trusted, network_backend=self._network, keepalive_expiry=5
            )
        return self._pools[scheme]

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the response, its body not yet read."""
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        assert isinstance(request.stream, AsyncIterable)
        response = await self._pool(request.url.scheme).handle_async_request(
            httpcore2.Request(
                request.method, url, headers=request.headers.raw, content=request.stream, extensions=request.extensions
            )
        )
        assert isinstance(response.stream, AsyncIterable)
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Stream(response.stream), extensions=response.extensions
        )

    async def aclose(self) -> None:
        """Close all connections."""
        async with AsyncExitStack() as stack:
            for pool in self._pools.values():
                stack.push_async_callback(pool.aclose)
