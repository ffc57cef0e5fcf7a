"""How subscribers look on a terminal and in JSON."""

import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime

from newsletter.app import App
from newsletter.cli.terminal import Terminal
from newsletter.domain.bounce import ENOUGH
from newsletter.domain.subscriber import Status, Subscriber, preference_texts
from newsletter.services.coming import next_digests
from newsletter.services.joining import Added, Outcome
from newsletter.services.subscribe import changed, defaults, rhythm_of
from newsletter.services.subscriber_files import document
from newsletter.storage.returns import Return
from newsletter.storage.subscribers import Selection

_LISTS = {"topics": "--topic", "alerts": "--alert"}
_UNSET = {"alerts": "none"}
_UNCHANGED = "nothing was changed, 'subscribers edit' changes preferences"


def answer_added(terminal: Terminal, app: App, done: Sequence[Added]) -> None:
    """Answer what became of each address."""
    documents = [document(each.subscriber) | {"outcome": each.outcome} for each in done]

    def text() -> str:
        following = _following(terminal, app, [each.subscriber for each in done])
        return "\n".join(_added(each, following) for each in done)

    terminal.answer({"subscribers": documents}, text)


def answer_one(
    terminal: Terminal,
    app: App,
    subscriber: Subscriber,
    back: Sequence[Return] = (),
    score: float = 0,
) -> None:
    """Answer everything about one subscriber, with what came *back* lately and the *score* that it comes to."""
    told = {"bounce_score": round(score, 2), "returns": [one.document for one in back]} if back else {}
    terminal.answer(
        document(subscriber) | told, lambda: "\n".join([_lines(terminal, app, subscriber), *_returned(back, score)])
    )


def answer_move(terminal: Terminal, app: App, subscriber: Subscriber) -> None:
    """Answer where a subscription stands now."""

    def text() -> str:
        return f"{subscriber.email}: {_standing(subscriber, _following(terminal, app, [subscriber]))}"

    terminal.answer(document(subscriber), text)


def answer_page(terminal: Terminal, app: App, found: Sequence[Subscriber], wanted: Selection, total: int) -> None:
    """Answer a page of the list, and how much more there is."""
    documents = [document(one) for one in found]
    page = {"subscribers": documents, "total": total, "limit": wanted.limit, "offset": wanted.offset}
    terminal.answer(page, lambda: _page(terminal, app, found, wanted, total))


def _added(each: Added, following: Mapping[int, str]) -> str:
    standing = _standing(each.subscriber, following)
    match each.outcome:
        case Outcome.ALREADY:
            return f"{each.subscriber.email}: already there, {standing}; {_UNCHANGED}"
        case Outcome.ASKED:
            return f"{each.subscriber.email}: {each.outcome}"
        case _:
            return f"{each.subscriber.email}: {each.outcome}, {standing}"


def _standing(subscriber: Subscriber, following: Mapping[int, str]) -> str:
    match subscriber.status:
        case Status.ACTIVE if subscriber.id in following:
            return f"active, next digest {following[subscriber.id]}"
        case Status.ACTIVE:
            return "active, gets what alerts find"
        case Status.PAUSED if subscriber.paused_until:
            return f"paused until {subscriber.paused_until}"
        case Status.SUPPRESSED:
            return f"suppressed ({subscriber.suppression_reason})"
        case _:
            return str(subscriber.status)


def _lines(terminal: Terminal, app: App, subscriber: Subscriber) -> str:
    own = preference_texts(subscriber.preferences)
    usual = preference_texts(defaults(app.settings.newsletter))
    chosen = {name: text or f"{usual[name] or _UNSET.get(name, 'all')} (default)" for name, text in own.items()}
    facts = {
        "email": subscriber.email,
        "status": _standing(subscriber, _following(terminal, app, [subscriber])),
        **{name.replace("_", " "): text for name, text in chosen.items()},
        "on the list since": _utc(subscriber.created_at),
        "confirmed": _utc(subscriber.confirmed_at),
        "consent": subscriber.consent_source or "no source recorded",
    }
    return "\n".join(f"{name:<18} {text}" for name, text in facts.items())


def _returned(back: Sequence[Return], score: float) -> list[str]:
    counted = [f"{'bounces':<18} score {score:.1f} of {ENOUGH:.0f}, at which mail ends"] if score else []
    return counted + [f"{'came back':<18} {_utc(one.came_at)}, {one.effect}: {one.summary}" for one in back[:5]]


def _page(terminal: Terminal, app: App, found: Sequence[Subscriber], wanted: Selection, total: int) -> str:
    if not found:
        return f"nobody here ({total} in all)" if total else "nobody"
    following = _following(terminal, app, found)
    rows = [
        (one.email, one.status, "; ".join(one.preferences.topics), one.preferences.frequency, following.get(one.id, ""))
        for one in found
    ]
    table = terminal.table(("email", "status", "topics", "frequency", "next digest"), rows)
    last = wanted.offset + len(found)
    more = f"; --offset {last} shows more" if last < total else ""
    return f"{table}\n{wanted.offset + 1} to {last} of {total}{more}"


def _following(terminal: Terminal, app: App, readers: Sequence[Subscriber]) -> dict[int, str]:
    """Return when the next digest of each comes by the reader's clock, by id; nothing of whoever gets none."""
    newsletter = app.settings.newsletter
    zones = {reader.id: rhythm_of(reader.preferences, newsletter).zone for reader in readers}
    found = next_digests(app.database, newsletter, readers, terminal.now())
    return {who: f"{at.astimezone(zones[who]):%a %Y-%m-%d %H:%M} {zones[who].key}" for who, at in found.items()}


def _utc(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"


def warn_of_unchanged(terminal: Terminal, done: Sequence[Added], texts: Mapping[str, str]) -> None:
    """Tell of each who was there already that the preferences given are not theirs, and how they would be."""
    wanted = shlex.join(part for name, text in texts.items() for part in _options(name, text))
    for reader in (each.subscriber for each in done):
        if changed(reader.preferences, texts) != reader.preferences:
            terminal.warn(
                f"{reader.email}: was there already, so that nothing given was changed; this changes it: "
                f"newsletter subscribers edit {shlex.quote(reader.email)} {wanted}"
            )


def _options(name: str, text: str) -> list[str]:
    """Return the options that say a preference."""
    if name in _LISTS:
        return [f"{_LISTS[name]}={one}" for one in text.split(";")]
    if name == "only_topics":
        return ["--only-topics" if text == "yes" else "--no-only-topics"]
    return [f"--{name.replace('_', '-')}={text}"]


def warn_of_language(terminal: Terminal, app: App, texts: Mapping[str, str]) -> None:
    """Tell where readers were given a language in which nothing can be said."""
    if why := app.dispatch.languages.lacks(texts["language"]) if texts.get("language") else "":
        terminal.warn(why)
