"""All that is known of one reader, as a document for them. Not here: forgetting it (``forget``)."""

from collections import defaultdict
from datetime import datetime
from typing import Any

from sqlmodel import Session

from newsletter.domain.subscriber import Subscriber
from newsletter.errors import NotFoundError
from newsletter.mail.addresses import Address, address_key, parse_address
from newsletter.services import records
from newsletter.storage import deliveries, had, papers, sign_ups, subscribers, suppressions, traces
from newsletter.storage.database import Database
from newsletter.storage.sign_ups import Asked

_CONSENT = ("consent_source", "created_at", "asked_at", "confirmed_at")


def data(database: Database, who: str | int, now: datetime) -> dict[str, Any]:
    """Return everything that the database holds of the reader with this address or id, ready for JSON.

    Raises NotFoundError where it holds nothing, UsageError for what is no address.
    """
    with database.read() as session:
        held, address = _named(session, who)
        suppressed = suppressions.of(session, address.key)
        waits = sign_ups.of(session, {address.email, address.key})
        if held is None and suppressed is None and not waits:
            raise NotFoundError(f"nothing is known of {address.email}")
        document: dict[str, Any] = {"email": held.email if held else address.email, "as_of": now}
        document |= _of_subscription(session, held) if held else {"subscription": None}
        asked = {"sign_ups": [_of_sign_up(one) for one in waits]} if waits else {}
        return document | asked | {"suppressed": suppressed}


def _named(session: Session, who: str | int) -> tuple[Subscriber | None, Address]:
    if isinstance(who, str):
        address = parse_address(who)
        return subscribers.get(session, address.key), address
    held = subscribers.by_id(session, who)
    if held is None:
        raise NotFoundError("this subscriber is no longer on the list")
    return held, Address(held.email, address_key(held.email))


def _of_sign_up(asked: Asked) -> dict[str, Any]:
    names = ("asked_at", "email", "texts", "network", "agreed")
    return {name: getattr(asked, name) for name in names}


def _of_subscription(session: Session, held: Subscriber) -> dict[str, Any]:
    row = traces.subscription(session, held.id)
    others = traces.of_reader(session, held.id)
    if others.pop("had", None):
        others["earlier_papers"] = [{"paper_id": paper} for paper in had.all_of(session, held.id)]
    return {
        "subscription": {name: value for name, value in row.items() if name not in _CONSENT},
        "consent": {name: row[name] for name in _CONSENT},
        "deliveries": _deliveries(session, held.id),
        **{name: _with_papers(session, rows) for name, rows in others.items()},
    }


def _deliveries(session: Session, subscriber_id: int) -> list[dict[str, Any]]:
    """Return every digest that was made for a reader, the oldest first, with its papers and their reasons."""
    return [
        {name: value for name, value in records.document(line).items() if name not in {"email", "destination"}}
        | {"papers": [paper.document for paper in records.papers_of(session, line.delivery)]}
        for line in deliveries.all_of(session, subscriber_id)
    ]


def _with_papers(session: Session, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return *rows* with the papers that they name by our numbers named so that others understand it."""
    known = papers.load(session, [row["paper_id"] for row in rows if "paper_id" in row])
    told: defaultdict[int, dict[str, str]] = defaultdict(dict)
    told |= {i: {"key": paper.key, "title": paper.title} for i, paper in known.items()}
    return [
        {name: value for name, value in row.items() if name != "paper_id"} | told[row.get("paper_id", 0)]
        for row in rows
    ]
