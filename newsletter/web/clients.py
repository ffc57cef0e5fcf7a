"""Who asks: the network of a client, as far as it is known.

The address comes from the connection, or from proxies that the operator trusts (``server``). One person has a whole
/64 of IPv6, and many have a /24 beside them: so that is what counts.
"""

from ipaddress import IPv6Address, ip_address, ip_network

from starlette.requests import HTTPConnection

_BITS = {4: 24, 6: 64}


def network_of(connection: HTTPConnection) -> str:
    """Return the network that a request comes from, like ``192.0.2.0/24``.

    '' where it is not known, and for this machine itself: a proxy that says of nobody whom it brings.
    """
    try:
        address = ip_address(connection.client.host if connection.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address))  # as it is, and without a zone
    return "" if address.is_loopback else str(ip_network((address, _BITS[address.version]), strict=False))
