"""The draft by mail: once a day, to the editor, with links that pin, drop, note and seal from a phone.

That it was mailed is remembered with the draft before it goes; one that no server took goes with the next tick. Not
here: the pages behind the links (``web/desk/from_mail``).
"""

import asyncio
from dataclasses import replace
from datetime import date, datetime, timedelta

from newsletter.config.settings import EditingSettings, Settings
from newsletter.domain.calendar import instant
from newsletter.domain.issue import Issue, Status
from newsletter.domain.subscriber import WEEKDAYS
from newsletter.errors import ConfigurationError, NewsletterError, NotFoundError
from newsletter.mail.tokens import Purpose
from newsletter.render import notices
from newsletter.render.environment import environment
from newsletter.render.language import ENGLISH
from newsletter.render.notices import Draft, DraftPaper
from newsletter.render.typesetting import Rendered
from newsletter.services.board import Board, Row, board
from newsletter.services.dispatch import Dispatch
from newsletter.services.notify import may_have_gone, send_one
from newsletter.storage import issues

VALID_FOR = timedelta(hours=24)
TAKES_BACK = timedelta(minutes=10)  # for what was done by a link; what is sealed by one is sealed when they are over


async def mail_draft(dispatch: Dispatch, day: date, now: datetime) -> str:
    """Mail the editor the draft of *day* if its hour has come, once. Return why it could not be, '' for no trouble."""
    found = await asyncio.to_thread(_claim, dispatch, day, now)
    if found is None:
        return ""
    try:
        rendered = await asyncio.to_thread(draft_mail, dispatch, found, now)
        await send_one(dispatch, _editor(dispatch.settings), rendered, now)
    except NewsletterError as error:
        if may_have_gone(error):
            return f"the draft of {day} may not have reached its editor, and is not mailed again: {error}"
        await asyncio.to_thread(_give_back, dispatch, found.issue)
        return f"the draft of {day} could not be mailed to its editor: {error}"
    return ""


def _claim(dispatch: Dispatch, day: date, now: datetime) -> Board | None:
    """Return the draft that is to be mailed now, recorded as mailed; None where there is none."""
    if not _is_time(dispatch.settings, day, now):
        return None
    with dispatch.database.write() as session:
        issue = issues.get(session, day)
        if issue and issue.status is not Status.DRAFT:
            return None
        try:
            found = board(session, dispatch.policy, day)
        except NotFoundError:
            return None
        if not found.front:
            return None
        issue = issues.draft(session, day)
        if not issues.claim_mail(session, issue.id, now):
            return None
        issues.keep(session, replace(issue, edited_at=issue.edited_at or now))  # what comes later is marked
        return replace(found, issue=issue)


def _is_time(settings: Settings, day: date, now: datetime) -> bool:
    newsletter, editing = settings.newsletter, settings.editing
    if editing.draft_at is None or not _editor(settings) or WEEKDAYS[day.weekday()] not in newsletter.days:
        return False
    return now >= instant(day, editing.draft_at, newsletter.zone)


def _editor(settings: Settings) -> str:
    return settings.editing.editor or settings.operator.email


def _give_back(dispatch: Dispatch, issue: Issue) -> None:
    with dispatch.database.write() as session:
        issues.not_mailed(session, issue.id)


def draft_mail(dispatch: Dispatch, found: Board, now: datetime) -> Rendered:
    """Return the mail of a draft, in the packaged words where the operator's own are broken."""
    newsletter = dispatch.settings.newsletter
    base_url, day = newsletter.base_url, found.issue.date
    draft = Draft(
        day=day,
        papers=[_paper(dispatch, found.issue, row, now) for row in found.front],
        pool=found.pool_count,
        when=_when(dispatch.settings.editing, f"{newsletter.send_at:%H:%M}"),
        seal=_link(dispatch, Purpose.SEAL, found.issue.id, 0, now, "seal"),
        desk=f"{base_url}/desk/issues/{day}" if base_url else "",
        valid_for="24 hours" if base_url else "",
    )
    try:
        return notices.draft(dispatch.languages.templates_in(ENGLISH), dispatch.mail.imprint, draft)
    except ConfigurationError:
        return notices.draft(environment(None), dispatch.mail.imprint, draft)


def _when(editing: EditingSettings, send_at: str) -> str:
    if editing.mode == "auto":
        return f"It is sealed at {send_at}."
    then = "it is sealed without you" if editing.on_deadline == "seal" else "there is no issue"
    return f"It waits for you until {editing.deadline:%H:%M}; then {then}."


def _paper(dispatch: Dispatch, issue: Issue, row: Row, now: datetime) -> DraftPaper:
    pin, drop, write = (_link(dispatch, Purpose.EDIT, issue.id, row.id, now, do) for do in ("pin", "drop", "note"))
    return DraftPaper(
        title=row.title,
        link=row.link,
        people=row.people,
        facts=row.facts,
        why=row.why,
        note=row.note,
        pin=pin,
        drop=drop,
        write=write,
    )


def _link(dispatch: Dispatch, purpose: Purpose, issue: int, paper: int, now: datetime, do: str) -> str:
    base_url = dispatch.settings.newsletter.base_url
    if not base_url:
        return ""
    token = dispatch.mail.signer.token(purpose, subscriber=issue, delivery=paper, expires=now + VALID_FOR)
    return f"{base_url}/desk/mail/{do}/{token}"


def undo_token(dispatch: Dispatch, issue: int, change: int, now: datetime) -> str:
    """Return the token that takes back a *change* of an issue (0: that it will be sealed), for ten minutes."""
    return dispatch.mail.signer.token(Purpose.UNDO, subscriber=issue, delivery=change, expires=now + TAKES_BACK)
