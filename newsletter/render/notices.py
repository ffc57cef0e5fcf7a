"""Mails that are no digest: the confirmation of a subscription, and what the operator is told.

Not here: when one is sent, and to whom (``services``).
"""

from collections.abc import Sequence
from dataclasses import replace

from jinja2.sandbox import SandboxedEnvironment

from newsletter.domain.text import plain
from newsletter.render.typesetting import Imprint, Rendered, Typesetter


def confirmation(environment: SandboxedEnvironment, imprint: Imprint, *, link: str, valid_for: str = "") -> Rendered:
    """Return the mail that asks the owner of an address whether they want the newsletter.

    ``link`` is the one that confirms, ``valid_for`` how long it works ("7 days"; '' for ever). The mail holds
    nothing that came from whoever asked: else anyone could have us send their words to anyone.
    """
    typesetter = Typesetter(environment, replace(imprint, name=plain(imprint.name)))
    subject = typesetter.line("confirmation.subject.txt")
    said = {"subject": subject, "link": link, "valid_for": valid_for}
    return Rendered(
        subject=subject,
        html=typesetter.document("confirmation.html", **said),
        text=typesetter.text("confirmation.txt", **said),
    )


def operator_notice(
    environment: SandboxedEnvironment, imprint: Imprint, *, title: str, details: Sequence[str] = (), remedy: str = ""
) -> Rendered:
    """Return a mail to the operator, as text only: what happened, the details one a paragraph, what to do next."""
    typesetter = Typesetter(environment, replace(imprint, name=plain(imprint.name)))
    said = {"title": plain(title), "details": [plain(text) for text in details], "remedy": plain(remedy)}
    return Rendered(
        subject=typesetter.line("operator.subject.txt", **said), html="", text=typesetter.text("operator.txt", **said)
    )
