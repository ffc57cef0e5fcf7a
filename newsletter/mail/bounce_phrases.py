"""How servers say why they did not take a mail, in the languages in which they do; texts are folded before.

The first that fits wins. Not here: which phrase counts when, and what codes say (``bounce_reasons``).
"""

import re

from newsletter.domain.bounce import Reason
from newsletter.mail.bounce_languages import UNKNOWN

# What there is not, and how it is said.
_BOX = r"""
user ?(?:name|id)?s?|recipients?|mail ?(?:box|drop)(?:es)?|accounts?|(?:e-?mail )?address(?:es)?|alias
addressee|persons?|customers?|subscribers?|members?|local[ -]part|in-?box|names?|logins?
"""
_GONE = r"""
unknown|not (?:be )?(?:found|known|listed|exists?|valid|recogni[sz]ed|local|registered|present|defined|have)
unrecogni[sz]ed|invalid|incorrect|undeliverable|non-?existent
(?:no longer|not) (?:available|valid|exists?|on|here|with|in use|active at|work)
(?:does|do|did|has) ?(?:not|n't) (?:appear to )?(?:exist|have|match|be)
(?:does|do|could|can) ?(?:not|n't) (?:be )?(?:found?|locate|resolve)d?|doesn't exist
isn't (?:known|valid|here)|not in|unavailable|undefined|has been (?:closed|deleted|removed)|is closed
deleted|unroutable|cannot be (?:found|resolved)
"""

