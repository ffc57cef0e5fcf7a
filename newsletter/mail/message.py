"""Messages as they go over the wire (RFC 5322, 2045, 2047, 2369, 2919, 8058).

Promises that a message has the headers that its Head names and no other, whatever foreign text they carry, that
every line ends in CRLF, and that no line is too long. The standard library's generator is not used: it encodes a
long List-Unsubscribe, loses the quotes of a long display name, and lets encoded-words in a subject become headers.
What the text says, and to whom it goes, is decided elsewhere.
"""

import re
from binascii import b2a_qp
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

import idna

from newsletter.domain.text import plain
from newsletter.errors import UsageError

LONGEST_LINE = 998  # RFC 5322 section 2.1.1, without the CRLF
_WIDTH = 76  # preferred; RFC 2047 section 2 allows no more on a line with encoded-words
_LONGEST_WORD = 60  # ASCII words above this are encoded, so that they can be folded
_LONGEST_KEY = 900

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_RAW = re.compile(r"[!-~]+( [!-~]+)*")
_URI = re.compile(r"(https?://|mailto:)[!-;=?-~]+")
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What the headers of a message say. What is empty has no header.

    ``sender`` and ``reply_to`` are an address or "Name <address>", ``list_id`` is "Name <label.example.org>"; names
    may be quoted and need not be. ``unsubscribe_url`` … ``owner`` are URIs, https: or mailto:. A ``list_id`` makes it
    list mail.
    """

    sender: str
    to: str  # the bare address
    subject: str
    message_id: str  # with its angle brackets
    date: datetime  # aware
    reply_to: str = ""
    list_id: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    archive_url: str = ""
    help: str = ""
    owner: str = ""
    feedback_id: str = ""
    papers: tuple[str, ...] = ()
    auto_submitted: str = "auto-generated"


def message_id(delivery_id: int, domain: str) -> str:
    """Return the Message-ID of a delivery, the same for every repeat."""
    return f"<{delivery_id:016x}@{ascii_domain(domain)}>"


def message_bytes(head: Head, *, text: str | None = None, html: str | None = None, smtputf8: bool = False) -> bytes:
    """Return the message: ``multipart/alternative`` with the text first, or a single part.

    Raises UsageError for an address, URI or id that no header can hold, and for an address that needs SMTPUTF8
    where the caller does not say that the server will be asked for it.
    """
    assert text is not None or html is not None
    if not smtputf8 and (needs_smtputf8(head.to) or needs_smtputf8(head.sender)):
        raise UsageError(f"{head.to!r}: an address in another script needs a server that offers SMTPUTF8")
    parts = [_part(f"text/{kind}", body) for kind, body in (("plain", text), ("html", html)) if body is not None]
    headers = "".join(f"{line}\r\n" for line in (*_headers(head), "MIME-Version: 1.0")).encode()
    if len(parts) == 1:
        return headers + parts[0]
    # "=_" cannot occur in quoted-printable, so no content can close a part.
    boundary = "=_" + sha256(head.message_id.encode()).hexdigest()[:32]
    between = f"--{boundary}\r\n".encode()
    kind = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'.encode()
    return b"".join((headers, kind, *(between + part + b"\r\n" for part in parts), between[:-2], b"--\r\n"))


def needs_smtputf8(mailbox: str) -> bool:
    """Return whether the address, or that of "Name <address>", needs SMTPUTF8 (RFC 6531): not for a domain alone."""
    return not _split(mailbox)[1].rpartition("@")[0].isascii()


def wire_address(address: str) -> str:
    """Return *address* as envelopes and headers carry it, the domain in IDNA 2008.

    Raises UsageError for what is no address of the form local-part@domain; quoted local parts are not taken.
    """
    local, _, domain = address.rpartition("@")
    if not _LOCAL_PART.fullmatch(local) or plain(local) != local or len(local.encode()) > 64:
        raise UsageError(f"{address!r}: not an address; use one like papers@example.org")
    return f"{local}@{ascii_domain(domain)}"


def ascii_domain(domain: str) -> str:
    """Return *domain* in IDNA 2008. Raises UsageError for what is no host name."""
    try:
        encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise UsageError(f"{domain!r}: not a domain ({error})") from error
    if not _DOMAIN.fullmatch(encoded) or len(encoded) > 253:
        raise UsageError(f"{domain!r}: not a domain; use one like example.org")
    return encoded


def _headers(head: Head) -> list[str]:
    leave = ", ".join(_uri(uri) for uri in (head.unsubscribe_url, head.unsubscribe_mailto) if uri)
    if not _MESSAGE_ID.fullmatch(head.message_id):
        raise UsageError(f"{head.message_id!r}: not a Message-ID like <1f@example.org>")
    lines = [
        _mailbox("From", head.sender),
        f"To: {wire_address(head.to)}",
        _mailbox("Reply-To", head.reply_to) if head.reply_to else "",
        _folded("Subject", _words("Subject", head.subject)),
        f"Date: {format_datetime(head.date)}",
        _raw("Message-ID", head.message_id),
        _list_id(head.list_id) if head.list_id else "",
        _raw("List-Unsubscribe", leave),
        # RFC 8058 section 3.1: only together with an https URI.
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click" if head.unsubscribe_url.startswith("https://") else "",
        _raw("List-Archive", _uri(head.archive_url)),
        _raw("List-Help", _uri(head.help)),
        _raw("List-Owner", _uri(head.owner)),
        _raw("Feedback-ID", head.feedback_id),
        _raw("Auto-Submitted", head.auto_submitted),
        "Precedence: bulk" if head.list_id else "",
        _folded("X-Papers", [_key(key) for key in head.papers if key]) if head.papers else "",
    ]
    return [line for line in lines if line]


def _raw(name: str, value: str) -> str:
    """Return a header on one line as it is: readers of these fields do not all unfold, and none decodes."""
    line = f"{name}: {value}"
    if value and not (_RAW.fullmatch(value) and len(line) <= LONGEST_LINE):
        raise UsageError(f"{name}: {value!r} cannot stand in a header; use at most 900 plain characters")
    return line if value else ""


def _uri(uri: str) -> str:
    if uri and not _URI.fullmatch(uri):
        raise UsageError(f"{uri!r}: not a link that a header can hold; use https://… or mailto:…")
    return f"<{uri}>" if uri else ""


def _key(key: str) -> str:
    """Return a paper's key without blanks; foreign links are long and odd, and must not stop an issue."""
    escaped = quote(key, safe="!#$%&'()*+,/:;=?@[]~<>\\^`{|}\"", errors="replace")
    return escaped.replace("=?", "=%3F")[:_LONGEST_KEY]


