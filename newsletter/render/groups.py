"""The headings that part a long digest: a topic that brings several papers, or the days of a week.

Papers come here in their order (``domain.digest``); where it does not keep a group together, there are no headings.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from newsletter.domain.digest import Digest, listed_on
from newsletter.domain.pool import Pick, Why
from newsletter.render import wording
from newsletter.render.language import Language


def groups(digest: Digest, language: Language) -> Sequence[str]:
    """Return for each pick the heading over it, '' where it begins no group."""
    picks = digest.picks
    if digest.since and not digest.missed:
        names = [
            language.gettext("The best of the week"),
            *(language.long_date(listed_on(pick.candidate)) for pick in picks[1:]),
        ]
    else:
        names = _topics(picks, language)
    begins = [at == 0 or name != names[at - 1] for at, name in enumerate(names)]
    found = len(set(names))
    if found == 1 or sum(begins) > found:
        return [""] * len(picks)
    return [name if first else "" for name, first in zip(names, begins, strict=True)]


def _topics(picks: Sequence[Pick], language: Language) -> list[str]:
    sizes = Counter(pick.topic for pick in picks if pick.topic)
    return [_topic(pick, sizes, language) for pick in picks]


def _topic(pick: Pick, sizes: Mapping[str, int], language: Language) -> str:
    if pick.why is Why.TASTE:
        return language.gettext("What you may like")
    if not pick.topic:
        return language.gettext("The newsletter’s choice")
    return _named(pick.topic, language) if sizes[pick.topic] > 1 else language.gettext("What you follow")


@lru_cache(maxsize=8192)
def _named(topic: str, language: Language) -> str:
    reason = wording.reason(language, Why.TOPIC, topic)
    return reason[:1].upper() + reason[1:]
