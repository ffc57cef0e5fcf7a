"""The mail of an issue as anyone would get it: narrow and wide, light and dark, as text; and a test of it by mail.

The mail itself stands in frames, where it is inert (``web/frame``). Nothing is stored.
"""

import asyncio
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from newsletter.errors import IncompleteError, NewsletterError, NotFoundError, UsageError
from newsletter.mail.addresses import parse_address
from newsletter.services.preview import Preview, preview, send_test
from newsletter.storage import changes
from newsletter.web import frame
from newsletter.web.desk.pages import HEADERS, Desk, Visit
from newsletter.web.proof_page import opened

_LEFT_OUT = 40
_SCHEMES: dict[str, frame.Scheme] = {"light": "light", "dark": "dark"}


def routes(desk: Desk) -> list[Route]:
    """Return the routes of these pages."""
    path = "/issues/{day}/preview"
    return [
        desk.page(path, _show),
        desk.page(f"{path}/{{scheme}}", _frame),
        desk.page(f"{path}/test", _test, post=True, back=path),
    ]


def _show(visit: Visit) -> Response:
    """Show what a reader gets, and why each paper; without a reader, who has no preferences."""
    reader, wrong = visit.query("as"), ""
    try:
        found = _preview(visit, reader)
    except (NotFoundError, UsageError) as error:
        if not reader:
            raise
        wrong, found = str(error), _preview(visit, "")
    return visit.show(
        "preview.html",
        status=404 if wrong else 200,
        day=visit.day,
        issue=found.issue,
        found=found,
        mail=opened(b"" if found.reason else found.content("eml")),
        text="" if found.reason else found.content("text").decode(),
        left_out=found.left_out[:_LEFT_OUT],
        reader=reader,
        wrong=wrong,
        sandbox=frame.SANDBOX,
        asked=f"?as={quote(reader)}" if reader and not wrong else "",
        test_to=visit.desk.app.settings.operator.email,
    )


def _frame(visit: Visit) -> Response:
    """Answer with the mail alone, in one colour scheme."""
    scheme = _SCHEMES.get(visit.request.path_params["scheme"])
    if scheme is None:
        raise HTTPException(404)
    html = _preview(visit, visit.query("as")).content("html").decode()
    inert = {"Content-Security-Policy": frame.policy(images=True), "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(frame.with_links_in_tabs(frame.in_scheme(html, scheme)), headers=HEADERS | inert)


def _test(visit: Visit) -> Response:
    """Mail it to an address, marked as a test."""
    app, reader = visit.desk.app, visit.form.get("as", "").strip()
    to = parse_address(visit.form.get("to", "")).email
    found = _preview(visit, reader)
    try:
        subject = asyncio.run(send_test(app.dispatch, found, to, visit.now)).subject
    except IncompleteError as error:  # no later run sends it
        raise NewsletterError(str(error)) from error
    with app.database.write() as session:
        changes.record(session, visit.by, f"sent to {to} as a test: {subject}", visit.now, issue_id=found.issue.id)
    asked = f"?as={quote(reader)}" if reader else ""
    return visit.to(f"/issues/{visit.day}/preview{asked}", f"Sent to {to}: {subject}")


def _preview(visit: Visit, reader: str) -> Preview:
    return preview(visit.desk.app.dispatch, visit.day, reader or None, visit.now)
