"""Composing: a delivery of an issue becomes the message that goes over the wire.

Joins what ``render`` and ``mail`` make: cards are rendered and encoded once per issue, and a message is a join of them
and the few pieces that are its reader's own. What is kept does not grow with the number of readers. Not here: what a
reader gets (``due``) and sending it (``deliver``).
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import cached_property, lru_cache
from operator import attrgetter
from types import MappingProxyType

from sqlmodel import Session

from newsletter.domain.calendar import local_date, next_issue
from newsletter.domain.digest import WEEK, Digest, Named
from newsletter.domain.issue import Correction
from newsletter.domain.pool import Pick, Why, outside
from newsletter.domain.ranking import Candidate
from newsletter.domain.subscriber import zone_info
from newsletter.errors import ConfigurationError, UsageError
from newsletter.mail.message import (
    Kind,
    SharedHead,
    around_parts,
    headers_between,
    leaving,
    needs_smtputf8,
    own_headers,
    shared_headers,
    without_blanks,
)
from newsletter.mail.quoted_printable import SOFT_BREAK, ended
from newsletter.render.digest import Masthead
from newsletter.render.environment import Templates
from newsletter.render.foot import ANY_TOKEN, HTML, LINK, LINK_MARK, TEXT
from newsletter.render.languages import Languages
from newsletter.services.correspondence import Correspondence
from newsletter.services.edit import Shown
from newsletter.services.voice import Voice
from newsletter.storage import corrections, papers
from newsletter.storage.picks import Picks
from newsletter.storage.turns import Claimed

_PARTS: dict[str | None, tuple[int, ...]] = {  # by what a reader wants
    None: (TEXT, HTML),
    "both": (TEXT, HTML),
    "text": (TEXT,),
    "html": (HTML,),
}
_KINDS: dict[int, Kind] = {TEXT: "plain", HTML: "html"}
_AROUND = {wanted: around_parts(*map(_KINDS.__getitem__, parts)) for wanted, parts in _PARTS.items()}


@dataclass(slots=True, kw_only=True)  # not frozen: freezing takes time
class Message:
    """One message for one envelope."""

    sender: str  # of the envelope
    recipient: str
    content: bytes
    smtputf8: bool


@contextmanager
def _concerning_all() -> Iterator[None]:
    """Raise what is wrong with any reader's headers alike as the configuration's fault."""
    try:
        yield
    except UsageError as error:
        raise ConfigurationError(f"no digest can be made: {error}") from error


class Composer:
    """Composes the messages of one issue, sealed or, for a preview, as it would be now.

    ``known`` are corrections, by id, that are not to be loaded.
    """

    def __init__(
        self,
        correspondence: Correspondence,
        languages: Languages,
        shown: Shown,
        known: Mapping[int, Correction] = MappingProxyType({}),
    ) -> None:
        self._mail = correspondence
        self._newsletter = correspondence.settings.newsletter
        self._issue = shown.issue
        self._candidates = {c.paper.id: c for c in (*shown.arranged.pool, *shown.arranged.front)}
        self._languages = languages
        self._notes = shown.hand.notes
        self._pool = shown.arranged.pool
        self._named = lru_cache(maxsize=256)(self._named_anew)
        self._corrections = dict(known)
        self._key = lru_cache(maxsize=8192)(lambda paper: without_blanks(paper.key))
        self._pick = lru_cache(maxsize=8192)(self._pick_anew)
        self._headers = lru_cache(maxsize=2)(self._headers_anew)
        self._edition = lru_cache(maxsize=2048)(self._edition_anew)  # lists of shared pieces, some 14 KB each
        self._voices: dict[str, Voice] = {}  # by the tags of languages
        self._voice = lru_cache(maxsize=1024)(self._voice_of)  # by what readers call them

    def _voice_of(self, language: str | None) -> Voice:
        """Return the issue in the language of a reader who prefers *language*, None for the newsletter's."""
        templates = self._languages.templates(language)
        tag = templates.language.tag
        if tag not in self._voices:
            self._voices[tag] = Voice(self._mail, templates, self._masthead(templates), self._notes)
        return self._voices[tag]

    def _masthead(self, templates: Templates) -> Masthead:
        imprint = self._mail.imprint_in(templates.language.tag, self._languages.default)
        view_url = f"{imprint.archive_url}/{self._issue.date}" if imprint.archive_url else ""
        return Masthead(
            **asdict(imprint) | {"view_url": view_url, "react_url": self._mail.page_url("react", LINK)},
            date=self._issue.date,
            pool_size=len(self._pool),
            note=self._issue.note,
            subject=self._issue.subject,
        )

    def prepare(self, session: Session, deliveries: Collection[Claimed]) -> None:
        """Load the picks that are not in the issue's own pool, of longer windows and joined since, and corrections."""
        different = {id(one.picks): one.picks for one in deliveries}.values()  # most are shared, and long to compare
        picked = {pick[0] for picks in different for pick in picks}
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
        voice = self._voice(claimed.language)
        edition = self._edition(
            voice,
            claimed.picks,
            claimed.unlisted,
            claimed.corrections,
            claimed.since,
            self._is_the_rhythm(claimed),
            claimed.format,
            smtputf8,
        )
        leave, links, reply_to, sender = mail.own(claimed.subscriber_id, claimed.id, made_at)
        token, link_token = leave.encode(), links.encode()
        own = own_headers(claimed.email, claimed.message_id, made_at, smtputf8=smtputf8)
        pieces = [own, reply_to.encode(), token.join(self._leaving)]
        why, following = self._sentences(claimed, voice)
        said = {"token": token + SOFT_BREAK, "link_token": link_token + SOFT_BREAK}  # encoded, a token ends its line
        for part, before in zip(_PARTS[claimed.format], edition, strict=False):
            said["why_mail"], said["next_due"] = why[part], following[part]
            pieces += before
            pieces.append(voice.feet[part].fill(said))
        pieces += edition[-1]
        # Signed as of the digest's own date, so that a repeat is the same to the last byte.
        content = mail.signed(b"".join(pieces).replace(LINK_MARK, link_token), made_at)
        return Message(sender=sender, recipient=claimed.email, content=content, smtputf8=smtputf8)

    def _sentences(self, claimed: Claimed, voice: Voice) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]]:
        """Return why this mail came and when the next one does, each as HTML and as text."""
        zone = claimed.zone or self._newsletter.time_zone
        why = voice.why_mail(local_date(claimed.created_at, zone_info(zone)))
        after = max(claimed.made_at, self._next_issue_at)
        return why, voice.next_digest(claimed.frequency, claimed.hour, zone, after, claimed.day)

    def _edition_anew(
        self,
        voice: Voice,
        stored: Picks,
        unlisted: str,
        corrections: tuple[int, ...],
        since: date | None,
        weekly: bool,
        wanted: str | None,
        smtputf8: bool,
    ) -> list[list[bytes]]:
        """Return the message that all readers with the same picks get alike, in pieces, most of them shared.

        These are the pieces before each foot, which are parted by those, and the pieces behind the last.
        """
        found: dict[int, Pick] = {}  # by today's id: two picks may have become one paper since
        keys: list[str] = []
        for paper_id, pick, key in filter(None, map(self._pick, stored)):
            if paper_id not in found:
                found[paper_id] = pick
                keys.append(key)
        told = tuple(map(self._corrections.__getitem__, corrections))
        digest = Digest(picks=tuple(found.values()), since=since, missed=not weekly, named=self._named(unlisted))
        edition = voice.renderer.edition(digest, voice.foot_size, told, only_text=wanted == "text")
        runs, run = [], headers_between(self._headers(smtputf8), edition.subject, keys)
        *starts, end = _AROUND[wanted]
        for part, start in zip(_PARTS[wanted], starts, strict=True):
            before, behind = edition.parts[part]
            runs.append([*run, start, *before])
            run = [*behind, ended(behind[-1])]
        return [*runs, [*run, end]]

    def _named_anew(self, unlisted: str) -> Named:
        """Return what is named where it has no card: of today, then of the days before, in the newsletter's order."""
        return Named(tuple(sorted(outside(self._pool, unlisted), key=attrgetter("first_listed"), reverse=True)))

    @cached_property
    def _leaving(self) -> list[bytes]:
        """Return the headers by which a reader can leave, parted where their token goes."""
        mail = self._mail
        url, mailto = mail.unsubscribe_url(ANY_TOKEN), mail.unsubscribe_mailto(ANY_TOKEN)
        with _concerning_all():
            return leaving(url, mailto or self._mailto_reply).encode().split(ANY_TOKEN.encode())

    def _pick_anew(self, stored: tuple[int, str, str]) -> tuple[int, Pick, str] | None:
        """Return a pick, its paper's id of today and its key for X-Papers, None for one that is not known any more."""
        paper_id, why, detail = stored
        candidate = self._candidates.get(paper_id)
        if candidate is None:
            return None
        return candidate.paper.id, Pick(candidate, Why(why), detail), self._key(candidate.paper)

    def _headers_anew(self, smtputf8: bool) -> tuple[bytes, bytes]:
        mail = self._mail
        head = SharedHead(
            sender=mail.sender,
            reply_to="" if mail.settings.bounces.takes_commands else self._newsletter.reply_to,
            list_id=mail.list_id,
            archive_url=mail.archive_url,
            help=self._newsletter.base_url or f"{mail.editors}?subject=help",
            owner=mail.editors,
            feedback_id=f"{self._issue.date:%Y%m%d}:digest:{mail.list_label}",
        )
        with _concerning_all():
            return shared_headers(head, smtputf8=smtputf8)

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
