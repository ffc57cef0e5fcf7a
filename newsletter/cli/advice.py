"""What a person may do about a delivery that did not end well, in words. Not here: what became of it (``why``)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any


def advice(delivery: Mapping[str, Any], now: datetime) -> str:
    """Return what to do at *now* about *delivery*, as JSON gives it; '' where nothing is to be decided."""
    match delivery["status"]:
        case "held":
            return (
                "What to do: look into the server's log, if you can, for the Message-ID. "
                f"'newsletter deliveries release {delivery['id']}' sends it again under the same one, and with "
                "--assume-sent it counts as sent; --all decides on everything that is held."
            )
        case "failed":
            return (
                "What to do: nothing, if the address is wrong or gone. If the words are about you (blocked, not "
                "allowed, not authenticated), settle that; then 'newsletter deliver --retry-failed' sends it again, "
                "unless the reader is suppressed or has a later digest."
            )
        case "deferred":
            return (
                f"What to do: nothing; the first run after {delivery['next_attempt_at']:%Y-%m-%d %H:%M} UTC tries "
                f"again, and it is given up {delivery['expires_at']:%Y-%m-%d %H:%M} UTC. 'newsletter deliveries list "
                "--status deferred' shows whether others wait for the same destination: if all do, it may want fewer "
                "messages at once (smtp.domains)."
            )
        case "ready" if delivery["next_attempt_at"] > now:
            return (
                "What to do: what the words ask for, if anything: they are about the server or the connection, not "
                f"about this reader. The first run after {delivery['next_attempt_at']:%Y-%m-%d %H:%M} UTC tries again."
            )
        case _:
            return ""
