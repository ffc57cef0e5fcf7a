"""Measure how many messages one core signs (DKIM) in a second, and print it as JSON.

    scripts/dev bench signing [--messages 2000] [--kilobytes 30]

Every message is different: quoted-printable HTML and text, as a digest is. ``ours`` signs as the sender does, with an
RSA key of 2048 bits, with Ed25519, and with both; ``dkimpy`` signs the same messages in turn with ours, in rounds. The
``bound`` is the RSA signature by itself, which nothing in Python can make faster. Figures are CPU time of this process,
the median of the rounds. A message of each kind is verified before.
"""

import argparse
import json
import statistics
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.mail.dkim import DkimSigner, Key
from newsletter.mail.message import Head, message_bytes

NOW = datetime(2026, 7, 15, 8, tzinfo=UTC)
DOMAIN = "example.org"
ROUNDS = 5
SLOW = 20  # times fewer messages for dkimpy
LINE = (
    '<p style="margin:12px 0 0">{n}: we show that a model of modest size reads “long” documents in less memory.</p>\n'
)
SIGNED = [b"from", b"from", b"to", b"subject", b"date", b"message-id", b"list-id", b"list-unsubscribe", b"content-type"]


def message(number: int, size: int) -> bytes:
    """Return a message of about *size* bytes, unlike every other."""
    head = Head(
        sender=f"Daily Papers <papers@{DOMAIN}>",
        to=f"reader{number}@example.com",
        subject="Daily Papers · 15 July: On the reading of long documents and 9 more",
        message_id=f"<{number:016x}@{DOMAIN}>",
        date=NOW,
        list_id=f"Daily Papers <daily.{DOMAIN}>",
        unsubscribe_url=f"https://papers.example.org/unsubscribe/{number:048}",
        feedback_id="a:b:digest:papers",
        papers=tuple(f"2607.{number + i:05}" for i in range(10)),
    )
    lines = "".join(LINE.format(n=number + i) for i in range(size // (len(LINE) + 46)))
    return message_bytes(head, text=lines[: size // 10].replace("<p", "    <p"), html=lines)


def rate(sign: Callable[[bytes], object], messages: Sequence[bytes]) -> float:
    """Return how many of *messages* a core signs in a second."""
    began = time.process_time()
    for content in messages:
        sign(content)
    return len(messages) / (time.process_time() - began)


def verify(content: bytes, keys: Sequence[Key]) -> None:
    """Stop unless dkimpy accepts every signature of *content*."""
    records = {f"{key.selector}._domainkey.{DOMAIN}.".encode(): key.record().encode() for key in keys}
    for number in range(len(keys)):
        if not dkim.DKIM(content).verify(number, dnsfunc=lambda name, timeout=5: records[name]):
            raise SystemExit(f"signature {number} does not verify")


def ours(signer: DkimSigner) -> Callable[[bytes], bytes]:
    """Return what signs as the sender does."""
    return lambda content: signer.signed(content, NOW)


def theirs(key: Key) -> Callable[[bytes], bytes]:
    """Return dkimpy's way of signing with *key*."""
    if key.kind == "rsa":
        private = key.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    else:
        private = b64encode(key.private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))

    def sign(content: bytes) -> bytes:
        relaxed = (b"relaxed", b"relaxed")
        algorithm = f"{key.kind}-sha256".encode()
        selector, domain = key.selector.encode(), DOMAIN.encode()
        header: bytes = dkim.sign(
            content,
            selector,
            domain,
            private,
            canonicalize=relaxed,
            signature_algorithm=algorithm,
            include_headers=SIGNED,
        )
        return header + content

    return sign


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=2000, help="in each round (%(default)s)")
    parser.add_argument("--kilobytes", type=int, default=30, help="of each message (%(default)s)")
    asked = parser.parse_args()
    messages = [message(number, asked.kilobytes * 1000) for number in range(asked.messages)]
    rsa, ed25519 = Key("rsa", generate_private_key(65537, 2048)), Key("ed25519", Ed25519PrivateKey.generate())
    ways: dict[str, tuple[Callable[[bytes], bytes], int]] = {"bound": (lambda content: rsa.sign(content[:1000]), 1)}
    for name, keys in (("rsa", [rsa]), ("ed25519", [ed25519]), ("both", [rsa, ed25519])):
        signer = DkimSigner(DOMAIN, keys)
        verify(signer.signed(messages[0], NOW), keys)
        ways[f"ours {name}"] = (ours(signer), 1)
    for key in (rsa, ed25519):
        verify(theirs(key)(messages[0]), [key])
        ways[f"dkimpy {key.kind}"] = (theirs(key), SLOW)
    rounds = [
        {n: rate(sign, messages[: len(messages) // part]) for n, (sign, part) in ways.items()} for _ in range(ROUNDS)
    ]
    found = {name: round(statistics.median(one[name] for one in rounds)) for name in ways}
    document = {
        "messages": len(messages),
        "bytes": round(statistics.mean(map(len, messages))),
        "per_second": {
            "ours": {name: found[f"ours {name}"] for name in ("rsa", "ed25519", "both")},
            "dkimpy": {name: found[f"dkimpy {name}"] for name in ("rsa", "ed25519")},
            "bound": found["bound"],
        },
        "ratio": {name: round(found[f"ours {name}"] / found[f"dkimpy {name}"], 1) for name in ("rsa", "ed25519")},
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
