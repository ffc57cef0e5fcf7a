"""The ledger as people see it: deliveries by id, with their papers and reasons, and what a person decides of them.

A delivery is named by its id in hexadecimal, as its Message-ID has it. What is decided of many goes in small
transactions, so that a sender at work is never kept waiting. Not here: why there is no delivery (``why``).
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from newsletter.config.sending import SmtpSettings
from newsletter.domain.delivery import Delivery, Status
from newsletter.domain.pool import Why
from newsletter.errors import IllegalMoveError, NotFoundError, UsageError
from newsletter.render.language import Language
from newsletter.render.wording import reason
from newsletter.storage import deliveries, issues, papers, problems
from newsletter.storage.database import Database
from newsletter.storage.deliveries import Line

AT_ONCE = 100  # rows in one transaction: who else writes waits for some milliseconds
_LETS_IN = 0.002  # seconds between two of them: who waits asks every millisecond
_ENGLISH = Language()  # in which operators are told
_ID = re.compile(r"<?([0-9a-f]{1,16})(?:@[^<>\s]*>?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedPaper:
    """A paper of a digest, and why it is there."""

    key: str
    title: str
    why: str

    @property
    def document(self) -> dict[str, str]:
        """Return the paper as JSON gives it."""
        return {"key": self.key, "title": self.title, "why": self.why}


def name_of(delivery_id: int) -> str:
    """Return how people name a delivery."""
    return f"{delivery_id:016x}"


def parse_id(text: str) -> int:
    """Return the id that *text* names, in hexadecimal or as a whole Message-ID. Raises UsageError."""
    found = _ID.fullmatch(text.strip())
    if not found or int(found[1], 16) >= 1 << 63:
        raise UsageError(f"id {text!r}: use the hexadecimal id of a delivery, as 'deliveries list' shows it")
    return int(found[1], 16)


def document(line: Line) -> dict[str, Any]:
    """Return a delivery as JSON gives it, its papers aside."""
    delivery = line.delivery
    return {
        "id": name_of(delivery.id),
        "email": line.email,
        "destination": line.destination or None,
        "issue": line.issued,
        "date": delivery.day,
        "status": delivery.status,
        "message_id": delivery.message_id,
        "made_at": delivery.made_at,
        "attempts": delivery.attempts,
        "uncertain": delivery.uncertain,
        "next_attempt_at": delivery.next_attempt_at,
        "expires_at": delivery.expires_at,
        "offered_at": delivery.offered_at,
        "settled_at": delivery.settled_at,
        "server": delivery.server,
        "reply": delivery.reply,
        "since": delivery.since,
    }


def papers_of(session: Session, delivery: Delivery) -> list[PickedPaper]:
    """Return the papers of a delivery in order, each with its reason."""
    found = papers.load(session, (paper_id for paper_id, _, _ in delivery.picks))
    picked: dict[int, PickedPaper] = {}  # by today's id: two picks may have become one paper since
    for i, why, detail in delivery.picks:
        if paper := found.get(i):
            picked.setdefault(
                paper.id, PickedPaper(key=paper.key, title=paper.title, why=reason(_ENGLISH, Why(why), detail))
            )
    return list(picked.values())


def page(database: Database, *, status: Status | None, issued: date | None, limit: int) -> list[Line]:
    """Return the newest deliveries, of one state and one issue where given. Raises NotFoundError for no such issue."""
    with database.read() as session:
        issue = issues.get(session, issued) if issued else None
        if issued and not issue:
            raise NotFoundError(f"no issue of {issued}; 'newsletter issues list' shows which there are")
        return deliveries.page(session, status=status, issue_id=issue.id if issue else None, limit=limit)


def stopped(database: Database) -> str:
    """Return why the last run could send to nobody, '' where it could."""
    with database.read() as session:
        return problems.open_text(session, problems.DELIVERY)


def find(database: Database, named: str) -> tuple[Line, list[PickedPaper]]:
    """Return the delivery *named*, and its papers. Raises NotFoundError, UsageError."""
    with database.read() as session:
        line = _find(session, named)
        return line, papers_of(session, line.delivery)


def release(
    database: Database, smtp: SmtpSettings, named: Sequence[str], now: datetime, *, everything: bool, sent: bool
) -> list[int]:
    """Let the held deliveries *named*, or *everything* held, be sent again, or take them as *sent*.

    None where one of those named is not held. Return their ids. Raises NotFoundError, UsageError, IllegalMoveError.
    """
    with database.read() as session:
        ids = [_held(_find(session, one)) for one in named]
    done: list[int] = []
    for some in _held_ids(database) if everything else (ids[n : n + AT_ONCE] for n in range(0, len(ids), AT_ONCE)):
        with database.write() as session:
            if sent:
                deliveries.assume_sent(session, some, now)
            else:
                deliveries.release(session, some, now, now + smtp.give_up_after)
        done += some
        time.sleep(_LETS_IN)
    return done


def _held_ids(database: Database) -> Iterator[Sequence[int]]:
    """Yield the ids of what is held, some at a time, until nothing is: who takes them decides on them."""
    while True:
        with database.read() as session:
            held = deliveries.held_ids(session, AT_ONCE)
        if not held:
            return
        yield held


def retry_failed(database: Database, now: datetime, expires_at: datetime, issue_id: int | None) -> Iterator[int]:
    """Make failed deliveries ready again, of one issue where given, each its reader's newest.

    Those of readers who are not active stay failed. Yields how many after each small transaction: between two, let
    others in.
    """
    with database.read() as session:
        of = deliveries.issues_with_failed(session) if issue_id is None else [issue_id]
    for one in of:
        after = 0
        while found := _may_be_retried(database, one, after):
            with database.write() as session:
                count = deliveries.retry(session, one, found, now, expires_at)
            yield count
            after = found[-1]


def _may_be_retried(database: Database, issue_id: int, after: int) -> list[int]:
    with database.read() as session:  # looked for without the write lock, since there may be many that stay failed
        return deliveries.may_be_retried(session, issue_id, after, AT_ONCE)


def _find(session: Session, named: str) -> Line:
    if line := deliveries.get(session, parse_id(named)):
        return line
    raise NotFoundError(f"no delivery {named}; 'newsletter deliveries list' shows which there are")


def _held(line: Line) -> int:
    if line.delivery.status is not Status.HELD:
        raise IllegalMoveError(f"delivery {name_of(line.delivery.id)} is {line.delivery.status}; only held ones wait")
    return line.delivery.id
