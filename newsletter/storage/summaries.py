"""What a language model said of papers, and how often it was asked in vain. Reading what it said is ``papers.load``'s.

Not here: who is asked for which papers, and what is good enough (``services/summarise.py``).
"""

from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session, col, select

from newsletter.storage.papers import chunks
from newsletter.storage.tables import SummaryRow


def keep(session: Session, paper_id: int, model: str, text: str, now: datetime) -> None:
    """Remember what *model* said of a paper."""
    session.merge(SummaryRow(paper_id=paper_id, model=model, text=text, asked_at=now, made_at=now))


def keep_failure(session: Session, paper_id: int, model: str, error: str, now: datetime) -> None:
    """Remember that *model* was asked in vain, once more."""
    row = session.get(SummaryRow, paper_id)
    failures = (row.failures if row else 0) + 1
    session.merge(SummaryRow(paper_id=paper_id, model=model, asked_at=now, failures=failures, error=error))


def failures(session: Session, paper_ids: Sequence[int]) -> dict[int, int]:
    """Return how often a model was asked in vain for each of these papers, where it was."""
    found: dict[int, int] = {}
    for part in chunks(paper_ids):
        query = select(SummaryRow.paper_id, SummaryRow.failures).where(col(SummaryRow.paper_id).in_(part))
        found |= dict(session.exec(query.where(SummaryRow.text == "")).all())
    return found


def asked_since(session: Session, since: datetime) -> set[int]:
    """Return the papers for which a model was asked since then."""
    return set(session.exec(select(SummaryRow.paper_id).where(SummaryRow.asked_at >= since)).all())