def _split(mailbox: str) -> tuple[str, str]:
    """Return name and address of "Name <address>". parseaddr would take an address in the name for the address."""
    name, bracket, rest = mailbox.rpartition("<")
    return (name.strip(), rest.strip().removesuffix(">")) if bracket else ("", mailbox.strip())


def _mailbox(header: str, mailbox: str) -> str:
    name, address = _split(mailbox)
    phrase = _phrase(header, name)
    return _folded(header, [*phrase, f"<{wire_address(address)}>"] if phrase else [wire_address(address)])


def _list_id(list_id: str) -> str:
    name, label = _split(list_id)
    return _folded("List-Id", [*_phrase("List-Id", name), f"<{ascii_domain(label)}>"])


def _phrase(header: str, name: str) -> list[str]:
    """Return a display name as words to fold between; a quoted string may be folded at its blanks too."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    words = _words(header, name)
    phrase = " ".join(words)
    if _ATOMS.fullmatch(phrase):  # so are encoded-words
        return [*words]
    return ('"' + re.sub(r'(["\\])', r"\\\1", phrase) + '"').split(" ")


@lru_cache(maxsize=256)  # subjects and names are the same for thousands of readers
def _words(header: str, text: str) -> tuple[str, ...]:
    """Return foreign *text* as harmless words to fold between, encoded (RFC 2047) where it is not short ASCII.

    Encoded-words in the text itself are broken: whoever decodes twice, as mail programs and libraries do, would
    otherwise read what they hide. What removing controls or unfolding joins together is broken too.
    """
    harmless = plain(text).replace("=?", "= ?")
    words = harmless.split()
    if harmless.isascii() and max(map(len, words), default=0) <= _LONGEST_WORD:
        return tuple(words)
    return tuple(Header(harmless, "utf-8", header_name=header, maxlinelen=_WIDTH).encode().split())


def _folded(header: str, words: Iterable[str]) -> str:
    lines = [f"{header}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _WIDTH and lines[-1] != f"{header}:":
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines)


def _part(kind: str, body: str) -> bytes:
    """Return headers and content of a part. Blanks at line ends are dropped: quoted-printable cannot hold them."""
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    if " \n" in lines or "\t\n" in lines or lines.endswith((" ", "\t")):
        lines = "\n".join(line.rstrip(" \t") for line in lines.split("\n"))
    if not lines.endswith("\n"):
        lines += "\n"
    head = f'Content-Type: {kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    return head.encode() + b2a_qp(lines.replace("\n", "\r\n").encode("utf-8", "replace"))
