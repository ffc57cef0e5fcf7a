"""What a reader says of papers, and what counts of it: its weight in time, and the marks by which papers are alike.

Not here: learning from it (``services/learning``).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from newsletter.domain.paper import Paper
from newsletter.domain.text import words

_HALF_LIFE = timedelta(days=90)  # until what was said counts half
REMEMBERED = 200  # of what a reader said, the newest: so training costs the same after years
_TITLE = 2  # how often a title counts
_COMMON = frozenset(
    """a about above across after again against all also although among an and any approach are as at be because been
    before being between both but by can could data datum demonstrate different do does doing during each effective end
    et al existing experiment extensive few first for from further has have having how however i if in into introduce
    investigate is it its itself many may method might more most multiple no nor not novel of on only or other our out
    over own paper per perform performance present problem propose proposed provide recent result same several should
    show significantly since so some state state-of-the-art study such task than that the their them then there these
    they this through thus to towards toward two under up upon use used using various very via was we were what when
    where whether which while who will with within without work would yet you your""".split()  # noqa: SIM905
)


class Said(StrEnum):
    """What a reader can say of a paper."""

    SAVE = "save"
    MORE = "more"  # like this one
    LESS = "less"

    @property
    def weight(self) -> float:
        """Return how much it counts when it is new: saving is the most deliberate."""
        return _WEIGHTS[self]


_WEIGHTS = {Said.SAVE: 1.5, Said.MORE: 1.0, Said.LESS: -1.0}


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader said of a paper, and when. The last word on a paper is what counts."""

    paper_id: int
    said: Said
    at: datetime


def weight(feedback: Feedback, now: datetime) -> float:
    """Return what *feedback* counts at *now*: half after ninety days, a sixteenth after a year."""
    lives = max((now - feedback.at) / _HALF_LIFE, 0.0)
    return feedback.said.weight * 0.5**lives if lives else feedback.said.weight


def marks(paper: Paper) -> Mapping[str, int]:
    """Return the marks of *paper* with how often each is there.

    A word is itself, two that follow one another are joined by a blank, and ``cat:`` and ``author:`` go before the
    categories and the names. Words that every abstract has are no marks.
    """
    found = Counter[str]()
    for text, times in ((paper.title, _TITLE), (paper.abstract or paper.summary, 1)):
        for mark in _of_text(text):
            found[mark] += times
    found.update(f"cat:{category.casefold()}" for category in paper.categories)
    found.update(f"author:{' '.join(words(name))}" for name in paper.authors)
    return found


def _of_text(text: str) -> Iterable[str]:
    said = words(text)
    yield from (word for word in said if _tells(word))
    yield from (f"{one} {next_}" for one, next_ in pairwise(said) if _tells(one) and _tells(next_))


def _tells(word: str) -> bool:
    return len(word) > 1 and word not in _COMMON and not word.isdecimal()


def as_written(mark: str, paper: Paper) -> str:
    """Return *mark* as the *paper* that has it writes it: *KV cache* for ``kv cache``, a name for an author."""
    field, _, value = mark.rpartition(":")
    if field == "author":
        return next((name for name in paper.authors if " ".join(words(name)) == value), value)
    if field == "cat":
        return next((name for name in paper.categories if name.casefold() == value), value)
    for text in (paper.title, paper.abstract, paper.summary):
        if found := _in_text(mark.split(), text):
            return found
    return mark


def _in_text(wanted: list[str], text: str) -> str:
    pieces = _pieces(text)
    for at in range(len(pieces) - len(wanted) + 1):
        some = pieces[at : at + len(wanted)]
        if [word for _, said in some for word in said] == wanted:
            return " ".join(piece for piece, _ in some).strip("\"'“”‘’!?")
    return ""


@lru_cache(maxsize=512)  # papers of a pool, whose words explain the picks of many
def _pieces(text: str) -> list[tuple[str, list[str]]]:
    return [(piece, words(piece)) for piece in re.split(r"[\s/(){}\[\],;:.–—-]+", text) if piece]
