"""Signing mail: DKIM (RFC 6376), relaxed/relaxed, with RSA and Ed25519 (RFC 8463).

Promises that whoever has the record that ``records`` gives can verify what ``signed`` returns, as long as nobody
changes the body or a signed header. There is no ``l=``: with it anybody could append. Not here: reading keys
(``config.keys``), and what to sign.
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from re import compile as pattern

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

# RFC 6376 section 5.4.1, RFC 8058 section 4, and what large receivers ask for.
_SIGNED = frozenset(
    b"""from to cc subject date message-id reply-to sender in-reply-to references mime-version content-type
    content-transfer-encoding list-id list-help list-unsubscribe list-unsubscribe-post list-subscribe list-post
    list-owner list-archive feedback-id auto-submitted x-papers""".split()
)
_FIELDS = pattern(rb"\r\n(?![\t ])")
_RUNS = pattern(rb"   *")  # two blanks and more: what begins with two plain bytes is searched for fastest
_PADDING, _SHA256 = PKCS1v15(), SHA256()
_WIDTH = 76
_LONGEST_STRING = 255  # of the strings that a TXT record consists of, RFC 1035 section 3.3


@dataclass(frozen=True, slots=True)
class Key:
    """A private key, and the selector under which its public half is published."""

    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey

    @property
    def kind(self) -> str:
        """Return what DKIM calls it: of the record's ``k=``, and the first half of ``a=``."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def bits(self) -> int:
        """Return the length of an RSA key, 0 for another."""
        return self.private.key_size if isinstance(self.private, RSAPrivateKey) else 0

    def sign(self, data: bytes) -> bytes:
        """Return the signature over the SHA-256 of *data*."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, _PADDING, _SHA256)
        return self.private.sign(sha256(data).digest())

    @property
    def public(self) -> str:
        """Return the public half as the record has it."""
        key = self.private.public_key()
        if self.kind == "rsa":
            return b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
        return b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def record(self) -> str:
        """Return the content of the DNS record, all its strings together."""
        return f"v=DKIM1; k={self.kind}; p={self.public}"


@dataclass(frozen=True, slots=True)
class DkimSigner:
    """Signs for *domain* (in ASCII) with each of *keys*."""

    domain: str
    keys: Sequence[Key]

    def signed(self, content: bytes, now: datetime) -> bytes:
        """Return the message *content*, whose lines end in CRLF, with a signature by each key before it."""
        head, body = _parted(content)
        fields = _canonical_fields(head)
        # From once more than it is there: then nobody can add another (section 8.15).
        names = _folded_names((*(field.partition(b":")[0] for field in fields), b"from"))
        over = b"".join(field + b"\r\n" for field in fields)
        hashed = b64encode(sha256(_canonical_body(body)).digest())
        stamp = b"%d" % now.timestamp()
        return b"".join((*(self._signature(key, names, stamp, hashed, over) for key in self.keys), content))

    def _signature(self, key: Key, names: bytes, stamp: bytes, hashed: bytes, over: bytes) -> bytes:
        value = b"v=1; a=%b-sha256; c=relaxed/relaxed;\r\n d=%b;\r\n s=%b; t=%b;\r\n h=%b;\r\n bh=%b;\r\n b=" % (
            key.kind.encode(),
            self.domain.encode(),
            key.selector.encode(),
            stamp,
            names,
            hashed,
        )
        signature = b64encode(key.sign(over + b"dkim-signature:" + value.replace(b"\r\n", b"")))
        lines = [signature[i : i + _WIDTH - 3] for i in range(0, len(signature), _WIDTH - 3)]
        return b"DKIM-Signature: " + value + b"\r\n ".join(lines) + b"\r\n"

    def records(self) -> Iterator[tuple[Key, str]]:
        """Give for each key the line of a zone file that publishes it."""
        for key in self.keys:
            text = key.record()
            strings = [text[i : i + _LONGEST_STRING] for i in range(0, len(text), _LONGEST_STRING)]
            yield key, f"{key.selector}._domainkey.{self.domain}. TXT " + " ".join(f'"{each}"' for each in strings)


def _parted(content: bytes) -> tuple[bytes, bytes]:
    """Return the header fields, and the body after the first empty line."""
    if content.startswith(b"\r\n"):
        return b"", content[2:]
    head, _, body = content.partition(b"\r\n\r\n")
    return head.removesuffix(b"\r\n"), body


def _canonical_fields(head: bytes) -> list[bytes]:
    """Return the fields to sign, canonical (section 3.4.2), from the last to the first as section 5.4.2 counts."""
    found = []
    for field in reversed(_FIELDS.split(head)):
        name, _, value = field.partition(b":")
        name = name.rstrip(b"\t ").lower()
        if name in _SIGNED:
            found.append(name + b":" + _single_spaced(value.replace(b"\r\n", b"")).strip(b" "))
    return found


def _canonical_body(body: bytes) -> bytes:
    """Return *body* as section 3.4.4 wants it. Our own needs little, and replacing what is not there costs a search."""
    body = _single_spaced(body).replace(b" \r\n", b"\r\n").rstrip(b" ")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n" if end else b""


def _single_spaced(data: bytes) -> bytes:
    return _RUNS.sub(b" ", data.replace(b"\t", b" "))


@lru_cache(maxsize=64)  # messages of one kind have the same
def _folded_names(names: tuple[bytes, ...]) -> bytes:
    lines = [b" h="]
    for name in names:
        if len(lines[-1]) + len(name) + 1 > _WIDTH:
            lines.append(b" ")
        lines[-1] += name + b":"
    return b"\r\n".join(lines).removeprefix(b" h=").removesuffix(b":")
