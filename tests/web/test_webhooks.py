"""What providers tell of what came back: only what is proven to be theirs counts, and each in its own shape."""

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from returned import TODAY
from served import Site

from newsletter.domain.bounce import Kind, Reason
from newsletter.domain.subscriber import Status
from newsletter.web.webhooks.base import Unproven
from newsletter.web.webhooks.ses import Ses

ANN, BEN = "ann@there.example", "ben@there.example"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:bounces"
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
TABLES = {
    "bounces": {
        "address": "letters@example.org",
        "webhooks": {
            "postmark_secret": "a secret of the hook",
            "mailgun_key": "key-of-the-hook",
            "sendgrid_key": base64.b64encode(PUBLIC).decode(),
        },
    }
}


@pytest.fixture
def mailed(site: Site) -> Site:
    """Return the pages of a newsletter of which ann and ben had a digest."""
    site.room.publish(TODAY, "Alpha")
    site.room.subscribe(ANN, BEN)
    site.room.run("run", "--date", TODAY, "--now")
    return site


def postmark(site: Site, secret: str = "a secret of the hook", **said: Any) -> httpx2.Response:
    """Tell what Postmark tells."""
    told = {"RecordType": "Bounce", "ID": 1, "MessageID": "0a1b", "Email": ANN, "Details": "", "Subject": "Papers"}
    return site.client.post("/webhooks/postmark", content=json.dumps(told | said), auth=("postmark", secret))


