"""What the editor does to an issue: each button is one call of the services that the command line calls."""

import asyncio
from collections.abc import Callable
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from newsletter.domain.issue import Hand
from newsletter.domain.text import plain
from newsletter.errors import ConfigurationError, NotFoundError, UsageError
from newsletter.services import draft, edit, gather
from newsletter.services.seal import refusal
from newsletter.storage import changes, issues, papers
from newsletter.web.desk.pages import Desk, Visit

_BACK = "/issues/{day}"


def routes(desk: Desk) -> list[Route]:
    """Return the routes of what changes an issue."""
    actions = {
        "/issues/{day}/papers/{paper}": _paper,
        "/issues/{day}/add": _add,
        "/issues/{day}/words": _words,
        "/issues/{day}/undo": _undo,
        "/issues/{day}/draft": _draft,
        "/issues/{day}/seal": _seal,
        "/issues/{day}/unseal": _unseal,
        "/issues/{day}/halt": _halt,
        "/issues/{day}/resume": _resume,
        "/issues/{day}/cancel": _cancel,
        "/issues/{day}/correct": _correct,
    }
    return [desk.page(path, page, post=True, back=_BACK) for path, page in actions.items()]


def _paper(visit: Visit) -> Response:
    """Do what the button says to one paper, and leave the keyboard where it was."""
    app, day, done = visit.desk.app, visit.day, visit.form.get("do", "")
    text = visit.request.path_params["paper"]
    with app.database.read() as session:
        paper = papers.find(session, f"#{text}") if text.isascii() and text.isdigit() else None
    if paper is None:
        raise NotFoundError(f"no paper #{text[:20]} was gathered")
    does, said = _does(visit, done, paper.id)
    draft.change(app.database, day, visit.now, does, by=visit.by, what=f"{paper.key} {said}: {paper.title}")
    kept = f"&q={quote(visit.form['q'][:200])}" if visit.form.get("q") else ""
    return visit.to(f"/issues/{day}?at={_SLOTS.get(done, done)}-{paper.id}{kept}")


_STEPS = {"up": -1, "down": 1}
_SLOTS = {"unpin": "pin", "undrop": "drop", "add": "pin", "move": "up", "back": "up"}  # where a button's other stands


def _does(visit: Visit, done: str, paper: int) -> tuple[Callable[[Hand], Hand], str]:
    """Return what a button does to the editor's hand, and how the log says so. Raises UsageError."""
    front = _front(visit)
    if done in {"up", "down", "move"}:
        return _moves(visit, done, paper, front)
    note = plain(visit.form.get("note", ""))
    known: dict[str, tuple[Callable[[Hand], Hand], str]] = {
        "pin": (lambda hand: hand.pin(paper), "is pinned"),
        "unpin": (lambda hand: hand.unpin(paper), "stands where it stood before"),
        "add": (lambda hand: hand.add(paper), "is in the front"),
        "drop": (lambda hand: hand.leave(paper, front), "is left out"),
        "undrop": (lambda hand: hand.undrop(paper), "is no longer left out"),
        "note": (lambda hand: hand.note(paper, note), "has its note" if note else "has no note"),
        "back": (lambda hand: hand.move(paper, 0), "stands where its order puts it"),
    }
    if done not in known:
        raise UsageError(f"there is no button {done[:20]!r}")
    return known[done]


def _front(visit: Visit) -> list[int]:
    app = visit.desk.app
    with app.database.read() as session:
        return [c.paper.id for c in edit.show(session, app.policy, visit.day).arranged.front]


def _moves(visit: Visit, done: str, paper: int, front: list[int]) -> tuple[Callable[[Hand], Hand], str]:
    """Return what moves a paper: a step from where it is now, or to the place that the form names."""
    if paper not in front:
        raise UsageError("that paper is not in the front any more")
    now = front.index(paper) + 1
    wanted = _position(visit.form.get("position", "")) if done == "move" else now + _STEPS[done]
    place = min(max(wanted, 1), len(front))
    if place == now:
        return (lambda hand: hand), f"stands at position {place}"
    return (lambda hand: hand.stand(paper, place, front)), f"stands at position {place}"


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise UsageError(f"position {text[:20]!r}: use a place in the front from 1")
    return int(text)


