"""The headings that part a long digest: a topic that brings several papers, or the days of a week.

Papers come here in their order (``domain.digest``); where it does not keep a group together, there are no headings.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from itertools import compress, count
from operator import ne

from newsletter.domain.digest import Digest, listed_on
from newsletter.domain.pool import Pick, Why
from newsletter.render import wording
from newsletter.render.language import Language

_BEST, _LIKED, _FOLLOWED, _CHOICE = range(4)  # kinds of groups; a topic or a day is one by itself
_Kind = int | str | date
_TASTE = Why.TASTE  # looking into the enumeration takes time, once for each pick


def groups(digest: Digest, language: Language) -> Sequence[str]:
    """Return for each pick the heading over it, '' where it begins no group."""
    kinds = _days(digest.picks) if digest.since and not digest.missed else _topics(digest.picks)
    headings = [""] * len(kinds)
    starts = [0, *compress(count(1), map(ne, kinds, kinds[1:]))]
    if len(starts) == len(set(kinds)):  # none comes back after others
        found = _lone_topics_together(kinds, starts)
        if 1 < len(found) == len(set(found.values())):
            for at, kind in found.items():
                headings[at] = _heading(kind, language)
    return headings


def _days(picks: Sequence[Pick]) -> list[_Kind]:
    return [_BEST, *(listed_on(pick.candidate) for pick in picks[1:])]


def _topics(picks: Sequence[Pick]) -> list[_Kind]:
    return [pick.topic or (_LIKED if pick.why is _TASTE else _CHOICE) for pick in picks]


def _lone_topics_together(kinds: Sequence[_Kind], starts: Sequence[int]) -> dict[int, _Kind]:
    """Return the kind that begins at each of *starts*; topics that bring one paper each are one kind."""
    found: dict[int, _Kind] = {}
    before = None
    for at, behind in zip(starts, [*starts[1:], len(kinds)], strict=True):
        lone = behind - at == 1 and isinstance(kinds[at], str)
        kind = _FOLLOWED if lone else kinds[at]
        if kind != before:
            found[at] = before = kind
    return found


@lru_cache(maxsize=8192)  # for each group of each digest
def _heading(kind: _Kind, language: Language) -> str:
    if isinstance(kind, date):
        return language.long_date(kind)
    if isinstance(kind, int):
        return _headings(language)[kind]
    reason = wording.reason(language, Why.TOPIC, kind)
    return reason[:1].upper() + reason[1:]


def _headings(language: Language) -> dict[int, str]:
    return {
        _BEST: language.gettext("The best of the week"),
        _LIKED: language.gettext("What you may like"),
        _FOLLOWED: language.gettext("What you follow"),
        _CHOICE: language.gettext("The newsletter’s choice"),
    }
