"""What a server's reply means: temporary or permanent, and whether it concerns site, session, message or address.

The table below alone decides. It is read from the top and the first rule that fits wins, so the doubtful replies
stand above the general ones. Its laws:

- The first digit of the code decides between temporary and permanent; an enhanced status (RFC 3463) that
  contradicts it is read with the code's digit. A 4xx never suppresses an address.
- What concerns the site or the session costs no reader an attempt, and a provider's quota is the site's word. A 421
  ends the session (RFC 5321 section 3.8). Where it names no policy the route pauses only when the session had carried
  no message yet, for a server that takes N messages or errors per connection says 421 after them and is well.
- An address is suppressed only on words about that address: a permanent 5.1.x, or a bare 550, 551 or 553 to RCPT
  that speaks of nothing else.
- After the final dot silence is uncertain, and so is an answer that is no SMTP. Before it both are only trouble.

Known limit: some servers answer RCPT with a 5.7.1 that is meant for one recipient. Unless the status names that
case it pauses the route like any policy reply; who works the ledger must not begin again with the same reader.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import lru_cache

from newsletter.domain.delivery import Outcome, Verdict
from newsletter.domain.text import plain


class Phase(StrEnum):
    """What was said last, and is being answered."""

    CONNECT = "connect"
    GREETING = "greeting"  # the banner, and EHLO
    TLS = "tls"
    LOGIN = "login"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


# What stands for the code where no reply came, or none that is SMTP.
MALFORMED = -1
DROPPED = 0
SILENT = 1

LONGEST_REPLY = 500  # characters kept; servers add links, host names and advice without end


class _Means(Enum):
    """The verdict, and whether the route pauses (None: only if the session carried nothing) or the address goes."""

    ACCEPTED = Verdict.ACCEPTED, False, False
    LATER = Verdict.TEMPORARY, False, False
    NEVER = Verdict.PERMANENT, False, False  # this message to this address; the address stays
    NO_SUCH_ADDRESS = Verdict.PERMANENT, False, True
    SITE = Verdict.TROUBLE, True, False
    SESSION = Verdict.TROUBLE, None, False
    UNCERTAIN = Verdict.UNCERTAIN, False, False


@dataclass(frozen=True, slots=True)
class _Rule:
    """Fits a reply in one of ``phases`` whose code, status ("" when there is none) and words match."""

    phases: frozenset[Phase]
    means: _Means
    code: str = r".*"
    status: str = r".*"
    words: str = r""

    def may_fit(self, phase: Phase, code: int) -> bool:
        return phase in self.phases and re.fullmatch(self.code, str(code)) is not None

    def fits(self, status: str, words: str) -> bool:
        return re.fullmatch(self.status, status) is not None and re.search(self.words, words) is not None

    @property
    def always(self) -> bool:
        return self.status == r".*" and not self.words


_ANY = frozenset(Phase)
_OPENING = frozenset({Phase.CONNECT, Phase.GREETING, Phase.TLS, Phase.LOGIN})
_MAIL = frozenset({Phase.MAIL})
_RCPT = frozenset({Phase.RCPT})
_DOT = frozenset({Phase.DOT})
_OF_ADDRESS = frozenset({Phase.RCPT, Phase.DATA, Phase.DOT})

_PER_SESSION = (
    r"\b(this|one|per|each|same|single) (smtp )?(connection|session)\b|too many (\w+ ){0,2}(errors|bad recipients)\b"
)
_BIG = r"too (big|large|long)|\b(message|mail|maximum|max)\b.*\bsize\b|\bsize\b.*\b(limit|exceed)"
_RATE = (
    r"throttl|rate.?limit|unusual rate|too much mail|server busy|exceeded your|frequency limit|submission ?quota"
    r"|credits exceeded|unexpected volume|\[tss?\d\d\]|too many (recipients|connections|messages|e?mails) from"
    r"|\b(connections|e?mails|messages|recipients) per (second|minute|hour|day)\b|concurrent (smtp )?connections"
    r"|\b(sending|daily|hourly|message|messaging|relay) ((?!size)\w+ )?(limit|quota|rate)s?\b"
    r"|reached (your|a|the) limit|\bsending\b.* paused"
)
_FULL = r"\bfull\b|quota|storage"
_SENDER = r"\bsender\b.*\b(reject|verif|denied|refus|not\b|unknown|domain)|\breturn.path|\b(mail|envelope).from\b"
_POLICY = (
    r"\bspam|\bblock(ed|ing| ?list)|\bblack ?list|\bbanned\b|\brbl\b|dnsbl|reputation|\bpolic(y|ies)\b|unsolicited"
    r"|\b(spf|dkim|dmarc|ptr|rdns|helo|ehlo)\b|authenticat|\brelay|reverse dns|prohibit|\blisted (in|on|at|by)\b"
    r"|\byour (ip|host|server|mail server|network|domain)\b|(?<!or )(?<!rejected: )access denied"
    r"|\baddress is not verified"
)

_TABLE = (
    # Opening a session concerns nobody's address, whatever is said.
    _Rule(_OPENING, _Means.SITE),
    # The end, and no reply or none that is SMTP. A recipient whose check takes longer than RFC 5321 allows is put
    # off, lest it stop the others.
    _Rule(_DOT, _Means.ACCEPTED, code=r"2\d\d"),
    _Rule(_DOT, _Means.UNCERTAIN, code=r"(?![45]\d\d$).*"),
    _Rule(_RCPT, _Means.LATER, code=str(SILENT)),
    _Rule(_ANY, _Means.SESSION, code=r"(?![45]\d\d$).*"),
    # A server that takes so many of something per session says so of the session, and takes more in the next.
    _Rule(_ANY, _Means.SESSION, code=r"4\d\d", words=_PER_SESSION),
    # The mailbox: a full one (5.2.2) is temporary whatever the code, since people clear mailboxes; 5.2.12x of
    # Exchange is one that gets too much mail. Above the rates, since both speak of quotas and limits.
    _Rule(_ANY, _Means.SITE, words=r"submission ?quota"),  # Exchange, under the status of a full mailbox
    _Rule(_OF_ADDRESS, _Means.LATER, status=r"[45]\.2\.(2|12[12])|4\.2\.\d+"),
    _Rule(_ANY, _Means.SITE, code=r"5\d\d", status=r"5\.2\.25\d"),  # Exchange: may not send as this sender
    _Rule(_OF_ADDRESS, _Means.NEVER, code=r"5\d\d", status=r"5\.2\.[1-9]\d*"),
    # Too big concerns the message, also in answer to MAIL with its SIZE.
    _Rule(_ANY, _Means.NEVER, code=r"5\d\d", status=r"5\.(2\.3|3\.4)"),
    _Rule(_ANY, _Means.NEVER, code=r"552", status=r"|5\.3\.0", words=_BIG),
    # What the site says of itself and of us: rates and quotas, full disks, wrong settings, logins.
    _Rule(_ANY, _Means.SITE, words=_RATE),
    _Rule(_ANY, _Means.SITE, status=r"[45]\.4\.5|5\.1\.90"),  # Gmail's and Exchange's quota of a day
    _Rule(_ANY, _Means.SITE, status=r"4\.3\.[125]|5\.3\.2", code=r"(?!421)[45]\d\d"),
    _Rule(_ANY, _Means.SITE, status=r"", code=r"45[12]", words=r"system storage|\bdisk\b"),
    _Rule(_ANY, _Means.SITE, code=r"53[0458]|454"),
    # Temporary policy. 4.7.1 and 4.7.0 are what greylisting says, except in a 421; 4.7.2x and 4.7.3x speak of SPF,
    # DKIM, reverse DNS and TLS (RFC 7372), those with three digits are Exchange's.
    _Rule(_ANY, _Means.SITE, code=r"421", status=r"4\.7\.\d+"),
    _Rule(_ANY, _Means.SITE, code=r"4\d\d", status=r"4\.7\.([23]\d|[3-9]\d\d)"),
    # Out of step, or asked to leave: the next session begins anew.
    _Rule(_ANY, _Means.SESSION, code=r"421|50[0234]"),
    # Policy. These 5.7 concern a mailbox or domain that changed hands (RFC 7293), or, of Exchange, a group or mailbox
    # that takes no mail from outside.
    _Rule(_OF_ADDRESS, _Means.NEVER, code=r"5\d\d", status=r"5\.7\.(1[278]|12[349]|13[3-6])"),
    _Rule(_ANY, _Means.SITE, code=r"5\d\d", status=r"5\.7\.\d+"),
    # Bare, a full mailbox comes as 550 and 552 alike.
    _Rule(_OF_ADDRESS, _Means.LATER, code=r"55\d", status=r"", words=_FULL),
    # The sender, also where a server waits until RCPT to say so, as Postfix and Exim do.
    _Rule(_ANY, _Means.SITE, status=r"[45]\.1\.[78]"),
    _Rule(_MAIL, _Means.SITE, code=r"5\d\d"),
    _Rule(_OF_ADDRESS, _Means.SITE, code=r"5(5\d|71)", status=r"|5\.[01]\.\d+", words=_SENDER),
    # A blocklisted sender must not empty the list: a block without a status is often a bare 550 or 554.
    _Rule(_OF_ADDRESS, _Means.SITE, code=r"5(5\d|71)", status=r"|5\.[012]\.0", words=_POLICY),
    # The address.
    _Rule(_OF_ADDRESS, _Means.NO_SUCH_ADDRESS, code=r"5\d\d", status=r"5\.1\.\d+"),
    _Rule(_RCPT, _Means.NO_SUCH_ADDRESS, code=r"55[013]", status=r""),
    # The rest, by the first digit.
    _Rule(_ANY, _Means.LATER, code=r"4\d\d"),
    _Rule(_ANY, _Means.NEVER, code=r"5\d\d"),
)


# Servers repeat the address that they refuse: nobody called spam@ or sender@ may stop the route.
_ADDRESS = re.compile(r"\S*@\S*")
_STATUS = re.compile(r"(?:^#?|\(#)[245]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")  # qmail writes it last: (#5.1.1)


def classify(phase: Phase, code: int, text: str, *, carried: int = 0, server: str = "") -> Outcome:
    """Return what the reply *code* *text* of *server* means, in *phase* of a session that *carried* so many messages.

    Asked only where the answer was not the one that lets the transaction go on: a 2xx or 3xx before the dot is
    an answer out of place. MALFORMED, DROPPED and SILENT stand for a reply that did not come. Never raises.
    """
    reply = _line(text)
    rules = _possible(phase, code)
    verdict, pauses, suppresses = (rules[0] if len(rules) == 1 else _by_words(rules, code, reply)).means.value
    return Outcome(
        verdict=verdict,
        reply=f"{code} {reply}" if code > SILENT else reply,
        server=server,
        pauses_route=carried == 0 if pauses is None else pauses,
        suppresses=suppresses,
    )


@lru_cache(1024)
def _possible(phase: Phase, code: int) -> tuple[_Rule, ...]:
    """Return the rules for *code* in *phase* as far as they matter: up to the first that asks for nothing more.

    Of the reply that nearly all messages get, a 250 at the end, the words need not be looked at.
    """
    rules = [rule for rule in _TABLE if rule.may_fit(phase, code)]
    last = next(n for n, rule in enumerate(rules) if rule.always)
    return tuple(rules[: last + 1])


def _by_words(rules: Iterable[_Rule], code: int, reply: str) -> _Rule:
    status, words = _status(code, reply), _ADDRESS.sub(" ", reply).casefold()
    return next(rule for rule in rules if rule.fits(status, words))


def _line(text: str) -> str:
    """Return what is kept of *text*: one line, of which most replies are one already."""
    if not (text.isascii() and text.isprintable() and "  " not in text):
        text = plain(text)
    return text[:LONGEST_REPLY]


def _status(code: int, reply: str) -> str:
    """Return the enhanced status of *reply*, its class set to that of *code*, or ""."""
    found = _STATUS.search(reply)
    return f"{code // 100}.{int(found[1])}.{int(found[2])}" if found else ""
