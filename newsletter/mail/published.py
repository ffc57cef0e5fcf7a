"""What a domain publishes in the DNS about its mail, read as receivers read it: SPF (RFC 7208), DKIM keys (RFC 6376
section 3.6.2), DMARC (RFC 7489), mail servers and the names of addresses.

Not here: what it means for the newsletter (``services/reputation.py``).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from newsletter.errors import NewsletterError

Network = IPv4Network | IPv6Network

_LOOKUPS, _VOID = 10, 2  # as many as SPF may cost a receiver, and of them without an answer: RFC 7208 section 4.6.4
_COSTLY = {"include", "a", "mx", "ptr", "exists", "redirect"}
_TERM = re.compile(r"(?P<name>[^:=/]*)[:=]?(?P<value>.*?)(?:/(?P<bits>\d+))?(?://\d+)?")
_PATIENCE = 5.0  # seconds for one question


class SilentNamesError(NewsletterError):
    """The name servers do not answer, which says nothing of the domain."""


class Names:
    """Asks the machine's name servers, or one that is named. Every question may raise SilentNamesError."""

    def __init__(self, server: tuple[str, int] | None = None, *, patience: float = _PATIENCE) -> None:
        self._resolver = dns.resolver.Resolver(configure=server is None)
        if server:
            self._resolver.nameservers, self._resolver.port = [server[0]], server[1]
        self._resolver.lifetime = patience

    def texts(self, name: str) -> list[str]:
        """Return the TXT records of *name*, each with its strings joined."""
        return [b"".join(answer.strings).decode("utf-8", "replace") for answer in self._ask(name, "TXT")]

    def mail_servers(self, domain: str) -> list[str]:
        """Return the names in the MX records, the preferred first; ``""`` stands for "takes no mail" (RFC 7505)."""
        found = sorted(self._ask(domain, "MX"), key=lambda answer: answer.preference)
        return [str(answer.exchange).rstrip(".") for answer in found]

    def addresses(self, name: str) -> list[str]:
        """Return the addresses of *name*."""
        return [answer.address for kind in ("A", "AAAA") for answer in self._ask(name, kind)]

    def pointers(self, address: str) -> list[str]:
        """Return the names that *address* leads back to (PTR)."""
        return [str(answer.target).rstrip(".") for answer in self._ask(dns.reversename.from_address(address), "PTR")]

    def _ask(self, name: dns.name.Name | str, kind: str) -> list[Any]:  # records, whose fields follow their kind
        try:
            return list(self._resolver.resolve(name, kind, raise_on_no_answer=False).rrset or ())
        except (dns.resolver.NXDOMAIN, dns.name.NameTooLong, dns.exception.SyntaxError):  # or no name at all
            return []
        except dns.exception.DNSException as error:
            raise SilentNamesError(f"the name servers do not answer for {name} {kind}: {error}") from error


@dataclass
class Spf:
    """An SPF record as it works out. ``fault`` is why receivers count it as none (permerror, section 2.6.7).

    ``networks`` are those that it names in full: what depends on the sender (``exists``, ``ptr``, macros) is left out.
    """

    record: str = ""
    fault: str = ""
    lookups: int = 0
    void: int = 0  # look-ups without an answer
    end: str = ""  # the qualifier of ``all``: + - ~ ?
    networks: list[Network] = field(default_factory=list)

    def allows(self, address: str) -> bool:
        """Return whether *address* is in one of the networks."""
        return any(ip_address(address) in network for network in self.networks)


def spf(names: Names, domain: str) -> Spf:
    """Return what *domain* publishes. Raises SilentNamesError."""
    records = _spf_records(names, domain)
    found = Spf(record=records[0] if records else "")
    if len(records) > 1:
        found.fault = f"{domain} has {len(records)} SPF records, where there may be one"
    elif records:
        _read_spf(names, domain, records[0], found)
    return found


def _spf_records(names: Names, domain: str) -> list[str]:
    return [text for text in names.texts(domain) if text.lower().split(" ")[0] == "v=spf1"]


def _read_spf(names: Names, domain: str, record: str, found: Spf) -> None:
    for term in record.split()[1:]:
        if not found.fault:
            _read_term(names, domain, term.lower(), found)


def _read_term(names: Names, domain: str, term: str, found: Spf) -> None:
    qualifier, bare = (term[0], term[1:]) if term[0] in "+-~?" else ("+", term)
    mechanism, value, bits = _TERM.fullmatch(bare).group("name", "value", "bits")  # type: ignore[union-attr]  # it matches anything
    if mechanism in _COSTLY:
        found.lookups += 1
        if found.lookups > _LOOKUPS:
            found.fault = f"it takes more than {_LOOKUPS} look-ups, where receivers stop"
            return
    match mechanism:
        case "all":
            found.end = qualifier
        case "include" | "redirect" if value and "%" not in value:
            _read_included(names, value, found, is_end=mechanism == "redirect")
        case "ip4" | "ip6" if qualifier == "+":
            _add_network(found, f"{value}/{bits}" if bits else value, term)
        case "a" | "mx" if qualifier == "+" and "%" not in value:
            _add_hosts(names, mechanism, value or domain, bits, found)


def _read_included(names: Names, domain: str, found: Spf, *, is_end: bool) -> None:
    """Read the record of another domain: its ``all`` counts where it is redirected to, not where it is included."""
    records, end = _spf_records(names, domain), found.end
    if len(records) != 1:
        found.fault = f"{domain}, which it names, has {len(records) or 'no'} SPF record{'s' * (len(records) > 1)}"
        return
    _read_spf(names, domain, records[0], found)
    if not is_end:
        found.end = end


def _add_network(found: Spf, network: str, term: str) -> None:
    try:
        found.networks.append(ip_network(network, strict=False))
    except ValueError:
        found.fault = f"{term!r} in it is no network"


def _add_hosts(names: Names, mechanism: str, name: str, bits: str | None, found: Spf) -> None:
    hosts = names.mail_servers(name) if mechanism == "mx" else [name]
    addresses = [address for host in hosts for address in names.addresses(host)]
    if not addresses:
        found.void += 1
    if found.void > _VOID:
        found.fault = f"more than {_VOID} of the names in it lead nowhere, where receivers stop"
    for address in addresses:
        _add_network(found, f"{address}/{bits}" if bits and "." in address else address, name)


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A DMARC record, and the domain where it was found: the one that is asked for, or a parent of it."""

    record: str
    at: str
    tags: Mapping[str, str]


def dmarc(names: Names, domain: str) -> Dmarc | None:
    """Return the record that holds for *domain*: its own, or that of the nearest parent. Raises SilentNamesError."""
    for at in _upwards(domain):
        for text in names.texts(f"_dmarc.{at}"):
            tags = _tags(text)
            if tags.get("v", "").upper() == "DMARC1":
                return Dmarc(text, at, tags)
    return None


def _upwards(domain: str) -> Iterator[str]:
    labels = domain.split(".")
    return (".".join(labels[i:]) for i in range(max(1, len(labels) - 1)))


def dkim_key(names: Names, selector: str, domain: str) -> str | None:
    """Return the public key that is published, in base64; '' for a revoked one. Raises SilentNamesError."""
    for text in names.texts(f"{selector}._domainkey.{domain}"):
        tags = _tags(text)
        if "p" in tags:
            return "".join(tags["p"].split())
    return None


def _tags(text: str) -> dict[str, str]:
    """Return a tag=value list (RFC 6376 section 3.2)."""
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in parts if name.strip()}
