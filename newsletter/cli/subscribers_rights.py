"""``newsletter subscribers data`` and ``forget``: what the law gives everybody who is on a list."""

import sys
from typing import TYPE_CHECKING

import click

from newsletter.cli.terminal import Command, Terminal, examples

if TYPE_CHECKING:
    from newsletter.services.forget import Forgotten


@click.command(cls=Command, epilog=examples("newsletter subscribers data ann@example.org > ann.json"))
@click.argument("email")
@click.pass_obj
def data(terminal: Terminal, /, email: str) -> None:
    """Show all that is known of a person, as JSON for them: subscription, consent, every digest, what they said.

    Also of who was removed: then it is the hash that keeps an import from bringing them back.
    """
    from newsletter.services import known

    terminal.json = True
    with terminal.app() as app:
        terminal.answer(known.data(app.database, email, terminal.now()))


@click.command(
    cls=Command,
    epilog=examples(
        "newsletter subscribers forget ann@example.org", "newsletter subscribers forget ann@example.org --yes"
    ),
)
@click.argument("email")
@click.option("--yes", is_flag=True, help="Without asking.")
@click.pass_obj
def forget(terminal: Terminal, /, email: str, yes: bool) -> None:
    """Forget a person for good: from every table, the free pages of the file and its write-ahead log.

    A hash of the address stays, so that no import brings it back. It cannot be undone. Copies that upgrades and
    restores left beside the database are named; your own backups, and logs of mail servers, you know best. Takes a
    minute for each gigabyte where the address lies in pages that nobody uses any more.
    """
    from newsletter.services.forget import forget as service

    if not yes and not _agreed(terminal, email):
        terminal.answer({"email": email, "forgotten": False}, f"{email}: nothing was changed")
        return
    with terminal.app() as app:
        done = service(app.service(terminal.now), email)
    document = {"email": done.email, "forgotten": True, "copies": done.copies}
    terminal.answer(document, f"{done.email}: forgotten{_but(done)}")


def _agreed(terminal: Terminal, email: str) -> bool:
    if terminal.json or not sys.stdin.isatty():
        raise click.UsageError("It cannot be undone: give --yes.")
    return click.confirm(f"Forget {email} for good?", err=True)


def _but(done: "Forgotten") -> str:
    names = ", ".join(str(copy) for copy in done.copies)
    return f"; but these copies know them, delete them when you can: {names}" if names else ""
