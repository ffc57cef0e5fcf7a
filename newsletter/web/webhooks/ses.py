"""Amazon SES tells of bounces and complaints by SNS, which signs what it sends.

The certificate is fetched from Amazon's own hosts alone, and only from where SNS keeps it. A subscription of the
configured topic is confirmed by fetching the link that SNS sends.
"""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import httpx2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate, load_pem_x509_certificate

from newsletter.mail import ses
from newsletter.mail.bounce_report import Report
from newsletter.web.webhooks.base import Unproven, document

_HOST = r"https://sns\.[a-z]{2}(?:-[a-z]+)+-\d\.amazonaws\.com(?:\.cn)?/"
_CERTIFICATE = re.compile(_HOST + r"SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_CONFIRMATION = re.compile(_HOST + r"\?Action=ConfirmSubscription&[\w=&:.%-]+")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_LONGEST = 50_000


def fetch(url: str) -> bytes:
    """Return what is at *url*, without following it elsewhere. Raises Unproven where nothing is."""
    try:
        with httpx2.stream("GET", url, timeout=10, follow_redirects=False) as answer:
            answer.raise_for_status()
            content = b""
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _LONGEST:
                    raise Unproven
            return content
    except httpx2.HTTPError as error:
        raise Unproven from error


@dataclass(frozen=True)
class Ses:
    """Takes what SNS signed for *topic*. ``fetch`` gets what is at a link of Amazon's."""

    topic: str
    fetch: Callable[[str], bytes] = field(default=lru_cache(maxsize=8)(fetch))

    def reports(self, _headers: Mapping[str, str], body: bytes, now: float) -> list[Report]:
        """Return what one request says."""
        said = document(body)
        if said["TopicArn"] != self.topic:
            raise Unproven
        self._check(said, now)
        if said["Type"] == "SubscriptionConfirmation" and _CONFIRMATION.fullmatch(said["SubscribeURL"]):
            self.fetch(said["SubscribeURL"])
        return [_report(said)] if said["Type"] == "Notification" else []

    def _check(self, said: Mapping[str, Any], now: float) -> None:
        names = _SIGNED.get(said["Type"])
        if names is None or not _CERTIFICATE.fullmatch(said["SigningCertURL"]):
            raise Unproven
        text = "".join(f"{name}\n{said[name]}\n" for name in names if name in said)
        kind = {"1": SHA1(), "2": SHA256()}[str(said["SignatureVersion"])]  # noqa: S303 - as SNS signs by default
        certificate = load_pem_x509_certificate(self.fetch(said["SigningCertURL"]))
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey) or not _is_valid(certificate, now):
            raise Unproven
        try:
            key.verify(base64.b64decode(said["Signature"]), text.encode(), PKCS1v15(), kind)
        except InvalidSignature as error:
            raise Unproven from error


def _is_valid(certificate: Certificate, now: float) -> bool:
    at = datetime.fromtimestamp(now, UTC)
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def _report(said: Mapping[str, Any]) -> Report:
    told = document(said["Message"].encode())
    kind, recipients = ses.understood(told)
    mail = told.get("mail", {})
    named = [str(one.get("value")) for one in mail.get("headers", []) if str(one.get("name")).lower() == "message-id"]
    return Report(
        kind=kind,
        recipients=tuple(recipients),
        ids=tuple(named),
        returned_to=(str(mail.get("source", "")).lower(),),
        subject=str(mail.get("commonHeaders", {}).get("subject") or "")[:200],
        mark=f"ses-{said['MessageId']}",
    )
