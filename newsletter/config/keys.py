"""Reading the private keys that sign mail (DKIM: RFC 6376, 8463).

Promises keys that can be used as they are: of a kind that receivers know, and long enough. Not here: signing
(``mail.dkim``).
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from newsletter.config.sending import DkimSettings
from newsletter.errors import ConfigurationError

PrivateKey = RSAPrivateKey | Ed25519PrivateKey

_BITS = range(1024, 4097)  # RFC 8301 section 3.2: what receivers have to know, and the least that they may trust
_MAKE = "'openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out FILE' makes one"


def read_keys(settings: DkimSettings) -> tuple[tuple[str, PrivateKey], ...]:
    """Return each key that *settings* name, with its selector. Raises ConfigurationError."""
    given = [
        ("dkim.key_file", settings.selector, settings.key_file),
        ("dkim.second_key_file", settings.second_selector, settings.second_key_file),
    ]
    keys = tuple((selector, _read(key, file)) for key, selector, file in given if file)
    if len({isinstance(private, RSAPrivateKey) for _, private in keys}) < len(keys):
        raise ConfigurationError(
            f"dkim.second_key_file = {str(settings.second_key_file)!r}: is of the same kind as dkim.key_file; "
            "use one RSA and one Ed25519 key, or one alone"
        )
    return keys


def _read(key: str, file: Path) -> PrivateKey:
    told = f"{key} = {str(file)!r}"
    try:
        private = load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        raise ConfigurationError(f"{told}: cannot be read ({error.strerror}); {_MAKE}") from error
    except TypeError as error:
        remedy = f"'openssl pkey -in {file} -out FILE' writes it without one"
        raise ConfigurationError(f"{told}: is protected by a passphrase, which nobody could type; {remedy}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{told}: is not a private key in PEM; {_MAKE}") from error
    if not isinstance(private, PrivateKey):
        raise ConfigurationError(f"{told}: is neither an RSA nor an Ed25519 key, and DKIM knows no other; {_MAKE}")
    if isinstance(private, RSAPrivateKey) and private.key_size not in _BITS:
        raise ConfigurationError(f"{told}: has {private.key_size} bits; receivers take 1024 to 4096, use 2048: {_MAKE}")
    return private