def mailgun(site: Site, key: str = "key-of-the-hook", age: int = 0, **said: Any) -> httpx2.Response:
    """Tell what Mailgun tells, signed with *key* some seconds ago."""
    stamp, token = str(int(time.time()) - age), "t0ken"
    signature = hmac.new(key.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    told = {"event": "failed", "id": "e1", "recipient": ANN, "message": {"headers": {"subject": "Papers"}}}
    proof = {"timestamp": stamp, "token": token, "signature": signature}
    return site.client.post("/webhooks/mailgun", json={"signature": proof, "event-data": told | said})


def sendgrid(site: Site, *events: dict[str, Any], key: ec.EllipticCurvePrivateKey = KEY) -> httpx2.Response:
    """Tell what SendGrid tells, many events at once."""
    body, stamp = json.dumps(events).encode(), str(int(time.time()))
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    names = ("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp")
    return site.client.post(
        "/webhooks/sendgrid", content=body, headers=dict(zip(names, (signature, stamp), strict=True))
    )


def test_half_a_character_stops_nothing(mailed: Site) -> None:
    """JSON can say what no database keeps; the provider would tell it again for days, and nothing behind it."""
    assert postmark(mailed, Type="HardBounce", Details="smtp;550 5.1.1 no such user \ud800").status_code == 204
    assert mailed.status(ANN) is Status.SUPPRESSED


def test_postmark(mailed: Site) -> None:
    """A hard bounce suppresses, a soft one does not, and without the password nothing is heard."""
    words = "smtp;550 5.1.1 The email account that you tried to reach does not exist"
    assert postmark(mailed, "guessed", Type="HardBounce", Details=words).status_code == 403
    assert mailed.client.post("/webhooks/postmark", json={}).status_code == 403
    assert postmark(mailed, Type="SoftBounce", ID=2, Details="smtp;550 5.1.1 no such user").status_code == 204
    assert mailed.status(ANN) is Status.ACTIVE
    assert postmark(mailed, Type="HardBounce", Details=words).status_code == 204
    assert mailed.status(ANN) is Status.SUPPRESSED
    assert postmark(mailed, Type="AutoResponder", ID=3, Email=BEN).status_code == 204
    assert postmark(mailed, RecordType="Open", ID=4, Email=BEN).status_code == 204
    assert mailed.status(BEN) is Status.ACTIVE
    assert postmark(mailed, RecordType="SpamComplaint", Type="SpamComplaint", ID=5, Email=BEN).status_code == 204
    assert mailed.status(BEN) is Status.SUPPRESSED


def test_mailgun(mailed: Site) -> None:
    """A permanent failure of a mail that we sent, by its Message-ID, suppresses; a wrong or old signature does not."""
    sent_as = str(mailed.room.sink.to(ANN)[0].message["Message-ID"]).strip("<>")
    failed = {
        "severity": "permanent",
        "reason": "bounce",
        "recipient": "elsewhere@there.example",
        "message": {"headers": {"message-id": sent_as}},
        "delivery-status": {"code": 550, "message": "5.1.1 no such user"},
    }
    assert mailgun(mailed, "another key", **failed).status_code == 403
    assert mailgun(mailed, age=100_000, **failed).status_code == 403
    assert mailed.client.post("/webhooks/mailgun", content=b"[[").status_code == 400
    assert mailed.status(ANN) is Status.ACTIVE
    assert mailgun(mailed, **failed).status_code == 204
    assert mailed.status(ANN) is Status.SUPPRESSED
    full = {
        "severity": "temporary",
        "delivery-status": {"code": 452, "message": "4.2.2 full"},
        "recipient": BEN,
        "id": "e2",
    }
    assert mailgun(mailed, **full).status_code == 204
    assert mailed.status(BEN) is Status.ACTIVE
    assert mailgun(mailed, event="complained", recipient=BEN, id="e3").status_code == 204
    assert mailed.status(BEN) is Status.SUPPRESSED


def test_sendgrid(mailed: Site) -> None:
    """Many events come at once, each acted on once; what is blocked is no reader's fault."""
    sent_as = str(mailed.room.sink.to(ANN)[0].message["Message-ID"])
    bounced = {"event": "bounce", "type": "bounce", "email": ANN, "sg_event_id": "a", "smtp-id": sent_as}
    bounced |= {"status": "5.1.1", "reason": "550 5.1.1 no such user"}
    blocked = {"event": "bounce", "type": "blocked", "email": BEN, "sg_event_id": "b", "reason": "550 unknown user"}
    opened = {"event": "open", "email": BEN, "sg_event_id": "c"}
    assert sendgrid(mailed, bounced, key=ec.generate_private_key(ec.SECP256R1())).status_code == 403
    assert sendgrid(mailed, blocked, opened, bounced, bounced).status_code == 204
    assert (mailed.status(ANN), mailed.status(BEN)) == (Status.SUPPRESSED, Status.ACTIVE)
    assert len(mailed.room.run("bounces", "list", "--json").json["returns"]) == 2


def test_nobody_listens_for_who_is_not_configured(mailed: Site) -> None:
    """A provider without a proof in the configuration has no page, and a page for providers answers no GET."""
    assert mailed.client.post("/webhooks/ses", json={}).status_code == 404
    assert mailed.client.get("/webhooks/postmark").status_code == 405


class Sns:
    """Signs as Amazon's service does, with a certificate of its own."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.fetched: list[str] = []
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
        now = datetime.now(UTC)
        made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
        made = made.serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        self.certificate = made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def fetch(self, url: str) -> bytes:
        """Return the certificate, and remember what was asked for."""
        self.fetched.append(url)
        return self.certificate

    def signed(self, version: str, **said: str) -> dict[str, str]:
        """Return what it sends: *said*, with the signature of that version."""
        facts = {"MessageId": "m1", "Timestamp": "2026-07-15T08:00:00.000Z", "TopicArn": TOPIC} | said
        names = sorted(set(facts) - {"SigningCertURL"})
        text = "".join(f"{name}\n{facts[name]}\n" for name in names)
        kind: hashes.HashAlgorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
        signature = base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), kind)).decode()
        where = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
        return {"SigningCertURL": where} | facts | {"SignatureVersion": version, "Signature": signature}


BOUNCE = json.dumps(
    {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bouncedRecipients": [
                {"emailAddress": ANN, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
            ],
        },
        "mail": {"source": "letters+abc@example.org", "headers": [{"name": "Message-ID", "value": "<1f@example.org>"}]},
    }
)


@pytest.mark.parametrize("version", ["1", "2"])
def test_amazon_ses(version: str) -> None:
    """What SNS signed says whom it is about, and names our mail; what was changed on the way is refused."""
    sns, now = Sns(), time.time()
    hook = Ses(TOPIC, sns.fetch)
    said = sns.signed(version, Type="Notification", Message=BOUNCE)
    [report] = hook.reports({}, json.dumps(said).encode(), now)
    assert (report.kind, [one.reason for one in report.recipients]) == (Kind.BOUNCE, [Reason.UNKNOWN])
    assert (report.ids, report.returned_to) == (("<1f@example.org>",), ("letters+abc@example.org",))
    for changed in ({"Message": BOUNCE.replace(ANN, BEN)}, {"TopicArn": TOPIC + "2"}, {"Type": "Other"}):
        with pytest.raises(Unproven):
            hook.reports({}, json.dumps(said | changed).encode(), now)
    with pytest.raises(Unproven):
        hook.reports({}, json.dumps(said).encode(), now + 5 * 86_400)  # the certificate is over


def test_amazon_s_certificate_is_fetched_from_amazon_alone() -> None:
    """Nothing else is ever fetched, whatever the message names; a subscription of ours is confirmed."""
    sns, now = Sns(), time.time()
    hook = Ses(TOPIC, sns.fetch)
    for where in (
        "https://evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem",
        "https://bucket.s3.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
    ):
        said = sns.signed("2", Type="Notification", Message=BOUNCE, SigningCertURL=where)
        with pytest.raises(Unproven):
            hook.reports({}, json.dumps(said).encode(), now)
    assert sns.fetched == []
    link = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns&Token=2336"
    said = sns.signed("2", Type="SubscriptionConfirmation", Message="Confirm.", SubscribeURL=link, Token="2336")
    assert hook.reports({}, json.dumps(said).encode(), now) == []
    assert sns.fetched[-1] == link
