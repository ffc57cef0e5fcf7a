"""Logging in and out. Who is wrong is told nothing of what was wrong, and may not try for ever.

Tries are counted by network, and all together, since guessing may come from many networks. Strangers who use up what
all have must not keep the owner out for long: a browser that has logged in before is known by a cookie, until the
password is changed, and counted for itself alone; what comes from this machine (through a tunnel, say) is left out of
what all have.
"""

from datetime import timedelta

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from newsletter.services import account
from newsletter.services.throttle import ALL, Rule
from newsletter.storage import changes
from newsletter.storage.changes import By
from newsletter.web.clients import network_of
from newsletter.web.desk.pages import HEADERS, Desk, client
from newsletter.web.desk.session import Session, begun, end
from newsletter.web.turnstile import retry_after

_OF_A_NETWORK = Rule("desk login of a network", 10, timedelta(minutes=15))
OF_ALL = Rule("desk login", 200, timedelta(hours=1))
_OF_A_BROWSER = Rule("desk login of a browser", 10, timedelta(minutes=15))
_WRONG = "That name and password do not open the desk."
_OFTEN = "That was tried too often. Please wait some minutes."


class Door:
    """The way in and out of one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/desk/login", self.ask, methods=["GET"]),
            Route("/desk/login", self.log_in, methods=["POST"]),
            Route("/desk/logout", self.log_out, methods=["POST"]),
        ]

    async def ask(self, request: Request) -> Response:
        """Show the form, or what is behind it to who is logged in."""
        if await run_in_threadpool(self._desk.visitor, request):
            return RedirectResponse(self._desk.root + _inside(request.query_params.get("to", "")), 303)
        return self._form(request, "")

    async def log_in(self, request: Request) -> Response:
        """Begin a session, or say that it was wrong."""
        stranger = self._desk.stranger(request)
        form = await self._desk.read_form(request, stranger)
        return await run_in_threadpool(self._try, request, form)

    async def log_out(self, request: Request) -> Response:
        """End the session, also for whoever else may have its cookie."""
        session = await run_in_threadpool(self._desk.visitor, request)
        answer = RedirectResponse(self._desk.address("/login"), 303, headers=HEADERS)
        if session:
            await self._desk.read_form(request, session)
            await run_in_threadpool(self._end, request, session)
            self._desk.cookies.drop(answer)
        return answer

    def _form(self, request: Request, wrong: str, *, status: int = 200, to: str = "", name: str = "") -> Response:
        session = self._desk.stranger(request)
        answer = self._desk.show(
            request,
            session,
            "login.html",
            status=status,
            wrong=wrong,
            owner=name,
            to=_inside(to or request.query_params.get("to", "")),
        )
        self._desk.cookies.keep(answer, session, self._desk.clock())
        return answer

    def _try(self, request: Request, form: dict[str, str]) -> Response:
        database, now = self._desk.app.database, self._desk.clock()
        to, by = _inside(form.get("to", "")), By("login", client(request))
        name = form.get("name", "")[:200]
        if wait := self._desk.app.throttle.admit(now, *self._uses(request)):
            answer = self._form(request, _OFTEN, status=429, to=to, name=name)
            answer.headers.update(retry_after(wait))
            return answer
        if not account.is_owner(database, name, form.get("password", "")):
            with database.write() as session:
                changes.record(session, by, "a login was refused", now)
            return self._form(request, _WRONG, status=401, to=to, name=name)
        with database.write() as session:
            generation = account.generation(session) or ""
            changes.record(session, by, "logged in", now)
        answer = RedirectResponse(self._desk.root + to, 303, headers=HEADERS)
        self._desk.cookies.keep(answer, begun(now, generation), now)
        self._desk.cookies.know(answer, now, generation)
        return answer

    def _uses(self, request: Request) -> list[tuple[Rule, str]]:
        """Return by what a try to log in is counted."""
        with self._desk.app.database.read() as database:
            generation = account.generation(database)
        if browser := self._desk.cookies.known(request, self._desk.clock(), generation):
            return [(_OF_A_BROWSER, browser)]
        network = network_of(request)
        return [(_OF_A_NETWORK, network or "unknown"), (OF_ALL, ALL if network else "")]

    def _end(self, request: Request, session: Session) -> None:
        with self._desk.app.database.write() as database:
            end(database, session, self._desk.clock())
            changes.record(database, By("desk", client(request)), "logged out", self._desk.clock())


def _inside(path: str) -> str:
    """Return *path* if it is a page of the desk, else the first page: nobody is led elsewhere after the login."""
    parts = path.split("/")
    plain = path.isascii() and path.isprintable() and not set(path) & set("\\?#;:@% ")
    return path if plain and parts[:2] == ["", "desk"] and ".." not in parts and "" not in parts[2:] else "/desk"
