"""The foot of a mail: why it came, when the next one does, and the ways to change or end that."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import escape

from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter
from newsletter.render.wrapping import wrap

TOKEN = slots("token")["token"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the foot says to a reader; '' where there is none. Sentences are plain text.

    ``unsubscribe_mailto`` is a whole mailto URI. Of the ways to unsubscribe, the foot names the first that there
    is: ``unsubscribe_url``, ``unsubscribe_mailto``, a reply with "stop" to the bare address ``reply_to``. The mark
    ``TOKEN`` in links stands for what each reader has alone, and ``token`` for that where the foot is of one reader.
    """

    why_mail: str
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    reply_to: str = ""
    preferences_url: str = ""
    next_due: str = ""
    token: str = ""


class Foot:
    """The foot for every reader: its templates are rendered once for all who have the same links."""

    def __init__(self, typesetter: Typesetter, encode: Callable[[str], bytes]) -> None:
        self._set = typesetter
        self._encode = encode
        self._linked = lru_cache(maxsize=64)(self._link)

    def of(self, reader: Reader) -> tuple[list[bytes], list[bytes]]:
        """Return *reader*'s foot as HTML and as text, cut at each place where the token goes."""
        html, text = self._linked(
            reader.unsubscribe_url,
            reader.unsubscribe_mailto,
            reader.reply_to,
            reader.preferences_url,
            bool(reader.next_due),
        )
        why_html, why_text = self._sentence(reader.why_mail)
        due_html, due_text = self._sentence(reader.next_due)
        return (
            html.around("token", {"why_mail": why_html, "next_due": due_html}),
            text.around("token", {"why_mail": why_text, "next_due": due_text}),
        )

    def _link(
        self, unsubscribe_url: str, unsubscribe_mailto: str, reply_to: str, preferences_url: str, says_next: bool
    ) -> tuple[Slotted, Slotted]:
        reader = slots("why_mail", "next_due") | {
            "unsubscribe_url": unsubscribe_url,
            "unsubscribe_mailto": unsubscribe_mailto,
            "unsubscribe_address": unsubscribe_mailto.removeprefix("mailto:").partition("?")[0],
            "reply_to": reply_to,
            "preferences_url": preferences_url,
        }
        if not says_next:
            reader["next_due"] = ""
        html, text = self._set.fragment("foot.html", reader=reader), self._set.text("foot.txt", reader=reader)
        return Slotted(html, self._encode), Slotted(text, self._encode)

    def _sentence(self, sentence: str) -> tuple[bytes, bytes]:
        return self._encode(str(escape(sentence))), self._encode(wrap(sentence))
