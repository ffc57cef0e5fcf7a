"""What a report says of one address: the reason, by which it is permanent or not.

The phrases are tried in order and the first that fits wins. What speaks of the message, of us, or of a mailbox that
exists stands above what speaks of the address, since servers write "no such user" behind much that is policy. Where
no phrase fits, the status decides, and 5.0.0, 5.1.0 or a bare 550 decide nothing: many servers give them for all.

Two laws stand above all. A 4xx is never permanent. What was refused only after the message itself was seen is a
filter's work, whatever it says: a server that does not know an address says so when it is named. Not here: the
phrases (``bounce_phrases``).
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from newsletter.domain.bounce import Reason
from newsletter.mail.bounce_phrases import PHRASES

LONGEST_WORDS = 2000

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_CODE = re.compile(r"(?<![\d.#/_\[-])(?<!\d:)([45]\d\d)(?=[ \-:;,#]|$)(?! ?(?:bytes|octets|hours|days|minutes))")
_NOISE = re.compile(r"<?[^\s<>:;,(=]*@[^\s<>]*>?|https?://\S+|\[[\da-f.:]+\]", re.IGNORECASE)
_AT_THE_END = re.compile(
    r"in reply to (?:the )?(?:end of )?data|(?:after|at"
    r"|following) (?:the )?(?:pipelined )?(?:end of )?(?:message )?data\b"
    r"|after end of (?:data|message)|>>> (?:data|\.)(?= |$)|\[data\]|message_data|eod command|smtp command\W+data\b"
    r"|failed after i sent the message|\(state 1[78]\)"
)
_PIPELINED = re.compile(r"need rcpt|no valid (?:recipients|rcpt)")  # DATA was sent before the answer to RCPT
_AT_THE_SENDER = re.compile(r"in reply to mail from|after (?:pipelined )?(?:mail from|ehlo|helo)|>>> mail from")
_AT_THE_ADDRESS = re.compile(
    r"in reply to rcpt|recipient address rejected: access denied|smtp:rcpt|\b542 (?:\S+ )?rejected"
    r"|after (?:pipelined )?rcpt|>>> rcpt|\[rcpt_to\]"
    r"|does not like recipient"
)
_REPLY = re.compile(
    r"^.*?(?:(?<![\w.#:/-])[45]\d\d[ -]|(?<![\d.])[45]\.\d{1,3}\.\d{1,3}(?![\d.])).*(?:\n(?![ \t]*\n).*){0,8}",
    re.MULTILINE,
)
_OF_THE_SENDER = re.compile(r"[45]\.1\.[78]")
_OF_A_FILTER = re.compile(r"5\.(?:2\.[012]|3\.[1-9]|[467]\.\d+)")
_BRACKETS = re.compile(r"[\[(]([^\])]{5,80})[\])]")
_BY_STATUS = {
    "1.1": Reason.UNKNOWN,
    "1.2": Reason.NO_HOST,
    "1.3": Reason.UNKNOWN,
    "1.6": Reason.MOVED,
    "1.10": Reason.NO_MAIL,
    "2.1": Reason.DISABLED,
    "2.2": Reason.FULL,
    "2.3": Reason.SIZE,
    "3.4": Reason.SIZE,
    "4.4": Reason.NO_HOST,
    "4.7": Reason.LATE,
    "4.5": Reason.BUSY,
}
_BY_SUBJECT = {"1": Reason.UNCLEAR, "2": Reason.REFUSED, "3": Reason.TROUBLE, "4": Reason.TROUBLE, "6": Reason.POLICY}
_TRIED = {"delivered", "relayed", "expanded"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a report says of one address. What it does not say is ''."""

    formal: bool = False  # in a delivery status (RFC 3464), which has words for people beside it
    status: str = ""  # of RFC 3463
    action: str = ""  # of RFC 3464
    words: str = ""  # the server's own
    around: str = ""  # what stands around the address in the text for people
    scene: str = ""  # the text in which the transcript of the session would be
    remark: str = ""  # what the report adds to its status


@dataclass(frozen=True, slots=True)
class Judged:
    """The reason, and the status that best says it, '' where there is none."""

    reason: Reason
    status: str


