"""Editing a draft: what the editor does to it, and taking it back.

``change`` and ``retitle`` are the ways to edit; each keeps how the draft stood before, so that ``undo`` takes back what
was done last, whoever did it. Not here: what an issue shows, and sealing it (``edit``).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

from sqlmodel import Session

from newsletter.domain.issue import Hand, Issue, Status
from newsletter.domain.text import plain
from newsletter.errors import IllegalMoveError
from newsletter.storage import changes, hands, issues
from newsletter.storage.changes import COMMAND_LINE, By
from newsletter.storage.database import Database


def begin(database: Database, day: date, now: datetime) -> None:
    """Begin the draft of *day*: from now on what arrives is marked. Raises IllegalMoveError for one that is closed.

    A date that was recorded as empty is opened again: what it lists may have come late.
    """
    with database.write() as session:
        issue = issues.get(session, day)
        if issue and issue.status is Status.EMPTY:
            issue = replace(issue, status=Status.DRAFT, reason="")
        issue = issue if issue and issue.status is Status.DRAFT else _draft(session, day)
        issues.keep(session, replace(issue, edited_at=issue.edited_at or now))


def change(
    database: Database,
    day: date,
    now: datetime,
    done: Callable[[Hand], Hand],
    *,
    by: By = COMMAND_LINE,
    what: str = "edited",
) -> int:
    """Do to the draft of *day* what *done* does to the editor's hand; *by* and *what* are kept in the log.

    Return the change's id, 0 where nothing changed. Raises IllegalMoveError.
    """
    with database.write() as session:
        issue = _draft(session, day)
        held, before = hands.of(session, issue.id), hands.snapshot(session, issue.id)
        changed = done(held)
        hands.keep(session, issue.id, changed, now)
        if changed == held:
            return 0
        return changes.record(session, by, f"{day}: {what}", now, issue_id=issue.id, before=before)


def retitle(
    database: Database,
    day: date,
    now: datetime,
    *,
    subject: str | None = None,
    note: str | None = None,
    by: By = COMMAND_LINE,
) -> int:
    """Set the subject of the draft's mails, or the editor's note on it; an empty text takes it away.

    Return the change's id, 0 where nothing changed. Raises IllegalMoveError.
    """
    given = {name: plain(text) for name, text in (("subject", subject), ("note", note)) if text is not None}
    with database.write() as session:
        issue = _draft(session, day)
        before = hands.snapshot(session, issue.id)
        issues.keep(session, replace(issue, edited_at=now, **given))  # type: ignore[arg-type]
        said = [f"{name}: {text or 'none'}" for name, text in given.items() if text != before[name]]
        if not said:
            return 0
        return changes.record(session, by, f"{day}: {'; '.join(said)}", now, issue_id=issue.id, before=before)


def undo(database: Database, day: date, now: datetime, *, by: By = COMMAND_LINE, only: int | None = None) -> str:
    """Take back what was last done to the draft of *day*, and return what that was.

    With *only*, that change alone: it must be the last. Raises IllegalMoveError where there is nothing to take back.
    """
    with database.write() as session:
        issue = _draft(session, day)
        found = changes.take_back(session, issue.id)
        if found is None or (only is not None and found[0].id != only):
            session.rollback()
            was = "nothing is left to undo" if found is None else "it was edited again since; undo that first"
            raise IllegalMoveError(f"the issue of {day}: {was}")
        change, before = found
        hands.restore(session, issue.id, before, now)
        changes.record(session, by, f"{day}: undone: {change.what.removeprefix(f'{day}: ')}", now, issue_id=issue.id)
    return change.what.removeprefix(f"{day}: ")


def seal_later(database: Database, day: date, at: datetime | None, now: datetime, *, by: By = COMMAND_LINE) -> Issue:
    """Decide that the draft of *day* is sealed *at* an instant, by the tick that comes then; None undoes that.

    Raises IllegalMoveError for what is no draft any more.
    """
    with database.write() as session:
        issue = replace(_draft(session, day), seal_at=at)
        issues.keep(session, issue)
        said = f"will be sealed at {at:%H:%M} UTC" if at else "is not to be sealed yet"
        changes.record(session, by, f"the issue of {day} {said}", now, issue_id=issue.id)
        return issue


def _draft(session: Session, day: date) -> Issue:
    issue = issues.draft(session, day)
    if issue.status is not Status.DRAFT:
        again = f"; 'newsletter issues draft {day}' opens it again" if issue.status is Status.EMPTY else ""
        raise IllegalMoveError(f"the issue of {day} is {issue.status}; only a draft can be edited{again}")
    return issue
