"""A mail that came back, taken apart: what its machine-readable parts, its text and the quoted mail say.

Reports are among the worst-formed mails that there are, so nothing here trusts a type, a charset or an encoding, and
nothing raises. Not here: what it means.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import BytesHeaderParser
from functools import cached_property

LONGEST_TEXT = 40_000  # characters of a part that are looked at: a report says what it has to say at its head
MOST_PARTS = 60
MOST_STATUSES = 200  # blocks of delivery statuses: a mail of ours has one recipient
LARGEST = 2_000_000  # octets of a mail that are looked at

_OF_QUOTED = ("message-id", "to", "from", "return-path")  # what is asked of a mail that did not arrive

Fields = dict[str, str]  # by names in lower case

_QUOTE = re.compile(  # where, in a text, the mail begins that did not arrive
    r"^[ \t|]*(?:(?:[-_=*#]{2,} ?)?(?:below this line is |here is |this is )?(?:a )?copy of (?:the"
    r"|your) (?:\w+ )?(?:message|mail)\b"
    r"|[-_=*#]{2,} ?(?:begin |start of )?(?:the |your )?(?:(?:original|unsent|returned|undelivered|rejected"
    r"|failed) (?:message|mail|text)|(?:message|mail) (?:header|text|body))"
    r"|(?:the |your )?(?:original|unsent|returned|undelivered|rejected) (?:message|mail) (?:header\w* )?(?:follows"
    r"|is as follows|below|begins))[^\n]{0,60}$"
    r"|^(?:Return-Path|Received|DKIM-Signature|X-Received|Delivered-To): ?[^\n]+\n(?:[ \t]+[^\n]+\n)*[A-Za-z][\w-]+:",
    re.IGNORECASE | re.MULTILINE,
)
_FORWARDED = re.compile(
    r"^>[> ]*(?:Final-Recipient|Diagnostic-Code|Reporting-MTA)[ \t]*:", re.IGNORECASE | re.MULTILINE
)
_MARK = re.compile(r"^>[> ]?", re.MULTILINE)
_BLOCK_END = re.compile(r"\r?\n[ \t]*\r?\n")
_FIELD = re.compile(r"^([!-9;-~]{1,60})[ \t]*:[ \t]*((?:[^\n]*)(?:\n[ \t]+[^\n]*)*)", re.MULTILINE)
_DSN = re.compile(r"^(?:Final|Original)-Recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_TAG = (
    re.compile(r"<(?:br|/p|/div|/tr|/h\d|/li)\b[^>]{0,200}>", re.IGNORECASE),
    re.compile(
        r"<(?:style|script|title)\b.*?</(?:style|script|title)>|</?[a-zA-Z!][^<>@]{0,2000}>", re.IGNORECASE | re.DOTALL
    ),
)


@dataclass
class Parts:
    """The pieces of a mail. ``quoted`` are the headers of the mail that did not arrive, as far as they came back."""

    message: Message
    types: set[str] = field(default_factory=set)
    text: str = ""
    statuses: list[Fields] = field(default_factory=list)  # blocks of a delivery status, one a recipient
    feedback: Fields = field(default_factory=dict)
    quoted: Fields = field(default_factory=dict)

    def header(self, name: str) -> str:
        """Return a header of the report itself, on one line, '' where there is none."""
        return _decoded(self._heads[name]) if name in self._heads else ""

    @cached_property
    def _heads(self) -> Fields:
        return _raw_fields(self.message)

    @cached_property
    def subject(self) -> str:
        """Return the subject of the report itself, on one line."""
        return self.header("subject")

    @cached_property
    def head(self) -> str:
        """Return the first of what the text says, its case folded."""
        return self.text[:3000].casefold()

    @cached_property
    def sender(self) -> str:
        """Return who the report says that it is from, in lower case."""
        return self.header("from").lower()


def take_apart(raw: bytes) -> Parts:
    """Return the pieces of *raw*. Never raises."""
    message = _parsed(raw[:LARGEST].lstrip(b"\r\n"))
    parts = Parts(message)
    texts: list[str] = []
    for part in _leaves(message):
        parts.types.add(part.get_content_type())
        _sort(parts, part, texts)
    del parts.statuses[MOST_STATUSES:]
    said = "\n".join(texts)
    parts.text, quoted = split_quote(said)
    if quoted and not parts.quoted:
        parts.quoted = fields_of(quoted[:LONGEST_TEXT])
    return parts


def _parsed(raw: bytes) -> Message:
    try:
        return message_from_bytes(raw)
    except RecursionError:  # a mail within a mail within a mail: nobody means that
        return BytesHeaderParser().parsebytes(raw)


def _leaves(message: Message) -> Iterator[Message]:
    """Return what is no multipart, without going into the mails within."""
    waiting, seen = [message], 0
    while waiting and seen < MOST_PARTS:
        part = waiting.pop(0)
        seen += 1
        content = part.get_payload()
        if isinstance(content, list) and part.get_content_maintype() == "multipart":
            waiting[:0] = [each for each in content if isinstance(each, Message)]
        else:
            yield part


def _sort(parts: Parts, part: Message, texts: list[str]) -> None:
    match part.get_content_type():
        case "message/delivery-status" | "message/global-delivery-status":
            parts.statuses += _blocks(part)
        case "message/feedback-report":
            parts.feedback = parts.feedback or {k: v for block in _blocks(part) for k, v in block.items()}
        case "message/rfc822" | "message/global" | "message/partial":
            parts.quoted = parts.quoted or _headers_within(part)
        case "text/rfc822-headers" | "text/rfc822" | "message/global-headers":
            parts.quoted = parts.quoted or fields_of(text_of(part))
        case "text/html":
            if not texts:
                texts.append(_without_tags(text_of(part)))
        case kind if kind.startswith("text/") or not part.get_filename():
            _sort_text(parts, text_of(part), texts)


def _sort_text(parts: Parts, text: str, texts: list[str]) -> None:
    """Take a part that says it is text, which many a delivery status does, also one that a person passed on."""
    if _FORWARDED.search(text):
        text = _MARK.sub("", text)
    texts.append(text)
    if _DSN.search(text):
        blocks = [fields_of(block) for block in _BLOCK_END.split(text)]
        parts.statuses += [block for block in blocks if block.keys() & {"final-recipient", "original-recipient"}]


def split_quote(text: str) -> tuple[str, str]:
    """Return what *text* says itself, and the mail that it quotes."""
    found = _QUOTE.search(text)
    return (text[: found.start()], text[found.start() :]) if found else (text, "")


def fields_of(text: str) -> Fields:
    """Return the header fields in *text*; of several of one name the first."""
    found: Fields = {}
    for name, value in _FIELD.findall(text.replace("\r\n", "\n")[:LONGEST_TEXT]):
        found.setdefault(name.lower(), " ".join(value.split()))
    return found


def _decoded(value: str) -> str:
    try:
        pieces = decode_header(value[:LONGEST_TEXT]) if "=?" in value else [(value, None)]
        text = "".join(_text(p, c) if isinstance(p, bytes) else p for p, c in pieces)
    except (MessageError, ValueError, LookupError):
        text = value
    return " ".join(_sound(text).split())


def _sound(text: str) -> str:
    """Return *text* without the surrogates by which the library keeps octets that are no ASCII."""
    return text if text.isascii() else _text(text.encode("utf-8", "surrogateescape"), None)


def _text(octets: bytes, charset: str | None) -> str:
    if charset == "punycode":  # of names of hosts: of a long text it takes minutes
        charset = None
    for name in (charset, "utf-8"):
        try:
            text = octets.decode(name or "ascii")
            text.encode()  # UTF-7 and others can say half a character, which can be kept nowhere
        except (LookupError, ValueError):
            continue
        return text
    return octets.decode("latin-1")


def text_of(part: Message) -> str:
    """Return the text of a part with plain line ends, whatever it says of its charset."""
    return _raw_text(part).replace("\r\n", "\n").replace("\r", "\n")


def _raw_text(part: Message) -> str:
    try:
        content = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        content = None
    if not isinstance(content, bytes):
        payload = part.get_payload()
        return _sound(payload)[:LONGEST_TEXT] if isinstance(payload, str) else ""
    charset = part.get_content_charset()
    if charset in {None, "us-ascii", "ascii"} and b"\x1b$" in content:
        charset = "iso-2022-jp"  # Japanese that does not say so
    return _text(content[: 4 * LONGEST_TEXT], charset)[:LONGEST_TEXT]


def _blocks(part: Message) -> list[Fields]:
    """Return the blocks of fields of a delivery status or a feedback report, also of one in an encoding."""
    content = part.get_payload()
    blocks = [each for each in content if isinstance(each, Message)] if isinstance(content, list) else []
    encoded = str(part.get("content-transfer-encoding", "")).strip().lower() in {"base64", "quoted-printable"}
    if blocks and not (encoded and not any(_says_fields(block) for block in blocks)):
        return [_fields(block) for block in blocks if block.keys()]
    if blocks:
        whole = Message()
        whole["Content-Transfer-Encoding"] = str(part["content-transfer-encoding"])
        whole.set_payload("\n".join(str(block.get_payload()) for block in blocks))
        part = whole
    return [found for block in _BLOCK_END.split(text_of(part)) if (found := fields_of(block))]


def _says_fields(block: Message) -> bool:
    return bool({"reporting-mta", "final-recipient", "feedback-type", "arrival-date"} & {k.lower() for k in block})


def _fields(message: Message) -> Fields:
    found = {name: _decoded(value) for name, value in _raw_fields(message).items()}
    if len(several := message.get_all("original-rcpt-to", [])) > 1:
        found["original-rcpt-to"] = ", ".join(map(str, several))
    return found


def _raw_fields(message: Message) -> Fields:
    found: Fields = {}
    for name, value in message.raw_items():
        found.setdefault(name.lower(), str(value))
    return found


def _headers_within(part: Message) -> Fields:
    content = part.get_payload()
    if isinstance(content, list) and content and isinstance(content[0], Message):
        heads = _raw_fields(content[0])
        return {name: _decoded(heads[name]) for name in _OF_QUOTED if name in heads}
    return fields_of(text_of(part))


def _without_tags(html: str) -> str:
    text = html
    for pattern, instead in zip(_TAG, ("\n", ""), strict=True):
        text = pattern.sub(instead, text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", " ").replace("&amp;", "&")
