"""Gathering: asks each source that is due, and stores what it gave.

One source's failure is recorded and reported; the others' papers still go out. Not here: what a payload means
(``sources``), and how sightings become papers (``storage/sightings.py``).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.domain.calendar import local_date
from newsletter.domain.paper import Paper, key_of
from newsletter.errors import NewsletterError, NotFoundError, SourceError, UsageError
from newsletter.services.openings import open_summaries
from newsletter.sources.base import Ask, Fetched, Source, Validator
from newsletter.sources.client import Client
from newsletter.storage import fetches, papers, sightings
from newsletter.storage.database import Database
from newsletter.storage.fetches import Fetch

log = logging.getLogger(__name__)

_FIRST_RETRY = timedelta(minutes=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """A configured source: how often it may be asked, and whether sealing waits for it."""

    source: Source
    refresh: timedelta
    share: int
    required: bool
    wait_until: time
    allow_private_address: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What became of one source: listings fetched, papers never stored before, and what went wrong."""

    name: str
    papers: int
    new: int
    error: str | None = None
    kept_from: datetime | None = field(default=None, compare=False)  # when that was, if it is not asked again yet

    @property
    def document(self) -> dict[str, Any]:
        """Return the report as commands give it as JSON."""
        return {"name": self.name, "papers": self.papers, "new": self.new, "error": self.error}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathering:
    """What gathering needs to know of the newsletter."""

    upstreams: Sequence[Upstream]
    zone: ZoneInfo
    lookback_days: int
    user_agent: str


async def gather(
    database: Database,
    gathering: Gathering,
    now: datetime,
    *,
    day: date | None = None,
    only: str | None = None,
    by_hand: bool = False,
) -> list[Report]:
    """Ask the sources (or *only* one) for *day*, or else for every day since their last success.

    A source that was asked within its ``refresh`` is not asked again: its last report stands. After a failure it
    is asked again sooner, one minute later at first, four times as long each time; when a person names the day or
    asks *by_hand*, at once. A time that the server itself named is kept in any case. Raises UsageError for an unknown
    source.
    """
    if only and only not in {u.source.name for u in gathering.upstreams}:
        known = ", ".join(u.source.name for u in gathering.upstreams)
        raise UsageError(f"no source is named {only!r}; there are {known}")
    wanted = [u for u in gathering.upstreams if only in {None, u.source.name}]
    told = await asyncio.gather(*(_gather_one(database, gathering, u, now, day, by_hand) for u in wanted))
    await open_summaries(database)
    return list(told)


async def _gather_one(
    database: Database, gathering: Gathering, upstream: Upstream, now: datetime, day: date | None, by_hand: bool
) -> Report:
    name, asked = upstream.source.name, day.isoformat() if day else ""
    last, ask = await asyncio.to_thread(_question, database, gathering, upstream, now, day)
    if last and not _may_ask(last, upstream.refresh, now, by_hand=by_hand or day is not None):
        return Report(name=name, papers=last.papers, new=0, error=last.error, kept_from=last.attempted_at)
    try:
        async with _client(gathering, upstream) as client:
            fetched = await upstream.source.fetch(client, ask)
        fetch = Fetch(attempted_at=now, succeeded_at=now)
        if fetched.failure:
            fetch = _failed(last, fetched.failure, now)
        stored = await asyncio.to_thread(_keep, database, name, asked, fetch, fetched)
    except SourceError as error:
        return await _give_up(database, upstream, asked, _failed(last, error, now))
    except NewsletterError:
        raise
    except Exception as error:
        # A fault of this program in one source must not cost the day of the others.
        log.exception("source %s failed in a way that is this program's fault", name)
        fault = SourceError(f"fault of this program: {error!r}")
        return await _give_up(database, upstream, asked, _failed(last, fault, now))
    return Report(name=name, papers=stored.papers, new=stored.new, error=fetch.error)


