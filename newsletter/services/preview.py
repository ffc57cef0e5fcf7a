"""Looking before sending: the message that a reader would get of an issue, and what it leaves out.

Nothing is stored. A reader who already has the delivery of the issue is shown exactly what that carries; for anybody
else it is chosen now, by the same code that makes the rows. Not here: showing it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

from sqlmodel import Session

from newsletter.domain.calendar import local_date
from newsletter.domain.delivery import Delivery, Status
from newsletter.domain.digest import Digest, LeftOut, WhyNot
from newsletter.domain.issue import Issue
from newsletter.domain.issue import Status as Editing
from newsletter.domain.pool import Pool
from newsletter.domain.subscriber import Preferences, Subscriber
from newsletter.errors import NotFoundError
from newsletter.mail.message import message_id
from newsletter.render.formats import day as named_day
from newsletter.render.typesetting import Rendered
from newsletter.services import edit, subscribe
from newsletter.services.chooser import Chooser
from newsletter.services.compose import Composer
from newsletter.services.dispatch import Dispatch
from newsletter.services.edit import Shown
from newsletter.services.notify import send_one
from newsletter.services.proofs import Proof, proof
from newsletter.services.records import PickedPaper, papers_of
from newsletter.storage import corrections, deliveries, issues, subscribers
from newsletter.storage.turns import Claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One reader's digest of one issue. ``had`` is whether its delivery exists; without papers see ``reason``."""

    issue: Issue
    email: str
    had: bool
    papers: list[PickedPaper]
    left_out: list[PickedPaper]
    claimed: Claimed | None  # None where no mail would be sent
    composer: Composer
    reason: str = ""

    def content(self, kind: str) -> bytes:
        """Return the mail as ``html``, ``text``, or the whole message as ``eml``. Raises NotFoundError."""
        if self.claimed is None:
            raise NotFoundError(
                f"{self.email} would get no mail of the issue of {self.issue.date}: {self.reason}; "
                "'newsletter subscribers preview' shows what was left out"
            )
        if kind == "eml":
            return self.composer.message(self.claimed).content
        # A part is shown also to whom it would not be sent.
        whole = self.composer.message(self.claimed._replace(format="both")).content
        part = message_from_bytes(whole, policy=policy.default).get_body(("plain" if kind == "text" else "html",))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n").encode()

    @property
    def document(self) -> dict[str, Any]:
        """Return the preview as JSON gives it, its content aside."""
        return {
            "email": self.email,
            "date": self.issue.date,
            "status": self.issue.status,
            "had": self.had,
            "reason": self.reason,
            "papers": [paper.document for paper in self.papers],
            "left_out": [paper.document for paper in self.left_out],
        }


def preview(dispatch: Dispatch, day: date, email: str | None, now: datetime) -> Preview:
    """Return what *email* gets of the issue of *day*, draft or sealed; without *email*, who has no preferences.

    Raises NotFoundError for no such subscriber, and for a date without an issue and without papers for one.
    """
    subscriber = subscribe.find(dispatch.database, email) if email else None
    with dispatch.database.read() as session:
        shown = edit.show(session, dispatch.policy, day)
        if shown.issue.status not in {Editing.DRAFT, Editing.SEALED}:
            raise NotFoundError(f"no issue of {day}: {shown.issue.reason}")
        return _Previewer(session, dispatch, shown, now).of(subscriber)


def proof_of(dispatch: Dispatch, day: date, email: str | None, now: datetime) -> Proof:
    """Return the mail of ``preview``, or why there is none. Raises NotFoundError for no such subscriber."""
    if email:
        subscribe.find(dispatch.database, email)
    title = f"The issue of {named_day(day)}"
    try:
        return proof("issue", title, lambda: preview(dispatch, day, email, now).content("eml"))
    except NotFoundError as error:
        return Proof(name="issue", title=title, error=str(error))


@dataclass(frozen=True, slots=True)
class Sent:
    """A test that was taken, and how to recognise it."""

    subject: str
    message_id: str


async def send_test(dispatch: Dispatch, found: Preview, to: str, now: datetime) -> Sent:
    """Mail *found* to the address *to*, marked as a test. Its links act for nobody.

    Raises NotFoundError where there is no mail, SmtpTrouble when it is not taken.
    """
    nobodys = replace(found, claimed=found.claimed and found.claimed._replace(id=0, subscriber_id=0))
    text, html = nobodys.content("text").decode(), nobodys.content("html").decode()
    whole = message_from_bytes(nobodys.content("eml"), policy=policy.default)
    subject = f"[Test] {whole['Subject']}"
    only_text = whole.get_content_type() == "text/plain"
    rendered = Rendered(subject=subject, html="" if only_text else html, text=text)
    return Sent(subject, await send_one(dispatch, to, rendered, now))


