"""SendGrid tells of bounces and complaints, many at once, and signs with a key of which we have the public half."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from newsletter.domain.bounce import Kind, Reason
from newsletter.errors import ConfigurationError
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.web.webhooks.base import Unproven, complaint, document, said_of

_SIGNATURE, _TIMESTAMP = (f"x-twilio-email-event-webhook-{name}" for name in ("signature", "timestamp"))


@dataclass(frozen=True)
class SendGrid:
    """Takes what is signed by the key whose public half is *key*, in base64 as SendGrid shows it."""

    key: str

    def __post_init__(self) -> None:
        self._public()

    def reports(self, headers: Mapping[str, str], body: bytes, _now: float) -> list[Report]:
        """Return what one request says."""
        signed = headers.get(_TIMESTAMP, "").encode() + body
        try:
            given = base64.b64decode(headers.get(_SIGNATURE, ""), validate=True)
            self._public().verify(given, signed, ec.ECDSA(SHA256()))
        except (InvalidSignature, binascii.Error) as error:
            raise Unproven from error
        return [report for event in document(body) if (report := _report(event))]

    def _public(self) -> ec.EllipticCurvePublicKey:
        try:
            key = load_der_public_key(base64.b64decode(self.key, validate=True))
        except (ValueError, binascii.Error) as error:
            raise ConfigurationError(
                "bounces.webhooks.sendgrid_key: is no public key; copy it from the settings of the event webhook"
            ) from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise ConfigurationError("bounces.webhooks.sendgrid_key: is no key of the event webhook, which is ECDSA")
        return key


def _report(event: Mapping[str, Any]) -> Report | None:
    address, what = str(event.get("email", "")), event.get("event")
    sent_as = str(event.get("smtp-id") or "")
    facts: dict[str, Any] = {
        "mark": f"sendgrid-{event.get('sg_event_id')}",
        "ids": (sent_as,) if sent_as.startswith("<") else (),
    }
    if what == "spamreport":
        return complaint(address, "feedback: told by SendGrid", **facts)
    if what == "dropped" and "spam" in str(event.get("reason", "")).lower():
        return complaint(address, f"feedback: {event.get('reason')}", **facts)
    if what not in {"bounce", "dropped", "blocked"}:
        return None
    words, status = str(event.get("reason") or "")[:2000], str(event.get("status") or "")
    is_bounce = what != "blocked" and event.get("type") != "blocked"
    one = said_of(address, words, status=status, gone=is_bounce and "bounced address" in words.lower())
    if one.permanent and not is_bounce:
        one = Recipient(address, one.status, Reason.POLICY, words)
    return Report(kind=Kind.BOUNCE, recipients=(one,), **facts)
