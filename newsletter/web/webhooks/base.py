"""What the ways in of all providers have in common: the proof first, then each event as a report, then an empty answer.

A provider's file turns a request into reports, and raises Unproven where nothing shows that it is them. What is no
bounce and no complaint is left alone. Not here: what follows from a report (``services/listen``).
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from newsletter.app import App
from newsletter.domain.bounce import Kind, Reason
from newsletter.domain.text import whole
from newsletter.mail.bounce_reasons import Said, judge
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.services.ledger import Clock
from newsletter.services.listen import obey
from newsletter.web.guard import read_body

LONGEST = 2_000_000  # octets: some tell of hundreds of mails at once


class Unproven(Exception):  # noqa: N818 - not an error of ours
    """Nothing shows that this comes from the provider."""


class Provider(Protocol):
    """Turns what a provider sends into reports."""

    def reports(self, headers: Mapping[str, str], body: bytes, now: float) -> list[Report]:
        """Return what is said. Raises Unproven; ValueError, TypeError, KeyError or AttributeError for another shape."""


class Hook:
    """The endpoint of one provider."""

    def __init__(self, app: App, provider: Provider, clock: Clock) -> None:
        self._app, self._provider, self._clock = app, provider, clock

    async def take(self, request: Request) -> Response:
        """Take in what the provider says."""
        body = await read_body(request, LONGEST)
        return await run_in_threadpool(self._take, dict(request.headers), body)

    def _take(self, headers: Mapping[str, str], body: bytes) -> Response:
        now = self._clock()
        try:
            reports = self._provider.reports(headers, body, now.timestamp())
        except Unproven as error:
            raise HTTPException(403) from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HTTPException(400) from error
        for report in reports:
            obey(self._app.dispatch, report, b"", now)
        return Response(status_code=204)


def document(body: bytes) -> Any:
    """Return the JSON in *body*, without halves of characters, which nothing can keep. Raises ValueError."""
    try:
        said = json.loads(body)
        return json.loads(whole(json.dumps(said, ensure_ascii=False))) if b"\\ud" in body.lower() else said
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def said_of(address: str, words: str, *, status: str = "", gone: bool = False) -> Recipient:
    """Return what *words* say of an address; *gone* where the provider is sure of it and the words are not clear."""
    judged = judge(Said(formal=True, status=status, action="failed", words=words))
    is_unclear = judged.reason in {Reason.UNCLEAR, Reason.REFUSED, Reason.TROUBLE}
    return Recipient(address, judged.status or status, Reason.UNKNOWN if gone and is_unclear else judged.reason, words)


def complaint(address: str, words: str, **facts: Any) -> Report:
    """Return the report that an address complained."""
    return Report(kind=Kind.COMPLAINT, recipients=(Recipient(address, "", Reason.COMPLAINED, words),), **facts)
