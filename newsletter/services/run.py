"""The run: gather, seal, deliver, tell. Cron, the scheduler and the command line call the same one.

Safe to repeat, to overlap and to kill: who works does so alone (``alone``), what is done is in the database, and the
next run continues what this one left.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from newsletter.domain.calendar import local_date
from newsletter.domain.issue import Status
from newsletter.errors import NewsletterError, NotFoundError, UsageError
from newsletter.services import records, signup
from newsletter.services.alone import Service
from newsletter.services.bounces import refused
from newsletter.services.collect import collect
from newsletter.services.deliver import Progress, Sender
from newsletter.services.draft_mail import mail_draft
from newsletter.services.gather import Report, gather
from newsletter.services.health import keep_run, write_exposition
from newsletter.services.journal import rotate
from newsletter.services.notify import ping, tell
from newsletter.services.outcome import Outcome, outcome_of
from newsletter.services.plan import Plan
from newsletter.services.retention import keep_house
from newsletter.services.seal import (
    TEMPLATES,
    Verdict,
    current_day,
    next_decision,
    refusal,
    seal_decided,
    seal_when_due,
    verdict,
)
from newsletter.services.subscribe import wake
from newsletter.services.summarise import ROUND, summarise
from newsletter.storage import claims, deliveries, due, issues
from newsletter.storage.copies import rehearsal
from newsletter.storage.problems import DELIVERY

log = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=10)  # to be out of the way of the run that comes on the hour


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who looks on: is told how far sending is, and is given the sender, to stop it by a signal."""

    told: Callable[[Progress], None] = field(default=lambda _: None)
    started: Callable[[Sender], None] = field(default=lambda _: None)


