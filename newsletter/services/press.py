"""The making of every kind of mail on invented data, by what makes the real ones and with the newsletter's own look.

Nothing is stored and nothing sent. Every method raises ConfigurationError for what does not work. Not here: the
invented data (``specimens``), and what is said of a mail that cannot be made (``proofs``).
"""

from datetime import datetime, time, timedelta
from typing import Any

from newsletter.domain.calendar import local_date
from newsletter.domain.issue import Correction
from newsletter.domain.pool import Why
from newsletter.mail.message import message_id
from newsletter.mail.tokens import Purpose
from newsletter.render import letters, notices
from newsletter.render.foot import Reader
from newsletter.render.language import ENGLISH
from newsletter.render.typesetting import Rendered
from newsletter.services import specimens
from newsletter.services.commanded import known
from newsletter.services.compose import Composer
from newsletter.services.confirm import VALID_FOR
from newsletter.services.dispatch import Dispatch
from newsletter.services.edit import Shown
from newsletter.services.greet import why_welcome
from newsletter.services.notify import single_message
from newsletter.storage.picks import Picks
from newsletter.storage.turns import Claimed

READER = "reader@example.org"
_NOTE = "No issue on Monday: we are away.\n\nThe talk of Friday is recorded."
_TOPICS = ("summaries", "author:Farid Haddad")
_MOST = 100  # papers
_FAR = "Pacific/Auckland"


