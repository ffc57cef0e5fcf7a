"""What Amazon SES says of a mail in JSON: by SNS to a webhook, or by a mail of SNS."""

import json
from collections.abc import Mapping
from typing import Any

from newsletter.domain.bounce import Kind, Reason
from newsletter.domain.text import whole
from newsletter.mail.bounce_reasons import Said, judge
from newsletter.mail.bounce_report import Recipient

_LISTS = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients", "delivery": "recipients"}


def from_text(text: str) -> Mapping[str, Any]:
    """Return the notification at the head of *text*, also in the envelope of SNS; an empty one where there is none."""
    said = _decoded(text)
    return _decoded(str(said.get("Message", ""))) if said.get("Type") == "Notification" else said


def _decoded(text: str) -> Mapping[str, Any]:
    head = text.lstrip()
    if not head.startswith("{") or "notificationType" not in head[:4000]:
        return {}
    try:
        said, _ = json.JSONDecoder(strict=False).raw_decode(head)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def understood(said: Mapping[str, Any]) -> tuple[Kind, list[Recipient]]:
    """Return what a notification says of whom. Never raises."""
    about = str(said.get("notificationType") or said.get("eventType") or "").lower()
    detail = said.get(about)
    if about not in _LISTS or not isinstance(detail, dict):
        return Kind.OTHER, []
    listed = detail.get(_LISTS[about])
    found = [_one(about, detail, each) for each in listed if each] if isinstance(listed, list) else []
    kind = {"bounce": Kind.BOUNCE, "complaint": Kind.COMPLAINT}.get(about, Kind.OTHER)
    return kind, [each for each in found if each.address]


def _one(about: str, detail: Mapping[str, Any], listed: object) -> Recipient:
    entry = listed if isinstance(listed, dict) else {"emailAddress": listed}
    address, words = _text(entry.get("emailAddress")).strip("<>"), _text(entry.get("diagnosticCode"))
    if about == "complaint":
        how = _text(detail.get("complaintFeedbackType")) or "abuse"
        return Recipient(address, "", Reason.COMPLAINED, f"feedback: {how}")
    if about == "delivery":
        return Recipient(address, "", Reason.DELIVERED, _text(detail.get("smtpResponse")))
    status, action = _text(entry.get("status")), _text(entry.get("action")).lower()
    judged = judge(Said(status=status, action=action, words=words))
    # "Suppressed" is SES's own list of addresses that bounced for good, elsewhere too.
    gone = detail.get("bounceType") == "Permanent" and detail.get("bounceSubType") in {"NoEmail", "Suppressed"}
    return Recipient(address, judged.status, Reason.UNKNOWN if gone else judged.reason, words or f"status {status}")


def _text(value: object) -> str:
    return whole(str(value or ""))
