"""Making due: who gets a digest now, of which papers, and when their next one is due.

A reader is due at their own hour, by their own calendar, and gets the newest sealed issue that they have not had.
Made in chunks, so that sending can begin with the first. What readers have in common is done once: their wishes, the
date and instants that follow from a rhythm, and the digest of those who wish for the same and had the same. Not here:
whose turn it is (``plan``), sealing (``edit``) and sending (``deliver``).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings, Settings
from newsletter.domain.calendar import Rhythm, current, due_day, local_date, next_due, next_issue
from newsletter.domain.delivery import expires_at
from newsletter.domain.digest import NO_SCORES, WEEK, Digest, LeftOut, choose, closest, left_out
from newsletter.domain.people import by_ours, ours_first
from newsletter.domain.pool import Pick, Pool, Why
from newsletter.domain.ranking import Candidate, newsletter_order
from newsletter.domain.subscriber import WEEKDAYS, Preferences
from newsletter.domain.topics import Topic, read_topics
from newsletter.mail.message import message_id
from newsletter.services.earlier import Earlier
from newsletter.services.edit import Policy, Shown
from newsletter.services.subscribe import rhythm_of
from newsletter.services.taste import Tastes, explained
from newsletter.storage import alerts, corrections, due, issues, papers, restore
from newsletter.storage.due import Contents, DueReader, Had, History, NewDelivery
from newsletter.storage.picks import Picks
from newsletter.storage.restore import restored_at

if TYPE_CHECKING:
    from newsletter.services.learning import Taste

CHUNK = 256  # readers whose rows are made in one transaction: for some thousandths of a second others wait for it
WINDOW = timedelta(days=14)  # how far back a digest reaches at most
_DAY = timedelta(days=1)
_KEPT = 4096  # digests and wishes that are remembered
_NOTHING = Had()
_NEAREST = 3  # papers in the mail that says that nothing matched


class _Occasion(NamedTuple):
    """The digest that a rhythm makes due: its date, when it is too late, and when the reader's next one is due."""

    day: date
    expires_at: datetime
    next_due_at: datetime


_Row = tuple[DueReader, _Occasion, bool]  # and whether the reader's next instant stays


class _Wish:
    """What a reader wishes for, the newsletter's defaults filled in. Equal preferences have one, known by identity.

    What an alert looks for is a topic of digests too.
    """

    def __init__(self, preferences: Preferences, newsletter: NewsletterSettings) -> None:
        self.topics: list[Topic] = read_topics(dict.fromkeys((*preferences.topics, *preferences.alerts)))
        self.excluding = [topic for topic in self.topics if topic.excludes]
        self.alerts: list[Topic] = read_topics(preferences.alerts)
        self.only_topics = bool(preferences.only_topics)
        self.rhythm = rhythm_of(preferences, newsletter)
        self.max_papers = preferences.max_papers or newsletter.max_papers
        self.min_upvotes = preferences.min_upvotes or 0
        self.weekly = (preferences.frequency or "").startswith("weekly")


