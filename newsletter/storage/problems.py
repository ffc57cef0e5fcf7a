"""What the operator was and will be told: one mail per problem and day, and one when it is solved."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.storage.tables import MetaRow, ProblemRow

DELIVERY = "delivery"  # the problem that the last run had to stop sending
_AGAIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that needs a person. ``solved`` is what to tell when it has passed."""

    name: str
    text: str
    since: datetime
    solved: bool = False


def compare(session: Session, found: Mapping[str, str], day_began: datetime, now: datetime) -> list[Problem]:
    """Keep the problems *found*, by name, and return what is to be told on the day that began at *day_began*.

    That is each problem once a day, and each that the operator was told of once more when it is solved. One that comes
    back is told again, but not sooner than an hour after the last word about it: the last word was that it is solved.
    """
    known = {row.name: row for row in session.exec(select(ProblemRow))}
    for name, text in found.items():
        row = known.setdefault(name, ProblemRow(name=name, text=text, since=now))
        if row.solved_at is not None:
            row.since, row.solved_at = now, None
        row.text = text
        session.add(row)
    told: list[Problem] = []
    for name, row in known.items():
        solved = name not in found
        if solved and row.solved_at is None:
            row.solved_at = now
            if row.told_at and row.told_at >= row.since:
                told.append(_problem(row, solved=True))
        elif not solved and (row.told_at is None or row.told_at < max(day_began, min(row.since, now - _AGAIN))):
            told.append(_problem(row, solved=False))
    return told


def open_since(session: Session, name: str) -> datetime | None:
    """Return since when there is a problem that was not seen solved, None where there is none."""
    row = session.exec(select(ProblemRow).where(col(ProblemRow.name) == name)).first()
    return row.since if row and row.solved_at is None else None


def open_text(session: Session, name: str) -> str:
    """Return what is told of a problem that was not seen solved, '' where there is none."""
    row = session.exec(select(ProblemRow).where(col(ProblemRow.name) == name)).first()
    return row.text if row and row.solved_at is None else ""


def count_open(session: Session) -> int:
    """Return how many problems are not seen solved."""
    return session.exec(select(func.count()).select_from(ProblemRow).where(col(ProblemRow.solved_at).is_(None))).one()


def mark_told(session: Session, name: str, now: datetime) -> None:
    """Remember that the operator was told of a problem."""
    row = session.exec(select(ProblemRow).where(col(ProblemRow.name) == name)).first()
    if row:
        row.told_at = now
        session.add(row)


def _problem(row: ProblemRow, *, solved: bool) -> Problem:
    return Problem(name=row.name, text=row.text, since=row.since, solved=solved)


def fact(session: Session, key: str) -> str | None:
    """Return a fact that the database remembers about itself, or None."""
    row = session.get(MetaRow, key)
    return row.value if row else None


def keep_fact(session: Session, key: str, value: str) -> None:
    """Let the database remember a fact about itself."""
    session.merge(MetaRow(key=key, value=value))
