"""Mails that are no digest: those of a subscription's beginning and end, and what the operator is told.

Not here: when one is sent, and to whom (``services``).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from markupsafe import Markup

from newsletter.domain.text import plain
from newsletter.render import wording
from newsletter.render.card import whole
from newsletter.render.environment import Templates
from newsletter.render.foot import Foot, Reader
from newsletter.render.typesetting import Imprint, Rendered, Typesetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a subscription that begins is told of itself, the newsletter's defaults filled in.

    ``frequency`` as in Preferences; ``first`` is when the first digest is due, or ``at_once`` the one after that, in
    the reader's zone; ``newest`` is the link of the newest issue, '' before there is one.
    """

    frequency: str
    first: datetime
    max_papers: int
    at_once: bool = False
    topics: tuple[str, ...] = ()
    only_topics: bool = False
    newest: str = ""


def confirmation(
    environment: Templates, imprint: Imprint, *, link: str, valid_for: timedelta | None = None
) -> Rendered:
    """Return the mail that asks the owner of an address whether they want the newsletter.

    ``link`` is the one that confirms, ``valid_for`` how long it works (None: for ever). The mail holds
    nothing that came from whoever asked: else anyone could have us send their words to anyone.
    """
    setter = typesetter(environment, imprint)
    days = wording.days(setter.language, valid_for) if valid_for else ""
    return made(setter, "confirmation", link=link, valid_for=days)


def welcome(environment: Templates, imprint: Imprint, subscription: Subscription, reader: Reader) -> Rendered:
    """Return the mail that greets who confirmed: what comes when, how to choose and how to leave."""
    setter = typesetter(environment, imprint)
    html, text = (foot.decode() for foot in Foot(setter, str.encode).whole(reader))
    said = {
        "subscription": replace(subscription, topics=tuple(map(plain, subscription.topics))),
        "rhythm": subscription.frequency.partition(":")[0],
        "reader": reader,
    }
    return made(setter, "welcome", **said, foot_html=Markup(html), foot_text=text)  # noqa: S704 - is rendered HTML


def goodbye(environment: Templates, imprint: Imprint, *, link: str, valid_for: timedelta) -> Rendered:
    """Return the mail that says to who left that it is done. ``link`` leads back, for as long as ``valid_for``."""
    setter = typesetter(environment, imprint)
    return made(setter, "goodbye", link=link, valid_for=wording.days(setter.language, valid_for))


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftPaper:
    """A paper of a draft's front. ``pin``, ``drop`` and ``note`` are links, '' without pages."""

    title: str
    link: str
    people: str
    facts: str
    why: str
    note: str = ""
    pin: str = ""
    drop: str = ""
    write: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A draft as its editor is mailed it. ``seal`` and ``desk`` are links, '' without pages; ``when`` what comes."""

    day: date
    papers: Sequence[DraftPaper]
    pool: int
    when: str
    seal: str = ""
    desk: str = ""
    valid_for: str = ""


def draft(environment: Templates, imprint: Imprint, found: Draft) -> Rendered:
    """Return the mail that brings the editor a draft."""
    papers = [replace(paper, title=whole(paper.title)) for paper in found.papers]
    return made(typesetter(environment, imprint), "draft", draft=replace(found, papers=papers))


def answer(
    environment: Templates, imprint: Imprint, *, done: Sequence[str], commands: Sequence[tuple[str, str]] = ()
) -> Rendered:
    """Return the answer to a reader's mail: what was *done*, a sentence each, and which *commands* there are."""
    said = [plain(line) for line in done]
    return made(typesetter(environment, imprint), "answer", done=said, commands=commands)


def typesetter(environment: Templates, imprint: Imprint) -> Typesetter:
    """Return who sets in type what *imprint* sends."""
    return Typesetter(environment, replace(imprint, name=plain(imprint.name)))


def made(setter: Typesetter, name: str, **said: Any) -> Rendered:
    """Return the mail of the templates called *name*, which says *said*."""
    subject = setter.line(f"{name}.subject.txt", **said)
    html = setter.document(f"{name}.html", subject=subject, **said)
    return Rendered(subject=subject, html=html, text=setter.text(f"{name}.txt", subject=subject, **said))


def operator_notice(
    environment: Templates, imprint: Imprint, *, title: str, details: Sequence[str] = (), remedy: str = ""
) -> Rendered:
    """Return a mail to the operator, as text only: what happened, the details one a paragraph, what to do next."""
    setter = typesetter(environment, imprint)
    said = {"title": plain(title), "details": [plain(text) for text in details], "remedy": plain(remedy)}
    return Rendered(
        subject=setter.line("operator.subject.txt", **said), html="", text=setter.text("operator.txt", **said)
    )
