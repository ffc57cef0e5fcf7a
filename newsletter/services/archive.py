"""The archive: the sealed issues that anyone may see.

An issue that was halted or cancelled is not shown: who stops it wants it stopped everywhere.
"""

from dataclasses import dataclass
from datetime import date

from newsletter.domain.issue import Brake, Status
from newsletter.errors import NotFoundError
from newsletter.services import edit
from newsletter.services.edit import Policy, Shown
from newsletter.storage import issues
from newsletter.storage.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An issue in the list. ``headline`` is the editor's subject, else the title of the first paper, else ''."""

    date: date
    headline: str
    papers: int


def entries(database: Database, *, limit: int, before: date | None = None) -> list[Entry]:
    """Return the newest *limit* issues (dated before *before*), newest first."""
    with database.read() as session:
        found = issues.published(session, before=before, limit=limit)
        ids = [issue.id for issue in found]
        sizes, leads = issues.front_sizes(session, ids), issues.leads(session, ids)
    titles = {issue_id: paper.title for issue_id, paper in leads.items()}
    return [Entry(date=i.date, headline=i.subject or titles.get(i.id, ""), papers=sizes.get(i.id, 0)) for i in found]


def issue(database: Database, policy: Policy, day: date) -> Shown:
    """Return the issue of *day* with its papers. Raises NotFoundError where the archive has none."""
    with database.read() as session:
        found = issues.get(session, day)
        if found is None or found.status is not Status.SEALED or found.brake is not Brake.NONE:
            raise NotFoundError(f"the archive has no issue of {day}")
        return edit.show(session, policy, day)
