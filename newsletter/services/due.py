"""Making due: who gets a digest now, of which papers, and when their next one is due.

A reader is due at their own hour, by their own calendar, and gets the newest sealed issue that they have not had.
Made in chunks, so that sending can begin with the first. Not here: sealing (``edit``) and sending (``deliver``).
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.domain.calendar import current, local_date, next_due
from newsletter.domain.delivery import expires_at
from newsletter.domain.digest import Digest, Pool, choose, prepare
from newsletter.domain.ranking import newsletter_order
from newsletter.domain.subscriber import WEEKDAYS, Preferences
from newsletter.domain.topics import parse_topic
from newsletter.mail.message import message_id
from newsletter.services.edit import Policy, Shown
from newsletter.services.subscribe import rhythm_of
from newsletter.storage import deliveries, due, issues, papers
from newsletter.storage.due import DueReader, NewDelivery

CHUNK = 2000  # readers whose rows are made in one transaction
WINDOW = timedelta(days=14)  # how far back a digest reaches at most
_DAY = timedelta(days=1)


class Maker:
    """Makes the due rows of one issue, chunk by chunk. What choosing needs of the issue is prepared once."""

    def __init__(self, session: Session, settings: Settings, policy: Policy, shown: Shown) -> None:
        self.issue = shown.issue
        self._settings, self._newsletter, self._policy = settings, settings.newsletter, policy
        self._hand = shown.hand
        front = [c.paper.id for c in shown.arranged.front]
        self._sealed = prepare(shown.arranged.pool, front, shown.hand.chosen)
        self._wider: dict[date, Pool] = {}
        self._closed = issues.closed_days(session, self.issue.date - WINDOW, self.issue.date)

    @property
    def _is_empty(self) -> bool:
        """Whether the issue has no papers: then a digest holds only what its reader missed, if anything."""
        return not self._sealed.front

    def by_the_clock(self, session: Session, now: datetime, limit: int = CHUNK) -> int:
        """Make the rows of readers whose instant has come. Return how many readers were looked at."""
        readers = due.by_the_clock(session, now, self.issue, limit)
        due.expire_earlier(session, readers, now)
        rows, passed = [], []
        for reader in readers:
            rhythm = rhythm_of(reader.preferences, self._newsletter)
            occurrence = current(rhythm, now)
            following = next_due(rhythm, now, max(occurrence.day, reader.last_digest_on or occurrence.day)).at
            if reader.last_digest_on and occurrence.day <= reader.last_digest_on:
                passed.append((reader, following))
            else:
                rows.append((reader, occurrence.day, following))
        due.advance(session, passed)
        self._make(session, rows, now)
        return len(readers)

    def on_date(self, session: Session, now: datetime, day: date, after_id: int, limit: int = CHUNK) -> int | None:
        """Make the rows of readers whose rhythm includes *day*, whatever the hour.

        Their next instant stays, unless it has come and is of *day*: then this digest is what it was for.
        Return the id up to which readers were looked at, None when there are no more.
        """
        readers = due.on_date(session, self.issue, day, after_id, limit)
        rows = [
            (reader, day, self._next_instant(reader, day, now))
            for reader in readers
            if rhythm_of(reader.preferences, self._newsletter).includes(day)
        ]
        due.expire_earlier(session, (reader for reader, _, _ in rows), now)
        self._make(session, rows, now)
        return readers[-1].id if readers else None

    def _make(self, session: Session, rows: Sequence[tuple[DueReader, date, datetime]], now: datetime) -> None:
        for reader, _, _ in rows:  # before the look-up of what was sent, which covers the pools that there are
            self._pool(session, self._since(reader.preferences, reader.last_accepted_on))
        sent = self._sent(session, [reader.id for reader, _, _ in rows])
        made: list[NewDelivery] = []
        for reader, day, following in rows:
            had = sent.get(reader.id, frozenset())
            digest = self.digest(session, reader.preferences, had, reader.last_accepted_on)
            made.append(self._row(reader, day, digest, following, now))
        due.make(session, self.issue, made, now)

    def _sent(self, session: Session, readers: list[int]) -> dict[int, frozenset[int]]:
        known = {c.paper.id for pool in (self._sealed, *self._wider.values()) for c in pool.order}
        earlier = issues.that_may_bring(session, known, WINDOW) - {self.issue.id}
        return dict(deliveries.sent_papers(session, readers, earlier))

    def _row(self, reader: DueReader, day: date, digest: Digest, following: datetime, now: datetime) -> NewDelivery:
        delivery_id = secrets.randbits(62) + 1
        return NewDelivery(
            id=delivery_id,
            reader=reader,
            day=day,
            message_id=message_id(delivery_id, self._newsletter.sender_address.rpartition("@")[2]),
            expires_at=expires_at(now, self._settings.smtp.give_up_after, self._next_digest(reader, day, now)),
            next_due_at=following,
            since=digest.since,
            picks=tuple((p.candidate.paper.id, p.why.value, p.detail) for p in digest.picks),
            skipped="" if digest.picks or self._is_empty else "nothing new for this reader",
        )

    def _next_instant(self, reader: DueReader, day: date, now: datetime) -> datetime:
        zone = rhythm_of(reader.preferences, self._newsletter).zone
        served = reader.next_due_at <= now and local_date(reader.next_due_at, zone) <= day
        return self._next_digest(reader, day, now) if served else reader.next_due_at

    def _next_digest(self, reader: DueReader, day: date, now: datetime) -> datetime:
        # Not the reader's next instant, which stays where this digest comes early: nothing follows at that one.
        return next_due(rhythm_of(reader.preferences, self._newsletter), now, day).at

    def for_reader(
        self, session: Session, reader_id: int, preferences: Preferences, last_accepted_on: date | None
    ) -> Digest:
        """Return what one reader would get of the issue if they had not had it. Nothing is stored."""
        self._pool(session, self._since(preferences, last_accepted_on))
        had = self._sent(session, [reader_id]).get(reader_id, frozenset())
        digest = self.digest(session, preferences, had, last_accepted_on)
        return replace(digest, picks=()) if self._is_empty and not digest.since else digest

    def digest(
        self, session: Session, preferences: Preferences, sent: frozenset[int], last_accepted_on: date | None
    ) -> Digest:
        """Return what a reader gets of the issue who was sent the papers *sent*."""
        since = self._since(preferences, last_accepted_on)
        return choose(
            self._pool(session, since),
            topics=[parse_topic(text) for text in preferences.topics],
            max_papers=preferences.max_papers or self._newsletter.max_papers,
            min_upvotes=preferences.min_upvotes or 0,
            sent=sent,
            since=since,
        )

    def _since(self, preferences: Preferences, last_accepted_on: date | None) -> date | None:
        """Return the first date on which the reader missed an issue, or might have, since their last digest."""
        weekly = (preferences.frequency or "").startswith("weekly")
        last = last_accepted_on or (self.issue.date - 7 * _DAY if weekly else None)
        if last is None:
            return None
        first = max(last + _DAY, self.issue.date - WINDOW + _DAY)
        between = (first + n * _DAY for n in range((self.issue.date - first).days))
        return next(
            (d for d in between if WEEKDAYS[d.weekday()] in self._newsletter.days and d not in self._closed), None
        )

    def _pool(self, session: Session, since: date | None) -> Pool:
        sealed_since = self.issue.date - (self._policy.lookback_days - 1) * _DAY
        if since is None or (since >= sealed_since and not self._is_empty):
            return self._sealed
        if since not in self._wider:
            self._wider[since] = self._widened(session, since)
        return self._wider[since]

    def _widened(self, session: Session, since: date) -> Pool:
        policy = self._policy
        by_id = {c.paper.id: c for c in papers.listed(session, since, self.issue.date) if not c.paper.withdrawn}
        kept = [c for i, c in by_id.items() if i not in self._hand.dropped]
        kept += [c for c in self._sealed.order if c.paper.id not in by_id]
        order = newsletter_order(kept, self.issue.date, policy.shares, policy.topics)
        return prepare(order, self._sealed.front, self._sealed.editors)
