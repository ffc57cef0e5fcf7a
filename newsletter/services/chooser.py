"""Choosing: what one issue has for a reader, as the contents of a row.

Prepared once for an issue. What readers have in common is done once too: the digest of those who wish for the same and
had the same. Not here: who is due (``due``), and the rules of choosing (``domain.digest``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypedDict

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.calendar import local_date
from newsletter.domain.digest import NO_SCORES, WEEK, Digest, LeftOut, choose, closest, left_out
from newsletter.domain.pool import Pick, Pool, Why
from newsletter.domain.subscriber import Preferences
from newsletter.domain.topics import Topic
from newsletter.services.earlier import Earlier
from newsletter.services.edit import Policy, Shown
from newsletter.services.taste import Tastes, explained
from newsletter.services.windows import WINDOW, Windows
from newsletter.services.wish import Wish
from newsletter.storage import corrections, history, issues, turns
from newsletter.storage.database import cursor
from newsletter.storage.due import DueReader
from newsletter.storage.history import Had, History
from newsletter.storage.making import Contents
from newsletter.storage.picks import Picks
from newsletter.storage.restore import restored_at

if TYPE_CHECKING:
    from newsletter.services.learning import Taste

_DAY = timedelta(days=1)
_KEPT = 4096  # digests that are remembered
_NEAREST = 3  # papers in the mail that says that nothing matched
_NOTHING = Had()
_EMPTY = Contents(())


class _Asked(TypedDict):
    """What a reader asks of a pool."""

    topics: Sequence[Topic]
    max_papers: int
    min_upvotes: int
    sent: frozenset[int]
    scores: Mapping[int, float]
    since: date | None
    only_topics: bool


class Chooser:
    """What the issue *shown* has for each reader."""

    def __init__(self, session: Session, newsletter: NewsletterSettings, policy: Policy, shown: Shown) -> None:
        self.issue = shown.issue
        self._newsletter = newsletter
        self._windows = Windows(session, newsletter.days, policy, shown)
        self._sealed = self._windows.sealed
        self._history: History | None = None
        self._of_pools = 0  # how many pools the history is of
        self._tastes = Tastes()
        self._earlier = Earlier(self.issue.date)
        self._restored = restored_at(session)
        self._barred: frozenset[int] = frozenset()  # what may have gone out and is not known to have
        self._wish = lru_cache(maxsize=_KEPT)(lambda preferences: Wish(preferences, newsletter))
        self._known: dict[int, tuple[Preferences, Wish]] = {}
        self._since = lru_cache(maxsize=_KEPT)(self._windows.first_missed)
        self._alerted = lru_cache(maxsize=_KEPT)(self._found)
        self._contents = lru_cache(maxsize=_KEPT)(self._carried)
        self._nearest = lru_cache(maxsize=_KEPT)(self._closest)

    def prepare(self, session: Session, served: Iterable[date | None] = ()) -> None:
        """Make the papers ready for topics, tastes and what was sent: some tenths of a second for a few hundred.

        Also those of the longer windows of readers who were *served* last on these dates.
        """
        for last in served:
            for weekly in (False, True):
                self._windows.make(session, self._since(weekly, last))
        for pool in self._windows.pools:
            pool.prepare()
        self._earlier.works(session, self._windows.pools)
        self._tastes.prepare(session, self._windows.pools)

    def wish(self, preferences: Preferences) -> Wish:
        """Return what a reader wishes for. Of equal preferences most are one object, which is quicker known."""
        known = self._known.get(id(preferences))
        if known is None or known[0] is not preferences:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[id(preferences)] = preferences, self._wish(preferences)
        return known[1]

    def contents(self, session: Session, rows: Sequence[tuple[DueReader, date]], now: datetime) -> list[Contents]:
        """Return what each of these readers gets with a row of a date. What waits of earlier issues expires."""
        readers = [reader for reader, _ in rows]
        wishes = [self.wish(reader.preferences) for reader in readers]
        sinces = [self._since(wish.weekly, one.last_accepted_on) for wish, one in zip(wishes, readers, strict=True)]
        for since in set(sinces):  # before the look-up of what was sent, which covers the pools that there are
            self._windows.make(session, since)
        before = [reader for reader in readers if reader.last_digest_on]
        known = self._history_of(session)
        had = known.of(session, [reader.id for reader in before])
        known.expire(session, [reader for reader, found in had.items() if found.waits], now)
        tastes = self._tastes.of(session, [reader.id for reader in readers], now, self._windows.pools)
        told, owed = history.told(session, readers), self._owed(session, before)
        return [
            self._of_row(
                reader,
                day,
                wish,
                self._sent(had.get(reader.id, _NOTHING)),
                since,
                owed.get(reader.id, ()),
                tastes.get(reader.id),
                told=reader.id in told,
            )
            for (reader, day), wish, since in zip(rows, wishes, sinces, strict=True)
        ]

    def alerts(self, session: Session, readers: Sequence[DueReader]) -> list[Contents]:
        """Return what the alerts of each of these readers find: no picks where that is nothing, or something waits."""
        had = self._history_of(session).of(session, [reader.id for reader in readers])
        found = [(self.wish(reader.preferences), had.get(reader.id, _NOTHING)) for reader in readers]
        return [_EMPTY if had_by.waits else self._alerted(wish, self._sent(had_by)) for wish, had_by in found]

    def _found(self, wish: Wish, sent: frozenset[int]) -> Contents:
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

    def _carried(
        self,
        wish: Wish,
        sent: frozenset[int],
        since: date | None,
        owed: tuple[int, ...],
        taste: "Taste | None" = None,
    ) -> Contents:
        digest = self._digest(wish, sent, since, taste)
        picks = _stored(digest.picks)
        if picks or self._windows.is_empty:
            return Contents(picks, since, unlisted=self._sealed.places(digest.barred), corrections=owed)
        return Contents((), since, "nothing new for this reader")

    def _of_row(
        self,
        reader: DueReader,
        day: date,
        wish: Wish,
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

    def _closest(self, wish: Wish, sent: frozenset[int], quiet: date, owed: tuple[int, ...]) -> Contents | None:
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

    def _digest(self, wish: Wish, sent: frozenset[int], since: date | None, taste: "Taste | None") -> Digest:
        pool = self._windows.of(since)
        by_day = wish.weekly and since is not None and self.issue.date - since <= WEEK
        digest = choose(pool, **self._asked(pool, wish, sent, since, taste), by_day=by_day)
        return explained(digest, taste) if taste else digest

    def _asked(self, pool: Pool, wish: Wish, sent: frozenset[int], since: date | None, taste: "Taste | None") -> _Asked:
        """Return what a reader asks of *pool*, as choosing takes it, and saying what is left out."""
        return {
            "topics": wish.topics,
            "max_papers": wish.max_papers,
            "min_upvotes": wish.min_upvotes,
            "sent": sent,
            "scores": self._tastes.scores(taste, pool) if taste else NO_SCORES,
            "since": since,
            "only_topics": wish.only_topics,
        }

    def for_reader(
        self,
        session: Session,
        reader_id: int,
        preferences: Preferences,
        last_accepted_on: date | None,
        now: datetime,
    ) -> tuple[Digest, list[LeftOut]]:
        """Return what one reader would get of the issue if they had not had it, and what not. Nothing is stored."""
        wish = self.wish(preferences)
        since = self._since(wish.weekly, last_accepted_on)
        pool = self._windows.make(session, since)
        sent = self._sent(self._history_of(session).of(session, [reader_id]).get(reader_id, _NOTHING))
        taste = self._tastes.of(session, [reader_id], now, self._windows.pools).get(reader_id)
        digest = self._digest(wish, sent, since, taste)
        not_in_it = left_out(pool, **self._asked(pool, wish, sent, since, taste))
        return replace(digest, picks=()) if self._windows.is_empty and not since else digest, not_in_it

    def _history_of(self, session: Session) -> History:
        """Return what was sent of the pools that there are."""
        if self._history is None or self._of_pools != len(self._windows.pools):
            self._of_pools = len(self._windows.pools)
            known = {c.paper.id for pool in self._windows.pools for c in pool.order}
            works = self._earlier.works(session, self._windows.pools)
            issued = issues.that_may_bring(session, known | works.keys(), WINDOW)
            issued |= turns.waiting(cursor(session)).keys()
            self._barred = self._maybe_sent()
            self._history = History(session, known, issued - {self.issue.id}, works)
        return self._history

    def _sent(self, had: Had) -> frozenset[int]:
        return had.sent | self._barred if self._barred else had.sent

    def _maybe_sent(self) -> frozenset[int]:
        """Return the papers that mails may have brought which a backup that was put back does not know."""
        if self._restored is None:
            return frozenset()
        day = local_date(self._restored, self._newsletter.zone)
        if not day < self.issue.date <= day + WINDOW:
            return frozenset()
        return frozenset(c.paper.id for pool in self._windows.pools for c in pool.order if c.first_listed <= day)


def _stored(picks: Iterable[Pick]) -> Picks:
    return tuple(pick.stored for pick in picks)
