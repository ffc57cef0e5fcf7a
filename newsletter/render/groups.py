"""The headings that part a long digest: a topic that brings several papers, or the days of a week.

Papers come here in their order (``domain.digest``); where it does not keep a group together, there are no headings.
"""

from collections.abc import Sequence
from functools import lru_cache

from newsletter.domain.digest import Digest, Pick, Why, listed_on
from newsletter.render import wording
from newsletter.render.formats import long_date

_FIRST = "The best of the week"
_SINGLES = "What you follow"
_OTHERS = "The newsletter’s choice"


def groups(digest: Digest) -> Sequence[str]:
    """Return for each pick the heading over it, '' where it begins no group."""
    picks = digest.picks
    if digest.since and not digest.missed:
        names = [_FIRST, *(long_date(listed_on(pick.candidate)) for pick in picks[1:])]
    else:
        names = _topics(picks)
    begins = [at == 0 or name != names[at - 1] for at, name in enumerate(names)]
    found = len(set(names))
    if found == 1 or sum(begins) > found:
        return [""] * len(picks)
    return [name if first else "" for name, first in zip(names, begins, strict=True)]


def _topics(picks: Sequence[Pick]) -> list[str]:
    details = [pick.topic or None for pick in picks]
    return [_OTHERS if one is None else _named(one) if details.count(one) > 1 else _SINGLES for one in details]


@lru_cache(maxsize=1024)
def _named(topic: str) -> str:
    reason = wording.reason(Why.TOPIC, topic)
    return reason[:1].upper() + reason[1:]
