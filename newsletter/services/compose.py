"""Composing: a delivery of an issue becomes the message that goes over the wire.

Joins what ``render`` and ``mail`` make: cards are rendered and encoded once per issue, and a message is a join of them
and the few pieces that are its reader's own. What is kept does not grow with the number of readers. Not here: what a
reader gets (``due``) and sending it (``deliver``).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from email.utils import parseaddr
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.calendar import instant, local_date, next_due
from newsletter.domain.delivery import Delivery
from newsletter.domain.digest import Digest, Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.subscriber import WEEKDAYS, Preferences, zone_info
from newsletter.errors import ConfigurationError, UsageError
from newsletter.mail.message import SharedHead, leaving, needs_smtputf8, own_headers, shared_pieces, wire_address
from newsletter.mail.quoted_printable import quoted_printable
from newsletter.mail.tokens import Purpose, Signer
from newsletter.render.digest import FOOT_HTML, FOOT_TEXT, TOKEN, IssueRenderer, Masthead, Reader
from newsletter.render.formats import day as named_day
from newsletter.render.formats import long_date
from newsletter.services.edit import Shown
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import papers
from newsletter.storage.moves import Claimed

if TYPE_CHECKING:
    from newsletter.mail.dkim import DkimSigner

_ANY_TOKEN = 48 * "a"
Picks = tuple[tuple[int, str, str], ...]  # as they are stored: paper id, why, detail


@dataclass(slots=True, kw_only=True)  # not frozen: freezing takes time
class Message:
    """One message for one envelope."""

    sender: str  # of the envelope
    recipient: str
    content: bytes
    smtputf8: bool


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
        local, domain = self._bounces
        if not local:
            return self.settings.newsletter.sender_address
        return f"{local}+{self.signer.token(Purpose.BOUNCE, subscriber=subscriber, delivery=delivery)}@{domain}"

    @cached_property
    def _bounces(self) -> tuple[str, str]:
        """Return local part and domain of the address for what comes back, both '' without one."""
        local, _, domain = parseaddr(self.settings.bounces.address)[1].rpartition("@")
        return local, domain


class Composer:
    """Composes the messages of one issue, sealed or, for a preview, as it would be now."""

    def __init__(
        self, correspondence: Correspondence, environment: ImmutableSandboxedEnvironment, shown: Shown
    ) -> None:
        self._mail = correspondence
        self._newsletter = correspondence.settings.newsletter
        self._issue = shown.issue
        self._candidates = {c.paper.id: c for c in (*shown.arranged.pool, *shown.arranged.front)}
        masthead = Masthead(
            name=self._newsletter.name,
            language=self._newsletter.language,
            postal_address=self._newsletter.postal_address,
            base_url=self._newsletter.base_url,
            archive_url=self._mail.archive_url,
            date=shown.issue.date,
            pool_size=len(shown.arranged.pool),
            note=shown.issue.note,
            subject=shown.issue.subject,
        )
        self._renderer = IssueRenderer(environment, masthead, shown.hand.notes, quoted_printable)
        self._keys: dict[int, str] = {}
        self._edition = lru_cache(maxsize=8192)(self._edition_anew)  # a list of shared pieces each
        self._foot = lru_cache(maxsize=4096)(self._foot_anew)

    def prepare(self, session: Session, deliveries: list[Delivery]) -> None:
        """Load the picks that are not in the issue's own pool: of longer windows, and of papers joined since."""
        picked = {pick[0] for delivery in deliveries for pick in delivery.picks}
        if loaded := papers.load(session, picked - self._candidates.keys()):
            self._edition.cache_clear()
        for paper_id, paper in loaded.items():
            known = self._candidates.get(paper.id)
            fresh = Candidate(paper=paper, listings=papers.latest_listings(session, paper.id), first_listed=date.max)
            self._candidates[paper_id] = known or fresh

    def message(self, claimed: Claimed) -> Message:
        """Return the message of a delivery: the same one for every repeat."""
        delivery, mail = claimed.delivery, self._mail
        token = mail.signer.token(Purpose.UNSUBSCRIBE, subscriber=delivery.subscriber_id)
        smtputf8 = needs_smtputf8(claimed.email)
        leave = self._leaving.replace(_ANY_TOKEN, token)
        pieces, feet = self._edition(
            delivery.picks, delivery.since, self._is_the_rhythm(claimed), claimed.format or "both", smtputf8
        )
        pieces = pieces.copy()
        pieces[0] = own_headers(claimed.email, delivery.message_id, delivery.made_at, leave, smtputf8=smtputf8)
        zone = claimed.zone or self._newsletter.time_zone
        since, after = local_date(claimed.created_at, zone_info(zone)), max(delivery.made_at, self._next_issue_at)
        foot = self._foot(since, claimed.frequency, claimed.hour, zone, after, delivery.day)
        encoded = quoted_printable(token)
        for at, part in feet:
            pieces[at] = encoded.join(foot[part])
        # Signed as of the digest's own date, so that a repeat is the same to the last byte.
        content = mail.signed(b"".join(pieces), delivery.made_at)
        sender = mail.return_path(delivery.subscriber_id, delivery.id)
        return Message(sender=sender, recipient=claimed.email, content=content, smtputf8=smtputf8)

    @cached_property
    def _leaving(self) -> str:
        mail = self._mail
        try:
            return leaving(mail.unsubscribe_url(_ANY_TOKEN), mail.unsubscribe_mailto(_ANY_TOKEN) or self._mailto_reply)
        except UsageError as error:  # concerns every reader
            raise ConfigurationError(f"no digest can be made: {error}") from error

    def _edition_anew(
        self, stored: Picks, since: date | None, weekly: bool, wanted: str, smtputf8: bool
    ) -> tuple[list[bytes], list[tuple[int, int]]]:
        """Return the message that all readers with the same picks get alike, in pieces, most of them shared.

        The first is for the headers of their own; with it come the places of their feet, as HTML (0) and text (1).
        """
        found: dict[int, Pick] = {}  # by today's id: two picks may have become one paper since
        for paper_id, why, detail in stored:
            if candidate := self._candidates.get(paper_id):
                found.setdefault(candidate.paper.id, Pick(candidate, Why(why), detail))
        edition = self._renderer.edition(Digest(picks=tuple(found.values()), since=since, missed=not weekly))
        text, html = edition.text if wanted != "html" else None, edition.html if wanted != "text" else None
        head = self._head(edition.subject, tuple(map(self._key, found.values())))
        try:
            pieces = [b"", *shared_pieces(head, text=text, html=html, smtputf8=smtputf8)]
        except UsageError as error:  # concerns every reader
            raise ConfigurationError(f"no digest can be made: {error}") from error
        marks = {id(FOOT_HTML): 0, id(FOOT_TEXT): 1}
        return pieces, [(at, marks[id(piece)]) for at, piece in enumerate(pieces) if id(piece) in marks]

    def _head(self, subject: str, keys: tuple[str, ...]) -> SharedHead:
        mail = self._mail
        return SharedHead(
            sender=mail.sender,
            subject=subject,
            reply_to=self._newsletter.reply_to,
            list_id=mail.list_id,
            archive_url=mail.archive_url,
            help=self._newsletter.base_url or f"{mail.editors}?subject=help",
            owner=mail.editors,
            feedback_id=f"{self._issue.date:%Y%m%d}:digest:{mail.list_label}",
            papers=keys,
        )

    def _key(self, pick: Pick) -> str:
        """Return the key that X-Papers gives a paper: it takes long to find, and stays."""
        paper = pick.candidate.paper
        if paper.id not in self._keys:
            self._keys[paper.id] = paper.key
        return self._keys[paper.id]

    def _foot_anew(
        self, since: date, frequency: str | None, hour: time | None, zone: str, after: datetime, last: date
    ) -> tuple[list[bytes], list[bytes]]:
        """Return what the foot says to all who subscribed on the same day and have the same rhythm."""
        url, mailto = self._links
        reader = Reader(
            why_mail=self._subscribed_since(since),
            unsubscribe_url=url,
            unsubscribe_mailto=mailto,
            reply_to=self._mail.reply_to,
            next_due=self._next_digest(frequency, hour, zone, after, last),
        )
        return self._renderer.foot(reader)

    @cached_property
    def _links(self) -> tuple[str, str]:
        return self._mail.unsubscribe_url(TOKEN), self._mail.unsubscribe_mailto(TOKEN)

    def _subscribed_since(self, day: date) -> str:
        since = f"{named_day(day)} {day.year}"
        return f"You get this because you are subscribed to {self._newsletter.name} since {since}."

    def _next_digest(self, frequency: str | None, hour: time | None, zone: str, after: datetime, last: date) -> str:
        """Return when the reader's digest after this one is due: not before there is another issue to send.

        Not what their subscription holds: where this digest came early, that is the instant it stands for.
        """
        chosen = rhythm_of(Preferences(frequency=frequency, hour=hour, zone=zone), self._newsletter)
        following = next_due(chosen, after, last).at.astimezone(chosen.zone)
        return f"Next digest: {long_date(following)}, {following:%H:%M} ({zone})."

    def _is_the_rhythm(self, claimed: Claimed) -> bool:
        """Return whether a weekly reader's days without mail are no more than a week's."""
        weekly, since = (claimed.frequency or "").startswith("weekly"), claimed.delivery.since
        return weekly and since is not None and self._issue.date - since <= timedelta(days=7)

    @cached_property
    def _next_issue_at(self) -> datetime:
        """Return just before there is another issue."""
        newsletter = self._newsletter
        later = (self._issue.date + timedelta(days=n) for n in range(1, 8))
        day = next((d for d in later if WEEKDAYS[d.weekday()] in newsletter.days), self._issue.date)
        return instant(day, newsletter.send_at, newsletter.zone) - timedelta(seconds=1)

    @cached_property
    def _mailto_reply(self) -> str:
        """Return the way to leave by mail where nothing reads what comes back but the editors."""
        if self._newsletter.base_url or not self._newsletter.reply_to:
            return ""
        return f"{self._mail.editors}?subject=stop"