def _add(visit: Visit) -> Response:
    app, named = visit.desk.app, visit.form.get("paper", "").strip()
    paper = asyncio.run(gather.look_up(app.database, app.gathering, named, visit.now))
    what = f"{paper.key} is in the front: {paper.title}"
    draft.change(app.database, visit.day, visit.now, lambda hand: hand.add(paper.id), by=visit.by, what=what)
    return visit.to(f"/issues/{visit.day}?at=pin-{paper.id}", what)


def _words(visit: Visit) -> Response:
    """Keep the subject and the note on the issue."""
    said = {name: visit.form[name] for name in ("subject", "note") if name in visit.form}
    draft.retitle(visit.desk.app.database, visit.day, visit.now, by=visit.by, **said)
    return visit.to(f"/issues/{visit.day}?at=words", "The subject and the note are kept.")


def _undo(visit: Visit) -> Response:
    said = draft.undo(visit.desk.app.database, visit.day, visit.now, by=visit.by)
    return visit.to(f"/issues/{visit.day}?at=undo", f"Undone: {said}")


def _draft(visit: Visit) -> Response:
    draft.begin(visit.desk.app.database, visit.day, visit.now)
    return visit.to(f"/issues/{visit.day}", "The draft has begun; what arrives from now on is marked as new.")


def _seal(visit: Visit) -> Response:
    """Seal the issue. Raises UsageError for a date to come, ConfigurationError while a template does not work."""
    app, day = visit.desk.app, visit.day
    _meant(visit)
    if day > visit.desk.today():
        raise UsageError(f"{day} is in the future; it is {visit.desk.today()}")
    if broken := refusal(app.dispatch, day, visit.now, sealing=True):
        raise ConfigurationError(broken)
    with app.database.write() as session:
        issue = edit.seal(session, app.policy, day, visit.now)
        said = f"The issue of {day} is {issue.status}" + (f": {issue.reason}." if issue.reason else ".")
        changes.record(session, visit.by, said, visit.now, issue_id=issue.id)
    return visit.to(f"/issues/{day}", f"{said} The next run sends it.")


def _unseal(visit: Visit) -> Response:
    draft.seal_later(visit.desk.app.database, visit.day, None, visit.now, by=visit.by)
    return visit.to(f"/issues/{visit.day}", "It is a draft as before, and waits for you.")


def _halt(visit: Visit) -> Response:
    reason = visit.form.get("reason", "").strip()
    if not reason:
        raise UsageError("say why, for whoever looks later")
    edit.halt(visit.desk.app.database, visit.day, reason)
    return _did(visit, f"The issue of {visit.day} is halted: {plain(reason)}")


def _resume(visit: Visit) -> Response:
    edit.resume(visit.desk.app.database, visit.day)
    return _did(visit, f"The issue of {visit.day} is no longer halted; the next run goes on sending it.")


def _cancel(visit: Visit) -> Response:
    _meant(visit)
    edit.cancel(visit.desk.app.database, visit.day, visit.now)
    return _did(visit, f"The issue of {visit.day} is cancelled for everyone not reached yet.")


def _correct(visit: Visit) -> Response:
    _meant(visit)
    text = visit.form.get("text", "")
    edit.correct(visit.desk.app.database, visit.day, text, visit.now)
    return _did(visit, f"The issue of {visit.day} has its correction: {plain(text)}")


def _meant(visit: Visit) -> None:
    if not visit.form.get("sure"):
        raise UsageError("that is final: tick the box to say that you mean it")


def _did(visit: Visit, said: str) -> Response:
    with visit.desk.app.database.write() as session:
        issue = issues.get(session, visit.day)
        changes.record(session, visit.by, said, visit.now, issue_id=issue.id if issue else None)
    return visit.to(f"/issues/{visit.day}", said)
