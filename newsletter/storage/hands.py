"""The editor's hand on an issue: what was added, pinned, dropped, moved and noted, and how a draft stood before."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from newsletter.domain.issue import Hand
from newsletter.storage import papers
from newsletter.storage.tables import IssueRow


def of(session: Session, issue_id: int) -> Hand:
    """Return the editor's hand on an issue; papers that were joined since go by their new id."""
    kept = session.get_one(IssueRow, issue_id).hand
    moved = {int(i): position for i, position in kept.get("moved", {}).items()}
    notes = {int(i): note for i, note in kept.get("notes", {}).items()}
    ids = [*kept.get("added", ()), *kept.get("pinned", ()), *kept.get("dropped", ()), *moved, *notes]
    today = papers.resolve(session, ids)
    return Hand(
        added=tuple(dict.fromkeys(today[i] for i in kept.get("added", ()))),
        pinned=tuple(dict.fromkeys(today[i] for i in kept.get("pinned", ()))),
        dropped=frozenset(today[i] for i in kept.get("dropped", ())),
        moved={today[i]: position for i, position in moved.items()},
        notes={today[i]: note for i, note in notes.items()},
    )


def keep(session: Session, issue_id: int, done: Hand, now: datetime) -> None:
    """Keep the editor's hand on an issue, which was edited at *now*."""
    row = session.get_one(IssueRow, issue_id)
    row.hand = {
        "added": list(done.added),
        "pinned": list(done.pinned),
        "dropped": sorted(done.dropped),
        "moved": {str(i): position for i, position in done.moved.items()},
        "notes": {str(i): note for i, note in done.notes.items()},
    }
    row.edited_at = now
    session.add(row)
    session.flush()


def snapshot(session: Session, issue_id: int) -> dict[str, Any]:
    """Return what the editor did to a draft, for ``restore``."""
    row = session.get_one(IssueRow, issue_id)
    return {"hand": row.hand, "subject": row.subject, "note": row.note}


def restore(session: Session, issue_id: int, kept: Mapping[str, Any], now: datetime) -> None:
    """Let a draft stand as it did when *kept* was taken; it was edited at *now*."""
    row = session.get_one(IssueRow, issue_id)
    row.hand, row.subject, row.note, row.edited_at = kept["hand"], kept["subject"], kept["note"], now
    session.add(row)
    session.flush()
