"""``newsletter bounces``: what comes back."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.mail.bounce_report import Recipient, Report

group = Group(
    "bounces",
    help="What comes back: reports of mail that did not arrive, complaints, and commands by mail.",
    epilog=examples("newsletter bounces explain returned.eml"),
)


@group.command(
    epilog=examples(
        "newsletter bounces explain returned.eml",
        "newsletter bounces explain Maildir/new/* --json",
        "newsletter bounces explain - < returned.eml",
    )
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.pass_obj
def explain(terminal: Terminal, /, files: tuple[Path, ...]) -> None:
    """Say what each mail is that came back, and what it says of whom, without a database.

    A bounce names each address, its status, and whether it is permanent. Only a permanent bounce and a complaint
    suppress a reader at once. FILE may be - for standard input.
    """
    from newsletter.mail.bounce_text import is_library_there
    from newsletter.mail.bounces import read

    if not is_library_there():
        terminal.warn("flufl.bounce is missing, so some old forms are not known: pip install '.[bounces]'")
    told = [(str(file), read(_content(file))) for file in files]
    terminal.answer([_document(*each) for each in told], lambda: "\n".join(_lines(told)))


def _content(file: Path) -> bytes:
    """Return what *file* holds. Raises UsageError."""
    from newsletter.errors import UsageError

    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); name files, each with one mail") from error


def _document(file: str, report: "Report") -> dict[str, Any]:
    recipients = [
        {"address": one.address, "status": one.status, "permanent": one.permanent, "reason": one.reason}
        for one in report.recipients
    ]
    return {"file": file, "kind": report.kind, "recipients": recipients}


def _lines(told: "list[tuple[str, Report]]") -> Iterator[str]:
    for file, report in told:
        yield f"{file}: {report.kind}" + (f", {report.subject!r}" if report.subject else "")
        yield from (f"  {_line(one)}" for one in report.recipients)


def _line(one: "Recipient") -> str:
    weight = "permanent" if one.permanent else "not permanent"
    status = f" {one.status}" if one.status else ""
    return f"{one.address}:{status} {one.reason} ({weight})" + (f": {one.said}" if one.said else "")
