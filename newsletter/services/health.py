"""How the service is, for whoever watches it: well or not in a line, and counts in Prometheus' text format.

Not here: what would go wrong later (``doctor``), and telling the operator (``notify``).
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session

from newsletter.config.settings import Settings
from newsletter.errors import NewsletterError
from newsletter.storage import fetches, locks, problems, stats
from newsletter.storage.database import Database
from newsletter.storage.faults import StorageError

_LAST_RUN = "run.last"
_STALE = timedelta(hours=1)  # without a run, or a sign of life of one: cron asks every five minutes
_Labels = Mapping[str, str]


def keep_run(session: Session, status: str, now: datetime) -> None:
    """Remember that a run ended at *now*."""
    problems.keep_fact(session, _LAST_RUN, json.dumps({"at": now.isoformat(), "status": status}))


def _last_run(session: Session) -> tuple[datetime, str] | None:
    kept = json.loads(problems.fact(session, _LAST_RUN) or "null")
    return (datetime.fromisoformat(kept["at"]), kept["status"]) if kept else None


def ailments(database: Database, settings: Settings, now: datetime) -> list[str]:
    """Return what is wrong, each in a line that anybody may read: nothing where all is well.

    The database answers; the last run ended, or one at work gave a sign of life, within the hour; and sending
    has not stood still for half of ``smtp.give_up_after``.
    """
    try:
        with database.read() as session:
            return [*_idle(session, now), *_waiting(session, settings.smtp.give_up_after / 2, now)]
    except StorageError:
        return ["the database does not answer"]


def _idle(session: Session, now: datetime) -> Iterator[str]:
    last = _last_run(session)
    signs = [at for at in (last and last[0], locks.last_heartbeat(session)) if at]
    if last and now - max(signs) > _STALE:
        yield f"no run since {max(signs):%Y-%m-%d %H:%M} UTC"


def _waiting(session: Session, longest: timedelta, now: datetime) -> Iterator[str]:
    since = problems.open_since(session, problems.DELIVERY)
    if since and now - since > longest:
        yield f"mail waits since {since:%Y-%m-%d %H:%M} UTC"


def exposition(session: Session, path: Path, sources: Iterable[str]) -> str:
    """Return the counts of the database at *path* as Prometheus reads them (text format 0.0.4), of these *sources*."""
    last, accepted = _last_run(session), stats.last_accepted_at(session)
    asked = fetches.newest_fetches(session, sources)
    lines = [
        *_gauge("subscribers", "Subscriptions by state", _by("status", stats.subscribers(session))),
        *_gauge("papers", "Papers ever gathered", [({}, stats.papers(session))]),
        *_gauge("issues", "Issues by state", _by("status", stats.issues(session))),
        *_gauge("deliveries", "Digests in the ledger by state", _by("status", stats.deliveries(session))),
        *_gauge("problems", "Problems that need a person", [({}, problems.count_open(session))]),
        *_gauge("database_bytes", "Size of the database", [({}, path.stat().st_size)]),
        *_gauge("last_accepted_timestamp_seconds", "When a server last took a digest", _instants([({}, accepted)])),
        *_gauge("last_run_timestamp_seconds", "When a run last ended", _instants([({}, last and last[0])])),
        *_gauge("last_run_done", "Whether it left nothing open", [({}, last[1] == "done")] if last else []),
        *_gauge(
            "source_success_timestamp_seconds",
            "When a source last answered",
            _instants([({"source": name}, fetch.succeeded_at) for name, fetch in asked.items()]),
        ),
    ]
    return "".join(f"{line}\n" for line in lines)


def write_exposition(session: Session, database: Path, sources: Iterable[str], path: Path) -> None:
    """Write the counts into the file *path*, for a collector that reads whole files only.

    Raises NewsletterError where it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(exposition(session, database, sources), "utf-8")
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise NewsletterError(f"metrics.path = {str(path)!r}: cannot be written ({error.strerror})") from error


def _by(label: str, counts: Mapping[str, int]) -> list[tuple[_Labels, float]]:
    return [({label: name}, count) for name, count in counts.items()]


def _instants(found: Iterable[tuple[_Labels, datetime | None]]) -> list[tuple[_Labels, float]]:
    return [(labels, at.timestamp()) for labels, at in found if at]


def _gauge(name: str, says: str, values: Iterable[tuple[_Labels, float]]) -> Iterator[str]:
    yield f"# HELP newsletter_{name} {says}"
    yield f"# TYPE newsletter_{name} gauge"
    for labels, value in values:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"newsletter_{name}{f'{{{told}}}' if told else ''} {float(value):.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
