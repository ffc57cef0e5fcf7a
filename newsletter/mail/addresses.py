"""Which addresses can be mailed, and when two of them are the same person's.

Syntax only: nothing is asked of the network, so an address that passes may still bounce.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import UsageError

MOST_LOCAL_OCTETS = 64  # RFC 5321 section 4.5.3.1.1; the library lets 65 pass
MOST_OCTETS = 254  # RFC 5321 section 4.5.3.1.3: a path of 256 octets has two angle brackets
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"([A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*)@([A-Za-z0-9.-]+)")


@dataclass(frozen=True, slots=True)
class Address:
    """An address as it is mailed (its domain in ASCII), and the ``key`` by which addresses are compared."""

    email: str
    key: str


def parse_address(text: str) -> Address:
    """Return the address that *text* is, with nothing around it: no name, brackets, blanks or comments.

    The domain is normalised by IDNA 2008, the local part by NFC. RFC 5321 lets a server tell ``Ann@`` from ``ann@``;
    none that matters does, so the key folds the case of both. Raises UsageError with one line that says what is wrong.
    """
    # Most addresses are plain, and most domains come again: a long file is read several times faster.
    plain = _PLAIN.fullmatch(text)
    domain = _plain_domain(plain[2]) if plain else ""
    email = f"{plain[1]}@{domain}" if plain and domain else _validated(text)
    _check_octets(text, email)
    return Address(email, address_key(email))


def address_key(email: str) -> str:
    """Return how *email*, as ``parse_address`` gives it, is compared: case folded, then NFC."""
    return unicodedata.normalize("NFC", email.casefold())


def _validated(text: str) -> str:
    if _UNPRINTABLE.search(text):
        raise _refusal(text, "it holds a control character")
    try:
        # The test domain (RFC 6761) is for whoever tries the newsletter out on a machine of their own.
        valid = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise _refusal(text, str(error).rstrip(".")) from error
    if "." not in valid.ascii_domain:
        raise _refusal(text, "the part after the @-sign has no period")
    return f"{valid.local_part}@{valid.ascii_domain}"


@lru_cache(4096)
def _plain_domain(domain: str) -> str:
    """Return *domain* as it is mailed, '' where it is not valid."""
    try:
        return _validated(f"a@{domain}").removeprefix("a@")
    except UsageError:
        return ""


def _check_octets(text: str, email: str) -> None:
    local = len(email.rpartition("@")[0].encode())
    if local > MOST_LOCAL_OCTETS:
        raise _refusal(text, f"{local} octets before the @-sign, {MOST_LOCAL_OCTETS} allowed")
    if (octets := len(email.encode())) > MOST_OCTETS:
        raise _refusal(text, f"it has {octets} octets, {MOST_OCTETS} allowed")


def _refusal(text: str, why: str) -> UsageError:
    return UsageError(f"{_shown(text)} is not an address: {why}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:97] + "…")
