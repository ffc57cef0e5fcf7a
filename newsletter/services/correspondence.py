"""Correspondence: what every mail of the newsletter says of where it comes from, how to answer, and how to leave.

Not here: a digest's contents and its joining (``compose``), and the confirmation mail (``confirm``).
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parseaddr
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from newsletter.config.settings import Settings
from newsletter.domain.text import plain
from newsletter.mail.message import ascii_domain, wire_address
from newsletter.mail.tokens import Purpose, Signer, Wanted
from newsletter.render.typesetting import Imprint

if TYPE_CHECKING:
    from newsletter.mail.dkim import DkimSigner

_LINKS = timedelta(days=90)  # for so long the links of a mail lead to its reader's preferences
_ANSWERED = timedelta(days=90)  # for so long a mail can be answered with commands


@dataclass(frozen=True)
class Correspondence:
    """What every mail of the newsletter says of where it comes from and how to leave."""

    settings: Settings
    signer: Signer
    dkim: "DkimSigner | None" = None  # where the relay signs

    @cached_property
    def list_id(self) -> str:
        """Return the List-Id (RFC 2919): the newsletter's name and a label under the sender's domain."""
        return f"{self.settings.newsletter.name} <{self.list_label}.{self.domain}>"

    @cached_property
    def list_label(self) -> str:
        """Return the newsletter's name as a label of the List-Id."""
        label = re.sub(r"[^a-z0-9]+", "-", self.settings.newsletter.name.lower())[:63]
        return label.strip("-") or "newsletter"

    @cached_property
    def domain(self) -> str:
        """Return the domain of the sender."""
        return self.settings.newsletter.sender_address.rpartition("@")[2]

    @cached_property
    def sender(self) -> str:
        """Return the From: the sender as configured, under the newsletter's name where it has none."""
        name, address = parseaddr(self.settings.newsletter.sender)
        return self.settings.newsletter.sender if name else f"{self.settings.newsletter.name} <{address}>"

    @cached_property
    def reply_to(self) -> str:
        """Return the bare address that reads replies."""
        return parseaddr(self.settings.newsletter.reply_to or self.settings.newsletter.sender)[1]

    @cached_property
    def editors(self) -> str:
        """Return the mailto URI of who reads replies."""
        return f"mailto:{quote(wire_address(self.reply_to), safe='@+')}"

    @cached_property
    def archive_url(self) -> str:
        """Return where past issues are, '' without pages."""
        base_url = self.settings.newsletter.base_url
        return f"{base_url}/archive" if base_url else ""

    @cached_property
    def imprint(self) -> Imprint:
        """Return what every mail says of the newsletter, and in which look."""
        newsletter, look = self.settings.newsletter, self.settings.look
        return Imprint(
            name=plain(newsletter.name),
            postal_address=newsletter.postal_address,
            base_url=newsletter.base_url,
            archive_url=self.archive_url,
            accent=look.accent,
            logo=look.logo,
            font=look.font,
            images=look.images,
        )

    def imprint_in(self, language: str, own: str) -> Imprint:
        """Return what a mail in *language* says, the newsletter's *own* being another or the same.

        It links to pages in the same language: those in others than the newsletter's own stand below their tag.
        """
        if language == own or not self.imprint.base_url:
            return self.imprint
        base_url = f"{self.imprint.base_url}/{language}"
        return replace(self.imprint, base_url=base_url, archive_url=f"{base_url}/archive")

    def page_url(self, *parts: str) -> str:
        """Return the address of a page, '' without pages."""
        base_url = self.settings.newsletter.base_url
        return "/".join((base_url, *parts)) if base_url else ""

    def preferences_token(self, subscriber: int, at: datetime, *, delivery: int = 0) -> str:
        """Return the token of a mail of *at* by which its reader chooses, and says what they think of its papers."""
        expires = _later(at, _LINKS)
        return self.signer.token(Purpose.PREFERENCES, subscriber=subscriber, delivery=delivery, expires=expires)

    def confirm_url(self, token: str) -> str:
        """Return the link that confirms a subscription, or leads back to it; there are pages."""
        return f"{self.settings.newsletter.base_url}/confirm/{token}"

    def unsubscribe_url(self, token: str) -> str:
        """Return the link that unsubscribes, '' without pages."""
        base_url = self.settings.newsletter.base_url
        return f"{base_url}/unsubscribe/{token}" if base_url else ""

    def unsubscribe_mailto(self, token: str) -> str:
        """Return the mailto URI that unsubscribes, '' without an address for what comes back."""
        before, after = self._mailto
        return f"{before}{token}{after}" if before else ""

    @cached_property
    def _mailto(self) -> tuple[str, str]:
        local, domain = self._bounces
        return (f"mailto:{quote(local, safe='+')}+", f"@{quote(domain)}?subject=unsubscribe") if local else ("", "")

    def signed(self, content: bytes, at: datetime) -> bytes:
        """Return the message as it leaves: signed as of *at*, or as it is where the relay signs."""
        return self.dkim.signed(content, at) if self.dkim else content

    def return_path(self, subscriber: int, delivery: int) -> str:
        """Return the envelope sender: signed per delivery where bounces are read, else the sender's own address."""
        if not self._bounces[0]:
            return self.settings.newsletter.sender_address
        return self._what_comes_back(self.signer.token(Purpose.BOUNCE, subscriber=subscriber, delivery=delivery))

    def token_in(self, address: str) -> str:
        """Return the token in an address for what comes back, '' where it is none of ours."""
        local = address.rpartition("@")[0]
        return local[len(self._bounces[0]) + 1 :] if self.is_for_what_comes_back(address) else ""

    def is_for_what_comes_back(self, address: str) -> bool:
        """Return whether an address is the one for what comes back, with or without something behind a plus."""
        local, domain = self._bounces
        theirs, _, there = address.rpartition("@")
        here = bool(local) and there.casefold() in {domain.casefold(), ascii_domain(domain).casefold()}
        return here and f"{theirs}+".casefold().startswith(f"{local}+".casefold())

    def reply_address(self, subscriber: int, delivery: int, at: datetime) -> str:
        """Return where a reader's answer goes: a signed address where commands are read, else that of the editors."""
        if not self.settings.bounces.takes_commands:
            return self.settings.newsletter.reply_to
        expires = _later(at, _ANSWERED)
        return self._what_comes_back(
            self.signer.token(Purpose.REPLY, subscriber=subscriber, delivery=delivery, expires=expires)
        )

    def own(self, subscriber: int, delivery: int, at: datetime) -> tuple[str, str, str, str]:
        """Return what a digest of *at* has for its reader alone, signed all at once, which costs less.

        These are the token that unsubscribes, that of the other links, the Reply-To, '' where all readers have the
        same, and the envelope sender.
        """
        wanted: list[Wanted] = [
            (Purpose.UNSUBSCRIBE, subscriber, 0, None),
            (Purpose.PREFERENCES, subscriber, delivery, _later(at, _LINKS)),
        ]
        if self._bounces[0]:
            wanted.append((Purpose.BOUNCE, subscriber, delivery, None))
        if self.settings.bounces.takes_commands:
            wanted.append((Purpose.REPLY, subscriber, delivery, _later(at, _ANSWERED)))
        leave, links, *signed = self.signer.tokens(wanted)
        sender, *answer = map(self._what_comes_back, signed) if signed else [self.settings.newsletter.sender_address]
        return leave, links, f"Reply-To: {answer[0]}\r\n" if answer else "", sender

    def _what_comes_back(self, token: str) -> str:
        before, after = self._return
        return f"{before}{token}{after}"

    @cached_property
    def _return(self) -> tuple[str, str]:
        """Return what stands around a token in an address for what comes back, as headers and envelopes carry it."""
        local, domain = self._bounces
        return f"{local}+", f"@{ascii_domain(domain)}"

    @cached_property
    def _bounces(self) -> tuple[str, str]:
        """Return local part and domain of the address for what comes back, both '' without one."""
        local, _, domain = parseaddr(self.settings.bounces.address)[1].rpartition("@")
        return local, domain


@lru_cache(maxsize=64)  # mails of one chunk were made at one instant
def _later(at: datetime, by: timedelta) -> datetime:
    return at + by
