"""One issue in one language: its renderer, and what the foot says, each made once for all to whom it applies."""

from collections.abc import Mapping
from datetime import date, datetime, time
from functools import cached_property, lru_cache

from newsletter.domain.calendar import next_due
from newsletter.domain.subscriber import Preferences
from newsletter.mail.quoted_printable import SOFT_BREAK, quoted_printable
from newsletter.render.digest import IssueRenderer, Masthead
from newsletter.render.environment import Templates
from newsletter.render.foot import ANY_TOKEN, HTML, LINK, TOKEN, Reader
from newsletter.render.slots import Slotted
from newsletter.services.correspondence import Correspondence
from newsletter.services.subscribe import rhythm_of


class Voice:
    """How one issue speaks in the language of *templates*. ``notes`` are the editor's, by paper id."""

    def __init__(
        self, mail: Correspondence, templates: Templates, masthead: Masthead, notes: Mapping[int, str]
    ) -> None:
        self._mail = mail
        self._newsletter = mail.settings.newsletter
        self._language = templates.language
        self.renderer = IssueRenderer(templates, masthead, notes, quoted_printable)
        self.why_mail = lru_cache(maxsize=4096)(self._why_mail)  # of each day one
        self.next_digest = lru_cache(maxsize=1024)(self._next_digest)

    @cached_property
    def feet(self) -> tuple[Slotted, Slotted]:
        """Return the foot as HTML and as text, with slots for what is the reader's own."""
        reader = Reader(
            why_mail="why",
            next_due="next",
            unsubscribe_url=self._mail.unsubscribe_url(TOKEN),
            unsubscribe_mailto=self._mail.unsubscribe_mailto(TOKEN),
            reply_to=self._mail.reply_to,
            preferences_url=self._mail.page_url("preferences", LINK),
        )
        return self.renderer.foot.slotted(reader)

    @cached_property
    def foot_size(self) -> int:
        """Return how many octets the foot takes as HTML, without what it says in sentences to its reader alone."""
        token = ANY_TOKEN.encode() + SOFT_BREAK
        return len(self.feet[HTML].fill({"token": token, "link_token": token, "why_mail": b"", "next_due": b""}))

    def _why_mail(self, day: date) -> tuple[bytes, bytes]:
        """Return what the foot says, as HTML and as text, to all who subscribed on the same day."""
        return self.renderer.foot.sentence(
            self._language.gettext(
                "You get this because you have been subscribed to %(newsletter)s since %(day)s.",
                newsletter=self._newsletter.name,
                day=self._language.dated(day),
            )
        )

    def _next_digest(
        self, frequency: str | None, hour: time | None, zone: str, after: datetime, last: date
    ) -> tuple[bytes, bytes]:
        """Return when the reader's digest is due that comes *after* this one, and after the date *last*.

        Not what their subscription holds: where this digest came early, that is the instant it stands for.
        """
        chosen = rhythm_of(Preferences(frequency=frequency, hour=hour, zone=zone), self._newsletter)
        if not chosen.has_digests:
            alerts = self._language.gettext(
                "Your alerts are looked at every day at %(time)s (%(zone)s); a mail comes when one finds something.",
                time=chosen.hour.strftime("%H:%M"),
                zone=zone,
            )
            return self.renderer.foot.sentence(alerts)
        following = next_due(chosen, after, last).at.astimezone(chosen.zone)
        return self.renderer.foot.sentence(
            self._language.gettext(
                "Next digest: %(date)s, %(time)s (%(zone)s).",
                date=self._language.long_date(following),
                time=following.strftime("%H:%M"),
                zone=zone,
            )
        )
