"""What every page of the desk has alike: who may see it, how a form is checked, how it looks, and how errors end.

A page is a function that takes a ``Visit`` and returns an answer; it runs in a thread. One that changes something is
reached by POST alone, and answers with a redirect to what it changed. Not here: what the pages are about.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from newsletter.app import App
from newsletter.domain.calendar import local_date
from newsletter.errors import IllegalMoveError, NewsletterError, NotFoundError
from newsletter.render.colour import palette
from newsletter.render.environment import environment, render
from newsletter.services import account
from newsletter.services.ledger import Clock
from newsletter.storage.changes import By
from newsletter.storage.faults import StorageError
from newsletter.web.desk.session import Cookies, Session, begun, is_ended
from newsletter.web.forms import is_from_elsewhere, read_form

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_FORMS = "token"  # the field of a form that says that one of our pages sent it
_LONGEST_ADDRESS = 64  # characters
_STATUS = {NotFoundError: 404, IllegalMoveError: 409}


@dataclass(frozen=True)
class Visit:
    """One request of who is logged in. ``back`` is where a POST leads that fails."""

    desk: "Desk"
    request: Request
    session: Session
    now: datetime
    form: dict[str, str] = field(default_factory=dict)

    @property
    def by(self) -> By:
        """Return under what the log names who is at the desk."""
        return By("desk", client(self.request))

    @property
    def day(self) -> date:
        """Return the date that the address names. Raises HTTPException for none."""
        try:
            day = date.fromisoformat(self.request.path_params["day"])
        except ValueError as error:
            raise HTTPException(404) from error
        if not 1970 <= day.year <= 2200:
            raise HTTPException(404)
        return day

    def query(self, name: str) -> str:
        """Return what the address asks for by *name*, '' for nothing."""
        return self.request.query_params.get(name, "").strip()[:500]

    def number(self, name: str, lowest: int, highest: int) -> int:
        """Return the number that the address asks for by *name*, *lowest* for none."""
        text = self.query(name)
        return min(max(int(text), lowest), highest) if text.isascii() and text.isdigit() and len(text) < 10 else lowest

    def show(self, template: str, *, status: int = 200, **said: Any) -> Response:
        """Return a page."""
        return self.desk.show(self.request, self.session, template, status=status, **said)

    def to(self, path: str, said: str = "", *, wrong: bool = False) -> Response:
        """Return the answer that leads on to *path* of the desk, where *said* is shown once."""
        answer = RedirectResponse(self.desk.address(path), 303)
        if said:
            self.desk.cookies.say(answer, said, wrong=wrong)
        return answer


Page = Callable[[Visit], Response]
Reader = Callable[[Request, Session], Awaitable[dict[str, str]]]


class Desk:
    """One newsletter's desk. Raises ConfigurationError for a template that does not work."""

    def __init__(self, app: App, clock: Clock) -> None:
        self.app, self.clock = app, clock
        newsletter = app.settings.newsletter
        self.cookies = Cookies(app.settings.secrets, secure=newsletter.base_url.startswith("https://"))
        self.root = urlsplit(newsletter.base_url).path  # below which a proxy may have put the pages
        self._templates = environment(None)
        self._templates.filters |= {
            "at": self._at,
            "at_second": lambda at: f"{at.astimezone(app.settings.newsletter.zone):%H:%M:%S}",
            "yesterday": lambda day: day - timedelta(days=1),
            "tomorrow": lambda day: day + timedelta(days=1),
            "sentence": lambda text: text[:1].upper() + text[1:],
        }
        self._shared = {
            "newsletter": newsletter.name,
            "root": self.root,
            "colours": palette(app.settings.look.accent),
            "public": newsletter.base_url,
        }

    @cached_property
    def style(self) -> str:
        """Return the style sheet."""
        return render(self._templates, "web/desk/style.css", **self._shared)

    def today(self) -> date:
        """Return the date that it is in the newsletter's zone."""
        return local_date(self.clock(), self.app.settings.newsletter.zone)

    def address(self, path: str) -> str:
        """Return the address of a *path* of the desk, as a browser sees it."""
        return f"{self.root}/desk{path}"

    def html(self, template: str, **said: Any) -> str:
        """Return a template filled in."""
        return render(self._templates, f"web/desk/{template}", **self._shared, **said)

    def show(
        self, request: Request, session: Session | None, template: str, *, status: int = 200, **said: Any
    ) -> Response:
        """Return a page, with what is to be said on it, and the token for its forms."""
        word = self.cookies.said(request)
        given = {
            "token": self.cookies.form_token(session) if session else "",
            "inside": bool(session and session.generation),
            "word": word[0] if word else "",
            "word_is_wrong": bool(word and word[1]),
            "path": request.url.path,
            "today": self.today(),
        }
        answer = HTMLResponse(self.html(template, **given, **said), status, headers=HEADERS)
        if word:
            self.cookies.forget_said(answer)
        return answer

    def message(self, request: Request, title: str, text: str, status: int) -> Response:
        """Return a page of one sentence."""
        return self.show(request, self.visitor(request), "message.html", status=status, title=title, text=text)

    def visitor(self, request: Request) -> Session | None:
        """Return the session of who is logged in, None for anybody else."""
        session = self.cookies.read(request)
        if session is None or not session.generation or not session.is_alive(self.clock()):
            return None
        with self.app.database.read() as database:
            if account.generation(database) != session.generation or is_ended(database, session):
                return None
        return session

    def stranger(self, request: Request) -> Session:
        """Return the session of who is not logged in, a new one where the browser has none."""
        session = self.cookies.read(request)
        fits = session and not session.generation and session.is_alive(self.clock())
        return session if session and fits else begun(self.clock())

    def page(self, path: str, page: Page, *, post: bool = False, back: str = "", reader: Reader | None = None) -> Route:
        """Return the route of a page that only who is logged in sees; a failing *post* leads *back*.

        *reader* reads its form, where that is none like others.
        """

        async def answer(request: Request) -> Response:
            session = await run_in_threadpool(self.visitor, request)
            if session is None:
                return self._log_in(request)
            form = await (reader or self.read_form)(request, session) if post else {}
            visit = Visit(self, request, session, self.clock(), form)
            found = await run_in_threadpool(self._tried, page, visit, back)
            if self.cookies.is_stale(session, visit.now) and "set-cookie" not in found.headers:
                self.cookies.keep(found, session, visit.now)
            return found

        answer.__name__ = page.__name__  # which is what the log tells
        return Route(f"/desk{path}", answer, methods=["POST" if post else "GET"])

    async def read_form(self, request: Request, session: Session) -> dict[str, str]:
        """Return the fields of a form of ours. Raises HTTPException for any other."""
        sent = await read_form(request)
        form = {name: sent.one(name).replace("\0", "") for name in sent.fields}
        self.check_form(request, session, form.pop(_FORMS, ""))
        return form

    def check_form(self, request: Request, session: Session, token: str) -> None:
        """Raise HTTPException unless a page of this session sent what comes with *token*."""
        if is_from_elsewhere(request) or not self.cookies.is_own_form(session, token):
            raise HTTPException(403)

    def _tried(self, page: Page, visit: Visit, back: str) -> Response:
        try:
            return page(visit)
        except StorageError:
            raise  # its details are the log's
        except NewsletterError as error:
            if visit.request.method == "POST":
                return visit.to(back.format(**visit.request.path_params), str(error), wrong=True)
            status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
            return self.message(visit.request, "That did not work", str(error), status)

    def _log_in(self, request: Request) -> Response:
        path = request.url.path if request.method == "GET" else "/desk"
        return RedirectResponse(f"{self.root}/desk/login?to={quote(path, safe='/')}", 303, headers=HEADERS)

    def _at(self, at: datetime | None) -> str:
        return f"{at.astimezone(self.app.settings.newsletter.zone):%Y-%m-%d %H:%M}" if at else "never"


HEADERS = {"Content-Security-Policy": POLICY, "X-Robots-Tag": "noindex", "Cache-Control": "no-store"}


def client(request: Request) -> str:
    """Return the address from which a request comes, as far as it may be one: a proxy may pass on anything."""
    return request.client.host[:_LONGEST_ADDRESS] if request.client else ""
