"""What a source is asked and what it gives. Adding one is described in ``docs/sources.md``.

Not here: when a source is due, and storing what it gave (``services/gather.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from newsletter.domain.paper import Sighting
from newsletter.errors import SourceError
from newsletter.sources.client import Client
from newsletter.sources.response import Validator

__all__ = ["ANNOUNCEMENT_LAG", "Ask", "Fetched", "Source", "Validator"]

# An announcement trails its submission by a weekend and a holiday at most: arXiv submissions of a Friday come
# out on Sunday night, and before a long weekend a day later.
ANNOUNCEMENT_LAG = timedelta(days=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is wanted of a source.

    ``days`` are the dates asked for, ascending, none in the future, in the newsletter's zone. ``dated`` is true
    when a person named the one date: then what has no list of its own for that day gives what was submitted or
    published on it, listed on it. Otherwise such sources list what they have not given before on ``today``.
    ``caught_up`` is the last date of which the source is known to have given all that it then had, None for none.
    """

    now: datetime  # UTC
    today: date  # in the newsletter's zone
    days: tuple[date, ...]
    dated: bool = False
    caught_up: date | None = None
    validators: Mapping[str, Validator] = field(default_factory=dict)  # by URL

    @property
    def since(self) -> date:
        """Return the first submission day to look at where announcements trail.

        What was announced since ``caught_up`` may have been submitted that much earlier, however long ago that was.
        """
        return self.days[0] if self.dated else min(self.days[0], (self.caught_up or self.today) - ANNOUNCEMENT_LAG)

    def day_of(self, published: datetime | None) -> date | None:
        """Return the day on which to list what has no list of its own, or None where a dated ask does not want it.

        What bears no date counts as of today.
        """
        if not self.dated:
            return self.today
        day = published.date() if published else self.today
        return day if day in self.days else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a source gave. No sightings is a valid answer: an empty day, or nothing changed since ``validators``.

    With ``failure`` it gave only a part: what came is kept, and the rest is asked for again.
    """

    sightings: list[Sighting]
    failure: SourceError | None = None
    validators: dict[str, Validator] = field(default_factory=dict)


class Source(Protocol):
    """One upstream under one name."""

    name: str
    kind: str

    async def fetch(self, client: Client, ask: Ask) -> Fetched:
        """Return what the upstream lists. Raises SourceError when it does not answer in its documented shape."""

    async def look_up(self, client: Client, key: str, now: datetime) -> Sighting | None:
        """Return the paper that *key* names without a listing, or None when this upstream does not have it."""
