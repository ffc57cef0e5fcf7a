"""``newsletter subscribers alert`` and ``seed``: what one reader looks for."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.seed import Proposal


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers alert ann@example.org '\"speculative decoding\" -vision'",
        "newsletter subscribers alert ann@example.org",
        "newsletter subscribers alert ann@example.org 'author:Tri Dao' --remove",
    ),
)
@click.argument("email")
@click.argument("query", required=False)
@click.option("--remove", is_flag=True, help="Take QUERY away, or every alert without one.")
@click.pass_obj
def alert(terminal: Terminal, /, email: str, query: str | None, remove: bool) -> None:
    """Save a search (a topic) that mails what it finds, or list a reader's alerts.

    It is looked at every day, at the reader's hour, and mails only where something new matches, never a paper twice. On
    a day with a digest it is part of that; with the frequency alerts there is no digest.
    """
    from newsletter.services import subscribe, wishes

    with terminal.app() as app:
        newsletter = app.settings.newsletter
        if query is None and not remove:
            found = subscribe.find(app.database, email)
        else:
            found = wishes.alert(app.database, newsletter, email, query, terminal.now(), remove=remove)
    alerts = list(found.preferences.alerts)
    next_at = found.next_alert_at
    lines = [*alerts, f"looked at next {next_at:%a %Y-%m-%d %H:%M} UTC" if next_at else "not looked at"]
    document = {"email": found.email, "alerts": alerts, "next_alert_at": next_at}
    terminal.answer(document, "\n".join(lines) if alerts else f"{found.email}: no alerts")


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers seed ann@example.org library.bib",
        "newsletter subscribers seed ann@example.org zotero.ris --yes",
        "newsletter subscribers seed ann@example.org library.json --json",
    ),
)
@click.argument("email")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Add what is proposed without asking.")
@click.pass_obj
def seed(terminal: Terminal, /, email: str, file: Path, yes: bool) -> None:
    """Propose topics from a library of references (BibTeX, RIS or CSL-JSON), and add them on yes.

    Authors whom it cites three times or more, and what its titles and keywords say as often. Nothing leaves this
    machine. With --json nothing is asked: it only proposes, unless --yes says more.
    """
    from newsletter.services import subscribe, wishes
    from newsletter.services.seed import propose

    with terminal.app() as app:
        held = subscribe.find(app.database, email)
        found = propose(file, held.preferences.topics)
        adds = bool(found.topics) and (yes or (not terminal.json and _agreed(found)))
        if adds:
            held = wishes.follow(app.database, app.settings.newsletter, email, found.topics, terminal.now())
    document = {"email": held.email, "references": found.references, "proposed": found.document, "added": adds}
    terminal.answer(document, _said(found, held.email, adds, held.preferences.topics))


def _agreed(found: "Proposal") -> bool:
    for line in found.lines:
        click.echo(line, err=True)
    return click.confirm("Add these topics?", err=True)


def _said(found: "Proposal", email: str, adds: bool, topics: Sequence[str]) -> str:
    if not found.topics:
        return f"{email}: {found.references} references, and nothing new in them three times or more"
    if adds:
        return f"{email}: {len(found.topics)} topics added, {len(topics)} in all"
    return f"{email}: nothing was changed"
