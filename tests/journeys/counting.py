"""What a run reports, what the ledger keeps and what the sink took, compared. Only for newsletters of one issue."""

from collections import Counter
from collections.abc import Mapping

from newsroom import Newsroom

from newsletter.domain.delivery import Status


def states(room: Newsroom) -> dict[str, int]:
    """Return how many readers stand where, by state; states of nobody are left out."""
    return dict(Counter(delivery.status.value for delivery in room.ledger.values()))


def agree(room: Newsroom, reported: Mapping[str, int]) -> bool:
    """Return whether what was *reported* is what the ledger has, and the sink took each accepted message.

    Every message that the sink took must be the one that the ledger knows of that reader.
    """
    ledger, found = room.ledger, states(room)
    waiting = sum(found.pop(status, 0) for status in ("ready", "leased", "offered"))
    assert {"audience": len(ledger), "waiting": waiting, **found} == {
        name: n for name, n in reported.items() if n or name in {"audience", "waiting"}
    }
    taken = {(mail.recipient, str(mail.message["Message-ID"])) for mail in room.sink.mails}
    known = {(email, delivery.message_id) for email, delivery in ledger.items()}
    assert taken <= known
    accepted = {(email, d.message_id) for email, d in ledger.items() if d.status is Status.ACCEPTED}
    assert accepted <= taken
    return True


def extra(room: Newsroom) -> int:
    """Return how many mails came more than once."""
    return len(room.sink.mails) - len({mail.recipient for mail in room.sink.mails})


def lost(room: Newsroom, readers: list[str]) -> set[str]:
    """Return who of *readers* got nothing."""
    return set(readers) - {mail.recipient for mail in room.sink.mails}
