"""Composing: a delivery of an issue becomes the message that goes over the wire.

Joins what ``render`` and ``mail`` make. Cards are rendered once per issue; nothing is held per reader. Not here: what
a reader gets (``due``) and sending it (``deliver``).
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import formataddr, parseaddr
from functools import cached_property
from urllib.parse import quote

from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.calendar import instant, local_date, next_due
from newsletter.domain.delivery import Delivery
from newsletter.domain.digest import Digest, Pick, Why
from newsletter.domain.ranking import Candidate
from newsletter.domain.subscriber import WEEKDAYS, Preferences, zone_info
from newsletter.mail.message import Head, message_bytes, needs_smtputf8
from newsletter.mail.tokens import Purpose, Signer
from newsletter.render.digest import IssueRenderer, Masthead, Reader, Rendered
from newsletter.render.formats import day as named_day
from newsletter.render.formats import long_date
from newsletter.services.edit import Shown
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import papers
from newsletter.storage.claims import Claimed


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @cached_property
    def list_id(self) -> str:
        """Return the List-Id (RFC 2919): the newsletter's name and a label under the sender's domain."""
        newsletter = self.settings.newsletter
        label = re.sub(r"[^a-z0-9]+", "-", newsletter.name.lower()).strip("-") or "newsletter"
        return f"{newsletter.name} <{label}.{self.domain}>"

    @property
    def domain(self) -> str:
        """Return the domain of the sender."""
        return self.settings.newsletter.sender_address.rpartition("@")[2]

    @property
    def sender(self) -> str:
        """Return the From: the sender as configured, under the newsletter's name where it has none."""
        name, address = parseaddr(self.settings.newsletter.sender)
        return self.settings.newsletter.sender if name else formataddr((self.settings.newsletter.name, address))

    @property
    def reply_to(self) -> str:
        """Return the bare address that reads replies."""
        return parseaddr(self.settings.newsletter.reply_to or self.settings.newsletter.sender)[1]

    @property
    def archive_url(self) -> str:
        """Return where past issues are, '' without pages."""
        base_url = self.settings.newsletter.base_url
        return f"{base_url}/archive" if base_url else ""

    def unsubscribe_url(self, subscriber: int) -> str:
        """Return the link that unsubscribes, '' without pages. Its token never expires."""
        base_url = self.settings.newsletter.base_url
        return (
            f"{base_url}/unsubscribe/{self.signer.token(Purpose.UNSUBSCRIBE, subscriber=subscriber)}"
            if base_url
            else ""
        )

    def unsubscribe_mailto(self, subscriber: int) -> str:
        """Return the mailto URI that unsubscribes, '' without an address for what comes back."""
        signed = self._signed_address(Purpose.UNSUBSCRIBE, subscriber, 0)
        return f"mailto:{quote(signed, safe='@+')}?subject=unsubscribe" if signed else ""

    def return_path(self, subscriber: int, delivery: int) -> str:
        """Return the envelope sender: signed per delivery where bounces are read, else the sender's own address."""
        signed = self._signed_address(Purpose.BOUNCE, subscriber, delivery)
        return signed or self.settings.newsletter.sender_address

    def _signed_address(self, purpose: Purpose, subscriber: int, delivery: int) -> str:
        local, _, domain = parseaddr(self.settings.bounces.address)[1].rpartition("@")
        return (
            f"{local}+{self.signer.token(purpose, subscriber=subscriber, delivery=delivery)}@{domain}" if local else ""
        )


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
        self._renderer = IssueRenderer(environment, masthead, shown.hand.notes)

    def prepare(self, session: Session, deliveries: list[Delivery]) -> None:
        """Load the picks that are not in the issue's own pool: of longer windows, and of papers joined since."""
        picked = {pick[0] for delivery in deliveries for pick in delivery.picks}
        for paper_id, paper in papers.load(session, picked - self._candidates.keys()).items():
            known = self._candidates.get(paper.id)
            fresh = Candidate(paper=paper, listings=papers.latest_listings(session, paper.id), first_listed=date.max)
            self._candidates[paper_id] = known or fresh

    def render(self, digest: Digest, reader: Reader) -> Rendered:
        """Return *digest* as its reader sees it."""
        return self._renderer.digest(digest, reader)

    def message(self, claimed: Claimed) -> Message:
        """Return the message of a delivery: the same one for every repeat."""
        delivery = claimed.delivery
        missed = not self._is_the_rhythm(claimed)
        digest = Digest(picks=tuple(self._picks(delivery)), left_out=(), since=delivery.since, missed=missed)
        reader = self.reader(delivery.subscriber_id, claimed.created_at, self._following(claimed), claimed.zone)
        rendered = self.render(digest, reader)
        head = Head(
            sender=self._mail.sender,
            to=claimed.email,
            subject=rendered.subject,
            message_id=delivery.message_id,
            date=delivery.made_at,
            reply_to=self._newsletter.reply_to,
            list_id=self._mail.list_id,
            unsubscribe_url=reader.unsubscribe_url,
            unsubscribe_mailto=reader.unsubscribe_mailto or self._mailto_reply(),
            archive_url=self._mail.archive_url,
            help=self._newsletter.base_url or f"mailto:{self._mail.reply_to}?subject=help",
            owner=f"mailto:{self._mail.reply_to}",
            feedback_id=f"{self._issue.date:%Y%m%d}:digest:{self._mail.list_id.rpartition('<')[2].partition('.')[0]}",
            papers=tuple(pick.candidate.paper.key for pick in digest.picks),
        )
        smtputf8 = needs_smtputf8(claimed.email)
        wanted = claimed.format or "both"
        content = message_bytes(
            head,
            text=rendered.text if wanted != "html" else None,
            html=rendered.html if wanted != "text" else None,
            smtputf8=smtputf8,
        )
        sender = self._mail.return_path(delivery.subscriber_id, delivery.id)
        return Message(sender=sender, recipient=claimed.email, content=content, smtputf8=smtputf8)

    def reader(
        self, subscriber_id: int, created_at: datetime, next_due_at: datetime | None, zone: str | None
    ) -> Reader:
        """Return what the foot says to one reader."""
        own = zone_info(zone or self._newsletter.time_zone)
        since = local_date(created_at, own)
        following = next_due_at.astimezone(own) if next_due_at else None
        return Reader(
            why_mail=f"You get this because you are subscribed to {self._newsletter.name} since {_dated(since)}.",
            unsubscribe_url=self._mail.unsubscribe_url(subscriber_id),
            unsubscribe_mailto=self._mail.unsubscribe_mailto(subscriber_id),
            reply_to=self._mail.reply_to,
            next_due=f"Next digest: {long_date(following)}, {following:%H:%M} ({own.key})." if following else "",
        )

    def _is_the_rhythm(self, claimed: Claimed) -> bool:
        """Return whether a weekly reader's days without mail are no more than a week's."""
        since, weekly = claimed.delivery.since, (claimed.frequency or "").startswith("weekly")
        return weekly and since is not None and self._issue.date - since <= timedelta(days=7)

    def _following(self, claimed: Claimed) -> datetime:
        """Return when the reader's digest after this one is due: not before there is another issue to send.

        Not what their subscription holds: where this digest came early, that is the instant it stands for.
        """
        chosen = Preferences(frequency=claimed.frequency, hour=claimed.hour, zone=claimed.zone)
        after = max(claimed.delivery.made_at, self._next_issue_at - timedelta(seconds=1))
        return next_due(rhythm_of(chosen, self._newsletter), after, claimed.delivery.day).at

    @cached_property
    def _next_issue_at(self) -> datetime:
        newsletter = self._newsletter
        later = (self._issue.date + timedelta(days=n) for n in range(1, 8))
        day = next((d for d in later if WEEKDAYS[d.weekday()] in newsletter.days), self._issue.date)
        return instant(day, newsletter.send_at, newsletter.zone)

    def _mailto_reply(self) -> str:
        """Return the way to leave by mail where nothing reads what comes back but the editors."""
        if self._newsletter.base_url or not self._newsletter.reply_to:
            return ""
        return f"mailto:{self._mail.reply_to}?subject=stop"

    def _picks(self, delivery: Delivery) -> list[Pick]:
        found: dict[int, Pick] = {}  # by today's id: two picks may have become one paper since
        for i, why, detail in delivery.picks:
            if candidate := self._candidates.get(i):
                found.setdefault(candidate.paper.id, Pick(candidate, Why(why), detail))
        return list(found.values())


def _dated(day: date) -> str:
    return f"{named_day(day)} {day.year}"