_PHRASES = (
    (
        Reason.NO_HOST,
        r"""
account or domain may not exist|other recipients in the same domain
name service error for .{0,90}: (?:host|domain)(?: name)? not found(?!, try again)
""",
    ),
    (
        Reason.DISABLED,
        r"""
due to (?:extended |prolonged )?inactivity|(?:account|mailbox|user)\b.{0,20}\b(?:disabled|suspended|deactivated)
""",
    ),
    (
        Reason.TROUBLE,
        r"""
too many hops|mail loop|loops? back|routing loop|hop count|loop detected|loop count|sequence of commands
syntax error|malformed address|incorrectly constructed|command (?:rejected|unrecogni)|system error
configuration (?:error|problem)|internal error
(?:can't|cannot|can not|could not|unable to) (?:create|open|write|read|lock|exec)\b|permission denied
i/o error|insufficient system|service (?:is )?(?:currently )?unavailable(?!; client)|local configuration|mailer error
protocol error|connection (?:refused|reset|lost|closed|dropped)|broken pipe|software error
exit (?:status|code) (?:of )?\d+|command died|command output|signal \d+|servfail
name service error|name ?server (?:error|fail|time|busy|not)
dns (?:query|lookup)s? (?:failed|timed)
(?:no route|unreachable) (?:to )?(?:host|network)?|network (?:is )?(?:unreachable|down)
tls (?:is )?(?:required|failed|negotiation)|starttls|(?:temporary|temporarily|transient)\b
try again (?:later|in)|(?:not found|error),? try again|bad (?:sequence|command)
""",
    ),
    (
        Reason.SPAM,
        r"""
\bspam|\bube\b|\bjunk\b|unsolicited|bulk (?:e-?)?mail|\bphish|spamcop|content (?:rejected|filter|denied)
\bvirus|malware|infected|malicious|suspicious|appears to be unsol
message (?:content )?(?:was )?(?:refused|blocked)|worm|banned (?:content|file)|antispam
contenu (?:refus|rejet)|prohibited
inappropriate|message filtered|スパム|垃圾|スパム|спам
""",
    ),
    (
        Reason.POLICY,
        r"""
block(?:ed|ing|list| list)|black ?(?:list|hole)|(?:is|are|was|been) (?:listed|banned)
(?<!not )listed (?:in|on|at|by)|\brbl\b|dnsbl|\brbls?\b|reputation|polic(?:y|ies)
\b(?:spf|dkim|dmarc|arc|ptr|rdns|helo|ehlo|senderid)\b|authenticat|reverse (?:dns|lookup|map)
(?:ip|host) ?name lookup|relay(?:ing)? (?:access |is |was )?(?:not|denied|prohib|refused|block)
(?:\bnot?|cannot|unable to|don't|doesn't|open) (?:\w+ ){0,3}relay|not authori[sz]ed
permission to (?:post|send)|may not (?:post|send)
(?:not|isn't|never|un)[ -]?(?:allowed|permitted|authori[sz]ed|trusted|accepted from)\b
(?<!address rejected: )access (?:is )?denied|access (?:to .{0,30})?(?:not |un)?(?:authorized|rejected)
your (?:ip|host|server|domain|mail server)
(?:sender|client|host|domain|connection|ip)s?(?: \w+){0,2} (?:rejected|refused|denied|blocked)
(?:sender|client|host|domain|connection|ip)s?(?: \w+){0,2} (?:not accepted|verif\w+)
(?:invalid|unknown|bad|forged|missing) (?:sender|from|return|client|hostname)
sender(?:'s)? (?:address|domain)|from: domain|verify (?:the )?sender|envelope sender|return[ -]path|mail from
(?:from|to|invalid|missing|malformed|multiple|duplicate)\W+headers?
headers? (?:is|are|missing|malformed)|rfc ?[25]\d{2,3}|closed mailing list|subscribers only|only (?:members|subscribers)
moderat|not (?:a )?member|dynamic (?:ip|address)|adresse ip|bloqu|gesperrt
not accept(?:ing)? (?:messages?|mails?|connections?) from|rejected for|administrative prohib|restrict
message rejected|rejected due to|compliance|(?:client|invalid|bad|this) ip\b|for sending mail
拒否|拒绝|拒收
""",
    ),
    (
        Reason.SIZE,
        r"""
(?:message|mail|file|attachment|data|size|content)\b.{0,40}\b(?:too (?:big|large|long)|exceed)
(?:message|mail|file|attachment|data|size|content)\b.{0,40}\b(?:over(?:sized?|limit))
too (?:big|large|long)\b|(?:size|length) (?:limit|exceed|restriction)
max(?:imum)? (?:message |mail )?(?:size|length)|exceeds? (?:the )?(?:maximum|size|limit|fixed)|sizelimit
""",
    ),
    (
        Reason.FULL,
        r"""
(?:mail ?box|in-?box|account|folder)\b.{0,40}\b(?:full|exceed(?:s|ed|ing)?|over)\b
(?:disk|storage|user|quota|recipient)\b.{0,40}\b(?:full|exceed(?:s|ed|ing)?|over)\b
over(?:[ -]the)?[ -](?:disk )?quota|quota|out of (?:disk )?(?:space|storage)
(?:insufficient|not enough|no) (?:disk |free )?(?:space|storage)|too much mail data
(?:disk|storage|space) (?:is )?(?:limit|full|allocation)|full mailbox
一杯|いっぱい|容量|満杯|已满|超限|가득|초과|\bvoll\b
überschritten|pleine?\b|saturée|llen[oa]\b|pien[oa]\b|chei[oa]\b|lotad|переполнен|przepełnion|dolu\b
""",
    ),
    (
        Reason.BUSY,
        r"""
too many (?:\w+ ){0,2}(?:connections|recipients|messages|mails|concurrent|sessions|errors|emails)
rate ?limit|throttl|(?:receiving|sending) mail at a rate|too (?:frequent|fast|quickly|much mail)
(?:daily|hourly|sending|message|rate|connection) (?:\w+ )?(?:limit|quota)|limit exceeded
try(?:ing)? (?:again )?later|busy
""",
    ),
    (
        Reason.LATE,
        r"""
message expired|(?:delivery )?time (?:expired|out|limit)|timed? ?-?out|retry time(?:out)?
in (?:the )?queue too long|not (?:been )?(?:be )?(?:delivered|collected) (?:with)?in
(?:queue|delivery) (?:time|period)|giving up after|gave up after|will (?:now )?give up
for (?:more than |over )?\d+ (?:hours|days)|\d+ (?:hours|days) old|max(?:imum)? (?:age|time|retry)
(?:did|does|was) not (?:respond|answer)|not responding|unable to connect|could ?n(?:o|')t connect
cannot connect|connection (?:attempts?|failed|failure)
(?:did not|could not) accept (?:our|a) (?:request|connection)|delayed
""",
    ),
    (
        Reason.DISABLED,
        r"""
(?:disabled|suspend\w*|inactive|inactiv\w*|de-?activated|locked)\b
(?:frozen|terminated|dormant|archiv\w+|discontinued|expired)\b
(?:on hold|not (?:currently )?(?:active|enabled|accepting)|no longer accept\w*|isn't (?:active|accepting))\b
(?:gesperrt|deaktiviert|désactivé|desactivad|disattivat|заблокирован|отключен|停止|凍結|停用|禁用|冻结)
""",
    ),
    (
        Reason.REFUSED,
        r"""
(?:refused|rejected|filtered) by (?:the )?(?:recipient|user)(?! domain)|user (?:has )?(?:reject|refus)
protected by|recipient (?:has )?(?:reject|refus|filter)|challenge|white ?list|delivery not allowed|受信拒否
refuse to receive
""",
    ),
    (
        Reason.MOVED,
        r"""
no longer on (?:this |the )?server|has (?:been )?moved|address has been changed|user (?:has )?moved
has changed (?:his|her|their|its)? ?(?:e-?mail )?address|address (?:has )?changed
has been replaced by|new address|umgezogen
a déménagé|has left the
""",
    ),
    (
        Reason.NO_MAIL,
        r"""
null ?mx
(?:host|domain|server)\b.{0,40}\b(?:does|do|did) ?(?:not|n't) (?:accept|receive) (?:any )?(?:e-?)?mails?
(?:host|domain|server)\b.{0,40}\b(?:does|do|did) ?(?:not|n't) (?:have) (?:any )?(?:e-?)?mails?
(?:system)\b.{0,40}\b(?:does|do|did) ?(?:not|n't) (?:accept|receive|have) (?:any )?(?:e-?)?mails?
does ?(?:not|n't) accept (?:any )?(?:e-?)?mail\b|not (?:a )?mail (?:server|host)
recipient domain .{0,30}no mail
""",
    ),
    (
        Reason.NO_HOST,
        r"""
(?:[a-z0-9-]+\.)+[a-z]{2,} does not exist
(?:host|domain)(?: ?name)?s?\b.{0,40}\b(?:unknown|not (?:be )?(?:found|exist))
(?:host|domain)(?: ?name)?s?\b.{0,40}\b(?:(?:does ?n[o']t|do not|not) (?:exist|found|resolve))
(?:host|domain)(?: ?name)?s?\b.{0,40}\b(?:non-?existent|invalid)|domain must exist
domain(?: ?name)?s?\b.{0,40}\b(?:unreachable|not reachable)
(?:host|domain)(?: ?name)?s?\b.{0,40}\b(?:illegal|bad|unrouteable)
(?:unknown|no such|invalid|illegal|bad|non-?existent) (?:host|domain|mail exchanger|recipient domain)
(?:unknown|no such|invalid|illegal|bad|non-?existent) (?:destination domain)
(?:cannot find|can't find|couldn't find any) (?:host|domain|mail exchanger|recipient domain)
(?:cannot find|can't find|couldn't find any) (?:destination domain)|nxdomain|name or service not known
unrouteable mail domain|all relevant mx records point to non-existent hosts
no (?:valid )?(?:mx|dns|a) (?:records?|hosts?)|unroute?able
(?:domäne|domain|domaine|dominio)\b.{0,30}(?:unbekannt|existiert nicht|n'existe|no existe|non esiste)
""",
    ),
    (
        Reason.UNKNOWN,
        r"""
\b{box}\b.{0,60}?{gone}
(?:unknown|no such|invalid|illegal|bad|non-?existent|undefined)\W{0,3}(?:\w+ ){0,2}?{box}\b
(?:unrecogni[sz]ed|not? (?:a )?(?:valid|known|local))\W{0,3}(?:\w+ ){0,2}?{box}\b
\b(?:no|ambiguous|undeliverable|not our|cannot find (?:the )?)\W{0,3}(?:\w+ ){0,2}?{box}\b
address (?:error|unknown)|recipient (?:address )?(?:error|unknown)|recipient address rejected: access denied
not an? (?:active|existing|valid|known) (?:e-?mail )?(?:address|user|mailbox|recipient)|recipient not ok
envelope recipient has been denied|no one at (?:this|that) address
nobody (?:here )?by that name|(?:no one|nobody|no-?body)\b.{0,20}\b(?:here|name)
no (?:longer|such|valid) (?:\w+ ){0,3}(?:here|recipient|user|mailbox|address|person)|no mailbox (?:here|by)
mailbox unavailable|not our customer|unable to (?:find|validate|verify) (?:the )?(?:recipient|user|address)
can ?(?:no|')t (?:accept|verify|find) (?:the )?(?:recipient|user|address)|unrouteable address
undeliverable address|recip(?:ient)?notfound|account (?:not available|does)|user unknown
check (?:if |that |whether )?(?:the |your |recipient's |e-?mail )*address
directory.{0,40}not (?:listed|found)|not listed in .{0,20}directory|no longer with
does not (?:exist|have an? account)
badrcptto|validrcptto|nosuchuser|missing home directory|no account (?:by|with|for) that
doesn't have an? \S* ?account|has (?:been )?(?:deleted|removed|closed)
""",
    ),
    (
        Reason.UNKNOWN,
        r"""
address (?:was )?rejected|rejected address|\b542 (?:\S+ )?rejected
recipient (?:was )?(?:rejected|refused|not accepted)
""",
    ),
)


def _alternatives(lines: str) -> str:
    return "|".join(filter(None, lines.splitlines()))


def _compiled(lines: str) -> re.Pattern[str]:
    alternatives = _alternatives(lines)
    for name, of in (("{box}", _BOX), ("{gone}", _GONE)):
        alternatives = alternatives.replace(name, f"(?:{_alternatives(of)})")
    return re.compile(alternatives)


PHRASES = tuple((reason, _compiled(lines)) for reason, lines in (*_PHRASES, (Reason.UNKNOWN, UNKNOWN)))
