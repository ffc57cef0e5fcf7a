"""Which mails were sent by no person (RFC 3834), and which of them are replies: of who is away, or of a challenge."""

import re

from newsletter.mail.bounce_parts import Parts

_DAEMON = re.compile(
    r"mailer[-_. ]?daemon|postmaster|post_master|mail(?:er)?[ -]delivery|mail system|<>|system administrator",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"^(?:(?:re|aw|fwd?|sv)(?:\[\d\])?: ?)*\W{0,3}(?:(?:auto(?:matic|matische|mated|matique|matica|mática)?"
    r"|auto)[ -]?(?:reply|response|responder|antwort|mail)"
    r"|auto:|out[ -]of[ -](?:the )?office|ooo\b|vacation|away (?:from|message)|on (?:vacation|holiday|leave)"
    r"|i am (?:away|out)"
    r"|abwesen|automatische (?:antwort|e-?mail)|ich bin (?:nicht|im urlaub)|nicht im (?:büro|haus)|urlaub|afwezig"
    r"|automatisch antwoord"
    r"|r[ée]ponse automatique|absence|absent|congés?\b|respuesta autom|fuera de (?:la )?oficina|ausen|resposta autom"
    r"|risposta automatica|fuori (?:sede|ufficio)|assenza"
    r"|autosvar|automatiskt svar|frånvaro|fravær|автоответ|отсутств|automatyczna odpowied|nieobecn|otomatik yan"
    r"|自動(?:返信|応答)|不在|自动(?:回复|答复)|自動回覆|자동 ?(?:응답|회신)|부재)",
)
_CHALLENGE = re.compile(
    r"challenge[ /-]response|confirm (?:that )?you(?:r e-?mail| are (?:human|a person)| sent)"
    r"|verify (?:that )?you(?:r e-?mail| are (?:human|a person|not))"
    r"|please (?:confirm|verify) (?:your|the) (?:message|e-?mail|request|delivery)|(?:release"
    r"|deliver) your (?:message|e-?mail).{0,60}(?:click|reply|link)"
    r"|(?:spam ?arrest|boxbe|tmda|bluebottle|mailblocks|sendio|active spam killer)"
    r"|waiting for (?:your )?(?:confirmation|verification)"
    r"|added? (?:you )?to (?:my|his|her|the) (?:guest|approved|white) ?list",
)
_FIELDS = (
    "x-autoreply",
    "x-autorespond",
    "x-auto-reply",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-vacation",
    "x-ms-exchange-inbox-rules-loop",
)


def is_from_daemon(parts: Parts) -> bool:
    """Return whether a mail system says that it sent this."""
    return bool(_DAEMON.search(parts.sender)) or parts.header("return-path").strip() in {"<>", "<MAILER-DAEMON>"}


def is_auto_reply(parts: Parts) -> bool:
    """Return whether the owner of a mailbox lets a program answer: they are away, or want a proof."""
    if parts.header("x-failed-recipients") or _DAEMON.search(parts.sender):
        return False
    if (
        any(parts.header(name) for name in _FIELDS)
        or parts.header("precedence").lower().replace("-", "_") == "auto_reply"
    ):
        return True
    if parts.header("auto-submitted").lower().startswith("auto-replied"):
        return True
    if _AWAY.search(parts.subject.casefold()):
        return True
    return bool(_CHALLENGE.search(parts.subject.casefold()) or _CHALLENGE.search(parts.head))


def is_automatic(parts: Parts) -> bool:
    """Return whether no person sent this, so that it must not be answered (RFC 3834 section 2)."""
    submitted = parts.header("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return True
    if parts.header("list-id") or parts.header("list-unsubscribe") or parts.header("x-auto-response-suppress"):
        return True
    precedence = parts.header("precedence").lower()
    return precedence in {"bulk", "junk", "list"} or is_from_daemon(parts) or is_auto_reply(parts)
