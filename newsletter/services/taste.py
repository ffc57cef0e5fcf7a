"""What readers like: recording what they say of papers, showing and erasing it, and what it says of a pool.

Learning needs numpy, from the extra ``taste``; without it nothing is learned, and everything else is as ever. Not here:
the model (``learning``) and choosing (``domain/digest``).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from sqlmodel import Session

from newsletter.domain.digest import Digest
from newsletter.domain.paper import Paper
from newsletter.domain.pool import Pool, Why
from newsletter.domain.subscriber import Subscriber
from newsletter.domain.taste import Feedback, Said
from newsletter.errors import ExtraError, NotFoundError
from newsletter.services import subscribe
from newsletter.storage import feedback, papers
from newsletter.storage.database import Database

if TYPE_CHECKING:
    from newsletter.services.learning import Corpus, Taste

_BACKGROUND = 1200  # papers gathered last, by which it is known which words are rare; they hold most of a fortnight's
_SHOWN = 8  # strongest words


def is_there() -> bool:
    """Return whether the extra ``taste`` is installed."""
    return find_spec("numpy") is not None


def require() -> None:
    """Raise ExtraError without the extra."""
    if not is_there():
        raise ExtraError("learning what readers like", "taste")


def record(database: Database, email: str, named: str, said: Said, now: datetime) -> tuple[Subscriber, Paper]:
    """Keep what the reader *email* says of the paper *named*; it counts from the next digest that is made.

    Raises NotFoundError for no such subscriber or paper, ExtraError without the extra.
    """
    require()
    with database.write() as session:
        reader = subscribe.look_up(session, email)
        paper = papers.find(session, named)
        if paper is None:
            raise NotFoundError(f"no paper {named}; 'newsletter papers search' finds papers by their words")
        feedback.say(session, reader.id, paper.id, said, now)
    return reader, paper


def erase(database: Database, email: str) -> tuple[Subscriber, int]:
    """Forget what the reader *email* said; return of how many papers. Raises NotFoundError."""
    with database.write() as session:
        reader = subscribe.look_up(session, email)
        return reader, feedback.erase(session, reader.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is known of one reader's taste: what they said, newest first, and the words that count most."""

    email: str
    said: Sequence[tuple[Feedback, Paper]]
    likes: Sequence[str]
    dislikes: Sequence[str]

    @property
    def document(self) -> dict[str, Any]:
        """Return it as JSON gives it."""
        said = [
            {"key": paper.key, "title": paper.title, "said": one.said, "said_at": one.at} for one, paper in self.said
        ]
        return {"email": self.email, "said": said, "likes": list(self.likes), "dislikes": list(self.dislikes)}


def show(database: Database, email: str, now: datetime) -> Shown:
    """Return what is known of the taste of the reader *email*, no words without the extra. Raises NotFoundError."""
    reader = subscribe.find(database, email)
    with database.read() as session:
        said = feedback.of(session, [reader.id]).get(reader.id, [])
        known = papers.load(session, (one.paper_id for one in said))
        learned = Tastes().of(session, [reader.id], now).get(reader.id)
    likes, dislikes = learned.strongest(_SHOWN) if learned else ([], [])
    spoken = [(one, known[one.paper_id]) for one in said if one.paper_id in known]
    return Shown(email=reader.email, said=spoken, likes=likes, dislikes=dislikes)


class Tastes:
    """The tastes of readers for the pools of one issue: what is the same for all of them is worked out once."""

    def __init__(self) -> None:
        self._is_there = is_there()
        self._corpus: Corpus | None = None
        self._shelves: dict[int, Any] = {}  # by the identity of a pool

    def prepare(self, session: Session, pools: Iterable[Pool]) -> None:
        """Do what takes longest, a second for a thousand papers, where anybody said anything."""
        if self._is_there and feedback.any_at_all(session):
            self._prepared(session, pools)

    def of(
        self, session: Session, reader_ids: Collection[int], now: datetime, pools: Iterable[Pool] = ()
    ) -> "Mapping[int, Taste]":
        """Return the taste of those of these readers who said anything, for *pools*.

        Others may be waiting to write, so what was prepared is not made anew: papers that it lacks score nothing.
        """
        said = feedback.of(session, reader_ids) if self._is_there and reader_ids else {}
        if not said:
            return {}
        corpus = self._corpus or self._prepared(session, pools)
        corpus.forget()
        unknown = {one.paper_id for some in said.values() for one in some if not corpus.knows(one.paper_id)}
        corpus.add(papers.load(session, unknown).values())
        return {reader: corpus.learn(some, now) for reader, some in said.items()}

    def _prepared(self, session: Session, pools: Iterable[Pool]) -> "Corpus":
        pooled = [candidate.paper for pool in pools for candidate in pool.order]
        if self._corpus and self._corpus.holds(paper.id for paper in pooled):
            return self._corpus
        from newsletter.services.learning import Corpus  # noqa: PLC0415 - numpy takes long to import, and is an extra

        self._corpus, self._shelves = Corpus([*pooled, *papers.newest(session, _BACKGROUND)]), {}
        self._corpus.prepare()
        return self._corpus

    def scores(self, taste: "Taste", pool: Pool) -> dict[int, float]:
        """Return what the papers of one of the pools score with one reader."""
        assert self._corpus is not None  # whose taste it is
        if id(pool) not in self._shelves:
            self._shelves[id(pool)] = self._corpus.shelf(pool.by_id)
        return taste.scores(self._shelves[id(pool)])


def explained(digest: Digest, taste: "Taste") -> Digest:
    """Return *digest* with the words by which a reader's taste brought its papers."""
    picks = [
        replace(pick, detail=taste.because(pick.candidate.paper.id)) if pick.why is Why.TASTE else pick
        for pick in digest.picks
    ]
    return replace(digest, picks=tuple(picks))