def _question(
    database: Database, gathering: Gathering, upstream: Upstream, now: datetime, day: date | None
) -> tuple[Fetch | None, Ask]:
    """Return what came of the last time that the same was asked, and what to ask now."""
    today, name = local_date(now, gathering.zone), upstream.source.name
    with database.read() as session:
        current = fetches.last_fetch(session, name, "")
        named = fetches.last_fetch(session, name, day.isoformat()) if day else None
        given = {url: Validator(*v) for url, v in fetches.validators(session, name).items()}
    caught_up = _caught_up(current, today, gathering)
    days = (day,) if day else _days(caught_up, today, gathering)
    # A day that is still going on is not a past one: what has no list of its own lists what it has not given before.
    dated = day is not None and day < today
    ask = Ask(now=now, today=today, days=days, dated=dated, caught_up=caught_up, validators=given)
    # Whoever asks for what is current has asked for today too.
    same = [f for f in (named, current if day in {None, today} else None) if f]
    return max(same, key=attrgetter("attempted_at"), default=None), ask


def _caught_up(last: Fetch | None, today: date, gathering: Gathering) -> date | None:
    """Return the day of the last success, by our calendar or UTC's, whichever is behind; no older than wanted."""
    if last is None or last.succeeded_at is None:
        return None
    day = min(local_date(last.succeeded_at, gathering.zone), last.succeeded_at.date())
    return min(max(day, today - gathering.lookback_days * _DAY), today)


def _days(caught_up: date | None, today: date, gathering: Gathering) -> tuple[date, ...]:
    first = today - (gathering.lookback_days - 1) * _DAY
    first = max(first, caught_up or first)
    return tuple(first + n * _DAY for n in range((today - first).days + 1))


def _may_ask(last: Fetch, refresh: timedelta, now: datetime, *, by_hand: bool) -> bool:
    if now < last.attempted_at:
        return True  # the clock was set back: what it said then cannot hold us up
    if last.error is None:
        return now - last.attempted_at >= refresh
    if last.retry_at and now < last.retry_at:
        return False
    return by_hand or now - last.attempted_at >= min(refresh, _FIRST_RETRY * 4 ** min(last.failures - 1, 10))


async def _give_up(database: Database, upstream: Upstream, asked: str, fetch: Fetch) -> Report:
    await asyncio.to_thread(_keep, database, upstream.source.name, asked, fetch, None)
    return Report(name=upstream.source.name, papers=0, new=0, error=fetch.error)


def _failed(last: Fetch | None, error: SourceError, now: datetime) -> Fetch:
    before = last or Fetch(attempted_at=now)
    failures, retry_at = before.failures + 1, error.retry_at
    return replace(before, attempted_at=now, retry_at=retry_at, failures=failures, error=str(error), papers=0, new=0)


def _keep(database: Database, name: str, asked: str, fetch: Fetch, fetched: Fetched | None) -> sightings.Stored:
    """Keep what came of asking, and what came, in one transaction."""
    with database.write() as session:
        stored = sightings.store(session, fetched.sightings) if fetched else sightings.Stored(papers=0, new=0)
        if fetched:
            given = {url: (v.etag, v.last_modified) for url, v in fetched.validators.items()}
            fetches.keep_validators(session, name, given)
        counted = replace(fetch, papers=stored.papers, new=stored.new) if fetched else fetch
        fetches.keep_fetch(session, name, asked, counted)
    return stored


def _client(gathering: Gathering, upstream: Upstream) -> Client:
    return Client(user_agent=gathering.user_agent, allow_private_address=upstream.allow_private_address)


async def look_up(database: Database, gathering: Gathering, named: str, now: datetime) -> Paper:
    """Return the paper that *named* (arXiv id, DOI, link or ``#id``) names, asking the sources when it is not stored.

    Raises NotFoundError, UsageError for what names no paper.
    """
    with database.read() as session:
        if known := papers.find(session, named):
            return known
    key, troubles = key_of(named), list[str]()
    if not key and not named.strip().startswith("#"):
        raise UsageError(f"paper {named!r}: use an arXiv id, a DOI, a link, or the #id of one that was gathered")
    for upstream in gathering.upstreams if key else ():
        try:
            async with _client(gathering, upstream) as client:
                sighting = await upstream.source.look_up(client, key, now)
        except SourceError as error:
            troubles.append(str(error))
            continue
        if sighting and key in sighting.paper.keys:
            with database.write() as session:
                sightings.store(session, [sighting])
                found = papers.find(session, key)
            assert found is not None  # it was stored under this very key
            return found
    said = f" ({'; '.join(troubles)})" if troubles else ""
    raise NotFoundError(f"no paper {named!r}: not gathered, and no source knows it{said}")