def newest_day(dispatch: Dispatch, now: datetime) -> date:
    """Return the date of today's issue or draft, or else of the newest sealed issue. Raises NotFoundError."""
    today = local_date(now, dispatch.settings.newsletter.zone)
    with dispatch.database.read() as session:
        try:
            shown = edit.show(session, dispatch.policy, today)
        except NotFoundError:
            shown = None
        if shown and shown.issue.status in {Editing.DRAFT, Editing.SEALED}:
            return today
        newest = issues.newest_sealed(session)
    if newest is None:
        raise NotFoundError(
            "no issue was sealed yet, and no papers are there for one; 'newsletter gather' fetches some"
        )
    return newest.date


@dataclass(frozen=True)
class _Previewer:
    session: Session
    dispatch: Dispatch
    shown: Shown
    now: datetime

    def of(self, reader: Subscriber | None) -> Preview:
        issue = self.shown.issue
        stored = deliveries.of_issue(self.session, reader.id, issue.id) if reader else None
        digest, left_out = self._digest(reader, stored)
        delivery = stored or self._delivery(reader, digest)
        composer = self.dispatch.composer(self.session, issue.date)
        claimed = self._claimed(reader, delivery)
        composer.prepare(self.session, [claimed])
        reason = self._reason(delivery)
        shown = {i for i, _, _ in delivery.picks}
        return Preview(
            issue=issue,
            email=reader.email if reader else "a reader without preferences",
            had=stored is not None,
            papers=papers_of(self.session, delivery),
            left_out=_left_out([out for out in left_out if out.candidate.paper.id not in shown]),
            claimed=None if reason else claimed,
            composer=composer,
            reason=reason,
        )

    def _digest(self, reader: Subscriber | None, stored: Delivery | None) -> tuple[Digest, list[LeftOut]]:
        chooser = Chooser(self.session, self.dispatch.settings.newsletter, self.dispatch.policy, self.shown)
        if reader is None:
            return chooser.for_reader(self.session, 0, Preferences(), None, self.now)
        last = subscribers.history(self.session, reader.id).last_accepted_on
        if stored:  # the last accepted one may be this very issue, or a later one
            last = stored.since - timedelta(days=1) if stored.since else self.shown.issue.date
        return chooser.for_reader(self.session, reader.id, reader.preferences, last, self.now)

    def _delivery(self, reader: Subscriber | None, digest: Digest) -> Delivery:
        """Return a delivery as it would be made now, but for its id."""
        sender = self.dispatch.settings.newsletter.sender_address
        return Delivery(
            id=0,
            subscriber_id=reader.id if reader else 0,
            issue_id=self.shown.issue.id,
            day=self.shown.issue.date,
            status=Status.READY,
            message_id=message_id(0, sender.rpartition("@")[2]),
            made_at=self.now,
            next_attempt_at=self.now,
            expires_at=self.now,
            since=digest.since,
            picks=tuple(pick.stored for pick in digest.picks),
            unlisted=Pool(self.shown.arranged.pool, (), ()).places(digest.barred),
            corrections=corrections.owed(self.session, [reader.id]).get(reader.id, ()) if reader else (),
        )

    def _reason(self, delivery: Delivery) -> str:
        """Return why no mail is sent, '' if one is."""
        if delivery.status is Status.SKIPPED:
            return delivery.reply
        if delivery.picks or (self.shown.issue.status is Editing.SEALED and not self.shown.arranged.front):
            return ""
        return "nothing new for this reader" if self.shown.arranged.front else "it has no papers"

    def _claimed(self, reader: Subscriber | None, delivery: Delivery) -> Claimed:
        chosen = reader.preferences if reader else Preferences()
        return Claimed(
            id=delivery.id,
            subscriber_id=delivery.subscriber_id,
            issue_id=delivery.issue_id,
            day=delivery.day,
            message_id=delivery.message_id,
            made_at=delivery.made_at,
            since=delivery.since,
            picks=delivery.picks,
            email=reader.email if reader else self.dispatch.settings.newsletter.sender_address,
            format=chosen.format,
            created_at=reader.created_at if reader else self.now,
            frequency=chosen.frequency,
            hour=chosen.hour,
            zone=chosen.zone,
            language=chosen.language,
            unlisted=delivery.unlisted,
            corrections=delivery.corrections,
        )


def _left_out(found: Sequence[LeftOut]) -> list[PickedPaper]:
    return [
        PickedPaper(key=out.candidate.paper.key, title=out.candidate.paper.title, why=_why_not(out)) for out in found
    ]


def _why_not(out: LeftOut) -> str:
    return _WHY_NOT[out.why].format(out.detail)


_WHY_NOT = {
    WhyNot.SENT: "sent before",
    WhyNot.EXCLUDED: "excluded by {}",
    WhyNot.VOTES: "only {} upvotes",
    WhyNot.TWIN: "the same work under another title",
    WhyNot.VARIETY: "enough of {}",
    WhyNot.ROOM: "no room",
    WhyNot.TOPIC: "matches no topic, and only those are wanted",
}