class Maker:
    """Makes the due rows of one issue, chunk by chunk. What choosing needs of the issue is prepared once."""

    def __init__(self, session: Session, settings: Settings, policy: Policy, shown: Shown) -> None:
        self.issue = shown.issue
        self._settings, self._newsletter, self._policy = settings, settings.newsletter, policy
        self._hand = shown.hand
        front = [c.paper.id for c in shown.arranged.front]
        self._sealed = self._pool_of(shown.arranged.pool, front, shown.hand.chosen)
        self._wider: dict[date, Pool] = {}
        self._history: History | None = None  # of the pools that there are
        self._restored = restored_at(session)
        self._barred: frozenset[int] = frozenset()  # what may have gone out and is not known to have
        self._tastes = Tastes()
        self._earlier = Earlier(self.issue.date)
        self._closed = issues.closed_days(session, self.issue.date - WINDOW, self.issue.date)
        self._domain = self._newsletter.sender_address.rpartition("@")[2]
        self._wish = lru_cache(maxsize=_KEPT)(lambda preferences: _Wish(preferences, self._newsletter))
        self._since = lru_cache(maxsize=_KEPT)(self._first_missed)
        self._contents = lru_cache(maxsize=_KEPT)(self._carried)
        self._nearest = lru_cache(maxsize=_KEPT)(self._closest)
        self._alerted = lru_cache(maxsize=_KEPT)(self._found)

    @property
    def _is_empty(self) -> bool:
        """Whether the issue has no papers: then a digest holds only what its reader missed, if anything."""
        return not self._sealed.front

    def prepare(self, session: Session) -> None:
        """Make the papers ready for topics, tastes and what was sent: some tenths of a second for a few hundred."""
        self._sealed.prepare()
        self._earlier.works(session, self._pools)
        self._tastes.prepare(session, self._pools)

    def by_the_clock(self, session: Session, readers: Sequence[DueReader], now: datetime) -> None:
        """Make the rows of readers whose instant has come, and who have not had the issue."""
        passed: list[tuple[DueReader, datetime]] = []
        rows: list[_Row] = []
        in_rhythm = cache(lambda rhythm: current(rhythm, now).at)
        occasion = cache(lambda rhythm, last, at: self._occasion(rhythm, last, at, now))
        for reader in readers:
            rhythm = self._rhythm(reader)
            # Whenever they were due in their rhythm, it is the same: what is looked up is shared.
            found = occasion(rhythm, reader.last_digest_on, max(reader.next_due_at, in_rhythm(rhythm)))
            if reader.last_digest_on and found.day <= reader.last_digest_on:
                passed.append((reader, found.next_due_at))
            else:
                rows.append((reader, found, False))
        due.advance(session, passed)
        self._make(session, rows, now)

    def on_date(self, session: Session, readers: Sequence[DueReader], day: date, now: datetime) -> None:
        """Make the rows of those *readers* whose rhythm includes *day*, and who have had neither it nor the issue.

        Whatever the hour. Their next instant stays, unless it has come and is of *day*: then this digest is what it
        was for.
        """
        had = due.have_had(session, [r.id for r in readers if r.last_digest_on], self.issue, day)
        # Not the reader's next instant, which stays where this digest comes early: nothing follows at that one.
        occasion = cache(lambda rhythm: self._following(rhythm, day, day, now))
        rows: list[_Row] = []
        for reader in readers:
            rhythm = self._rhythm(reader)
            if reader.id not in had and rhythm.includes(day):
                stays = reader.next_due_at > now or local_date(reader.next_due_at, rhythm.zone) > day
                rows.append((reader, occasion(rhythm), stays))
        self._make(session, rows, now)

    def by_alert(self, session: Session, found: Sequence[tuple[DueReader, datetime]], now: datetime) -> None:
        """Make the rows of readers whose alerts find something, each with since when it is looked for.

        Not where a digest comes on the same date, or before there is another issue: then that brings it. Nor while
        something waits for the reader.
        """
        had = self._history_of(session).of(session, [reader.id for reader, _ in found])
        rows: list[tuple[DueReader, _Occasion, Contents]] = []
        for reader, _ in found:
            wish, had_by = self._wish(reader.preferences), had.get(reader.id, _NOTHING)
            rhythm = wish.rhythm.of_alerts
            day = current(rhythm, now).day
            alerts.advance(session, next_due(rhythm, now, day).at, [reader.id])
            if self._may_alert(reader, day) and not had_by.waits:
                contents = self._alerted(wish, self._sent(had_by))
                rows += [(reader, self._following(rhythm, day, day, now), contents)] if contents.picks else []
        ids = due.new_ids(session, now, len(rows))
        made = [
            NewDelivery(new, reader, on.day, message_id(new, self._domain), on.expires_at, None, contents)
            for new, (reader, on, contents) in zip(ids, rows, strict=True)
        ]
        due.make(session, self.issue, made, now)
        was_due = {reader.id for reader, at in found if self._was_due(at)}
        self._hold(session, [row for row in made if row.reader.id in was_due])
        alerts.made(session, self.issue, [reader.id for reader, _, _ in rows])

    def _may_alert(self, reader: DueReader, day: date) -> bool:
        newsletter = self._newsletter
        following = next_issue(self.issue.date, newsletter.days, newsletter.send_at, newsletter.zone)
        had = (reader.last_digest_on and reader.last_digest_on >= day) or (
            reader.last_issue_on and reader.last_issue_on >= self.issue.date
        )
        return not had and reader.next_due_at >= following

    def _found(self, wish: _Wish, sent: frozenset[int]) -> Contents:
        """Return what alerts find."""
        digest = choose(
            self._sealed,
            topics=[*wish.excluding, *wish.alerts],
            max_papers=wish.max_papers,
            min_upvotes=wish.min_upvotes,
            sent=sent,
            only_topics=True,
        )
        picks = [replace(p, why=Why.ALERT) for p in digest.picks if p.topic]  # whoever wrote it
        return Contents(_stored(picks), unlisted=self._everything)

    @cached_property
    def _everything(self) -> str:
        return self._sealed.places(self._sealed.by_id.keys())

    def _rhythm(self, reader: DueReader) -> Rhythm:
        return self._wish(reader.preferences).rhythm

    def _occasion(self, rhythm: Rhythm, last: date | None, at: datetime, now: datetime) -> _Occasion:
        day = due_day(rhythm, at, last, now)
        return self._following(rhythm, day, max(day, last or day), now)

    def _following(self, rhythm: Rhythm, day: date, last: date, now: datetime) -> _Occasion:
        too_late = expires_at(now, self._settings.smtp.give_up_after, next_due(rhythm, now, day).at)
        return _Occasion(day, too_late, next_due(rhythm, now, last).at)

    def _make(self, session: Session, rows: Sequence[_Row], now: datetime) -> None:
        wishes = [self._wish(reader.preferences) for reader, _, _ in rows]
        sinces = [self._since(wish.weekly, row[0].last_accepted_on) for row, wish in zip(rows, wishes, strict=True)]
        for since in set(sinces):  # before the look-up of what was sent, which covers the pools that there are
            self._pool(session, since)
        history = self._history_of(session)
        had = history.of(session, [reader.id for reader, _, _ in rows if reader.last_digest_on])
        history.expire(session, [reader for reader, found in had.items() if found.waits], now)
        tastes = self._tastes.of(session, [reader.id for reader, _, _ in rows], now, self._pools)
        told = due.told(session, [reader for reader, _, _ in rows])
        owed = self._owed(session, [reader for reader, _, _ in rows if reader.last_digest_on])
        ids = due.new_ids(session, now, len(rows))
        made = [
            NewDelivery(
                new,
                reader,
                found.day,
                message_id(new, self._domain),
                found.expires_at,
                None if stays else found.next_due_at,
                self._of_row(
                    reader,
                    found.day,
                    wish,
                    self._sent(had.get(reader.id, _NOTHING)),
                    since,
                    owed.get(reader.id, ()),
                    tastes.get(reader.id),
                    told=reader.id in told,
                ),
            )
            for new, (reader, found, stays), wish, since in zip(ids, rows, wishes, sinces, strict=True)
        ]
        due.make(session, self.issue, made, now)
        self._hold(session, [row for row in made if self._was_due(row.reader.next_due_at)])

    def _history_of(self, session: Session) -> History:
        if self._history is None:
            known = {c.paper.id for pool in self._pools for c in pool.order}
            works = self._earlier.works(session, self._pools)
            issued = issues.that_may_bring(session, known | works.keys(), WINDOW) | due.waiting_issues(session)
            self._barred = self._maybe_sent()
            self._history = History(session, known, issued - {self.issue.id}, works)
        return self._history

    def _sent(self, had: Had) -> frozenset[int]:
        return had.sent | self._barred if self._barred else had.sent

    def _was_due(self, at: datetime) -> bool:
        return self._restored is not None and at <= self._restored

    def _hold(self, session: Session, made: Sequence[NewDelivery]) -> None:
        """Hold what was due before a backup was put back: nobody knows whether it went out then."""
        if made:
            restore.hold(session, [row.id for row in made if not row.contents.skipped])

    def _maybe_sent(self) -> frozenset[int]:
        """Return the papers that mails may have brought which a backup that was put back does not know."""
        if self._restored is None:
            return frozenset()
        day = local_date(self._restored, self._newsletter.zone)
        if not day < self.issue.date <= day + WINDOW:
            return frozenset()
        return frozenset(c.paper.id for pool in self._pools for c in pool.order if c.first_listed <= day)

    @property
    def _pools(self) -> list[Pool]:
        return [self._sealed, *self._wider.values()]

    def _carried(
        self,
        wish: _Wish,
        sent: frozenset[int],
        since: date | None,
        owed: tuple[int, ...],
        taste: "Taste | None" = None,
    ) -> Contents:
        digest = self._digest(wish, sent, since, taste)
        picks = _stored(digest.picks)
        if picks or self._is_empty:
            return Contents(picks, since, unlisted=self._sealed.places(digest.barred), corrections=owed)
        return Contents((), since, "nothing new for this reader")

    def _of_row(
        self,
        reader: DueReader,
        day: date,
        wish: _Wish,
        sent: frozenset[int],
        since: date | None,
        owed: tuple[int, ...],
        taste: "Taste | None",
        *,
        told: bool,
    ) -> Contents:
        """Return what a row of *day* carries: where nothing matched for a week, once a mail that says so."""
        # A taste is its reader's own; who has none shares a digest with all who wish for the same.
        contents = self._carried(wish, sent, since, owed, taste) if taste else self._contents(wish, sent, since, owed)
        quiet = reader.quiet_since
        if not contents.skipped or told or quiet is None or day - quiet < WEEK:
            return contents
        return self._nearest(wish, sent, quiet, owed) or contents

    def _closest(self, wish: _Wish, sent: frozenset[int], quiet: date, owed: tuple[int, ...]) -> Contents | None:
        """Return the mail with the papers that come closest, None where there are none that the reader may see."""
        picks = closest(
            self._sealed,
            topics=wish.topics,
            max_papers=min(wish.max_papers, _NEAREST),
            min_upvotes=wish.min_upvotes,
            sent=sent,
        )
        return (
            Contents(_stored(picks), quiet, unlisted=self._everything, corrections=owed, quiet=True) if picks else None
        )

    def _owed(self, session: Session, readers: Sequence[DueReader]) -> dict[int, tuple[int, ...]]:
        """Return what the next mail of these readers corrects: of issues that they had, and what none told them yet.

        Made since some time before the first of them was served last: what is older they were told.
        """
        served = [reader.last_accepted_on or self.issue.date for reader in readers]
        since = min([self.issue.date, *served]) - WINDOW
        return corrections.owed(session, [reader.id for reader in readers], datetime.combine(since, time(), UTC))

    def _digest(self, wish: _Wish, sent: frozenset[int], since: date | None, taste: "Taste | None") -> Digest:
        pool = self._pool_since(since)
        digest = choose(
            pool,
            topics=wish.topics,
            max_papers=wish.max_papers,
            min_upvotes=wish.min_upvotes,
            sent=sent,
            scores=self._tastes.scores(taste, pool) if taste else NO_SCORES,
            since=since,
            by_day=wish.weekly and since is not None and self.issue.date - since <= WEEK,
            only_topics=wish.only_topics,
        )
        return explained(digest, taste) if taste else digest

    def for_reader(
        self,
        session: Session,
        reader_id: int,
        preferences: Preferences,
        last_accepted_on: date | None,
        now: datetime,
    ) -> tuple[Digest, list[LeftOut]]:
        """Return what one reader would get of the issue if they had not had it, and what not. Nothing is stored."""
        wish = self._wish(preferences)
        since = self._since(wish.weekly, last_accepted_on)
        pool = self._pool(session, since)
        sent = self._sent(self._history_of(session).of(session, [reader_id]).get(reader_id, _NOTHING))
        taste = self._tastes.of(session, [reader_id], now, self._pools).get(reader_id)
        digest = self._digest(wish, sent, since, taste)
        not_in_it = left_out(
            pool,
            topics=wish.topics,
            max_papers=wish.max_papers,
            min_upvotes=wish.min_upvotes,
            sent=sent,
            scores=self._tastes.scores(taste, pool) if taste else NO_SCORES,
            since=since,
            only_topics=wish.only_topics,
        )
        return replace(digest, picks=()) if self._is_empty and not since else digest, not_in_it

    def _first_missed(self, weekly: bool, last_accepted_on: date | None) -> date | None:
        """Return the first date on which the reader missed an issue, or might have, since their last digest."""
        last = last_accepted_on
        if weekly:  # an alert or a changed day may have come since: the week's best are those of a week
            last = min(last or date.max, self.issue.date - 7 * _DAY)
        if last is None:
            return None
        first = max(last + _DAY, self.issue.date - WINDOW + _DAY)
        between = (first + n * _DAY for n in range((self.issue.date - first).days))
        return next(
            (d for d in between if WEEKDAYS[d.weekday()] in self._newsletter.days and d not in self._closed), None
        )

    def _pool(self, session: Session, since: date | None) -> Pool:
        """Return the pool of a digest that reaches back to *since*, made where it is not there yet."""
        if since is not None and self._is_wider(since) and since not in self._wider:
            self._wider[since] = self._widened(session, since)
            self._history = None
        return self._pool_since(since)

    def _pool_since(self, since: date | None) -> Pool:
        return self._wider[since] if since is not None and self._is_wider(since) else self._sealed

    def _is_wider(self, since: date) -> bool:
        return since < self.issue.date - (self._policy.lookback_days - 1) * _DAY or self._is_empty

    def _widened(self, session: Session, since: date) -> Pool:
        policy = self._policy
        by_id = {c.paper.id: c for c in papers.listed(session, since, self.issue.date) if not c.paper.withdrawn}
        kept = [c for i, c in by_id.items() if i not in self._hand.dropped]
        kept += [c for c in self._sealed.order if c.paper.id not in by_id]
        order = newsletter_order(kept, self.issue.date, policy.shares, policy.topics)
        return self._pool_of(ours_first(order, policy.people), self._sealed.front, self._sealed.editors)

    def _pool_of(self, order: Sequence[Candidate], front: Sequence[int], editors: Collection[int]) -> Pool:
        return Pool(order, front, editors, by_ours(order, self._policy.people))


def _stored(picks: Iterable[Pick]) -> Picks:
    return tuple(pick.stored for pick in picks)
