"""What readers write in the first lines of a mail, as commands, in the languages that the newsletter speaks.

A command is a line of its own: who writes sentences writes to people. What a mail program quotes below, and what stands
below a signature's mark, is nobody's word. Not here: who may, and doing it (``services/commands``).
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

MOST = 10  # commands of one mail
_LINES = 15  # in which they begin


class Verb(StrEnum):
    """What a reader can ask for by mail."""

    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    PAUSE = "pause"
    RESUME = "resume"
    TOPICS = "topics"
    SAVE = "save"
    MORE = "more"
    LESS = "less"
    HELP = "help"


@dataclass(frozen=True, slots=True)
class Command:
    """One command as it was written. ``number`` is a card's, ``days`` how long; ``text`` what stands behind topics."""

    verb: Verb
    said: str
    number: int = 0
    days: int = 0
    until: date | None = None
    text: str = ""


_WORDS = {
    Verb.SUBSCRIBE: "subscribe|join|sign me up|abonnieren|anmelden|bestellen|订阅|订閱|訂閱",
    Verb.UNSUBSCRIBE: (
        "unsubscribe(?: me)?|un-subscribe|stop|remove(?: me)?|opt[- ]?out|cancel|no more(?: mails?)?"
        "|abbestellen|abmelden|stopp|austragen|kündigen|keine mails? mehr|退订|退訂|取消订阅|停止|不要再发"
    ),
    Verb.RESUME: "resume|continue|unpause|weiter|fortsetzen|wieder|恢复|继续|恢復",
    Verb.HELP: r"help|commands|hilfe|befehle|帮助|命令|幫助|\?",
}
_NUMBERED = {
    Verb.SAVE: "save|merken|speichern|收藏|保存",
    Verb.MORE: "more(?: like)?|mehr(?: wie)?|更多|多一些",
    Verb.LESS: "less(?: like)?|weniger(?: wie)?|更少|减少|少一些",
}
_PAUSE = r"(?:pause|pausieren|暂停|暫停)"
_TOPICS = re.compile(r"(?:topics?|themen?)(?:\s*[:=]\s*|\s+)\S.*|(?:主题|主題)\W*\w.*")
_TOPICS_WORD = re.compile(r"^\W*(?:topics?|themen?|主题|主題)[\s::=]*", re.IGNORECASE)
_UNITS = (
    (1, "days?|tag(?:e|en)?|d|天|日"),
    (7, "weeks?|wochen?|w|周|週|星期|个星期|个周"),
    (30, "months?|monat(?:e|en)?|个月|月"),
)
_COUNTS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4}
_COUNTS |= {"ein": 1, "eine": 1, "einen": 1, "zwei": 2, "drei": 3, "vier": 4}
_COUNTS |= {"一": 1, "两": 2, "二": 2, "三": 3, "四": 4}
_FOR = re.compile(
    rf"{_PAUSE}\s*(?:for|für)?\s*(?P<count>\d{{1,3}}|{'|'.join(_COUNTS)})?\s*"
    "(?:" + "|".join(f"(?P<u{days}>{words})" for days, words in _UNITS) + ")"
)
_UNTIL = re.compile(rf"{_PAUSE}\s*(?:until|till|bis|到|至)\s*(\d{{4}})-(\d\d)-(\d\d)")
_GREETING = re.compile(r"(?:hi|hello|hey|dear .{0,40}|hallo|guten tag|liebe .{0,40}|moin|你好|您好)\W*")
_QUOTE = re.compile(
    r"[>|]|-- ?$|_{5,}|-{3,}|={5,}|begin forwarded|sent from my|von meinem .{0,20} gesendet|发自我的"
    r"|on .{5,200}(?:wrote|writes):?$|am .{5,200}schrieb.{0,100}:?$|.{0,200}(?:写道|寫道)\s*:?$"
    r"|(?:from|von|de|发件人|寄件者|sent|gesendet)\s*:\s"
)
_BESIDE_NUMBERS = re.compile(r"\d+|[#,、.\s]|nr|no|and|und|和|第|篇")
_MARKS = re.compile(r"^[\"'*“„«]+|[\"'*.!;。”»]+$")
_BEGINS_QUOTE = re.compile(r"(?:on|am|在) .{5,200}$")


