"""A mail that came back, read: the values that every way in gives."""

from dataclasses import dataclass
from datetime import datetime

from newsletter.domain.bounce import Kind, Reason


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a report says of one address. ``said`` are the server's words."""

    address: str
    status: str
    reason: Reason
    said: str

    @property
    def permanent(self) -> bool:
        """Return whether nothing sent to the address can arrive."""
        return self.reason.permanent


@dataclass(frozen=True, slots=True)
class Report:
    """A mail that came back. ``ids`` are Message-IDs that it speaks of, ``returned_to`` the addresses it came to.

    ``mark`` is the same by whichever way the same report comes, ``sent_at`` when it says that it was sent.
    """

    kind: Kind
    recipients: tuple[Recipient, ...] = ()
    ids: tuple[str, ...] = ()
    returned_to: tuple[str, ...] = ()
    subject: str = ""
    sender: str = ""
    mark: str = ""
    sent_at: datetime | None = None
