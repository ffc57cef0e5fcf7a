"""Pages that are the same for everyone, kept until something that they show changes, or a few minutes at most.

The database numbers its editions: one small question tells whether what is kept still holds; an ETag tells whether who
asks has it already. Not here: what pages say. A page whose answer depends on who asks does not belong here.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from hashlib import sha256

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from newsletter.services.ledger import Clock
from newsletter.storage import search
from newsletter.storage.database import Database
from newsletter.web.known import unchanged

_MOST = 500  # pages, of a process
_LARGEST = 200_000  # octets of one
_LASTS = timedelta(minutes=5)  # what a page says of today grows old even where nothing changes
_OK = 200

Answering = Callable[[Request], Response]


@dataclass(frozen=True, slots=True)
class _Kept:
    edition: int
    until: datetime
    answer: Response


class Shelf:
    """Keeps the pages that were asked for last. What is kept is answered at once; a thread makes what is not."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def holding(self, routes: list[Route]) -> list[Route]:
        """Return *routes*, their answers kept."""
        return [Route(route.path, self._shared(route.endpoint)) for route in routes]

    def _shared(self, make: Answering) -> Callable[[Request], Awaitable[Response]]:
        @wraps(make)  # the log names the page
        async def answer(request: Request) -> Response:
            edition, now = search.edition(self._database), self._clock()
            asked = (request.url.path, request.url.query)
            kept = self._kept.get(asked)
            if kept is None or kept.edition != edition or kept.until <= now:
                made = await run_in_threadpool(_made, make, request)
                if made.status_code != _OK or len(made.body) > _LARGEST:
                    return made
                kept = self._keep(asked, _Kept(edition, now + _LASTS, made))
            self._kept.move_to_end(asked)
            return _unless_known(request, kept.answer)

        return answer

    def _keep(self, asked: tuple[str, str], kept: _Kept) -> _Kept:
        self._kept[asked] = kept
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return kept


def _made(make: Answering, request: Request) -> Response:
    made = make(request)
    if made.status_code == _OK:
        made.headers["ETag"] = f'"{sha256(made.body).hexdigest()[:20]}"'
    return made


def _unless_known(request: Request, answer: Response) -> Response:
    headers = {name: answer.headers[name] for name in ("ETag", "Cache-Control") if name in answer.headers}
    known = unchanged(request, headers)
    return known or Response(answer.body, headers=headers, media_type=answer.headers["content-type"])
