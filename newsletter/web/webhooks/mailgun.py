"""Mailgun tells of bounces and complaints, and signs with the key of its webhooks."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.domain.bounce import Kind, Reason
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.web.webhooks.base import Unproven, complaint, document, said_of

_AGE = 86_400  # seconds for which a signature holds: Mailgun tries again for eight hours


@dataclass(frozen=True)
class Mailgun:
    """Takes what is signed with *key*."""

    key: str

    def reports(self, _headers: Mapping[str, str], body: bytes, now: float) -> list[Report]:
        """Return what one request says."""
        said = document(body)
        self._check(said["signature"], now)
        return [report] if (report := _report(said["event-data"])) else []

    def _check(self, signature: Mapping[str, Any], now: float) -> None:
        stamp, token = str(signature["timestamp"]), str(signature["token"])
        wanted = hmac.new(self.key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted.encode(), str(signature["signature"]).encode()):
            raise Unproven
        if abs(now - float(stamp)) > _AGE:
            raise Unproven


def _report(said: Mapping[str, Any]) -> Report | None:
    head = said.get("message", {}).get("headers", {})
    sent_as = str(head.get("message-id") or "").strip("<>")
    facts: dict[str, Any] = {
        "mark": f"mailgun-{said.get('id')}",
        "ids": (f"<{sent_as}>",) if sent_as else (),
        "returned_to": (str(said.get("envelope", {}).get("sender") or "").lower(),),
        "subject": str(head.get("subject") or "")[:200],
    }
    address = str(said.get("recipient", ""))
    if said.get("event") == "complained":
        return complaint(address, "feedback: told by Mailgun", **facts)
    if said.get("event") != "failed":
        return None
    return Report(kind=Kind.BOUNCE, recipients=(_failed(said, address),), **facts)


def _failed(said: Mapping[str, Any], address: str) -> Recipient:
    how = said.get("delivery-status", {})
    words = f"{how.get('code') or ''} {how.get('message') or how.get('description') or ''}".strip()[:2000]
    lasting = said.get("severity") == "permanent"
    one = said_of(address, words, gone=lasting and said.get("reason") in {"bounce", "suppress-bounce"})
    if one.permanent and not lasting:
        return Recipient(address, one.status, Reason.TROUBLE, words)
    return one
