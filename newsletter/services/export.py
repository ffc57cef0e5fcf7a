"""What is known of one reader, as a document for them: who they are, what they chose, agreed to and said."""

from datetime import datetime
from typing import Any

from newsletter.services import subscribe, taste
from newsletter.services.subscriber_files import document
from newsletter.storage import consents, departures
from newsletter.storage.database import Database


def data(database: Database, reader_id: int, now: datetime) -> dict[str, Any]:
    """Return everything that is known of a reader, ready for JSON. Raises NotFoundError."""
    held = subscribe.find(database, reader_id)
    said = taste.show(database, held.email, now)
    with database.read() as session:
        agreed = consents.of(session, held.id)
        left = departures.of(session, held.id)
    return {
        "as_of": now,
        "subscription": document(held),
        "consent": [{"step": one.step, "at": one.at, "network": one.network, "text": one.text} for one in agreed],
        "departure": {"at": left.at, "reason": left.reason, "words": left.words} if left else None,
        "taste": said.document,
    }
