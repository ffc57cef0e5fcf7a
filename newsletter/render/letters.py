"""Short mails with one link: to who asked, on the pages, for something that only the owner of an address may have.

Each holds nothing that came from whoever asked. Not here: when one is sent, and to whom (``services/letters``).
"""

from dataclasses import dataclass
from datetime import timedelta

from newsletter.render import wording
from newsletter.render.environment import Templates
from newsletter.render.language import Language
from newsletter.render.notices import made, typesetter
from newsletter.render.typesetting import Imprint, Rendered


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What it says: ``lead`` before the button, ``after`` behind it. Without a ``link`` there is no button."""

    subject: str
    lead: str
    after: str
    button: str = ""
    link: str = ""


def letter(environment: Templates, imprint: Imprint, said: Letter) -> Rendered:
    """Return the mail that says *said*."""
    return made(typesetter(environment, imprint), "letter", letter=said)


def reminder(language: Language, newsletter: str, link: str) -> Letter:
    """Return what is said to who is subscribed and was given to the pages once more; *link* leads to preferences."""
    _ = language.gettext
    return Letter(
        subject=_("You are subscribed to %(newsletter)s", newsletter=newsletter),
        lead=_(
            "Someone, we hope it was you, asked for %(newsletter)s to be sent to this address. It is: you are "
            "subscribed already. This is where you choose what comes, and when, or take a break:",
            newsletter=newsletter,
        ),
        button=_("Open your preferences"),
        link=link,
        after=_("If it was not you, do nothing: nothing has changed. No more than one such mail a day comes to you."),
    )


def leaving(language: Language, newsletter: str, link: str) -> Letter:
    """Return what is said to who wants to leave by their address; *link* leads to the button."""
    _ = language.gettext
    return Letter(
        subject=_("Leave %(newsletter)s", newsletter=newsletter),
        lead=_(
            "Someone, we hope it was you, asked on our pages to end what %(newsletter)s sends to this address. This "
            "link does it:",
            newsletter=newsletter,
        ),
        button=_("Unsubscribe"),
        link=link,
        after=_("If it was not you, do nothing: nothing has changed."),
    )


def data_link(language: Language, newsletter: str, link: str, valid_for: timedelta) -> Letter:
    """Return what is said to who asked for what is known of them; *link* leads there."""
    _ = language.gettext
    return Letter(
        subject=_("Your data at %(newsletter)s", newsletter=newsletter),
        lead=_(
            "Someone, we hope it was you, asked on your preferences page for what %(newsletter)s knows of you. By "
            "this link you take it with you, or have it deleted:",
            newsletter=newsletter,
        ),
        button=_("Open your data"),
        link=link,
        after=_(
            "If it was not you, a mail that you forwarded may have led somebody to your preferences. Do nothing, and "
            "nothing happens. The link works for %(time)s; do not forward this mail.",
            time=wording.hours(language, valid_for),
        ),
    )


def move(language: Language, newsletter: str, link: str, valid_for: timedelta) -> Letter:
    """Return what is said to the address to which a subscription is to move; *link* confirms it."""
    _ = language.gettext
    return Letter(
        subject=_("Confirm your new address for %(newsletter)s", newsletter=newsletter),
        lead=_(
            "Someone, we hope it was you, asked for their subscription to %(newsletter)s to move to this address. "
            "Please confirm that it is yours:",
            newsletter=newsletter,
        ),
        button=_("Confirm the address"),
        link=link,
        after=_(
            "If it was not you, do nothing: unless you confirm, you will get no mail from us. The link works for "
            "%(days)s.",
            days=wording.days(language, valid_for),
        ),
    )


def moved(language: Language, newsletter: str, contact: str) -> Letter:
    """Return what is said to the address from which a subscription has moved; *contact* reads replies."""
    _ = language.gettext
    return Letter(
        subject=_("Your subscription to %(newsletter)s has moved", newsletter=newsletter),
        lead=_(
            "As was asked on your preferences page, %(newsletter)s comes to another address from now on, whose owner "
            "has confirmed it. This is the last mail to this one.",
            newsletter=newsletter,
        ),
        after=_("If it was not you who asked, write to %(address)s.", address=contact),
    )