class Press:
    """Makes each kind of mail, for an invented reader who prefers *language*."""

    def __init__(self, dispatch: Dispatch, now: datetime, language: str | None = None) -> None:
        self._dispatch, self._now, self._language = dispatch, now, language
        self._look = dispatch.look(language)
        self._day = local_date(now, dispatch.settings.newsletter.zone)
        self._noted = specimens.issue(self._day, note=_NOTE)
        self._titled = specimens.issue(self._day, subject="Read it back, and thirteen more")
        self._corrections = {
            number: Correction(id=number, issue_date=self._day - timedelta(days=number), text=text, made_at=now)
            for number, text in enumerate(("The code is not public yet.", "Ada Okafor is at another university."), 1)
        }

    def digest(self) -> bytes:
        """Return what a reader without preferences gets, with notes of the editor."""
        return self._message(self._noted, specimens.picks(self._noted))

    def topics(self) -> bytes:
        """Return what a reader gets who follows topics, in a zone of their own."""
        return self._message(self._noted, specimens.picks(self._noted, *_TOPICS), zone=_FAR, hour=time(18, 30))

    def subject(self) -> bytes:
        """Return an issue to which the editor gave a subject, and no note."""
        return self._message(self._titled, specimens.picks(self._titled))

    def one(self) -> bytes:
        """Return a digest of the one paper of which only the title is known."""
        bare = min(specimens.picks(self._titled), key=lambda pick: pick[0] != specimens.BARE)
        return self._message(self._titled, (bare,))

    def long(self) -> bytes:
        """Return a digest of as many papers as a reader can ask for, and of more that have no card."""
        shown = specimens.issue(self._day, papers=_MOST + 60, front=_MOST)
        return self._message(shown, specimens.picks(shown))

    def weekly(self) -> bytes:
        """Return what a weekly reader gets."""
        since = self._day - timedelta(days=6)
        return self._message(self._noted, specimens.picks(self._noted), since=since, frequency="weekly:mon")

    def missed(self) -> bytes:
        """Return what a reader gets whom no mail could reach for some days."""
        return self._message(self._noted, specimens.picks(self._noted), since=self._day - timedelta(days=3))

    def corrected(self) -> bytes:
        """Return what begins with corrections of two earlier issues."""
        return self._message(self._titled, specimens.picks(self._titled), corrections=tuple(self._corrections))

    def alert(self) -> bytes:
        """Return what an alert found, for a reader who wants no digest."""
        picks = tuple((i, Why.ALERT.value, "summaries") for i, _, _ in specimens.picks(self._noted)[:2])
        return self._message(self._noted, picks, frequency="alerts")

    def quiet(self) -> bytes:
        """Return the mail that says that nothing matched, with the papers that come closest."""
        picks = tuple((i, Why.NEAREST.value, _TOPICS[0]) for i, _, _ in specimens.picks(self._noted)[:3])
        return self._message(self._noted, picks, since=self._day - timedelta(days=7))

    def nothing(self) -> bytes:
        """Return the mail without papers, of an issue that has some."""
        return self._message(self._titled, ())

    def empty(self) -> bytes:
        """Return the mail of a day without any."""
        return self._message(specimens.issue(self._day, papers=0), ())

    def confirmation(self) -> bytes:
        """Return the mail that asks whether an address wants the newsletter."""
        return self._single(notices.confirmation(*self._look, link=self._link, valid_for=VALID_FOR))

    def welcome(self) -> bytes:
        """Return what greets a reader without preferences, before there is an issue."""
        return self._welcome(notices.Subscription(frequency="daily", first=self._first, max_papers=10))

    def welcome_with_topics(self) -> bytes:
        """Return what greets a weekly reader with topics."""
        newest = f"{self._dispatch.mail.archive_url or 'https://papers.example/archive'}/{self._day}"
        chosen = notices.Subscription(
            frequency="weekly:fri",
            first=self._first,
            at_once=True,
            max_papers=1,
            topics=_TOPICS,
            only_topics=True,
            newest=newest,
        )
        return self._welcome(chosen)

    def welcome_with_alerts(self) -> bytes:
        """Return what greets a reader who wants no digest."""
        return self._welcome(notices.Subscription(frequency="alerts", first=self._first, max_papers=10))

    def goodbye(self) -> bytes:
        """Return the mail that says to who left that it is done."""
        return self._single(notices.goodbye(*self._look, link=self._link, valid_for=VALID_FOR))

    def answer(self) -> bytes:
        """Return the answer to a reader who wrote, with what was done and with the list of commands."""
        templates, imprint = self._look
        done = [templates.language.gettext("Your mails come again.")]
        return self._single(notices.answer(templates, imprint, done=done, commands=known(templates.language)))

    def letter(self) -> bytes:
        """Return what who is subscribed and asks for it again is told, as all mails with one link are."""
        templates, imprint = self._look
        said = letters.reminder(templates.language, imprint.name, self._link)
        return self._single(letters.letter(templates, imprint, said))

    def operator(self) -> bytes:
        """Return what the operator is told of a problem."""
        details = ["source arxiv: did not answer within 45 s", f"Since {self._now:%Y-%m-%d %H:%M} UTC."]
        rendered = notices.operator_notice(
            self._dispatch.languages.templates_in(ENGLISH),
            self._dispatch.mail.imprint,
            title="Needs you: source arxiv",
            details=details,
            remedy="look whether it answers",
        )
        return self._single(rendered)

    def draft(self) -> bytes:
        """Return the mail that brings the editor a draft, with its links."""
        papers = [
            notices.DraftPaper(
                title=candidate.paper.title,
                link=candidate.paper.link,
                people=", ".join(candidate.paper.authors[:3]),
                facts=f"{candidate.upvotes or 0} upvotes · specimens",
                why=f"ranked {rank} among papers not in an issue yet",
                note=self._noted.hand.notes.get(candidate.paper.id, ""),
                **dict.fromkeys(("pin", "drop", "write"), self._link),
            )
            for rank, candidate in enumerate(self._noted.arranged.front, 1)
        ]
        found = notices.Draft(
            day=self._day,
            papers=papers,
            pool=len(self._noted.arranged.pool),
            when="It waits for you until 10:00; then it is sealed without you.",
            seal=self._link,
            desk=self._link,
            valid_for="24 hours",
        )
        templates = self._dispatch.languages.templates_in(ENGLISH)
        return self._single(notices.draft(templates, self._dispatch.mail.imprint, found))

    def _welcome(self, subscription: notices.Subscription) -> bytes:
        mail = self._dispatch.mail
        leave = mail.unsubscribe_url(mail.signer.token(Purpose.UNSUBSCRIBE, subscriber=0))
        templates, imprint = self._look
        why = why_welcome(templates.language, imprint.name, self._day)
        choose = mail.page_url("preferences", mail.preferences_token(0, self._now))
        reader = Reader(why_mail=why, unsubscribe_url=leave, reply_to=mail.reply_to, preferences_url=choose)
        return self._single(notices.welcome(templates, imprint, subscription, reader))

    @property
    def _first(self) -> datetime:
        return self._now.astimezone(self._dispatch.settings.newsletter.zone)

    @property
    def _link(self) -> str:
        token = self._dispatch.mail.signer.token(Purpose.CONFIRM, subscriber=0, expires=self._now + VALID_FOR)
        return f"{self._dispatch.settings.newsletter.base_url}/confirm/{token}"

    def _message(self, shown: Shown, picks: Picks, **said: Any) -> bytes:
        blank = Claimed(
            id=0,
            subscriber_id=0,
            issue_id=0,
            day=self._day,
            message_id=message_id(0, self._dispatch.mail.domain),
            made_at=self._now,
            since=None,
            picks=picks,
            email=READER,
            format="both",
            created_at=self._now - timedelta(days=30),
            frequency=None,
            hour=None,
            zone=None,
            language=self._language,
        )
        composer = Composer(self._dispatch.mail, self._dispatch.languages, shown, self._corrections)
        return composer.message(blank._replace(**said)).content

    def _single(self, rendered: Rendered) -> bytes:
        return single_message(self._dispatch, READER, rendered, self._now, 0)
