"""Reads mails that came back: what kind each is, and what it says of which address.

A delivery status (RFC 3464) is read first, then what flufl.bounce finds, then the text and the quoted headers. Abuse
reports (RFC 5965) are complaints. Vacation and challenge replies are recognised, so that nobody takes them for more.
Never raises, whatever is given. Not here: whether a report counts, and what follows (``services/bounces``).
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from newsletter.domain.bounce import Kind, Reason
from newsletter.mail import ses
from newsletter.mail.bounce_parts import Fields, Parts, take_apart
from newsletter.mail.bounce_reasons import LONGEST_WORDS, Said, judge, server_words
from newsletter.mail.bounce_report import Recipient, Report
from newsletter.mail.bounce_text import ADDRESS, failed_addresses, is_delay
from newsletter.mail.replying import is_auto_reply

_COMPLAINTS = {"abuse", "fraud", "virus", "other", "opt-out", "miscategorized", "complaint"}
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_ID = re.compile(r"<[^<>\s@]{1,300}@[^<>\s@]{1,300}>")


def read(raw: bytes) -> Report:
    """Return what *raw* is and says. Never raises."""
    parts = take_apart(raw)
    kind, recipients = _understood(parts)
    return Report(
        kind=kind,
        recipients=tuple(_once(recipients)),
        ids=_ids(parts),
        returned_to=_returned_to(parts),
        subject=parts.subject[:200],
        sender=parts.header("from")[:200],
        mark=_mark(parts),
        sent_at=_sent_at(parts),
    )


def _mark(parts: Parts) -> str:
    """Return what tells this mail from all others, whatever servers on the way add to its head."""
    own = parts.header("message-id")
    return hashlib.sha256(
        (own or f"{parts.subject}\n{parts.text}\n{parts.statuses}").encode("utf-8", "replace")
    ).hexdigest()[:32]


def _sent_at(parts: Parts) -> datetime | None:
    try:
        at = parsedate_to_datetime(parts.header("date"))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _understood(parts: Parts) -> tuple[Kind, list[Recipient]]:
    if parts.feedback:
        return _feedback(parts)
    if named := [block for block in parts.statuses if _address(block)]:
        found = [_of_block(block, parts.text, len(named) == 1) for block in named]
        delivered = all(each.reason is Reason.DELIVERED for each in found)
        return (Kind.OTHER if delivered else Kind.BOUNCE), found
    if notification := ses.from_text(parts.text):
        return ses.understood(notification)
    if is_auto_reply(parts):
        return Kind.AUTO_REPLY, []
    failed = failed_addresses(parts)
    action = "delayed" if failed and is_delay(parts) else ""
    found = [_of_text(parts, action, address, around) for address, around in failed]
    return (Kind.BOUNCE if found else Kind.OTHER), found


def _feedback(parts: Parts) -> tuple[Kind, list[Recipient]]:
    said = parts.feedback
    kind = said.get("feedback-type", "").lower()
    named = said.get("original-rcpt-to") or said.get("removal-recipient") or parts.quoted.get("to", "")
    whose = [address for address in _listed(named) if ADDRESS.fullmatch(address)]
    words = f"feedback: {kind}" + (f", by {said['user-agent']}" if said.get("user-agent") else "")
    found = [Recipient(address, "", Reason.COMPLAINED, words) for address in whose]
    return (Kind.COMPLAINT if kind in _COMPLAINTS else Kind.OTHER), found


def _listed(named: str) -> list[str]:
    try:
        return [address for _, address in getaddresses([named])]
    except RecursionError:  # remarks within remarks
        return []


def _address(block: Fields) -> str:
    """Return whom a block of a delivery status is about: as we wrote it, before as a server rewrote it."""
    for name in ("final-recipient", "original-recipient", "x-actual-recipient"):
        value = block.get(name, "")
        found = ADDRESS.search(value.partition(";")[2] or value)
        if found:
            return found[0]
    return ""


def _of_block(block: Fields, text: str, alone: bool) -> Recipient:
    address, words = _address(block), block.get("diagnostic-code", "")
    status, _, remark = block.get("status", "").partition(" ")
    scene = text if alone else _near(text, address)
    said = Said(
        formal=True,
        status=status if _STATUS.fullmatch(status) else "",
        action=block.get("action", "").lower().partition(" ")[0],
        words=words or remark,
        around=server_words(scene) or scene,
        scene=scene,
        remark=remark,
    )
    judged = judge(said)
    return Recipient(address, judged.status, judged.reason, _shown(said.words or said.around))


def _of_text(parts: Parts, action: str, address: str, around: str) -> Recipient:
    words = server_words(around.partition("\n")[0]) or server_words(around)
    said = Said(action=action, words=words, around=f"{around} {parts.subject}", scene=parts.text)
    judged = judge(said)
    return Recipient(address, judged.status, judged.reason, _shown(words or around))


def _near(text: str, address: str) -> str:
    place = text.lower().find(address.lower())
    return text[max(0, place - 200) : place + 600] if place >= 0 else ""


def _shown(words: str) -> str:
    return " ".join(words[:LONGEST_WORDS].split())[:500]


def _once(found: list[Recipient]) -> Iterator[Recipient]:
    """Return each address once, with the worst that is said of it."""
    worst: dict[str, Recipient] = {}
    for each in found:
        key = each.address.lower()
        if key not in worst or (each.permanent and not worst[key].permanent):
            worst[key] = each
    yield from worst.values()


def _ids(parts: Parts) -> tuple[str, ...]:
    said = [parts.quoted.get("message-id", ""), parts.feedback.get("original-message-id", "")]
    said += [block.get("x-original-message-id", "") for block in parts.statuses]
    said += [parts.header("in-reply-to"), parts.header("references")]
    return tuple(dict.fromkeys(_ID.findall(" ".join(said))))[:20]


def _returned_to(parts: Parts) -> tuple[str, ...]:
    names = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "apparently-to", "to", "cc")
    values = [str(value) for name in names for value in parts.message.get_all(name, [])]
    values += [parts.quoted.get("return-path", ""), parts.feedback.get("original-mail-from", "")]
    return tuple(dict.fromkeys(found.lower() for value in values for found in ADDRESS.findall(value[:2000])))[:20]
