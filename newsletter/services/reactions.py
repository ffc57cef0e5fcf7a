"""What readers do with papers on the pages: save them, ask for more or fewer of their kind, and find what they saved.

What is learned from it is ``taste``'s; this needs no extra.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.domain.paper import Paper
from newsletter.domain.taste import Said
from newsletter.errors import NotFoundError
from newsletter.storage import feedback, papers, subscribers
from newsletter.storage.database import Database


@dataclass(frozen=True, slots=True)
class Saved:
    """A paper that a reader saved, and when."""

    paper: Paper
    at: datetime


def look(database: Database, reader_id: int, paper_id: int) -> tuple[Paper, Said | None]:
    """Return a paper, and what a reader last said of it. Raises NotFoundError."""
    with database.read() as session:
        found = papers.load(session, [paper_id]).get(paper_id)
        if found is None:
            raise NotFoundError(f"no paper {paper_id}")
        return found, feedback.last_word(session, reader_id, paper_id)


def react(database: Database, reader_id: int, paper_id: int, said: Said, now: datetime) -> tuple[Paper, Said]:
    """Keep what a reader says of a paper, and return what counts: who asks for more like a saved one keeps it saved.

    Raises NotFoundError.
    """
    with database.write() as session:
        found = papers.load(session, [paper_id]).get(paper_id)
        if found is None:
            raise NotFoundError(f"no paper {paper_id}")
        if said is Said.MORE and feedback.last_word(session, reader_id, found.id) is Said.SAVE:
            said = Said.SAVE
        feedback.unsay(session, reader_id, found.id)
        feedback.say(session, reader_id, found.id, said, now)
    return found, said


def forget(database: Database, reader_id: int, paper_id: int) -> None:
    """Forget what a reader said of a paper; nothing happens where they said nothing."""
    with database.write() as session:
        feedback.unsay(session, reader_id, paper_id)


def saved(database: Database, reader_id: int) -> Sequence[Saved]:
    """Return what a reader saved, the newest first."""
    with database.read() as session:
        said = feedback.saved(session, reader_id)
        known = papers.load(session, (one.paper_id for one in said))
    return [Saved(known[one.paper_id], one.at) for one in said if one.paper_id in known]


def feed_number(database: Database, reader_id: int) -> int:
    """Return which number the link of a reader's private feed has to carry."""
    with database.read() as session:
        return subscribers.feed_number(session, reader_id)


def renew_feed(database: Database, reader_id: int) -> None:
    """Let no link to a reader's private feed work that there was before."""
    with database.write() as session:
        subscribers.renew_feed(session, reader_id)
