"""The foot of a mail: why it came, when the next one does, and the ways to change or end that."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import attrgetter

from markupsafe import escape

from newsletter.render.slots import Slotted, slots
from newsletter.render.typesetting import Typesetter
from newsletter.render.wrapping import wrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the foot says to one reader; '' where there is none. Sentences are plain text.

    ``unsubscribe_mailto`` is a whole mailto URI. Of the ways to unsubscribe, the foot names the first that there
    is: ``unsubscribe_url``, ``unsubscribe_mailto``, a reply with "stop" to the bare address ``reply_to``.
    """

    why_mail: str
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    reply_to: str = ""
    preferences_url: str = ""
    next_due: str = ""


_NAMES = tuple(f.name for f in fields(Reader))
_values = attrgetter(*_NAMES)

_Shape = tuple[bool, ...]


class Foot:
    """The foot for every reader: its templates are rendered once for each set of things that there are to say."""

    def __init__(self, typesetter: Typesetter) -> None:
        self._set = typesetter
        self._shapes: dict[_Shape, tuple[Slotted, Slotted]] = {}

    def of(self, reader: Reader) -> tuple[str, str]:
        """Return *reader*'s foot as HTML and as text."""
        values: dict[str, str] = dict(zip(_NAMES, _values(reader), strict=True))
        shape = tuple(map(bool, values.values()))
        if shape not in self._shapes:
            self._shapes[shape] = self._render(shape)
        html, text = self._shapes[shape]
        values["unsubscribe_address"] = reader.unsubscribe_mailto.removeprefix("mailto:").partition("?")[0]
        return html.fill({name: str(escape(value)) for name, value in values.items()}), text.fill(_lines(values))

    def _render(self, shape: _Shape) -> tuple[Slotted, Slotted]:
        said = zip(_NAMES, shape, strict=True)
        reader = {name: slots(name)[name] if there else "" for name, there in said} | slots("unsubscribe_address")
        html = self._set.fragment("foot.html", reader=reader)
        return Slotted(html), Slotted(self._set.text("foot.txt", reader=reader))


def _lines(values: Mapping[str, str]) -> dict[str, str]:
    return {**values, "why_mail": wrap(values["why_mail"]), "next_due": wrap(values["next_due"])}
