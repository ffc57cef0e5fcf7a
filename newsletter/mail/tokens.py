"""Signed tokens: what a link or a return address says about whom it was made for, and that we made it.

A token is 48 characters of a-z and 2-7, so that it survives being copied from text, ends a link, is readable where
a mail server changes case, and fits with a prefix into the 64 octets of a local part. It hides nothing: the ids in
it can be read by anyone, but not changed. Using a token up, and what it allows, is the business of the services.
"""

import base64
import hashlib
import hmac
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache

from newsletter.errors import TokenError, TokenExpiredError

_PAYLOAD = struct.Struct(">QQI")  # subscriber, delivery, expiry in seconds since 1970; 0: none
_MAC_LENGTH = 10  # 80 bits: forging needs 2**79 requests to us, and with the payload no base32 padding bit is left over
_LENGTH = 48
_TOKEN = re.compile(r"[A-Za-z2-7]{48}")
_BLOCK = 64  # octets that SHA-256 takes at once
_INNER_PAD, _OUTER_PAD = (bytes(octet ^ pad for octet in range(256)) for pad in (0x36, 0x5C))
_APART = bytes(_LENGTH - _PAYLOAD.size - _MAC_LENGTH)  # room between contents for their letters
_LETTERS = bytes.maketrans(bytes(range(32)), b"abcdefghijklmnopqrstuvwxyz234567")


class Purpose(StrEnum):
    """What a token is good for, and nothing else. The letter is part of what is signed."""

    UNSUBSCRIBE = "u"
    CONFIRM = "c"
    PREFERENCES = "p"
    BOUNCE = "b"
    REPLY = "r"
    DATA = "d"  # what is known of a reader, and deleting it
    MOVE = "m"  # to another address
    FEED = "f"  # of a reader's saved papers
    EDIT = "e"  # a paper of a draft: whom it was made for is the issue, its delivery the paper
    SEAL = "s"  # a draft: whom it was made for is the issue
    UNDO = "w"  # what was done by one of these two: its delivery is the change, 0 for sealing


Wanted = tuple[Purpose, int, int, datetime | None]  # of which subscriber and delivery, and good until when


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token was made for. ``delivery`` is 0 where it was made for none."""

    subscriber: int
    delivery: int


class Signer:
    """Makes and reads tokens. The first secret signs, all verify, so that a secret can be replaced."""

    def __init__(self, secrets: tuple[str, ...]):
        self._keys = tuple(secret.encode() for secret in secrets)
        self._signing = {purpose: _Hmac(self._keys[0], _signed(purpose)) for purpose in Purpose}

    def token(self, purpose: Purpose, *, subscriber: int, delivery: int = 0, expires: datetime | None = None) -> str:
        """Return a token for *purpose*, good before *expires* (aware, cut to the second), or for ever."""
        return self.tokens(((purpose, subscriber, delivery, expires),))[0]

    def tokens(self, wanted: Iterable[Wanted]) -> list[str]:
        """Return the tokens that are *wanted*, as ``token`` does; together they cost less."""
        return _base32(
            [
                self._signing[purpose].signed(_PAYLOAD.pack(subscriber, delivery, _seconds(expires) if expires else 0))
                for purpose, subscriber, delivery, expires in wanted
            ]
        )

    def read(self, purpose: Purpose, token: str, now: datetime) -> Claims:
        """Return whom *token* was made for. Raises TokenError, and TokenExpiredError where it was good once."""
        if not _TOKEN.fullmatch(token):
            raise TokenError("This link is incomplete: copy the whole of it from the mail")
        content = base64.b32decode(token.upper())
        payload, mac = content[: _PAYLOAD.size], content[_PAYLOAD.size :]
        if not any(hmac.compare_digest(mac, _mac(key, purpose, payload)) for key in self._keys):
            raise TokenError("This link was not made here for this: use the link of the newest mail")
        subscriber, delivery, expires = _PAYLOAD.unpack(payload)
        if expires and now.timestamp() >= expires:
            ended = datetime.fromtimestamp(expires, UTC)
            raise TokenExpiredError(f"This link expired on {ended:%Y-%m-%d}: ask for a fresh one")
        return Claims(subscriber, delivery)

    def fingerprints(self) -> tuple[str, ...]:
        """Return a short hash of each secret, for a database to remember which one signed."""
        return tuple(hmac.digest(key, b"fingerprint", "sha256").hex()[:16] for key in self._keys)


@lru_cache(maxsize=256)  # mails of one chunk expire at once
def _seconds(expires: datetime) -> int:
    return int(expires.timestamp())


class _Hmac:
    """HMAC-SHA256 (RFC 2104) of texts that begin alike. Copying two hashes costs a third less than copying ``hmac``."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes, begun: bytes) -> None:
        padded = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(padded.translate(_INNER_PAD) + begun)
        self._outer = hashlib.sha256(padded.translate(_OUTER_PAD))

    def signed(self, rest: bytes) -> bytes:
        """Return *rest*, and the beginning of the HMAC of what was begun and *rest*."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(rest)
        outer.update(inner.digest())
        return rest + outer.digest()[:_MAC_LENGTH]


def _mac(key: bytes, purpose: Purpose, payload: bytes) -> bytes:
    return hmac.digest(key, _signed(purpose) + payload, "sha256")[:_MAC_LENGTH]


def _signed(purpose: Purpose) -> bytes:
    return b"token:" + purpose.encode()


@lru_cache(maxsize=16)
def _steps(tokens: int) -> list[tuple[int, int]]:
    """Return how so many numbers in groups of five bits are spread to one group in each octet.

    The groups are halved again and again: a step takes the upper half of each run of groups and moves it up to where
    its octets begin. In each step stand what moves, and what multiplied by it is added to move it.
    """
    steps = []
    for half in (32, 16, 8, 4, 2, 1):
        moves = sum((1 << 5 * half) - 1 << 5 * half + 16 * half * run for run in range(32 // half))
        in_one = moves & (1 << 8 * _LENGTH) - 1
        steps.append((sum(in_one << 8 * _LENGTH * at for at in range(tokens)), (1 << 3 * half) - 1))
    return steps


def _base32(contents: list[bytes]) -> list[str]:
    """Return each of *contents* in base32, in lower case. The library's own way costs more than the signature does."""
    number = int.from_bytes(_APART.join(contents))
    for moves, by in _steps(len(contents)):
        number += (number & moves) * by
    letters = number.to_bytes(_LENGTH * len(contents)).translate(_LETTERS).decode()
    return [letters[at : at + _LENGTH] for at in range(0, len(letters), _LENGTH)]
