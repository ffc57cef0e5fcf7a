"""Which addresses can be mailed, and when two of them are the same person's.

Syntax only: nothing is asked of the network, so an address that passes may still bounce.
"""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

from newsletter.errors import UsageError

MOST_LOCAL_OCTETS = 64  # RFC 5321 section 4.5.3.1.1; the library lets 65 pass
MOST_OCTETS = 254  # RFC 5321 section 4.5.3.1.3: a path of 256 octets has two angle brackets
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


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
    shown = _shown(text)
    if _UNPRINTABLE.search(text):
        raise UsageError(f"{shown} is not an address: it holds a control character")
    try:
        # The test domain (RFC 6761) is for whoever tries the newsletter out on a machine of their own.
        valid = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise UsageError(f"{shown} is not an address: {str(error).rstrip('.')}") from error
    local, domain = valid.local_part, valid.ascii_domain
    assert local and domain, "the library was told to allow no empty local part"
    if "." not in domain:
        raise UsageError(f"{shown} is not an address: the part after the @-sign has no period")
    if (octets := len(local.encode())) > MOST_LOCAL_OCTETS:
        raise UsageError(f"{shown} is not an address: {octets} octets before the @-sign, {MOST_LOCAL_OCTETS} allowed")
    email = f"{local}@{domain}"
    if (octets := len(email.encode())) > MOST_OCTETS:
        raise UsageError(f"{shown} is not an address: it has {octets} octets, {MOST_OCTETS} allowed")
    return Address(email, address_key(email))


def address_key(email: str) -> str:
    """Return how *email*, as ``parse_address`` gives it, is compared: case folded, then NFC."""
    return unicodedata.normalize("NFC", email.casefold())


def _shown(text: str) -> str:
    return repr(text if len(text) <= 100 else text[:97] + "…")
