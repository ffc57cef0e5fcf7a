"""What a reader wishes, as forms show it and send it back: preferences as fields of text.

A topic that follows one person alone stands among the people. What cannot be read is told beside its field, in the
reader's language, with its line and place.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache

from newsletter.domain.subscriber import WEEKDAYS, Preferences, preference, preference_texts
from newsletter.domain.text import plain
from newsletter.domain.topics import read_topics
from newsletter.errors import TopicError, UsageError
from newsletter.render.language import Language
from newsletter.web.forms import Form

FIRST = ("frequency", "hour", "zone")  # of what is asked who signs up, beside topics
_ALL = (*FIRST, "max_papers", "min_upvotes", "format", "language")
_LISTS = ("topics", "people", "alerts")
_MOST = 100  # lines of one field
_AUTHOR = "author:"
# Areas of the IANA's zones; what stands elsewhere are other names of the same ones.
_AREAS = (
    "Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific",
)  # fmt: skip


@dataclass(kw_only=True)
class Wishes:
    """The fields by name as they are shown, and what is wrong with some of them."""

    fields: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)

    def texts(self, defaults: Preferences) -> dict[str, str]:
        """Return the preferences as ``subscribe`` takes them, by name. What is as the *defaults* are follows them."""
        usual = preference_texts(defaults)
        plain_ones = {name: text for name, text in self.fields.items() if name not in _LISTS}
        texts = {name: "" if text == usual[name] and name != "zone" else text for name, text in plain_ones.items()}
        if "topics" in self.fields:
            people = [_followed(name) for name in _lines(self.fields.get("people", ""))]
            texts["topics"] = ";".join([*_lines(self.fields["topics"]), *people])
        if "alerts" in self.fields:
            texts["alerts"] = ";".join(_lines(self.fields["alerts"]))
        return texts


def shown(chosen: Preferences, defaults: Preferences) -> Wishes:
    """Return the fields of who has *chosen*, with the *defaults* where they did not."""
    texts = preference_texts(chosen)
    usual = preference_texts(defaults)
    fields = {name: texts[name] or usual[name] for name in (*_ALL, "only_topics")}
    people = [topic for topic in chosen.topics if _is_person(topic)]
    fields["topics"] = "\n".join(topic for topic in chosen.topics if topic not in people)
    fields["people"] = "\n".join(_name(topic) for topic in people)
    return Wishes(fields=fields | {"alerts": "\n".join(chosen.alerts)})


def first(form: Form, language: Language) -> Wishes:
    """Return what a form of who signs up wishes."""
    return _read(form, FIRST, ("topics",), language)


def everything(form: Form, language: Language) -> Wishes:
    """Return what the form of all preferences wishes."""
    found = _read(form, _ALL, _LISTS, language)
    found.fields["only_topics"] = "yes" if form.one("only_topics") else "no"
    return found


def _read(form: Form, names: Iterable[str], lists: Iterable[str], language: Language) -> Wishes:
    wishes = Wishes(fields={name: plain(form.one(name)) for name in names})
    for name in names:
        try:
            preference(name, wishes.fields[name])
        except UsageError:
            wishes.errors[name] = _wrong(language, name)
    for name in lists:
        wishes.fields[name] = "\n".join(filter(None, map(plain, form.one(name).splitlines())))
        if found := list(_faults(name, wishes.fields[name], language)):
            wishes.errors[name] = " ".join(found[:3])
    return wishes


def _lines(text: str) -> list[str]:
    return [part.strip() for line in text.splitlines() for part in line.split(";") if part.strip()]


def _faults(name: str, text: str, language: Language) -> Iterator[str]:
    """Yield what is wrong with the lines of a field, each with its place."""
    lines = text.splitlines()
    if len(lines) > _MOST:
        yield language.gettext("At most %(num)s lines, please.", num=language.number(_MOST))
        return
    for number, line in enumerate(lines, 1):
        for part in filter(str.strip, line.split(";")):
            try:
                preference("alerts" if name == "alerts" else "topics", _followed(part) if name == "people" else part)
            except TopicError as error:
                yield _fault(language, error, number, len(_AUTHOR) if name == "people" else 0)


def _fault(language: Language, error: TopicError, line: int, before: int) -> str:
    _ = language.gettext
    what = {
        "long": _("this is too long; write several topics"),
        "empty": _("there is nothing to look for"),
        "quote": _("a quotation mark has no partner"),
        "field": _("“%(word)s” is not known; there are cat:, author: and org:", word=error.word),
        "operator": _(
            "“%(word)s” is not needed: all words of a line must match, and each line counts", word=error.word
        ),
        "star": _("* stands at the end of a word, as in quanti*"),
        "nothing": _("there is nothing to look for"),
        "excludes": _("an alert needs something to look for, not only what to leave out"),
    }[error.what]
    if error.at > before:
        return _("Line %(line)s, character %(at)s: %(what)s.", line=line, at=error.at - before, what=what)
    return _("Line %(line)s: %(what)s.", line=line, what=what)


def _wrong(language: Language, name: str) -> str:
    _ = language.gettext
    return {
        "frequency": _("Please choose one of these."),
        "hour": _("Please write a time like 08:00."),
        "zone": _("Please choose one of these."),
        "max_papers": _("Please write a number from 1 to 100."),
        "min_upvotes": _("Please write a number, 0 for none."),
        "format": _("Please choose one of these."),
        "language": _("Please choose one of these."),
    }[name]


def _is_person(topic: str) -> bool:
    return topic.lower().startswith(_AUTHOR) and any(len(one.terms) == 1 for one in read_topics([topic]))


def _name(topic: str) -> str:
    return topic[len(_AUTHOR) :].strip().strip('"')


def _followed(name: str) -> str:
    return f'{_AUTHOR}"{name.strip()}"'


def frequencies(language: Language) -> list[tuple[str, str]]:
    """Return the rhythms that one can choose, each with its name."""
    _ = language.gettext
    weekly = [f"weekly:{day}" for day in WEEKDAYS]
    names = (
        _("Every Monday"), _("Every Tuesday"), _("Every Wednesday"), _("Every Thursday"), _("Every Friday"),
        _("Every Saturday"), _("Every Sunday"),
    )  # fmt: skip
    return [("daily", _("Every day")), ("weekdays", _("Monday to Friday")), *zip(weekly, names, strict=True)]


def formats(language: Language) -> list[tuple[str, str]]:
    """Return the formats that one can choose, each with its name."""
    _ = language.gettext
    return [("both", _("HTML and plain text")), ("html", _("HTML alone")), ("text", _("Plain text alone"))]


def zones(chosen: str) -> list[tuple[str, Sequence[str]]]:
    """Return the time zones by area, with the *chosen* one wherever it stands."""
    listed = [("UTC", ("UTC",)), *_listed()]
    if any(chosen in names for _, names in listed):
        return listed
    return [(chosen, (chosen,)), *listed] if chosen else listed


@cache
def _listed() -> list[tuple[str, Sequence[str]]]:
    from zoneinfo import available_timezones  # noqa: PLC0415 - reads some hundred files

    names = sorted(available_timezones())
    return [(area, [name for name in names if name.startswith(f"{area}/")]) for area in _AREAS]
