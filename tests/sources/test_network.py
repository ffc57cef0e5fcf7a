"""Only public addresses are connected to: those checked, wherever a name or a redirect leads."""

import asyncio
import shlex
import ssl
import subprocess
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.sources.network import PublicNetwork, is_public

# fmt: off
PRIVATE = [
    "127.0.0.1", "127.255.255.255", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.0.0.8", "::", "::1", "fe80::1", "fe80::1%eth0",
    "fc00::1", "fd12::1", "fec0::1", "ff02::1", "2001:db8::1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:c0a8:101::1", "::127.0.0.1", "::10.0.0.1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "100::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "3fff::1", "4000::1",
]
PUBLIC = [
    "8.8.8.8", "172.32.0.1", "100.128.0.1", "151.101.1.1", "2606:4700::1", "2a00:1450::1", "64:ff9b::808:808",
    "::ffff:8.8.8.8",
]
# fmt: on


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_told(address):
    """Loopback, private, link-local, multicast, reserved, and IPv4 hidden in IPv6."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_told(address):
    """Also where a network without IPv4 wraps them."""
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_public_at_most_if_it_is_so_bare(address: IPv4Address):
    """Mapped, compatible, NAT64, 6to4 and Teredo never open what the bare address does not."""
    four = int(address)
    wrapped = [four, 0xFFFF << 32 | four, 0x64FF9B << 96 | four, 0x2002 << 112 | four << 80]
    wrapped.append(0x20010000 << 96 | four ^ 0xFFFFFFFF)
    assert not any(is_public(IPv6Address(one)) for one in wrapped) or is_public(address)


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_calls_private(address):
    """Ours is the narrower of the two."""
    assert not is_public(address) or address.is_global or getattr(address, "ipv4_mapped", None)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_refused_however_it_is_written(upstream, get, client, host):
    """Checked after resolution, so that no spelling helps; nothing arrives."""

    async def turn():
        async with client(allow_private_address=False) as one:
            await one.get(f"http://{host}:{upstream.port}/x")

    upstream.say("/x", b"secret")
    with pytest.raises(SourceError, match=r"refused, because its address .* allow_private_address = true"):
        asyncio.run(turn())
    assert upstream.requests == []


@pytest.mark.parametrize("target", ["http://127.0.0.1:22/", "http://[::1]:9/", "http://169.254.169.254/latest/"])
def test_a_redirect_to_another_private_place_is_refused(upstream, get, target):
    """Allowing a mirror does not open the rest of the machine that it runs on."""
    with pytest.raises(SourceError, match="is not a public one"):
        get(upstream.say("/a", {"status": 302, "headers": {"Location": target}}))
    assert len(upstream.requests) == 1


def test_the_connection_goes_to_the_address_that_was_checked():
    """A name is resolved once, and another answer a moment later changes nothing."""

    async def turn() -> tuple[str, bytes]:
        async def greet(reader, writer):
            writer.write(b"hello")
            writer.close()

        server = await asyncio.start_server(greet, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        resolved = []
        real = loop.getaddrinfo

        async def rebinding(host, *args, **options):
            resolved.append(host)
            answer = "127.0.0.1" if host == "rebinding.example" and len(resolved) == 1 else host
            return await real(answer, *args, **options)

        loop.getaddrinfo = rebinding  # the resolver is not ours: this is a name server that changes its mind
        network = PublicNetwork()
        network.allowed.add(("rebinding.example", port))
        stream = await network.connect_tcp("rebinding.example", port, 2)
        said = await stream.read(5, 2)
        await stream.aclose()
        server.close()
        return resolved[0], said, [host for host in resolved if host == "rebinding.example"]

    first, said, asked = asyncio.run(turn())
    assert (first, said, asked) == ("rebinding.example", b"hello", ["rebinding.example"])


@pytest.mark.system("openssl")
def test_the_certificate_must_be_the_hosts_not_the_addresss(tmp_path, client, monkeypatch):
    """Connecting to the checked address leaves TLS its name: by its address the same server is refused."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    command += f" -addext subjectAltName=DNS:localhost -out {cert} -keyout {key}"
    subprocess.run(shlex.split(command), check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
        await writer.drain()

    async def turn():
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with client(budget=2) as one:
            named = await one.get(f"https://localhost:{port}/")
            with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
                await one.get(f"https://127.0.0.1:{port}/")
        server.close()
        return named.body

    assert asyncio.run(turn()) == b"good"
