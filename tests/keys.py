"""Keys for signing, made anew. Not here: the newsroom that signs with them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def signing_keys(folder: Path) -> dict[str, str]:
    """Write a key of each kind to *folder*, and return the ``[dkim]`` that signs with them."""
    for name, key in (("rsa.pem", generate_private_key(65537, 2048)), ("ed25519.pem", Ed25519PrivateKey.generate())):
        file = folder / name
        file.touch(mode=0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return {
        "domain": "example.org",
        "selector": "papers",
        "key_file": "rsa.pem",
        "second_selector": "papers-ed25519",
        "second_key_file": "ed25519.pem",
    }
