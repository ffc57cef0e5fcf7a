"""Postmark tells of bounces and complaints, and proves itself by a password in the address that it is given."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from newsletter.domain.bounce import Kind, Reason
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.web.webhooks.base import Unproven, complaint, document, said_of

_GONE = {"HardBounce", "BadEmailAddress"}
_REPLIES = {"AutoResponder", "ChallengeVerification", "AddressChange"}
_REASONS = {
    "SpamNotification": Reason.SPAM,
    "VirusNotification": Reason.SPAM,
    "Blocked": Reason.POLICY,
    "DMARCPolicy": Reason.POLICY,
    "DnsError": Reason.TROUBLE,
}


@dataclass(frozen=True)
class Postmark:
    """Takes what comes with the *secret* as the password of HTTP Basic."""

    secret: str

    def reports(self, headers: Mapping[str, str], body: bytes, _now: float) -> list[Report]:
        """Return what one request says."""
        kind, _, given = headers.get("authorization", "").partition(" ")
        try:
            password = base64.b64decode(given, validate=True).partition(b":")[2] if kind.lower() == "basic" else b""
        except binascii.Error:
            password = b""
        if not hmac.compare_digest(password, self.secret.encode()):
            raise Unproven
        said = document(body)
        return [report] if (report := _report(said)) else []


def _report(said: Mapping[str, Any]) -> Report | None:
    record, kind, address = said.get("RecordType"), str(said.get("Type", "")), str(said.get("Email", ""))
    words = str(said.get("Details") or said.get("Description") or "")[:2000]
    facts: dict[str, Any] = {"mark": f"postmark-{said.get('ID')}", "subject": str(said.get("Subject") or "")[:200]}
    if record == "SpamComplaint" or kind == "SpamComplaint":
        return complaint(address, "feedback: told by Postmark", **facts)
    if record != "Bounce":
        return None
    if kind in _REPLIES:
        return Report(kind=Kind.AUTO_REPLY, **facts)
    one = said_of(address, words, gone=kind in _GONE)
    if kind in _REASONS or (one.permanent and kind not in _GONE):
        one = Recipient(address, one.status, _REASONS.get(kind, Reason.TROUBLE), words)
    return Report(kind=Kind.BOUNCE, recipients=(one,), **facts)
