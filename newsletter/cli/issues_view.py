"""How issues look on a terminal and in JSON."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from newsletter.app import App
from newsletter.cli.terminal import Terminal
from newsletter.domain.issue import Brake, Issue
from newsletter.domain.ranking import Candidate
from newsletter.services import edit
from newsletter.services.edit import Shown
from newsletter.storage import papers


def answer_list(terminal: Terminal, found: Sequence[Issue], sizes: Mapping[int, int]) -> None:
    """Answer the issues there are; *sizes* are those of their fronts, by id."""
    documents = [
        {
            "date": issue.date,
            "status": issue.status,
            "papers": sizes.get(issue.id, 0),
            "subject": issue.subject,
            "brake": issue.brake,
            "reason": issue.reason,
        }
        for issue in found
    ]
    rows = [(i.date, _standing(i), sizes.get(i.id, 0), i.subject, i.reason) for i in found]
    headings = ("date", "status", "papers", "subject", "reason")
    none = "No issue yet; 'newsletter issues show today' shows the one that today's papers would make."
    terminal.answer({"issues": documents}, lambda: terminal.table(headings, rows) if rows else none)


def answer_one(terminal: Terminal, app: App, day: date, done: str = "") -> None:
    """Answer the issue of *day* with its papers; for a person only what was *done* to it, where something was."""
    if done and not terminal.json:
        terminal.answer(None, done)
        return
    with app.database.read() as session:
        shown = edit.show(session, app.policy, day)
        dropped = papers.load(session, shown.hand.dropped)
    keys = [paper.key for paper in dropped.values()]
    terminal.answer(_document(shown, keys), lambda: _lines(terminal, shown, keys))


def _document(shown: Shown, dropped: Sequence[str]) -> dict[str, Any]:
    issue = shown.issue
    return {
        "date": issue.date,
        "status": issue.status,
        "subject": issue.subject,
        "note": issue.note,
        "brake": issue.brake,
        "reason": issue.reason,
        "papers": [_paper(shown, candidate) for candidate in shown.arranged.front],
        "pool": len(shown.arranged.pool),
        "dropped": dropped,
        "corrections": [{"text": c.text, "made_at": c.made_at} for c in shown.corrections],
    }


def _paper(shown: Shown, candidate: Candidate) -> dict[str, Any]:
    return {
        "key": candidate.paper.key,
        "title": candidate.paper.title,
        "upvotes": candidate.upvotes,
        "comments": candidate.comments,
        "note": shown.hand.notes.get(candidate.paper.id, ""),
        "pinned": candidate.paper.id in shown.hand.pinned,
        "new": candidate.paper.id in shown.arrived,
    }


def _lines(terminal: Terminal, shown: Shown, dropped: Sequence[str]) -> str:
    issue, front = shown.issue, [_paper(shown, candidate) for candidate in shown.arranged.front]
    head = [f"{issue.date}: {_standing(issue)}" + (f" ({issue.reason})" if issue.reason else "")]
    head += [f"Subject: {issue.subject}"] if issue.subject else []
    head += [f"Note: {issue.note}"] if issue.note else []
    head += [f"Correction: {correction.text}" for correction in shown.corrections]
    rows = [(n, p["key"], p["upvotes"], p["comments"], _marks(p), _titled(p)) for n, p in enumerate(front, 1)]
    table = [terminal.table(("", "paper", "upvotes", "comments", "", "title"), rows)] if rows else []
    foot = [f"{len(front)} of {len(shown.arranged.pool)} papers in the pool"]
    foot += [f"Dropped: {', '.join(dropped)}"] if dropped else []
    return "\n".join([*head, *table, *foot])


def _standing(issue: Issue) -> str:
    return str(issue.status if issue.brake is Brake.NONE else issue.brake)


def _marks(paper: Mapping[str, Any]) -> str:
    return " ".join(mark for mark in ("pinned", "new") if paper[mark])


def _titled(paper: Mapping[str, Any]) -> str:
    return f"{paper['title']}\nNote: {paper['note']}" if paper["note"] else str(paper["title"])