def commands(text: str, subject: str = "") -> list[Command]:
    """Return the commands at the head of a mail; of one without any text that in its *subject*."""
    lines = _own_lines(text)
    if not lines:
        found = _command(subject)
        return [*found][:MOST]
    if _GREETING.fullmatch(_folded(lines[0])):
        lines = lines[1:]
    said: list[Command] = []
    for line in lines[:_LINES]:
        understood = _command(line)
        if not understood:
            break
        said += understood
    return said[:MOST]


def _own_lines(text: str) -> list[str]:
    """Return the lines that a person wrote: those above what is quoted or signed, without empty ones."""
    lines: list[str] = []
    whole = [line.strip() for line in text.splitlines()]
    for line, following in zip(whole, [*whole[1:], ""], strict=False):
        folded = _folded(line)
        # Programs break the line that says who wrote when.
        if _QUOTE.match(folded) or (_BEGINS_QUOTE.match(folded) and _QUOTE.match(f"{folded} {_folded(following)}")):
            break
        if line:
            lines.append(line)
    return lines


def _command(line: str) -> list[Command]:
    """Return what one line asks for: one thing, or the same of several cards."""
    said, folded = " ".join(line.split())[:500], _folded(line)
    folded = folded.removeprefix("please ").removeprefix("bitte ").removesuffix(" please").removesuffix(" bitte")
    for verb, words in _WORDS.items():
        if re.fullmatch(words, folded):
            return [Command(verb, said)]
    return _of_cards(said, folded) or _pause(said, folded) or _topics(line, said, folded)


def _of_cards(said: str, folded: str) -> list[Command]:
    for verb, words in _NUMBERED.items():
        found = re.match(rf"(?:{words})(?!\w)|(?:{words})(?=\d)", folded)
        behind = folded[found.end() :] if found else ""
        if re.search(r"\d", behind) and not _BESIDE_NUMBERS.sub("", behind):
            return [Command(verb, said, number=int(number)) for number in re.findall(r"\d+", behind) if len(number) < 4]
    return []


def _pause(said: str, folded: str) -> list[Command]:
    if re.fullmatch(_PAUSE, folded):
        return [Command(Verb.PAUSE, said)]
    if found := _UNTIL.fullmatch(folded):
        return _until(said, *found.groups())
    found = _FOR.fullmatch(folded)
    return [Command(Verb.PAUSE, said, days=_days(found))] if found else []


def _topics(line: str, said: str, folded: str) -> list[Command]:
    found = _TOPICS.fullmatch(folded)
    if not found:
        return []
    written = " ".join(unicodedata.normalize("NFC", line).split())
    return [Command(Verb.TOPICS, said, text=_TOPICS_WORD.sub("", written))]


def _days(found: re.Match[str]) -> int:
    count = found["count"] or "1"
    each = next(days for days, _ in _UNITS if found[f"u{days}"])
    return each * (_COUNTS[count] if count in _COUNTS else int(count))


def _until(said: str, year: str, month: str, day: str) -> list[Command]:
    try:
        return [Command(Verb.PAUSE, said, until=date(int(year), int(month), int(day)))]
    except ValueError:
        return []


def pause_end(command: Command, today: date) -> date | None:
    """Return the date on which a pause of *command* ends, None where it ends when the reader says so."""
    return command.until or (today + timedelta(days=command.days) if command.days else None)


def _folded(line: str) -> str:
    """Return a line for comparing: digits and marks of any width are those of ASCII, and no mark ends it."""
    folded = " ".join(unicodedata.normalize("NFKC", line).casefold().split())
    return _MARKS.sub("", folded)