async def run(
    service: Service,
    owner: str,
    *,
    day: date | None = None,
    at_once: bool = False,
    dry_run: bool = False,
    watch: Watch = Watch(),
) -> Outcome:
    """Gather, seal the issue of *day* (``current_day``) if its time has come or *at_once*, and send what is due.

    With ``at_once`` every active reader whose rhythm includes the date is due, whatever the hour. A dry run gathers,
    then reports what would be sealed and made due, and changes nothing else. Raises UsageError for a future date.

    Nothing is sealed while a template does not work. What was sealed before is sent where its own templates do.
    """
    asked = _asked(service, day, at_once=at_once)
    with service.database.write() as session:
        wake(session, service.settings.newsletter, asked.now)
    unread = "" if dry_run else await collect(service.dispatch, service.clock)
    reports = await gather(service.database, service.gathering, asked.now, day=day, by_hand=at_once)
    decided, broken = _decide(service, asked, reports)
    if dry_run:
        outcome = _rehearse(service, reports, asked.day, decided, at_once=at_once)
        return replace(outcome, status="incomplete") if broken else outcome
    broken = seal_decided(service.dispatch, asked.now) or broken
    missing = await _summarise(service, asked.day, decided, at_any_hour=asked.at_any_hour)
    with service.database.write() as session:
        issue, reason = seal_when_due(session, service.dispatch.policy, asked.day, asked.now, decided, reports)
    unmailed = await mail_draft(service.dispatch, asked.day, asked.now) if issue is None else ""
    progress = await _send(service, owner, asked.day if at_once else None, watch)
    with service.database.read() as session:
        outcome = outcome_of(session, asked.day, reports, issue, reason, progress, service.clock())
    if broken:
        outcome = replace(outcome, status="incomplete")
    also = {"summaries": missing, TEMPLATES: broken, "draft": unmailed, "returned mail": unread}
    return await _conclude(service, asked, outcome, progress, also)


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a run is asked for: the issue of which *day*, and whether whatever the hour."""

    now: datetime
    today: date
    day: date
    at_any_hour: bool


def _asked(service: Service, day: date | None, *, at_once: bool) -> _Asked:
    now, newsletter = service.clock(), service.settings.newsletter
    today = local_date(now, newsletter.zone)
    if day and day > today:
        raise UsageError(f"date {day}: is in the future")
    wanted = day or (today if at_once else current_day(newsletter, now))
    return _Asked(now=now, today=today, day=wanted, at_any_hour=at_once or (day is not None and day < today))


def _decide(service: Service, asked: _Asked, reports: list[Report]) -> tuple[Verdict, str]:
    """Return whether the issue is to be sealed, and which template does not work, '' where all do."""
    settings, at_any_hour = service.settings, asked.at_any_hour
    decided = verdict(settings, service.gathering, reports, asked.day, asked.now, at_any_hour=at_any_hour)
    broken = refusal(service.dispatch, asked.day, asked.now, sealing=decided.seal)
    return (Verdict(seal=False, reason=broken) if broken and decided.seal else decided), broken


async def _conclude(
    service: Service, asked: _Asked, outcome: Outcome, progress: Progress, also: Mapping[str, str]
) -> Outcome:
    """Leave word of the run to whoever is to know, and put the house in order."""
    with service.database.read() as session:
        held, back = deliveries.held(session), refused(session, service.clock())
    also = {**also, "metrics": _counted(service, outcome), "bounces": back}
    if not progress.stopped:  # whoever stopped it wants it to end
        await signup.catch_up(service.dispatch, service.throttle, service.clock)
        await keep_house(service.database, service.settings.retention, asked.today, asked.now)
    outcome = await _tell(service, outcome, progress, held, also)
    log.info("run of %s: %s", outcome.day, outcome.status, extra={"facts": outcome.document})
    for problem in outcome.problems:
        log.info("told: %s", problem)
    rotate(service.settings.logging)
    return outcome


def _counted(service: Service, outcome: Outcome) -> str:
    """Leave word of the run to whoever watches. Return what the operator should be told of that, or ''."""
    with service.database.write() as session:
        keep_run(session, outcome.status, service.clock())
    if path := service.settings.metrics.path:
        try:
            with service.database.read() as session:
                write_exposition(session, service.database.path, service.dispatch.policy.shares, path)
        except NewsletterError as error:
            return str(error)
    return ""


async def _summarise(service: Service, day: date, decided: Verdict, *, at_any_hour: bool) -> str:
    """Ask for summaries where there is time. Return what the operator should be told of it, or ''.

    For the issue of *day*, or once that is closed for the next one.
    """
    if service.summaries is None:
        return ""
    now = service.clock()
    with service.database.read() as session:
        issue = issues.get(session, day)
        is_open = issue is None or issue.status is Status.DRAFT
        if at_any_hour:
            is_free = is_open  # what is made at once is made once
        else:
            is_awaited = (is_open and (decided.seal or decided.skip)) or due.any_reader(session, now)
            is_free = not (is_awaited or claims.any_due(session, now))
    until = now + ROUND if is_free else now
    if not at_any_hour:
        until = min(until, next_decision(service.settings, service.gathering, day, now) - _MARGIN)
    wanted = day if is_open else day + timedelta(days=1)
    return await summarise(service.database, service.summaries, service.dispatch.policy, wanted, service.clock, until)


async def _send(service: Service, owner: str, on_date: date | None, watch: Watch) -> Progress:
    plan = Plan(service.settings, service.dispatch.policy, on_date=on_date)
    return await service.dispatch.send(owner, service.clock, plan, told=watch.told, started=watch.started)


def _rehearse(service: Service, reports: list[Report], day: date, decided: Verdict, *, at_once: bool) -> Outcome:
    """Seal and make due in a copy, and look: for a long list that takes minutes, in which others are to write."""
    now = service.clock()
    plan = Plan(service.settings, service.dispatch.policy, on_date=day if at_once else None)
    with rehearsal(service.database.path) as session:
        issue, reason = seal_when_due(session, service.dispatch.policy, day, now, decided, reports)
        while plan.make_due(session, now):
            pass
        outcome = outcome_of(session, day, reports, issue, reason, Progress(), now)
    failed = any(report.error for report in reports)  # what waits is what a rehearsal is about
    return replace(outcome, status="incomplete" if failed else "done")


async def _tell(service: Service, outcome: Outcome, progress: Progress, held: int, also: Mapping[str, str]) -> Outcome:
    if progress.by_hand:  # who ended it knows, does not wait, and leaves open what is solved
        return outcome
    found = {f"source {r.name}": f"source {r.name}: {r.error}" for r in outcome.sources if r.error}
    if progress.stopped:
        found[DELIVERY] = f"delivery stopped: {progress.stopped}"
    else:
        found |= {f"route {name}": f"route {name}: {why}" for name, why in progress.ended.items()}
    if held:
        found["held"] = f"{held} deliveries are uncertain and held: 'newsletter deliveries list --status held'"
    found |= {name: text for name, text in also.items() if text}
    lines = await tell(service.dispatch, found, service.clock())
    if outcome.status == "done" and service.settings.operator.ping_url:
        await ping(service.settings.operator.ping_url, service.gathering.user_agent)
    return replace(outcome, problems=lines)


async def deliver(
    service: Service,
    owner: str,
    *,
    day: date | None = None,
    retry_failed: bool = False,
    watch: Watch = Watch(),
) -> Outcome:
    """Send what is due until nothing is, of one issue where *day* names it; failed ones again if asked.

    Raises NotFoundError for a date without a sealed issue.
    """
    now = service.clock()
    with service.database.write() as session:
        issue = issues.newest_sealed(session) if day is None else issues.get(session, day)
        if day and (issue is None or issue.status is not Status.SEALED):
            raise NotFoundError(f"no sealed issue of {day}")
        only = issue if day else None
        wake(session, service.settings.newsletter, now)
        if retry_failed:
            service.dispatch.end_pause(session, now)
    if retry_failed:
        again = now + service.settings.smtp.give_up_after
        for _ in records.retry_failed(service.database, now, again, only.id if only else None):
            await asyncio.sleep(0.002)  # lets others write, and a signal through
    plan = Plan(service.settings, service.dispatch.policy, only=only)
    progress = await service.dispatch.send(owner, service.clock, plan, told=watch.told, started=watch.started)
    with service.database.read() as session:
        shown = issue.date if issue else local_date(now, service.settings.newsletter.zone)
        reason = None if issue else "no issue was sealed yet"
        return outcome_of(session, shown, [], issue, reason, progress, service.clock())
