"""``newsletter bounces``: what comes back."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.terminal import Group, Terminal, examples

if TYPE_CHECKING:
    from newsletter.mail.bounce_report import Recipient, Report

_KINDS = ("bounce", "complaint", "auto-reply", "other", "command")
_EFFECTS = ("suppressed", "counted", "told", "noted", "not ours")

group = Group(
    "bounces",
    help="What comes back: reports of mail that did not arrive, complaints, and commands by mail.",
    epilog=examples(
        "newsletter bounces read /var/mail/papers-bounces",
        "newsletter bounces list --kind other",
        "newsletter bounces explain returned.eml",
    ),
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


_DASH = Path("-")
_TEMPFAIL = 75  # EX_TEMPFAIL: a mail server keeps the mail, and tries again


@group.command(
    epilog=examples(
        "newsletter bounces read ~/Maildir",
        "newsletter bounces read /var/mail/papers-bounces",
        "newsletter bounces read - < returned.eml",
    )
)
@click.argument("place", type=click.Path(path_type=Path, allow_dash=True), metavar="MAILDIR|MBOX|FILE|-")
@click.option("--to", multiple=True, metavar="ADDRESS", help="The address of the envelope that a pipe knows.")
@click.pass_obj
def read(terminal: Terminal, /, place: Path, to: tuple[str, ...]) -> None:
    """Take in what came back: suppress who is gone or complained, count the rest, do what readers ask for by mail.

    Every mail is acted on once, however often it is read. With - one mail is read from standard input, for a pipe of
    Postfix or procmail: the exit status is 0 when it was taken in, else 75, at which the mail server tries again.
    """
    if place == _DASH:
        _from_pipe(terminal, to)
    else:
        _take_in(terminal, place, to)


def _from_pipe(terminal: Terminal, to: tuple[str, ...]) -> None:
    try:
        _take_in(terminal, _DASH, to)
    except Exception as error:  # noqa: BLE001 - whatever it is, no mail may be lost for it
        terminal.warn(f"newsletter: {error}; the mail was not taken in, and may come again")
        sys.exit(_TEMPFAIL)


def _take_in(terminal: Terminal, place: Path, to: tuple[str, ...]) -> None:
    import asyncio

    from newsletter.services import mailboxes
    from newsletter.services.listen import hear

    heard = []
    with terminal.app() as app:
        waiting = [mailboxes.piped(sys.stdin.buffer.read())] if place == _DASH else mailboxes.letters(place)
        for letter in waiting:
            heard.append(asyncio.run(hear(app.dispatch, letter.raw, terminal.now(), to)))
            letter.done()
    document = {"read": len(heard), "returns": [one.document for each in heard for one in each.kept]}
    lines = [line for each in heard for line in each.lines]
    if heard:
        terminal.report(document, lambda: "\n".join(lines), [])
    else:
        terminal.answer(document, "" if terminal.quiet else f"no mail waits in {place}")


@group.command("list", epilog=examples("newsletter bounces list", "newsletter bounces list --effect told --json"))
@click.option("--kind", type=click.Choice([*_KINDS]), help="Of this kind only.")
@click.option("--effect", type=click.Choice([*_EFFECTS]), help="With this effect only.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.pass_obj
def list_(terminal: Terminal, /, kind: str | None, effect: str | None, limit: int) -> None:
    """Show what came back, the newest first, and what followed."""
    from newsletter.storage import returns

    with terminal.app() as app, app.database.read() as session:
        found = returns.page(session, kind=kind, effect=effect, limit=limit)
    rows = [
        (one.id, f"{one.came_at:%m-%d %H:%M}", one.kind, one.effect, one.address, one.reason, one.said[:80])
        for one in found
    ]
    headings = ("#", "came (UTC)", "kind", "effect", "address", "reason", "said")
    empty = "nothing came back"
    document = {"returns": [one.document for one in found]}
    terminal.answer(document, lambda: terminal.table(headings, rows) if rows else empty)


@group.command(epilog=examples("newsletter bounces show 12", "newsletter bounces show 12 > returned.eml"))
@click.argument("number", type=int)
@click.pass_obj
def show(terminal: Terminal, /, number: int) -> None:
    """Show what came back, by its number in 'bounces list'; the whole mail where nobody understood it."""
    from newsletter.errors import NotFoundError
    from newsletter.storage import returns

    with terminal.app() as app, app.database.read() as session:
        one = returns.get(session, number)
    if one is None:
        raise NotFoundError(f"nothing came back as #{number}; 'newsletter bounces list' shows what did")
    content = (one.content or "").encode("latin-1").decode("utf-8", "replace")
    document = one.document | {"mail": content or None}
    facts = "\n".join(f"{name:<10} {value}" for name, value in one.document.items() if value not in (None, ""))
    terminal.answer(document, content or facts)


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
