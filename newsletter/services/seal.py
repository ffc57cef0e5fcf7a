"""When an issue is sealed: the newsletter's days and hour, the editor, required sources, and days without papers.

The decision is ``verdict``, unless ``broken_templates`` forbid it; ``seal_when_due`` carries it out. Not here: the
order of the pool (``edit``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from newsletter.config.settings import NewsletterSettings, Settings
from newsletter.domain.calendar import instant, local_date
from newsletter.domain.issue import Issue, Status
from newsletter.domain.subscriber import WEEKDAYS
from newsletter.errors import ConfigurationError, NotFoundError
from newsletter.services import edit, proofs
from newsletter.services.dispatch import Dispatch
from newsletter.services.edit import Policy
from newsletter.services.gather import Gathering, Report
from newsletter.services.preview import preview
from newsletter.storage import changes, issues, problems
from newsletter.storage.changes import By

TEMPLATES = "templates"  # the problem that the operator is told of
_LATE = timedelta(hours=1)  # a tick that comes so much after the hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether to seal now, and if not why not. ``skip`` closes the date without an issue."""

    seal: bool
    reason: str = ""
    skip: bool = False


def current_day(newsletter: NewsletterSettings, now: datetime) -> date:
    """Return the date that a run at *now* is about: today, in the newsletter's zone.

    But yesterday within an hour of its ``send_at``, for the last tick before midnight may have come too early.
    """
    today = local_date(now, newsletter.zone)
    yesterday = today - timedelta(days=1)
    return yesterday if now - instant(yesterday, newsletter.send_at, newsletter.zone) <= _LATE else today


def verdict(
    settings: Settings, gathering: Gathering, reports: Sequence[Report], day: date, now: datetime, *, at_any_hour: bool
) -> Verdict:
    """Return whether the draft of *day* is to be sealed at *now*."""
    if at_any_hour:
        return Verdict(seal=True)
    waits = next(_waits(settings, gathering, reports, day, now), None)
    if waits:
        return Verdict(seal=False, reason=waits)
    editing = settings.editing
    if editing.mode == "approve" and editing.on_deadline == "skip":
        return Verdict(seal=False, skip=True, reason=f"nobody approved it before {editing.deadline:%H:%M}")
    return Verdict(seal=True)


def _waits(
    settings: Settings, gathering: Gathering, reports: Sequence[Report], day: date, now: datetime
) -> Iterator[str]:
    """Yield what the issue of *day* waits for."""
    newsletter, editing = settings.newsletter, settings.editing
    zone = newsletter.zone
    if WEEKDAYS[day.weekday()] not in newsletter.days:
        yield f"{day:%A} is not one of the newsletter's days"
    if now < instant(day, newsletter.send_at, zone):
        yield f"sealed at {newsletter.send_at:%H:%M} ({zone.key})"
    failed = {report.name for report in reports if report.error}
    for upstream in gathering.upstreams:
        if upstream.required and upstream.source.name in failed and now < instant(day, upstream.wait_until, zone):
            yield f"waits for source {upstream.source.name} until {upstream.wait_until:%H:%M}"
    if editing.mode == "approve" and now < instant(day, editing.deadline, zone):
        yield f"waits for the editor until {editing.deadline:%H:%M}"


def next_decision(settings: Settings, gathering: Gathering, day: date, now: datetime) -> datetime:
    """Return the next instant after *now*, today or tomorrow, at which an issue may stop waiting; *day* is today's."""
    editing = settings.editing
    hours = [settings.newsletter.send_at, *(u.wait_until for u in gathering.upstreams if u.required)]
    hours += [editing.deadline] if editing.mode == "approve" else []
    days = (day, day + timedelta(days=1))
    return min(at for at in (instant(d, hour, settings.newsletter.zone) for d in days for hour in hours) if at > now)


def broken_templates(dispatch: Dispatch, day: date, now: datetime) -> list[str]:
    """Return a line for each template that does not work, for invented data or for the issue of *day* as it is."""
    found = proofs.broken(dispatch, now)
    try:
        preview(dispatch, day, None, now).content("eml")
    except NotFoundError:
        pass  # no papers, no mail
    except ConfigurationError as error:
        found.append(str(error))
    return list(dict.fromkeys(found))


def refusal(dispatch: Dispatch, day: date, now: datetime, *, sealing: bool) -> str:
    """Return why no issue is sealed: a template that does not work, with file and line; '' where all do.

    Looked at before *sealing*, and until the operator has mended what was found then.
    """
    with dispatch.database.read() as session:
        issue = issues.get(session, day)
        closes = sealing and (issue is None or issue.status is Status.DRAFT)
        if not closes and problems.open_since(session, TEMPLATES) is None:
            return ""
    found = broken_templates(dispatch, day, now)
    return f"no issue is sealed: {found[0]}" if found else ""


def seal_decided(dispatch: Dispatch, now: datetime) -> str:
    """Seal the drafts of which that was decided, and cannot be undone any more. Return why one cannot be, or ''."""
    with dispatch.database.read() as session:
        decided = issues.to_seal(session, now)
    for day in decided:
        if broken := refusal(dispatch, day, now, sealing=True):
            return broken
        with dispatch.database.write() as session:
            issue = edit.seal(session, dispatch.policy, day, now)
            changes.record(session, By("clock"), f"the issue of {day} is {issue.status}, as decided", now)
    return ""


def seal_when_due(
    session: Session, policy: Policy, day: date, now: datetime, decided: Verdict, reports: Sequence[Report]
) -> tuple[Issue | None, str | None]:
    """Return the issue of *day*, sealed now if *decided* so, and why there is none where there is none.

    A date is not recorded as empty while a source fails: what it lists may still make an issue.
    """
    issue = issues.get(session, day)
    if issue is None or issue.status is Status.DRAFT:
        if issue and issue.seal_at and not decided.seal:
            return None, f"sealed at {issue.seal_at:%H:%M} UTC, as decided"
        if decided.skip:
            issue = edit.skip(session, day, decided.reason)
        elif not decided.seal:
            return None, decided.reason
        elif (failed := [r.name for r in reports if r.error]) and edit.is_empty(session, policy, day):
            return None, f"nothing new was listed, and {', '.join(failed)} failed; the next run asks again"
        else:
            issue = edit.seal(session, policy, day, now)
    if issue.status is Status.SEALED:
        return issue, issue.reason or None
    return None, issue.reason
