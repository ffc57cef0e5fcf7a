"""What receivers find out in the DNS about the sender before they take its mail, as findings for the operator.

It asks name servers and changes nothing. Whether the machine's own addresses are among those that may send is looked
at where it sends by itself: the addresses of a relay are the relay's business, and show in a mail that arrived. Not
here: how records are read (``mail/published.py``).
"""

import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import parseaddr
from functools import cached_property

from newsletter.mail.message import ascii_domain
from newsletter.mail.published import Dmarc, Names, SilentNamesError, Spf, dkim_key, dmarc, spf
from newsletter.services.dispatch import Dispatch
from newsletter.services.findings import Finding, Level

_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}
# RFC 2606 and 6761, and what RFC 8375 and .local are for: nobody publishes anything there.
_RESERVED = re.compile(r"(?:.+\.)?(?:example(?:\.com|\.net|\.org)?|test|invalid|localhost|local|home\.arpa|internal)")


def is_reserved(domain: str) -> bool:
    """Return whether *domain* is one for examples, tests or a single network."""
    return bool(_RESERVED.fullmatch(domain.lower()))


def reputation(dispatch: Dispatch, names: Names) -> Iterator[Finding]:
    """Yield what *names* say of the sender, a finding for each kind of record."""
    sender = _Sender(dispatch, names)
    if is_reserved(sender.domain):
        text = f"{sender.domain} is a domain for examples or for one network, which others do not know"
        yield Finding("dns", Level.WARN, text, "set newsletter.sender to an address of a domain of your own")
        return
    for look in (
        sender.mail_servers,
        sender.spf_record,
        sender.dkim_keys,
        sender.dmarc_record,
        sender.names_of_machine,
    ):
        yield from _as_far_as_known(look)


def _as_far_as_known(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except SilentNamesError as error:
        yield Finding("dns", Level.WARN, str(error), "look at this machine's network, or try --resolver 9.9.9.9")


@dataclass(frozen=True)
class _Sender:
    dispatch: Dispatch
    names: Names

    @cached_property
    def domain(self) -> str:
        return ascii_domain(self.dispatch.mail.domain)

    @cached_property
    def envelope_domain(self) -> str:
        """Return the domain of the return address, which SPF is about."""
        address = parseaddr(self.dispatch.settings.bounces.address)[1]
        return ascii_domain(address.rpartition("@")[2]) if address else self.domain

    @cached_property
    def sends_itself(self) -> bool:
        return any(way.host in _THIS_MACHINE for way in self.dispatch.settings.smtp.ways)

    @cached_property
    def spf(self) -> Spf:
        return spf(self.names, self.envelope_domain)

    @cached_property
    def dmarc(self) -> Dmarc | None:
        return dmarc(self.names, self.domain)

    def mail_servers(self) -> Iterator[Finding]:
        for domain in dict.fromkeys((self.domain, self.envelope_domain)):
            servers = self.names.mail_servers(domain)
            name = f"mx {domain}"
            if servers and any(servers):
                yield Finding(name, Level.OK, ", ".join(servers))
            elif not servers and self.names.addresses(domain):
                yield Finding(name, Level.OK, "no MX record, so mail goes to the domain's own address")
            else:
                text = "takes no mail: replies and bounces are lost, and some receivers refuse what it sends"
                yield Finding(name, Level.FAIL, text, "publish an MX record")

    def spf_record(self) -> Iterator[Finding]:
        yield Finding(f"spf {self.envelope_domain}", *self._spf())

    def _spf(self) -> tuple[Level, str, str]:
        found = self.spf
        if not found.record:
            return Level.WARN, "is not published", "publish a TXT record such as 'v=spf1 mx -all' that names who sends"
        if found.fault:
            return Level.FAIL, f"receivers count it as none: {found.fault}; {found.record}", "mend the record"
        if found.end == "+":
            return Level.WARN, f"lets everybody send in your name: {found.record}", "end it with -all or ~all"
        if not found.end:
            return Level.WARN, f"says nothing of everybody else: {found.record}", "end it with -all or ~all"
        return Level.OK, f"{found.lookups} of 10 look-ups; {found.record}", ""

    def dkim_keys(self) -> Iterator[Finding]:
        signer = self.dispatch.mail.dkim
        for key in signer.keys if signer else ():
            assert signer is not None
            name = f"dkim {key.selector}._domainkey.{signer.domain}"
            published = dkim_key(self.names, key.selector, signer.domain)
            if published == key.public:
                yield Finding(name, Level.OK, "publishes the key that signs")
            else:
                text = "is not published" if published is None else "publishes another key than the one that signs"
                yield Finding(name, Level.FAIL, text, f"publish {key.record()}")

    def dmarc_record(self) -> Iterator[Finding]:
        found = self.dmarc
        name = f"dmarc {self.domain}"
        if found is None:
            remedy = f"publish a TXT record at _dmarc.{self.domain} such as 'v=DMARC1; p=none'"
            yield Finding(name, Level.WARN, "is not published, as large providers ask of senders", remedy)
        else:
            yield Finding(name, *self._aligned(found))

    def _aligned(self, found: Dmarc) -> tuple[Level, str, str]:
        signer = self.dispatch.mail.dkim
        by_dkim = signer is not None and _aligned(signer.domain, self.domain, found, "adkim")
        by_spf = bool(self.spf.record) and _aligned(self.envelope_domain, self.domain, found, "aspf")
        ways = [way for way, holds in (("DKIM", by_dkim), ("SPF", by_spf)) if holds]
        if ways:
            return Level.OK, f"{found.record}; {' and '.join(ways)} aligned with the sender", ""
        text = f"{found.record}; neither SPF nor a signature made here is for the sender's domain"
        remedy = "sign with [dkim], or see that the relay signs for it: 'newsletter doctor --send-to' shows whether"
        return (Level.WARN if signer is None else Level.FAIL), text, remedy

    def names_of_machine(self) -> Iterator[Finding]:
        if not self.sends_itself:
            return
        name, addresses = socket.getfqdn(), self.names.addresses(socket.getfqdn())
        if not addresses:
            text = f"{name}, this machine's name, leads to no address, and receivers distrust such senders"
            yield Finding(
                "ptr", Level.WARN, text, "unless a server here relays through another, give it a name in the DNS"
            )
        for address in addresses:
            yield self._pointed(name, address)
            if self.spf.record and not self.spf.fault and not self.spf.allows(address):
                text = f"{address}, this machine, is not among the networks of the SPF record"
                yield Finding(f"spf {address}", Level.WARN, text, f"add ip{6 if ':' in address else 4}:{address} to it")

    def _pointed(self, name: str, address: str) -> Finding:
        back = self.names.pointers(address)
        if name in back:
            return Finding(f"ptr {address}", Level.OK, f"leads to {name}, and back")
        text = (
            f"leads to {', '.join(back)}, not to {name}"
            if back
            else "leads to no name, and receivers distrust such senders"
        )
        return Finding(f"ptr {address}", Level.WARN, text, f"let whoever gives you the address name it {name}")


def _aligned(signing: str, sender: str, found: Dmarc, tag: str) -> bool:
    """Return whether *signing* counts for *sender* (RFC 7489 section 3.1): the same, or of one organisation."""
    if found.tags.get(tag, "r").lower() == "s":
        return signing == sender
    return all(domain == found.at or domain.endswith(f".{found.at}") for domain in (signing, sender)) or any(
        one.endswith(f".{other}") or one == other for one, other in ((signing, sender), (sender, signing))
    )
