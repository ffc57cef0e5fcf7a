"""Whom a report without a delivery status is about, and what it says of them.

flufl.bounce knows the forms of many programs. What it does not find is looked for in the text itself, and where that
names nobody, in the quoted mail's To.
"""

import logging
import re
from collections.abc import Callable, Collection
from email.message import Message
from functools import cache

from newsletter.mail.bounce_parts import Parts
from newsletter.mail.replying import is_from_daemon

ADDRESS = re.compile(r"(?:\"[^\"\s<>@]{1,62}\"|[\w.!#$%&'*+/=?^`{|}~-]{1,64})@(?:[\w-]{1,63}\.)+[\w-]{2,63}")
MOST_ADDRESSES = 200
_FAILURE = re.compile(
    r"undeliver|(?:un|not |n't |could not be )deliver|delivery (?:status|failure|problem|notif|report|error|has)"
    r"|deliver\w* (?:fail|problem|error)"
    r"|fail(?:ed|ure)|return(?:ed|ing) (?:mail|to sender|message)|bounce|non[ -]?remis|mail system error|could not"
    r"|unable|unzustellbar|nicht zugestellt"
    r"|error sending|rejected|no entregad|non recapit|não entreg|недостав|не доставл"
    r"|退信|配信|送信|エラー|반송|回退|投递|送達"
    r"|warning: could not send|mail delivery|delivery",
)
_SAID = re.compile(
    r"(?:could|can|was|were|has|have|is|are) ?(?:not|n't) (?:be |been )?(?:able to be )?(?:deliver|sent|reach)"
    r"|unable to (?:be )?deliver"
    r"|cannot be (?:delivered|sent)|did not (?:reach|receive)|undeliver|deliver\w* .{0,30}fail"
    r"|fail\w* .{0,20}deliver|permanent(?:ly)? (?:fatal )?error"
    r"|fatal errors?|delivery errors?|no such user|user unknown|delivery attempts|returned to sender"
    r"|nicht (?:zugestellt|zustell)|unzustellbar|n'a pas pu |non remis|non (?:distribu|livr)|no (?:se )?(?:pudo"
    r"|ha podido|puede)|no entregad"
    r"|non (?:è stato|ha potuto|recapitat)|não (?:p[ôo]de|foi)|niet (?:worden )?(?:afgeleverd|bezorgd)|kunde inte"
    r"|kunne ikke|nie (?:można|mogła|został)"
    r"|не (?:может|была?|удалось|доставл)|teslim edilemedi|(?:送信|配信|配送|送達|お届け)\w{0,3}できません"
    r"|届けられません|(?:无法|未能|不能|無法)(?:投递|送达|发送|投遞|送達)|退信|投递失败"
    r"|(?:전송|배달|전달)\w{0,3} ?(?:하지 못|되지 않|실패|수 없)|반송",
)
_TRANSCRIPT = re.compile(rf"^\d{{3}} (?:\d\.\d\.\d )?<({ADDRESS.pattern})>\.\.\. ", re.MULTILINE)
_DELAY = re.compile(
    r"warning message only|(?:will|still|being) (?:be )?(?:re)?tried\b|(?:will|is) (?:continue|keep)\w* (?:to )?try"
    r"|delivery .{0,20}(?:is|been) delayed"
    r"|could not send (?:message|mail) for|not yet been delivered|do not need to re-?send|no action is required"
    r"|will (?:be retried|retry)|\(delay\)",
)


def is_delay(parts: Parts) -> bool:
    """Return whether the report says that it is still being tried."""
    return bool(_DELAY.search(parts.subject.casefold()) or _DELAY.search(parts.head))


def failed_addresses(parts: Parts) -> list[tuple[str, str]]:
    """Return each address that did not get its mail, with what is said around it; none where this is no report."""
    named = [*_known_forms(parts), *_TRANSCRIPT.findall(parts.text)]
    if not named and _may_be_report(parts):
        named = _in_text(parts) or _addresses(parts.quoted.get("to", ""))
    return _around(parts.text, list(dict.fromkeys(named))[:MOST_ADDRESSES])


def _may_be_report(parts: Parts) -> bool:
    if is_from_daemon(parts) or parts.message.get_content_type() == "multipart/report":
        return True
    told = _FAILURE.search(parts.subject.casefold()) or "message/rfc822" in parts.types
    return bool(told and _SAID.search(parts.head))


def _known_forms(parts: Parts) -> list[str]:
    if failed := _addresses(parts.header("x-failed-recipients")):
        return failed
    named = _by_library(parts.message)
    helpers = set(_addresses(" ".join(found[0] for found in _HELP.finditer(parts.text)))) if named else ()
    return [each for each in named if each not in helpers]


def _by_library(message: Message) -> list[str]:
    find = _finder()
    if find is None:
        return []
    try:
        temporary, permanent = find(message)
    except Exception:  # noqa: BLE001 - the library raises whatever a detector meets, also where there is no From
        return []
    found = [each.decode("ascii", "replace") for each in (*permanent, *temporary)]
    return [each for each in found if ADDRESS.fullmatch(each)]


@cache
def _finder() -> Callable[[Message], tuple[Collection[bytes], Collection[bytes]]] | None:
    try:
        from flufl.bounce import all_failures  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it tells of each of its detectors that raises
    return all_failures


def is_library_there() -> bool:
    """Return whether flufl.bounce is installed."""
    return _finder() is not None


_HELP = re.compile(
    rf"(?:contact|assistance|help|question|support|mail to|from)\W{{0,6}}(?:\w{{1,40}} ){{0,3}}<?{ADDRESS.pattern}",
    re.IGNORECASE,
)


def _in_text(parts: Parts) -> list[str]:
    """Return the addresses that the text names, without those of who sent the report and of who gets it."""
    own = set(
        _addresses(" ".join(parts.header(name) for name in ("from", "to", "delivered-to", "return-path")).lower())
    )
    own |= set(_addresses(parts.quoted.get("from", "").lower()))
    text = _HELP.sub(" ", parts.text)
    named = [
        each
        for each in _addresses(text)
        if each.lower() not in own and not each.lower().startswith(("postmaster@", "mailer-daemon@"))
    ]
    lines = re.findall(
        rf"^[\s>*:.-]*(?:to:|recipient:?|address:?)?\s*<?({ADDRESS.pattern})>?[\s:.,;(]",
        text + "\n",
        re.MULTILINE | re.IGNORECASE,
    )
    first = [each for each in named if each in lines]
    return first or named[:1]


def _addresses(text: str) -> list[str]:
    return [each.strip(".'") for each in ADDRESS.findall(text)]


def _around(text: str, named: list[str]) -> list[tuple[str, str]]:
    """Return each address with the text from its first line on to the next one's; a lone one has all of it."""
    if len(named) <= 1:
        return [(each, text) for each in named]
    folded = text.lower()
    places = {each: text.rfind("\n", 0, at) + 1 if (at := folded.find(each.lower())) >= 0 else -1 for each in named}
    starts = sorted({place for place in places.values() if place >= 0})
    ends = dict(zip(starts, [*starts[1:], len(text)], strict=False))
    return [(each, text[place : ends[place]] if place >= 0 else "") for each, place in places.items()]
