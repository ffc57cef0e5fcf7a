"""The foot of a mail: why it came, when the next one does, and the ways to change or end that."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import escape

from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter
from newsletter.render.wrapping import wrap

HTML, TEXT = range(2)  # the parts of a mail
TOKEN, LINK = slots("token", "link_token").values()
ANY_TOKEN = 48 * "a"


# Stands in cards where a link has what is the reader's own. UTF-8 has no octet 0xFF; one octet is replaced fastest.
LINK_MARK = b"\xff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the foot says to a reader; '' where there is none. Sentences are plain text.

    ``unsubscribe_mailto`` is a whole mailto URI. Of the ways to unsubscribe, the foot names the first that there
    is: ``unsubscribe_url``, ``unsubscribe_mailto``, a reply with "stop" to the bare address ``reply_to``. The mark
    ``TOKEN`` in links stands for what each reader has alone, and ``token`` for that where the foot is of one reader;
    ``LINK`` stands for the same in links that are not for ever.
    """

    why_mail: str
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    reply_to: str = ""
    preferences_url: str = ""
    next_due: str = ""


class Foot:
    """The foot for every reader: its templates are rendered once for all who have the same links."""

    def __init__(self, typesetter: Typesetter, encode: Callable[[str], bytes]) -> None:
        self._set = typesetter
        self._encode = encode
        self._linked = lru_cache(maxsize=64)(self._link)

    def slotted(self, reader: Reader) -> tuple[Slotted, Slotted]:
        """Return the foot of all who have the links of *reader*, as HTML and as text.

        It has slots for ``why_mail`` and ``next_due``, and for the marks that links have in place of what each reader
        has alone: ``TOKEN``, and ``LINK`` in those that are not for ever.
        """
        return self._linked(
            reader.unsubscribe_url,
            reader.unsubscribe_mailto,
            reader.reply_to,
            reader.preferences_url,
            bool(reader.next_due),
        )

    def whole(self, reader: Reader) -> tuple[bytes, bytes]:
        """Return the foot of *reader*, whose links have no marks, as HTML and as text."""
        html, text = self.slotted(reader)
        why, following = self.sentence(reader.why_mail), self.sentence(reader.next_due)
        return (
            html.fill({"why_mail": why[HTML], "next_due": following[HTML]}),
            text.fill({"why_mail": why[TEXT], "next_due": following[TEXT]}),
        )

    def sentence(self, sentence: str) -> tuple[bytes, bytes]:
        """Return a sentence of the foot as HTML and as text."""
        return self._encode(str(escape(sentence))), self._encode(wrap(sentence))

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
