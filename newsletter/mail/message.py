"""Messages as they go over the wire (RFC 5322, 2045, 2047, 2369, 2919, 8058).

Promises that a message has the headers that its Head names and no other, whatever foreign text they carry, that
every line ends in CRLF, and that no line is too long. The standard library's generator is not used: it encodes a
long List-Unsubscribe, loses the quotes of a long display name, and lets encoded-words in a subject become headers.
What is the same for thousands of readers is checked and folded once, and remembered. What the text says, and to whom
it goes, is decided elsewhere.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import quote

import idna

from newsletter.domain.text import plain
from newsletter.errors import UsageError
from newsletter.mail.quoted_printable import ended, quoted_printable

LONGEST_LINE = 998  # RFC 5322 section 2.1.1, without the CRLF
_WIDTH = 76  # preferred; RFC 2047 section 2 allows no more on a line with encoded-words
_LONGEST_WORD = 60  # ASCII words above this are encoded, so that they can be folded
_LONGEST_KEY = 900

_ASCII_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+"
_LABEL = r"[A-Za-z0-9_-]{1,63}"
_SHORT_ADDRESS = 64  # so its local part is not too long, nor its domain
_ASCII_ADDRESS = re.compile(rf"{_ASCII_ATOM}(?:\.{_ASCII_ATOM})*+@{_LABEL}+(?:\.{_LABEL}+)*+")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(\.{_ATOM})*")
_DOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_RAW = re.compile(r"[!-~]+( [!-~]+)*")
_URI = re.compile(r"(https?://|mailto:)[!-;=?-~]+")
_CONTENT = {
    kind: f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'.encode()
    for kind in ("plain", "html")
}
_VERSION = b"MIME-Version: 1.0\r\n"
# "=_" cannot occur in quoted-printable, so no content can close a part.
_BOUNDARY = b"=_alternative"
_ALTERNATIVES = b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n' % (_BOUNDARY, _BOUNDARY)
_NEXT = b"\r\n--%b\r\n" % _BOUNDARY
_END = b"\r\n--%b--\r\n" % _BOUNDARY
_MESSAGE_ID = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")

Kind = Literal["plain", "html"]  # of a part


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedHead:
    """What the headers of all messages of an issue say alike. What is empty has no header.

    ``sender`` and ``reply_to`` are an address or "Name <address>", ``list_id`` is "Name <label.example.org>"; names
    may be quoted and need not be. ``archive_url`` … ``owner`` are URIs, https: or mailto:. A ``list_id`` makes it
    list mail.
    """

    sender: str
    reply_to: str = ""
    list_id: str = ""
    archive_url: str = ""
    help: str = ""
    owner: str = ""
    feedback_id: str = ""
    auto_submitted: str = "auto-generated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head(SharedHead):
    """What the headers of a message say."""

    subject: str
    papers: tuple[str, ...] = ()
    to: str  # the bare address
    message_id: str  # with its angle brackets
    date: datetime  # aware
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""


def message_id(delivery_id: int, domain: str) -> str:
    """Return the Message-ID of a delivery, the same for every repeat."""
    return f"<{delivery_id:016x}@{ascii_domain(domain)}>"


def message_bytes(head: Head, *, text: str | None = None, html: str | None = None, smtputf8: bool = False) -> bytes:
    """Return the message: ``multipart/alternative`` with the text first, or a single part.

    No line begins with a dot. Raises UsageError for an address, URI or id that no header can hold, and for an address
    that needs SMTPUTF8 where the caller does not say that the server will be asked for it.
    """
    own = own_headers(head.to, head.message_id, head.date, smtputf8=smtputf8)
    leave = leaving(head.unsubscribe_url, head.unsubscribe_mailto).encode()
    papers = [without_blanks(key) for key in head.papers if key]
    headers = headers_between(shared_headers(head, smtputf8=smtputf8), head.subject, papers)
    said: dict[Kind, str | None] = {"plain": text, "html": html}
    parts = {kind: quoted_printable(body) for kind, body in said.items() if body is not None}
    *before, end = around_parts(*parts)
    bodies = [start + part + ended(part) for start, part in zip(before, parts.values(), strict=True)]
    return b"".join((own, leave, *headers, *bodies, end))


def own_headers(to: str, message_id: str, date: datetime, *, smtputf8: bool) -> bytes:
    """Return the headers that no two recipients have alike. What ``leaving`` gives comes behind them."""
    address = wire_address(to)
    if not (smtputf8 or address.isascii()):
        raise UsageError(f"{to!r}: an address in another script needs a server that offers SMTPUTF8")
    if not _MESSAGE_ID.fullmatch(message_id) or len(message_id) > LONGEST_LINE - 12:
        raise UsageError(f"{message_id!r}: not a Message-ID like <1f@example.org>")
    return f"To: {address}\r\n{_date(date)}Message-ID: {message_id}\r\n".encode()


def shared_headers(head: SharedHead, *, smtputf8: bool = False) -> tuple[bytes, bytes]:
    """Return the headers that all messages of an issue have alike: before the subject, and behind it."""
    if not smtputf8 and needs_smtputf8(head.sender):
        raise UsageError(f"{head.sender!r}: an address in another script needs a server that offers SMTPUTF8")
    before = (_mailbox("From", head.sender), _mailbox("Reply-To", head.reply_to) if head.reply_to else "")
    behind = (
        _list_id(head.list_id) if head.list_id else "",
        _raw("List-Archive", _uri(head.archive_url)),
        _raw("List-Help", _uri(head.help)),
        _raw("List-Owner", _uri(head.owner)),
        _raw("Feedback-ID", head.feedback_id),
        _raw("Auto-Submitted", head.auto_submitted),
        "Precedence: bulk\r\n" if head.list_id else "",
    )
    return "".join(before).encode(), "".join(behind).encode()


def headers_between(shared: tuple[bytes, bytes], subject: str, papers: Collection[str]) -> list[bytes]:
    """Return the headers from the sender's on: what ``shared_headers`` gave, around the *subject* of some *papers*.

    These are keys ``without_blanks``.
    """
    before, behind = shared
    return [before, _subject(subject), behind, _folded("X-Papers", papers).encode() if papers else b""]


def around_parts(*kinds: Kind) -> list[bytes]:
    """Return the message from MIME-Version on but for its parts: what stands before each, and behind the last."""
    first, *others = map(_CONTENT.__getitem__, kinds)
    if not others:
        return [_VERSION + first, b""]
    return [_VERSION + _ALTERNATIVES + first, *(_NEXT + other for other in others), _END]


def leaving(url: str, mailto: str) -> str:
    """Return the headers by which mail programs offer to unsubscribe, '' where there is no way."""
    leave = ", ".join([_uri(uri) for uri in (url, mailto) if uri])
    # RFC 8058 section 3.1: only together with an https URI.
    one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if url.startswith("https://") else ""
    return _short(f"List-Unsubscribe: {leave}\r\n") + one_click if leave else ""


def needs_smtputf8(mailbox: str) -> bool:
    """Return whether the address, or that of "Name <address>", needs SMTPUTF8 (RFC 6531): not for a domain alone."""
    return not (mailbox.isascii() or _split(mailbox)[1].rpartition("@")[0].isascii())


@lru_cache(maxsize=1024)  # who composes a message asks, and soon after who sends it
def wire_address(address: str) -> str:
    """Return *address* as envelopes and headers carry it, the domain in IDNA 2008.

    Raises UsageError for what is no address of the form local-part@domain; quoted local parts are not taken.
    """
    if len(address) <= _SHORT_ADDRESS and _ASCII_ADDRESS.fullmatch(address):
        return address
    local, _, domain = address.rpartition("@")
    harmless = local.isascii() or plain(local) == local  # in ASCII the pattern is enough
    if not _LOCAL_PART.fullmatch(local) or not harmless or len(local.encode()) > 64:
        raise UsageError(f"{address!r}: not an address; use one like papers@example.org")
    return f"{local}@{ascii_domain(domain)}"


@lru_cache(maxsize=4096)
def ascii_domain(domain: str) -> str:
    """Return *domain* in IDNA 2008. Raises UsageError for what is no host name."""
    try:
        encoded = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise UsageError(f"{domain!r}: not a domain ({error})") from error
    if not _DOMAIN.fullmatch(encoded) or len(encoded) > 253:
        raise UsageError(f"{domain!r}: not a domain; use one like example.org")
    return encoded


@lru_cache(maxsize=8192)
def _subject(subject: str) -> bytes:
    return _folded("Subject", _words("Subject", subject)).encode()


@lru_cache(maxsize=256)
def _date(date: datetime) -> str:
    # One instant is one key of the cache, whatever zone it is told in, and so has to read alike.
    return f"Date: {format_datetime(date.astimezone(UTC))}\r\n"


def _raw(name: str, value: str) -> str:
    """Return a header on one line as it is: readers of these fields do not all unfold, and none decodes."""
    if value and not _RAW.fullmatch(value):
        raise UsageError(f"{name}: {value!r} cannot stand in a header; use plain characters")
    return _short(f"{name}: {value}\r\n") if value else ""


def _short(line: str) -> str:
    """Return a header that cannot be folded. Raises UsageError where it is too long."""
    if len(line) > LONGEST_LINE + 2:
        raise UsageError(f"{line[:200]!r}… cannot stand in a header; use at most 900 characters")
    return line


def _uri(uri: str) -> str:
    if uri and not _URI.fullmatch(uri):
        raise UsageError(f"{uri!r}: not a link that a header can hold; use https://… or mailto:…")
    return f"<{uri}>" if uri else ""


def without_blanks(key: str) -> str:
    """Return a paper's key as X-Papers holds it; foreign links are long and odd, and must not stop an issue."""
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


@lru_cache(maxsize=8192)  # subjects and names are the same for thousands of readers
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
    first = line = f"{header}:"
    folded = ""
    for word in words:
        if len(line) + len(word) >= _WIDTH and line is not first:
            folded += line + "\r\n"
            line = ""
        line += " " + word
    return f"{folded}{line}\r\n"
