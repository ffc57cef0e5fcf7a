"""Whole files of subscribers: one comes in after a look at what it would do, and all go out.

What was uploaded lies beside the database until it was imported or an hour is over (``storage/uploads``). A file may be
larger than other forms.
"""

import asyncio
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message

from newsletter.domain.subscriber import Subscriber
from newsletter.errors import NotFoundError, UsageError
from newsletter.services.subscriber_files import write_csv
from newsletter.services.transfer import Report, export, import_file
from newsletter.storage import changes, uploads
from newsletter.web.desk.pages import HEADERS, Desk, Visit
from newsletter.web.desk.session import Session

LARGEST = 64 * 1024 * 1024  # octets: a million addresses with their preferences
_PATIENCE = 120  # seconds for a file to arrive
_ROWS = 1000  # of an export at once
_NAMED = 100  # invalid lines that a page names


def routes(desk: Desk) -> list[Route]:
    """Return the routes of these pages."""
    files, path = Files(desk), "/subscribers/import"
    return [
        desk.page("/subscribers/export.csv", files.send),
        desk.page(path, files.ask),
        desk.page(path, files.look, post=True, back=path, reader=files.take),
        desk.page(f"{path}/apply", files.apply, post=True, back=path),
    ]


@dataclass(frozen=True)
class Files:
    """Takes and gives the files of one desk."""

    desk: Desk

    @property
    def _database(self) -> Path:
        return self.desk.app.database.path

    def send(self, visit: Visit) -> Response:
        """Answer with everyone on the list, as CSV, while it is being read."""
        with self.desk.app.database.write() as session:
            changes.record(session, visit.by, "exported the subscribers", visit.now)
        headers = HEADERS | {"Content-Disposition": f'attachment; filename="subscribers-{self.desk.today()}.csv"'}
        lines = _csv(export(self.desk.app.database))
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    def ask(self, visit: Visit) -> Response:
        """Show the form that takes a file."""
        return visit.show("import.html", report=None, upload="", file="", skip=False)

    async def take(self, request: Request, session: Session) -> dict[str, str]:
        """Keep the file that a form brings, and return the form's fields. Raises HTTPException."""
        try:
            async with asyncio.timeout(_PATIENCE), _limited(request).form(max_files=1, max_fields=10) as form:
                self.desk.check_form(request, session, str(form.get("token", "")))
                file = form.get("file")
                if not isinstance(file, UploadFile):
                    raise HTTPException(400)
                upload = await run_in_threadpool(uploads.keep, self._database, file.file, self.desk.clock())
                return {"upload": upload, "name": _plain_name(file.filename or ""), "skip": str(form.get("skip", ""))}
        except TimeoutError as error:
            raise HTTPException(408) from error
        except MultiPartException as error:
            raise HTTPException(400) from error

    def look(self, visit: Visit) -> Response:
        """Show what importing the file would do; nothing is written."""
        upload, name, skip = visit.form["upload"], visit.form["name"], bool(visit.form["skip"])
        try:
            report = self._import(visit, upload, name, skip=skip, dry_run=True)
        except UsageError:
            uploads.drop(self._database, upload)
            raise
        return visit.show("import.html", report=report, upload=upload, file=name, skip=skip, most=_NAMED)

    def apply(self, visit: Visit) -> Response:
        """Import the file that was looked at."""
        upload, name, skip = visit.form.get("upload", ""), visit.form.get("name", ""), bool(visit.form.get("skip"))
        report = self._import(visit, upload, _plain_name(name), skip=skip, dry_run=False)
        if not report.written:
            raise UsageError(f"{report.invalid_count} lines are invalid; nothing was imported")
        uploads.drop(self._database, upload)
        said = f"imported {report.added:,} subscribers of {_plain_name(name)}"
        with self.desk.app.database.write() as session:
            changes.record(session, visit.by, said, visit.now)
        there = f"; {report.already_there:,} were there, {report.left_alone:,} had left and were left alone"
        return visit.to("/subscribers", said.capitalize() + there + ".")

    def _import(self, visit: Visit, upload: str, name: str, *, skip: bool, dry_run: bool) -> Report:
        app, kept = self.desk.app, uploads.find(self._database, upload, visit.now)
        if kept is None:
            raise NotFoundError("that file is gone: an uploaded file is kept for an hour; upload it again")
        with kept.open("rb") as file:
            return import_file(
                app.database, app.settings.newsletter, file, name, visit.now, skip_invalid=skip, dry_run=dry_run
            )


def _limited(request: Request) -> Request:
    """Return *request*, whose body may be as large as a file of subscribers. Reading more raises HTTPException."""
    left = LARGEST

    async def receive() -> Message:
        nonlocal left
        message = await request.receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413)
        return message

    return Request(request.scope, receive)


def _csv(subscribers: Iterator[Subscriber]) -> Iterator[str]:
    """Yield the file that ``write_csv`` writes, some rows at a time."""
    some = list(islice(subscribers, _ROWS))
    yield _written(some)
    while some := list(islice(subscribers, _ROWS)):
        yield _written(some).partition("\r\n")[2]  # one head is enough


def _written(subscribers: Sequence[Subscriber]) -> str:
    text = io.StringIO(newline="")
    write_csv(subscribers, text)
    return text.getvalue()


def _plain_name(name: str) -> str:
    """Return a file's name fit to be kept as the source of consent."""
    return re.sub(r"[^\w. -]", "_", name.rpartition("/")[2])[:100].strip() or "a file"
