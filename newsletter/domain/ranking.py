"""The newsletter's order of a pool, and how sources share it.

Within a source with votes a paper scores the percentile of its upvotes (then comments) among the papers that
the source listed on the same day, less a tenth per day since it was first listed, plus a half where one of the
newsletter's topics matches. Where a source has no votes, papers rank by topic match, then recency. The sources'
orders are then interleaved by their shares: the k-th paper of a source with share s stands at (k - 1/2) / s, so
that of any first n each source has its share, and whoever runs dry leaves the room to the others.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter

from newsletter.domain.paper import Listing, Paper
from newsletter.domain.topics import Matcher, Topic

_DAILY_LOSS = 0.1
_TOPIC_GAIN = 0.5

_Rank = tuple[float, float, float, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A paper of a pool, with its listings on the pool's days. ``first_listed`` is its first day ever.

    A paper that only the editor added has no listings.
    """

    paper: Paper
    listings: tuple[Listing, ...]
    first_listed: date

    @property
    def upvotes(self) -> int | None:
        """Return the most upvotes that any source counts, None where no source votes."""
        return max((n.upvotes for n in self.listings if n.upvotes is not None), default=None)

    @property
    def comments(self) -> int | None:
        """Return the most comments that any source counts, None where no source has any."""
        return max((n.comments for n in self.listings if n.comments is not None), default=None)


def newest_day(first_listed: Iterable[date]) -> date | None:
    """Return the newest of the days on which papers were listed first, None where no such day is known."""
    return max(set(first_listed) - {date.max}, default=None)


def newsletter_order(
    candidates: Iterable[Candidate],
    day: date,
    shares: Mapping[str, int],
    topics: Sequence[Topic],
    *,
    among: Sequence[Candidate] = (),
) -> list[Candidate]:
    """Return *candidates* in the newsletter's order for the issue of *day*.

    ``shares`` gives each source's share by name, in the order of the configuration; an unknown source has 1. Where the
    candidates are what is left of a pool, *among* is the whole of it: the best of what is left is not the day's best.
    """
    pool = list(candidates)
    percentiles = _percentiles(among or pool)
    voting = {n.source for c in pool for n in c.listings if n.upvotes is not None}
    queues: dict[str, list[tuple[_Rank, Candidate]]] = defaultdict(list)
    for candidate in pool:
        home = _home(candidate, voting, list(shares))
        score = percentiles.get(candidate.paper.key, 0.0) if home in voting else None
        rank = _rank(candidate, day, home, score, matches_any(candidate.paper, topics))
        queues[home].append((rank, candidate))
    places = [
        ((k + 0.5) / shares.get(home, 1), order, candidate)
        for order, home in enumerate([*shares, *sorted(queues.keys() - shares.keys())])
        for k, (_, candidate) in enumerate(sorted(queues[home], key=itemgetter(0)))
    ]
    return [candidate for _, _, candidate in sorted(places, key=itemgetter(0, 1))]


def matches_any(paper: Paper, topics: Sequence[Topic]) -> bool:
    """Return whether *paper* matches one of *topics* and none excludes it."""
    if not topics:
        return False
    matcher = Matcher(paper)
    return any(matcher.matches(t) for t in topics) and not any(matcher.excluded_by(t) for t in topics)


def _home(candidate: Candidate, voting: set[str], configured: list[str]) -> str:
    """Return the source in whose queue the paper stands: one with votes if it can, then the first configured."""
    sources = {n.source for n in candidate.listings}
    known = [*(s for s in configured if s in sources), *sorted(sources - set(configured))]
    return next((s for s in known if s in voting), known[0] if known else "")


def _rank(candidate: Candidate, day: date, home: str, percentile: float | None, matched: bool) -> _Rank:
    position = min((n.position for n in candidate.listings if n.source == home), default=0)
    if percentile is None:
        published = candidate.paper.published.timestamp() if candidate.paper.published else 0.0
        return (-float(matched), -candidate.first_listed.toordinal(), -published, position, candidate.paper.key)
    score = percentile - _DAILY_LOSS * (day - candidate.first_listed).days + _TOPIC_GAIN * matched
    return (-round(score, 9), 0.0, 0.0, position, candidate.paper.key)


def _percentiles(pool: Iterable[Candidate]) -> dict[str, float]:
    """Return each paper's best percentile, 0 to 1, by key. Equal votes have equal percentiles."""
    days: dict[tuple[str, date], list[tuple[int, int]]] = defaultdict(list)
    votes = [(c.paper.key, n) for c in pool for n in c.listings if n.upvotes is not None]
    for _, listing in votes:
        days[listing.source, listing.day].append(_votes(listing))
    for counts in days.values():
        counts.sort()
    best: dict[str, float] = {}
    for key, listing in votes:
        counts = days[listing.source, listing.day]
        # The top of a list of one has the same standing as the top of a list of forty.
        beaten = bisect_left(counts, _votes(listing)) / (len(counts) - 1) if len(counts) > 1 else 1.0
        best[key] = max(best.get(key, 0.0), beaten)
    return best


def _votes(listing: Listing) -> tuple[int, int]:
    return (listing.upvotes or 0, listing.comments or 0)
