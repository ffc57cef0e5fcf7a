"""What a run came to: the report that it answers, and whether anything is left open.

Not here: running (``run``), and who is told (``notify``).
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from newsletter.domain.issue import Brake, Issue
from newsletter.render.formats import counted
from newsletter.services.gather import Report
from newsletter.services.post import Progress
from newsletter.storage import claims, deliveries, issues


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to. ``problems`` are lines for a person, each told once a day.

    ``waits`` says what is left to be sent, and when it is tried again; '' where nothing is.
    """

    day: date
    status: str  # done, incomplete
    sources: list[Report]
    issue: Issue | None
    front: int
    reason: str | None
    deliveries: dict[str, int]
    waits: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def document(self) -> dict[str, Any]:
        """Return the report as ``run --json`` answers it."""
        issue = self.issue and {"date": self.issue.date.isoformat(), "status": self.issue.status, "papers": self.front}
        return {
            "date": self.day.isoformat(),
            "status": self.status,
            "sources": [report.document for report in self.sources],
            "issue": issue,
            "reason": self.reason,
            "deliveries": self.deliveries,
        }


def outcome_of(
    session: Session,
    day: date,
    reports: list[Report],
    issue: Issue | None,
    reason: str | None,
    progress: Progress,
    now: datetime,
) -> Outcome:
    """Return what the run of *day* came to, as the ledger stands *now*."""
    stopped = issues.by_id(session, issue.id) if issue else None
    if stopped and stopped.brake is not Brake.NONE:
        reason = f"{stopped.brake}: {stopped.reason}" if stopped.brake is Brake.HALTED else stopped.reason
    halted = stopped is not None and stopped.brake is Brake.HALTED
    waits = claims.any_open(session)
    failed = any(report.error for report in reports)
    complete = not (failed or waits or halted or progress.stopped)
    return Outcome(
        day=day,
        status="done" if complete else "incomplete",
        sources=reports,
        issue=issue,
        front=issues.front_sizes(session, [issue.id]).get(issue.id, 0) if issue else 0,
        reason=progress.stopped or reason,
        deliveries=deliveries.report(session, issue.id if issue else 0),
        waits=_waits(session, progress, now) if waits else "",
    )


def _waits(session: Session, progress: Progress, now: datetime) -> str:
    count, again = claims.put_off(session)
    if not again:
        return "a halted issue has digests that wait: 'newsletter issues list' shows which"
    left = counted(count, "digest waits", "digests wait")
    left = f"at least {left}" if progress.waiting > count else left  # the run ended before all were made
    tried = f"the next is tried {again:%Y-%m-%d %H:%M} UTC" if again > now else "the next run tries again"
    return f"{left}, and {tried}; 'newsletter deliveries list' shows why"
