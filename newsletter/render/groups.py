"""The headings that part a long digest: a topic that brings several papers, or the days of a week.

Papers come here in their order (``domain.digest``); where it does not keep a group together, there are no headings.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

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
    found = len(set(names))
    headings = [name if name != before else "" for before, name in pairwise(["", *names])]
    if found == 1 or len(headings) - headings.count("") > found:
        return [""] * len(picks)
    return headings


def _topics(picks: Sequence[Pick], language: Language) -> list[str]:
    topics = [pick.topic for pick in picks]
    once, again = set[str](), set[str]()
    for topic in topics:
        (again if topic in once else once).add(topic)
    return [_topic(pick.why, topic, topic in again, language) for pick, topic in zip(picks, topics, strict=True)]


@lru_cache(maxsize=8192)  # for each paper of each digest
def _topic(why: Why, topic: str, brings_several: bool, language: Language) -> str:
    if why is Why.TASTE:
        return language.gettext("What you may like")
    if not topic:
        return language.gettext("The newsletter’s choice")
    if not brings_several:
        return language.gettext("What you follow")
    reason = wording.reason(language, Why.TOPIC, topic)
    return reason[:1].upper() + reason[1:]
