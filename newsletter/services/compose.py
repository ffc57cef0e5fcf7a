"""Composing: a delivery of an issue becomes the message that goes over the wire.

Joins what ``render`` and ``mail`` make: cards are rendered and encoded once per issue, and a message is a join of them
and the few pieces that are its reader's own. What is kept does not grow with the number of readers. Not here: what a
reader gets (``due``) and sending it (``deliver``).
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property, lru_cache
from itertools import islice
from operator import attrgetter
from types import MappingProxyType

from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlmodel import Session

from newsletter.domain.calendar import local_date, next_due, next_issue
from newsletter.domain.digest import WEEK, Digest, Pick, Why, outside
from newsletter.domain.issue import Correction
from newsletter.domain.ranking import Candidate
from newsletter.domain.subscriber import Preferences, zone_info
from newsletter.errors import ConfigurationError, UsageError
from newsletter.mail.message import (
    SharedHead,
    body_pieces,
    headers_between,
    leaving,
    needs_smtputf8,
    own_headers,
    shared_headers,
)
from newsletter.mail.quoted_printable import quoted_printable
from newsletter.mail.tokens import Purpose
from newsletter.render.digest import IssueRenderer, Masthead
from newsletter.render.foot import NEXT_HTML, NEXT_TEXT, TOKEN, TOKEN_MARK, WHY_HTML, WHY_TEXT, Reader
from newsletter.render.formats import day as named_day
from newsletter.render.formats import long_date
from newsletter.render.lines import MOST
from newsletter.services.correspondence import Correspondence
from newsletter.services.edit import Shown
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import corrections, papers
from newsletter.storage.moves import Claimed, Picks

_ANY_TOKEN = 48 * "a"
_TOKEN_END = quoted_printable(_ANY_TOKEN).removeprefix(_ANY_TOKEN.encode())  # encoded, a token ends its line
_HEADERS = b"\xffheaders"
_OWN = {mark: at for at, mark in enumerate((_HEADERS, TOKEN_MARK, WHY_HTML, WHY_TEXT, NEXT_HTML, NEXT_TEXT))}


@dataclass(slots=True, kw_only=True)  # not frozen: freezing takes time
class Message:
    """One message for one envelope."""

    sender: str  # of the envelope
    recipient: str
    content: bytes
    smtputf8: bool


class Composer:
    """Composes the messages of one issue, sealed or, for a preview, as it would be now.

    ``known`` are corrections, by id, that are not to be loaded.
    """

    def __init__(
        self,
        correspondence: Correspondence,
        environment: ImmutableSandboxedEnvironment,
        shown: Shown,
        known: Mapping[int, Correction] = MappingProxyType({}),
    ) -> None:
        self._mail = correspondence
        self._newsletter = correspondence.settings.newsletter
        self._issue = shown.issue
        self._candidates = {c.paper.id: c for c in (*shown.arranged.pool, *shown.arranged.front)}
        imprint = asdict(self._mail.imprint)
        if imprint["archive_url"]:
            imprint["view_url"] = f"{imprint['archive_url']}/{shown.issue.date}"
        masthead = Masthead(
            **imprint,
            date=shown.issue.date,
            pool_size=len(shown.arranged.pool),
            note=shown.issue.note,
            subject=shown.issue.subject,
        )
        self._renderer = IssueRenderer(environment, masthead, shown.hand.notes, quoted_printable)
        self._pool = shown.arranged.pool
        self._named = lru_cache(maxsize=256)(self._named_anew)
        self._corrections = dict(known)
        self._pick = lru_cache(maxsize=8192)(self._pick_anew)
        self._headers = lru_cache(maxsize=2)(self._headers_anew)
        self._edition = lru_cache(maxsize=8192)(self._edition_anew)  # a list of shared pieces each
        self._why_mail = lru_cache(maxsize=4096)(self._why_mail_anew)  # of each day one
        self._next_digest = lru_cache(maxsize=1024)(self._next_digest_anew)

    def prepare(self, session: Session, deliveries: Collection[Claimed]) -> None:
        """Load the picks that are not in the issue's own pool, of longer windows and joined since, and corrections."""
        picked = {pick[0] for picks in {one.picks for one in deliveries} for pick in picks}
        if loaded := papers.load(session, picked - self._candidates.keys()):
            self._edition.cache_clear()
            self._pick.cache_clear()
        for paper_id, paper in loaded.items():
            known = self._candidates.get(paper.id)
            fresh = Candidate(paper=paper, listings=papers.latest_listings(session, paper.id), first_listed=date.max)
            self._candidates[paper_id] = known or fresh
        told = {correction for one in deliveries for correction in one.corrections}
        self._corrections |= corrections.load(session, told - self._corrections.keys())

    def message(self, claimed: Claimed) -> Message:
        """Return the message of a delivery: the same one for every repeat."""
        mail, made_at = self._mail, claimed.made_at
        smtputf8 = needs_smtputf8(claimed.email)
        edition, places = self._edition(
            claimed.picks,
            claimed.unlisted,
            claimed.corrections,
            claimed.since,
            self._is_the_rhythm(claimed),
            claimed.format,
            smtputf8,
        )
        zone = claimed.zone or self._newsletter.time_zone
        own = (
            own_headers(claimed.email, claimed.message_id, made_at, smtputf8=smtputf8),
            mail.signer.token(Purpose.UNSUBSCRIBE, subscriber=claimed.subscriber_id).encode(),
            *self._why_mail(local_date(claimed.created_at, zone_info(zone))),
            *self._next_digest(claimed.frequency, claimed.hour, zone, max(made_at, self._next_issue_at), claimed.day),
        )
        pieces = edition.copy()
        for at, which in places:
            pieces[at] = own[which]
        # Signed as of the digest's own date, so that a repeat is the same to the last byte.
        content = mail.signed(b"".join(pieces), made_at)
        sender = mail.return_path(claimed.subscriber_id, claimed.id)
        return Message(sender=sender, recipient=claimed.email, content=content, smtputf8=smtputf8)

    def _edition_anew(
        self,
        stored: Picks,
        unlisted: str,
        corrections: tuple[int, ...],
        since: date | None,
        weekly: bool,
        wanted: str | None,
        smtputf8: bool,
    ) -> tuple[list[bytes], list[tuple[int, int]]]:
        """Return the message that all readers with the same picks get alike, in pieces, most of them shared.

        With it come the places of each one's own pieces, and which of ``_OWN`` goes there.
        """
        found: dict[int, tuple[Pick, str]] = {}  # by today's id: two picks may have become one paper since
        for one in filter(None, map(self._pick, stored)):
            found.setdefault(one[0].candidate.paper.id, one)
        picks, keys = tuple(pick for pick, _ in found.values()), [key for _, key in found.values()]
        told = tuple(self._corrections[one] for one in corrections)
        named = self._named(unlisted)
        also = tuple(islice((one for paper_id, one in named.items() if paper_id not in found), MOST))
        more = len(named) - len(named.keys() & found.keys()) - len(also)
        digest = Digest(picks=picks, since=since, missed=not weekly, also=also, more=more)
        edition = self._renderer.edition(digest, self._feet, told)
        text, html = edition.text if wanted != "html" else None, edition.html if wanted != "text" else None
        headers = headers_between(self._headers(smtputf8), edition.subject, keys)
        pieces = [_HEADERS, *self._leaving, *headers, *body_pieces(text=text, html=html)]
        return pieces, [(at, _OWN[piece]) for at, piece in enumerate(pieces) if piece in _OWN]

    def _named_anew(self, unlisted: str) -> dict[int, Candidate]:
        """Return what is named where it has no card: of today, then of the days before, in the newsletter's order."""
        newest_first = sorted(outside(self._pool, unlisted), key=attrgetter("first_listed"), reverse=True)
        return {candidate.paper.id: candidate for candidate in newest_first}

    @cached_property
    def _leaving(self) -> list[bytes]:
        """Return the headers by which to leave, with a mark at each place of the token."""
        mail = self._mail
        url, mailto = mail.unsubscribe_url(_ANY_TOKEN), mail.unsubscribe_mailto(_ANY_TOKEN)
        try:
            first, *rest = leaving(url, mailto or self._mailto_reply).encode().split(_ANY_TOKEN.encode())
        except UsageError as error:  # concerns every reader
            raise ConfigurationError(f"no digest can be made: {error}") from error
        return [first, *(piece for part in rest for piece in (TOKEN_MARK, part))]

    @cached_property
    def _feet(self) -> tuple[list[bytes], list[bytes]]:
        """Return the foot as HTML and as text, with marks at the places of what is the reader's own."""
        reader = Reader(
            why_mail="why",
            next_due="next",
            unsubscribe_url=self._mail.unsubscribe_url(TOKEN),
            unsubscribe_mailto=self._mail.unsubscribe_mailto(TOKEN),
            reply_to=self._mail.reply_to,
        )
        html, text = self._renderer.foot.pieces(reader)
        return _with_token_ended(html), _with_token_ended(text)

    def _pick_anew(self, stored: tuple[int, str, str]) -> tuple[Pick, str] | None:
        """Return a pick and the key that X-Papers gives its paper, None for one that is not known any more."""
        paper_id, why, detail = stored
        candidate = self._candidates.get(paper_id)
        return (Pick(candidate, Why(why), detail), candidate.paper.key) if candidate else None

    def _headers_anew(self, smtputf8: bool) -> tuple[bytes, bytes]:
        mail = self._mail
        head = SharedHead(
            sender=mail.sender,
            reply_to=self._newsletter.reply_to,
            list_id=mail.list_id,
            archive_url=mail.archive_url,
            help=self._newsletter.base_url or f"{mail.editors}?subject=help",
            owner=mail.editors,
            feedback_id=f"{self._issue.date:%Y%m%d}:digest:{mail.list_label}",
        )
        try:
            return shared_headers(head, smtputf8=smtputf8)
        except UsageError as error:  # concerns every reader
            raise ConfigurationError(f"no digest can be made: {error}") from error

    def _why_mail_anew(self, day: date) -> tuple[bytes, bytes]:
        """Return what the foot says, as HTML and as text, to all who subscribed on the same day."""
        since = f"{named_day(day)} {day.year}"
        return self._renderer.foot.sentence(
            f"You get this because you are subscribed to {self._newsletter.name} since {since}."
        )

    def _next_digest_anew(
        self, frequency: str | None, hour: time | None, zone: str, after: datetime, last: date
    ) -> tuple[bytes, bytes]:
        """Return when the reader's digest after this one is due: not before there is another issue to send.

        Not what their subscription holds: where this digest came early, that is the instant it stands for.
        """
        chosen = rhythm_of(Preferences(frequency=frequency, hour=hour, zone=zone), self._newsletter)
        if not chosen.has_digests:
            daily = f"Your alerts are looked at every day at {chosen.hour:%H:%M} ({zone})"
            return self._renderer.foot.sentence(f"{daily}; a mail comes when one finds something.")
        following = next_due(chosen, after, last).at.astimezone(chosen.zone)
        return self._renderer.foot.sentence(f"Next digest: {long_date(following)}, {following:%H:%M} ({zone}).")

    def _is_the_rhythm(self, claimed: Claimed) -> bool:
        """Return whether a weekly reader's days without mail are no more than a week's."""
        since = claimed.since
        if since is None or not claimed.frequency or not claimed.frequency.startswith("weekly"):
            return False
        return self._issue.date - since <= WEEK

    @cached_property
    def _next_issue_at(self) -> datetime:
        """Return just before there is another issue."""
        newsletter = self._newsletter
        at = next_issue(self._issue.date, newsletter.days, newsletter.send_at, newsletter.zone)
        return at - timedelta(seconds=1)

    @cached_property
    def _mailto_reply(self) -> str:
        """Return the way to leave by mail where nothing reads what comes back but the editors."""
        if self._newsletter.base_url or not self._newsletter.reply_to:
            return ""
        return f"{self._mail.editors}?subject=stop"


def _with_token_ended(pieces: list[bytes]) -> list[bytes]:
    return [one for piece in pieces for one in ((piece, _TOKEN_END) if piece == TOKEN_MARK else (piece,))]