def judge(said: Said) -> Judged:
    """Return why a mail did not arrive."""
    status = _status(said)
    if said.action in _TRIED or said.status.startswith("2."):
        return Judged(Reason.DELIVERED, status)
    reason = Reason.POLICY if _OF_THE_SENDER.fullmatch(status) else _reason(said, status)
    if reason is Reason.NO_HOST and _AT_THE_SENDER.search(_plain(f"{said.words} {said.scene}")):
        reason = Reason.POLICY
    if reason.permanent and said.action == "delayed":
        reason = Reason.DELAYED
    if reason.permanent and _is_temporary(status, _plain(said.words or said.around)):
        reason = Reason.TROUBLE
    return Judged(reason, status)


def server_words(text: str) -> str:
    """Return what servers said, which stands behind their codes in a text for people; '' where there are none."""
    return " ".join(found[0] for found in _REPLY.finditer(text))[:LONGEST_WORDS]


def _reason(said: Said, status: str) -> Reason:
    for words in filter(None, (said.words, said.around)):
        text = _plain(words)
        if found := _by_words(text):
            return found if found is not Reason.UNKNOWN else _unknown(said, status, text)
    if said.action == "delayed":
        return Reason.DELAYED
    return _by_status(status)


@lru_cache(maxsize=4096)  # servers say the same of thousands, once the address is left out
def _by_words(text: str) -> Reason | None:
    return next((reason for reason, pattern in PHRASES if pattern.search(text)), None)


def _unknown(said: Said, status: str, text: str) -> Reason:
    """Return whether an address that is said to be unknown was refused itself, and not its mail.

    Where nobody says when, a status that speaks of the mailbox or of policy is a filter's. Without a status the
    report's own words have to agree with a terse reply that it quotes.
    """
    told = _plain(f"{said.remark} {_REPLY.sub(' ', said.scene)}") if said.formal else ""
    if (milder := _by_words(told)) in {Reason.FULL, Reason.DISABLED}:
        return milder
    session = _plain(f"{said.words} {said.scene}")
    if _AT_THE_ADDRESS.search(session):
        return Reason.UNKNOWN
    ended = _AT_THE_END.search(session) and not _PIPELINED.search(session)
    if ended or _AT_THE_SENDER.search(session) or _OF_A_FILTER.fullmatch(status):
        return Reason.REFUSED
    if status.startswith("5.1.") or _says_unknown(told) or not _is_hearsay(said, text):
        return Reason.UNKNOWN
    return Reason.REFUSED


def _says_unknown(text: str) -> bool:
    return any(pattern.search(text) for reason, pattern in PHRASES if reason is Reason.UNKNOWN)


def _is_hearsay(said: Said, text: str) -> bool:
    """Return whether all that there is is a quoted reply: without a status, or as terse as filters are."""
    if said.formal:
        return _is_terse(_plain(said.words))
    return bool(_CODE.search(text)) or any(_by_words(quoted) for quoted in _BRACKETS.findall(text))


def _is_terse(reply: str) -> bool:
    words = re.sub(r"\b(?:smtp|x-\w+)?;|[45]\d\d[ -]|[45]\.\d+\.\d+|\W+", " ", reply).split()
    return len(words) <= 4 or not _CODE.search(reply)


def _is_temporary(status: str, words: str) -> bool:
    code = _CODE.search(words)
    return (code[1] if code else status).startswith("4")


def _by_status(status: str) -> Reason:
    if not status:
        return Reason.UNCLEAR
    detail = status.partition(".")[2]
    if status.startswith("4.") and _BY_STATUS.get(detail, Reason.UNCLEAR).permanent:
        return Reason.TROUBLE
    subject = detail.partition(".")[0]
    default = Reason.POLICY if subject == "7" else _BY_SUBJECT.get(subject, Reason.UNCLEAR)
    return _BY_STATUS.get(detail, default)


def _status(said: Said) -> str:
    """Return the enhanced status: the server's own before the one that the report derives, which is often 5.0.0."""
    given = [found[0] for text in (said.words, said.status) for found in _STATUS.finditer(text[:LONGEST_WORDS])]
    given = given or [found[0] for found in _STATUS.finditer(said.around[:LONGEST_WORDS])]
    telling = [each for each in given if not each.endswith(".0.0")]
    return (telling or given or [""])[0]


def _plain(words: str) -> str:
    """Return *words* for comparing: servers repeat the address and link to pages, and neither says anything."""
    return " ".join(_NOISE.sub(" ", words[:LONGEST_WORDS]).casefold().replace("’", "'").split())
