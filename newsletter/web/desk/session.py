"""Who is at the desk: a signed cookie, and the token that each form of a page carries.

The cookie says when the session began and when it was last used, and in which generation of the password. It is
SameSite=Lax, not Strict: the link in the draft's mail is to lead whoever is logged in to the desk, nothing is changed
by GET, and every form has its token. Nothing is kept of a session but, until it would expire, that it was ended.
A second cookie says that somebody logged in with this browser: it opens nothing, and is for counting tries (``door``).
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer
from sqlmodel import Session as DatabaseSession
from starlette.requests import Request
from starlette.responses import Response

from newsletter.storage.problems import fact, keep_fact

IDLE, ABSOLUTE = timedelta(hours=2), timedelta(hours=12)
_KNOWN = timedelta(days=365)
_FRESH = timedelta(minutes=1)  # a session that is used is written anew no more often
_ENDED = "desk.ended"


@dataclass(frozen=True, slots=True)
class Session:
    """One browser at the desk. ``generation`` is '' before the login."""

    id: str
    generation: str
    began: datetime
    seen: datetime

    def is_alive(self, now: datetime) -> bool:
        """Return whether the session has neither been idle nor gone on for too long."""
        return self.began <= now < self.began + ABSOLUTE and now < self.seen + IDLE


def begun(now: datetime, generation: str = "") -> Session:
    """Return a new session."""
    return Session(secrets.token_urlsafe(18), generation, now, now)


class Cookies:
    """Reads and writes the cookies of the desk. ``secure`` where the pages are reached by https alone."""

    def __init__(self, keys: Sequence[str], *, secure: bool) -> None:
        newest_last = list(reversed(keys))  # as itsdangerous wants them: the last signs, all verify
        self._sessions = URLSafeSerializer(newest_last, salt="desk session")
        self._forms = URLSafeSerializer(newest_last, salt="desk form")
        self._words = URLSafeSerializer(newest_last, salt="desk word")
        self._browsers = URLSafeSerializer(newest_last, salt="desk browser")
        self._secure = secure
        self._name = "__Host-desk" if secure else "desk"

    def read(self, request: Request) -> Session | None:
        """Return the session that the browser has, None for none of ours."""
        found = self._signed(self._sessions, request.cookies.get(self._name, ""))
        if not isinstance(found, list) or len(found) != 4:
            return None
        return Session(found[0], found[1], _instant(found[2]), _instant(found[3]))

    def keep(self, response: Response, session: Session, now: datetime) -> None:
        """Let the browser keep *session* as used at *now*."""
        session = replace(session, seen=now)
        said = [session.id, session.generation, int(session.began.timestamp()), int(session.seen.timestamp())]
        self._set(response, self._name, self._sessions.dumps(said), int(ABSOLUTE.total_seconds()))

    def is_stale(self, session: Session, now: datetime) -> bool:
        """Return whether it is time to ``keep`` a session that is used."""
        return now - session.seen >= _FRESH

    def drop(self, response: Response) -> None:
        """Let the browser forget its session."""
        self._set(response, self._name, "", 0)

    def know(self, response: Response, now: datetime, generation: str) -> None:
        """Let the browser keep that somebody logged in with it, by the password of this *generation*."""
        said = self._browsers.dumps([secrets.token_urlsafe(18), int(now.timestamp()), generation])
        self._set(response, f"{self._name}-known", said, int(_KNOWN.total_seconds()))

    def known(self, request: Request, now: datetime, generation: str | None) -> str:
        """Return the name of a browser with which somebody logged in by the present password, '' for any other."""
        found = self._signed(self._browsers, request.cookies.get(f"{self._name}-known", ""))
        fits = found and found[2:] == [generation] and now < _instant(found[1]) + _KNOWN
        return str(found[0]) if fits else ""

    def form_token(self, session: Session) -> str:
        """Return what each form of this session's pages carries."""
        return str(self._forms.dumps(session.id))

    def is_own_form(self, session: Session, token: str) -> bool:
        """Return whether *token* came from a page of this session."""
        return bool(self._signed(self._forms, token) == session.id)

    def say(self, response: Response, text: str, *, wrong: bool) -> None:
        """Let the next page say *text*, once."""
        self._set(response, f"{self._name}-word", self._words.dumps([text[:300], wrong]), 60)

    def said(self, request: Request) -> tuple[str, bool] | None:
        """Return what this page is to say, and whether something went wrong."""
        found = self._signed(self._words, request.cookies.get(f"{self._name}-word", ""))
        return (str(found[0]), bool(found[1])) if isinstance(found, list) and len(found) == 2 else None

    def forget_said(self, response: Response) -> None:
        """Let no other page say it."""
        self._set(response, f"{self._name}-word", "", 0)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax")

    @staticmethod
    def _signed(signer: URLSafeSerializer, text: str) -> Any:
        try:
            return signer.loads(text) if text else None
        except BadSignature:
            return None


def end(database: DatabaseSession, session: Session, now: datetime) -> None:
    """End *session* for good, wherever its cookie is."""
    kept = {i: until for i, until in _ended(database).items() if until > now.timestamp()}
    kept[session.id] = (session.began + ABSOLUTE).timestamp()
    keep_fact(database, _ENDED, json.dumps(kept))


def is_ended(database: DatabaseSession, session: Session) -> bool:
    """Return whether *session* was ended."""
    return session.id in _ended(database)


def _ended(database: DatabaseSession) -> dict[str, float]:
    return dict(json.loads(fact(database, _ENDED) or "{}"))


def _instant(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
