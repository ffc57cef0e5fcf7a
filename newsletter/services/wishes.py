"""What one reader looks for, added to what they look for already: alerts and topics.

Each is one transaction. Not here: changing preferences as a whole (``subscribe.edit``).
"""

from collections.abc import Sequence
from datetime import datetime

from newsletter.config.settings import NewsletterSettings
from newsletter.domain.subscriber import Subscriber
from newsletter.errors import NotFoundError
from newsletter.services.subscribe import edit_in, look_up
from newsletter.storage.database import Database


def alert(
    database: Database, newsletter: NewsletterSettings, who: str, query: str | None, now: datetime, *, remove: bool
) -> Subscriber:
    """Save the search *query* for a reader, or *remove* it, or all of them where it is None. Raises NotFoundError."""
    with database.write() as session:
        before = look_up(session, who)
        known = before.preferences.alerts
        if not remove:
            return edit_in(session, newsletter, before, {"alerts": ";".join((*known, query or ""))}, now)
        if query is not None and query.strip() not in known:
            raise NotFoundError(f"{who} has no alert {query!r}; 'subscribers alert {who}' shows which there are")
        left = () if query is None else (one for one in known if one != query.strip())
        return edit_in(session, newsletter, before, {"alerts": ";".join(left)}, now)


def follow(
    database: Database, newsletter: NewsletterSettings, who: str, topics: Sequence[str], now: datetime
) -> Subscriber:
    """Add *topics* to those of a reader. Raises NotFoundError."""
    with database.write() as session:
        before = look_up(session, who)
        return edit_in(session, newsletter, before, {"topics": ";".join((*before.preferences.topics, *topics))}, now)
