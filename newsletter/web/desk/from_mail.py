"""What the links of a draft's mail lead to: a page that shows what will be done, and a button that does it.

Whoever has the mail may do it, for a day and as long as the draft is one; no login is asked for on a phone. GET changes
nothing, for mail scanners follow links. What was done can be taken back for ten minutes, and an issue is sealed only
when they are over.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.domain.issue import Hand, Issue, Status
from newsletter.domain.paper import Paper
from newsletter.domain.text import plain
from newsletter.errors import IllegalMoveError, NewsletterError, TokenError, TokenExpiredError
from newsletter.mail.tokens import Claims, Purpose
from newsletter.services import draft, edit
from newsletter.services.draft_mail import TAKES_BACK, undo_token
from newsletter.storage import issues, papers
from newsletter.storage.changes import By
from newsletter.web.desk.pages import Desk, client
from newsletter.web.forms import read_form

_PURPOSES = dict.fromkeys(("pin", "drop", "note"), Purpose.EDIT) | {"seal": Purpose.SEAL, "undo": Purpose.UNDO}
_DID = {"pin": "It is pinned", "drop": "It is left out", "note": "Its note is kept"}


class FromMail:
    """The pages behind the links of one newsletter's drafts."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/desk/mail/{do}/{token}", self.answer, methods=["GET", "POST"])]

    async def answer(self, request: Request) -> Response:
        """Show what a link does; on POST do it."""
        note = (await read_form(request)).one("note") if request.method == "POST" else ""
        return await run_in_threadpool(self._answer, request, note)

    def _answer(self, request: Request, note: str) -> Response:
        do, token, now = request.path_params["do"], request.path_params["token"], self._desk.clock()
        if do not in _PURPOSES:
            raise HTTPException(404)
        try:
            claims = self._desk.app.correspondence.signer.read(_PURPOSES[do], token, now)
            issue = self._issue(claims)
        except TokenExpiredError:
            return self._message(request, "This link has expired", "The desk does the same, and has no end.", 410)
        except (TokenError, IllegalMoveError) as error:
            return self._message(request, "This link does nothing any more", str(error), 404)
        try:
            act = self._act if request.method == "POST" else self._ask
            return act(request, do, issue, claims, note, now)
        except NewsletterError as error:
            return self._message(request, "That did not work", str(error), 409)

    def _issue(self, claims: Claims) -> Issue:
        with self._desk.app.database.read() as session:
            issue = issues.by_id(session, claims.subscriber)
        if issue is None or issue.status is not Status.DRAFT:
            was = f"the issue of {issue.date} is {issue.status}" if issue else "there is no such draft"
            raise IllegalMoveError(f"{was}; only a draft can be edited")
        return issue

    def _paper(self, claims: Claims) -> Paper | None:
        with self._desk.app.database.read() as session:
            return papers.load(session, [claims.delivery]).get(claims.delivery) if claims.delivery else None

    def _ask(self, request: Request, do: str, issue: Issue, claims: Claims, _note: str, _now: datetime) -> Response:
        app = self._desk.app
        with app.database.read() as session:
            shown = edit.show(session, app.policy, issue.date)
        paper = self._paper(claims) if do in _DID else None
        return self._page(
            request,
            "mail_ask.html",
            do=do,
            issue=issue,
            paper=paper,
            note=shown.hand.notes.get(paper.id, "") if paper else "",
            front=[candidate.paper.title for candidate in shown.arranged.front],
            minutes=int(TAKES_BACK.total_seconds() // 60),
        )

    def _act(self, request: Request, do: str, issue: Issue, claims: Claims, note: str, now: datetime) -> Response:
        app, by = self._desk.app, By("link in the draft's mail", client(request))
        if do == "seal":
            at = now + TAKES_BACK
            draft.seal_later(app.database, issue.date, at, now, by=by)
            return self._done(request, issue, 0, "It will be sealed", now)
        if do == "undo":
            if claims.delivery:
                draft.undo(app.database, issue.date, now, by=by, only=claims.delivery)
            else:
                draft.seal_later(app.database, issue.date, None, now, by=by)
            return self._message(request, "It is undone", f"The draft of {issue.date} is as it was before.", 200)
        paper = self._paper(claims)
        if paper is None:
            raise IllegalMoveError("there is no such paper any more")
        does, said = _hand(do, paper.id, plain(note))
        what = f"{paper.key} {said}: {paper.title}"
        change = draft.change(app.database, issue.date, now, does, by=by, what=what)
        return self._done(request, issue, change, _DID[do], now, paper=paper, changed=bool(change))

    def _done(
        self,
        request: Request,
        issue: Issue,
        change: int,
        title: str,
        now: datetime,
        *,
        paper: Paper | None = None,
        changed: bool = True,
    ) -> Response:
        undo = undo_token(self._desk.app.dispatch, issue.id, change, now) if changed else ""
        return self._page(
            request, "mail_done.html", title=title, issue=issue, paper=paper, undo=undo, until=now + TAKES_BACK
        )

    def _page(self, request: Request, template: str, **said: Any) -> Response:
        return self._desk.show(request, None, template, **said)

    def _message(self, request: Request, title: str, text: str, status: int) -> Response:
        return self._desk.show(request, None, "message.html", status=status, title=title, text=text)


def _hand(do: str, paper: int, note: str) -> tuple[Callable[[Hand], Hand], str]:
    """Return what a link does to the editor's hand, and how the log says so."""
    known: dict[str, tuple[Callable[[Hand], Hand], str]] = {
        "pin": (lambda hand: hand.pin(paper), "is pinned"),
        "drop": (lambda hand: hand.drop(paper), "is left out"),
        "note": (lambda hand: hand.note(paper, note), "has its note" if note else "has no note"),
    }
    return known[do]
