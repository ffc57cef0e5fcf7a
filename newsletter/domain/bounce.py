"""What came back says of an address, and what follows from it.

A report is of one *kind*; of each address in it a *reason* is known. Only four reasons say that the address takes no
mail for good. Not here: reading reports (``mail/bounces``), and whose address it is (``services/bounces``).
"""

from enum import StrEnum


class Kind(StrEnum):
    """What a mail that came back is."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto-reply"
    OTHER = "other"


class Reason(StrEnum):
    """Why a mail did not arrive, as servers say it."""

    UNKNOWN = "no such address"
    NO_HOST = "no such host"
    MOVED = "address has moved"
    NO_MAIL = "host takes no mail"
    FULL = "mailbox full"
    DISABLED = "mailbox disabled"
    REFUSED = "refused by the reader's filter"
    SPAM = "taken for spam"
    POLICY = "refused by policy"
    SIZE = "too big"
    BUSY = "too much mail at once"
    LATE = "given up after trying for long"
    TROUBLE = "trouble of a server"
    DELAYED = "delayed, still being tried"
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    UNCLEAR = "unclear"

    @property
    def permanent(self) -> bool:
        """Return whether nothing sent to the address can arrive."""
        return self in _PERMANENT


_PERMANENT = {Reason.UNKNOWN, Reason.NO_HOST, Reason.MOVED, Reason.NO_MAIL}
